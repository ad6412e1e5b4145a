"""Which cases a split has: digests that are shipped in place of the pictures.

A manifest maps case ids to digests, with the versions that made them. Another version
of NumPy or Pillow may round a pixel otherwise; then the cases are as fair, but others
than those of published numbers, and a report says so.

    pixels       pixels, masks and instructions of every case (`case_digest`)
    parameters   those of every case's first draw, which nothing renders: that seeds and
                 samplers are the same. Splits that take hours to render have these.

`python -m tbstar_jax.evaluation.cases.manifest --of=pixels smoke` writes one anew.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from tqdm import tqdm

from tbstar_jax.data_engine.layout.bases import sample_card
from tbstar_jax.data_engine.layout.card import card_digest
from tbstar_jax.data_engine.studio.scene import scene_digest
from tbstar_jax.evaluation.cases.case import Case, Split
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.from_studio import sample_shot_edit
from tbstar_jax.evaluation.cases.hard import hard_digests
from tbstar_jax.evaluation.cases.make import GENERATORS, make_case
from tbstar_jax.evaluation.cases.overlaid import plain_scene
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION, case_generator
from tbstar_jax.evaluation.cases.splits import case_names, size_of

MANIFEST_SPLITS: tuple[Split, ...] = ("smoke", "mini", "dev", "test", "hard")
"""Splits that have a manifest."""

Content: TypeAlias = Literal["pixels", "parameters"]
"""What digests are of."""

_FOLDER = "manifest"
_PACKAGES = ("numpy", "pillow")


def check_manifest(cases: Iterable[Case]) -> list[str]:
    """Compares cases with those that the benchmark was published with.

    A manifest of pixels judges the case itself. One of parameters judges what this
    software draws under the case's id: pictures altered since are not noticed.

    Args:
      cases: any; those of `fresh` and `photo`, which have no manifest, are passed over.

    Returns:
      Ids of the cases that differ, in their order; `explain` tells a likely cause.
    """
    known: dict[str, dict[str, Any]] = {}
    differing = []
    for case in cases:
        if case.split not in MANIFEST_SPLITS:
            continue
        if case.split not in known:
            known[case.split] = read_manifest(case.split)
        manifest = known[case.split]
        found = (
            case_digest(case)
            if manifest["digest_of"] == "pixels"
            else parameter_digest(case.split, case.task, case.index)
        )
        if manifest["cases"].get(case.id) != found:
            differing.append(case.id)
    return differing


def explain(split: Split) -> str:
    """One sentence on the versions that made a manifest, and those that are here."""
    made = read_manifest(split)["versions"]
    here = _versions()
    told = ", ".join(f"{name} {made[name]} (here {here[name]})" for name in _PACKAGES)
    return f"the manifest of {split} was made with {told}"


def read_manifest(split: Split) -> dict[str, Any]:
    """The manifest of a split, as shipped."""
    place = resources.files(__package__).joinpath(_FOLDER, f"{split}.json")
    return dict(json.loads(place.read_text(encoding="utf-8")))


def parameter_digest(split: Split, task: str, index: int) -> str:
    """SHA-256 of what a case's first draw is rendered from, hexadecimal."""
    rng = case_generator(split, 0, task, index, "scene-0")
    size = size_of(split, index)
    if split == "hard":
        return _named(split, task, *hard_digests(rng, task, index, size))
    generator = GENERATORS[task][index % len(GENERATORS[task])]
    if generator == "layout":
        return _named(split, task, card_digest(sample_card(rng, size)))
    if generator == "studio" and task != "repair_zoom":
        edit = sample_shot_edit(rng, task, size)
        return _named(split, task, scene_digest(edit.before), scene_digest(edit.after))
    return _named(split, task, scene_digest(plain_scene(rng, size)))


def _named(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def make_manifest(split: Split, content: Content) -> dict[str, Any]:
    """Draws a split and takes its digests.

    Args:
      split: one of `MANIFEST_SPLITS`.
      content: what digests are of.
    """
    digests = {}
    for task, index in tqdm(case_names(split), desc=f"{split}: digests", unit="case"):
        id = f"{split}/{task}/{index:03d}"
        if content == "pixels":
            digests[id] = case_digest(make_case(split, task, index))
        else:
            digests[id] = parameter_digest(split, task, index)
    return {
        "bench_version": BENCHMARK_VERSION,
        "split": split,
        "digest_of": content,
        "versions": _versions(),
        "cases": digests,
    }


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def main() -> None:
    """Writes the manifests of some splits into the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("splits", nargs="+", choices=MANIFEST_SPLITS)
    parser.add_argument("--of", choices=get_args(Content), required=True)
    options = parser.parse_args()
    folder = Path(__file__).parent / _FOLDER
    folder.mkdir(exist_ok=True)
    for split in options.splits:
        text = json.dumps(make_manifest(split, options.of), indent=1)
        (folder / f"{split}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
