"""How well `preserve=estimated` finds the edit region, on held-out template pairs.

    python -m experiments.preservation --pairs=60

Their true change is known to the pixel. Four ways of finding it are compared:

    perfect edit   estimated from the true target through the autoencoder
    stage 1        estimated from the edits of stage 1, which has no keep gate
    stage 2        estimated from the edits of stage 2, its gate at work
    keep gate      the gate of stage 2, for comparison; no estimate

Precision is the share of the region found that truly changed, recall the share of the
true change that was found; both of a pair, then averaged over pairs. Pairs where no
pixel is to change are left out; one in which nothing is found has recall 0 and no
precision.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from experiments.compare import sampling_options
from tbstar_jax.array_types import Variables
from tbstar_jax.convert.folder import BASE_PARTS, STAGE_PARTS, Weights, load_weights
from tbstar_jax.errors import run_command
from tbstar_jax.evaluation.heldout import HeldoutPair, load_pairs
from tbstar_jax.geometry import mask_from_grid, mask_from_model, plan_canvas, to_model
from tbstar_jax.inference.editor import Editor
from tbstar_jax.inference.estimate import estimate_region
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS

_HELDOUT = Path("data") / "built" / "tiny" / "heldout"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegionScore:
    """One region against the true change.

    Attributes:
      way: how it was found.
      task: of the pair.
      precision: NaN where nothing was found.
      recall: of the true change.
      found: share of the image.
      true: share of the image that truly changed.
    """

    way: str
    task: str
    precision: float
    recall: float
    found: float
    true: float


def main(argv: Sequence[str]) -> None:
    """Scores the ways and prints a table per way and task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--weights", type=Path, default=SHIPPED_WEIGHTS)
    parser.add_argument("--data", type=Path, default=_HELDOUT)
    flags = parser.parse_args(argv)
    pairs = load_pairs(flags.data, flags.pairs)
    scores = list(score_pairs(load_weights(flags.weights), pairs))
    for line in table_lines(scores):
        print(line)


def score_pairs(
    weights: Weights, pairs: Sequence[HeldoutPair]
) -> Iterator[RegionScore]:
    """Yields the scores of every pair that changes, in each of the four ways."""
    parts: Variables = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.float32), weights.parts
    )
    editor = Editor(weights.config)
    for row, pair in enumerate(pairs):
        if not pair.change_mask.any():
            continue
        for way, region in _regions(editor, parts, pair, row):
            common = float((region & pair.change_mask).sum())
            yield RegionScore(
                way=way,
                task=pair.task,
                precision=common / region.sum() if region.any() else float("nan"),
                recall=common / float(pair.change_mask.sum()),
                found=float(region.mean()),
                true=float(pair.change_mask.mean()),
            )


def _regions(
    editor: Editor, parts: Variables, pair: HeldoutPair, row: int
) -> Iterator[tuple[str, Bool[np.ndarray, "h w"]]]:
    plan = plan_canvas(
        pair.source.shape[0], pair.source.shape[1], editor.config.pixel_budget
    )
    key = jax.random.fold_in(jax.random.key(0), row)[None]
    base = {name: parts[name] for name in BASE_PARTS}
    source, target = (
        editor.prepare(base, to_model(image, plan)[None])
        for image in (pair.source, pair.target)
    )
    unedited = np.asarray(editor.round_trip(base, source)[0])

    def estimated(image: np.ndarray) -> Bool[np.ndarray, "h w"]:
        return mask_from_model(estimate_region(image, unedited), plan) > 127

    perfect = np.asarray(editor.round_trip(base, target)[0])
    yield "perfect edit", estimated(perfect)
    weights = Weights(config=editor.config, parts=parts, identities={})
    for depth, part in enumerate(STAGE_PARTS, start=1):
        stage = {name: parts[name] for name in (*BASE_PARTS, *STAGE_PARTS[:depth])}
        prepared = editor.prepare(stage, to_model(pair.source, plan)[None])
        options = sampling_options(weights, part)
        edited = editor.generate(stage, prepared, (pair.instruction,), key, options)
        yield f"stage {depth}", estimated(np.asarray(edited.image[0]))
        if part == "consistency":
            assert edited.keep_probability is not None
            is_edited = np.asarray(edited.keep_probability[0]) <= 0.5
            yield "keep gate", mask_from_grid(is_edited, plan) > 127


def table_lines(scores: Sequence[RegionScore]) -> Iterator[str]:
    """A Markdown table: every way over all pairs, then by task."""
    yield "| region | pairs | precision | recall | found | true | nothing found |"
    yield "|---|---|---|---|---|---|---|"
    for way in dict.fromkeys(score.way for score in scores):
        of_way = [score for score in scores if score.way == way]
        yield _row(way, of_way)
        for task in sorted({score.task for score in of_way}):
            yield _row(f"{way}: {task}", [x for x in of_way if x.task == task])


def _row(name: str, scores: Sequence[RegionScore]) -> str:
    precision = [x.precision for x in scores if not np.isnan(x.precision)]
    shown = f"{np.mean(precision):.3f}" if precision else "-"
    recall, found, true = (
        np.mean([getattr(x, field) for x in scores])
        for field in ("recall", "found", "true")
    )
    return (
        f"| {name} | {len(scores)} | {shown} | {recall:.3f} | {found:.3f} | "
        f"{true:.3f} | {len(scores) - len(precision)} |"
    )


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
