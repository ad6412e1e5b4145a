"""The demo: edits with the shipped weights, retrains both stages, shows the difference.

    python -m experiments.demo                  what `make demo` runs
    python -m experiments.demo --steps=0        shipped weights alone, with their table
    DEMO_STEPS=200 make demo                    200 steps per stage instead of minutes

Writes into `outputs/demo`: `edits/` (a rendered product and a real photograph),
`heldout/` (a picture per held-out pair and model), `sheet.html` and `sheet.png` (both
drawn from these files), `table_shipped.md`, `table_trained.md`, `runs/` and `weights/`
(what was trained just now; `tbstar-edit --checkpoint outputs/demo/weights` uses it).
What an earlier demo wrote is moved into `earlier-1`, `earlier-2`, ...
"""

import argparse
import dataclasses
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.tiny import build_tiny
from experiments.command import BUILT_TINY
from experiments.compare import (
    ComparedModel,
    compare_models,
    sampling_options,
    score_table,
    steps_note,
)
from experiments.export import training_steps
from experiments.retrain import Retraining, retrain
from tbstar_jax.array_types import UInt8
from tbstar_jax.convert.folder import STAGE_PARTS, Weights, load_weights
from tbstar_jax.data_engine.examples import make_record
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.evaluation.heldout import HeldoutPair, load_pairs, spread_over_tasks
from tbstar_jax.evaluation.sheet.contents import (
    ContactSheet,
    ScoreTable,
    SheetColumn,
    SheetRow,
    ShownEdit,
)
from tbstar_jax.evaluation.sheet.html import sheet_html
from tbstar_jax.evaluation.sheet.png import sheet_png
from tbstar_jax.evaluation.sheet.tables import markdown, percent, plain_text
from tbstar_jax.inference.editor import Editor
from tbstar_jax.inference.image_file import (
    open_image,
    save_image,
    save_mask,
    share_identical_on_disk,
    source_from_array,
)
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS, EditPipeline
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import RecordSource

BUILT_DEMO = Path("data/built/demo")
SHIPPED, TRAINED = "shipped", "trained just now"

_DEMO_COUNTS = {"stage1": 1_200, "stage2": 800, "heldout": 60}
_MAX_PAIRS = 60
_NUM_SHOWN = 12
# The held-out set has seed 0: this product is in no set.
_PRODUCT_SEED, _PRODUCT_INDEX = 1, 1
_PHOTO_INSTRUCTIONS = ("make the brown mug blue", "把棕色马克杯改成蓝色")
_PRODUCTS = ("edits", "heldout", "runs", "weights", "sheet.html", "sheet.png")
_TABLES = {SHIPPED: "table_shipped.md", TRAINED: "table_trained.md"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoFlags:
    """What the command line and the environment say.

    Attributes:
      weights: a weights folder with both stages' modules.
      out: where everything is written.
      num_steps: of each retrained stage; 0 retrains nothing, None fits the time.
    """

    weights: Path
    out: Path
    num_steps: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Group:
    """The models of one origin, compared."""

    origin: str
    models: tuple[ComparedModel, ...]
    table: ScoreTable
    num_steps: dict[str, int]


def parse_flags(argv: Sequence[str], environment_steps: str | None) -> DemoFlags:
    """Reads the flags; `--steps` counts before `DEMO_STEPS`.

    Raises:
      UserError: a number of steps that is none.
    """
    parser = argparse.ArgumentParser(
        prog="python -m experiments.demo",
        description="Edits, retrains both stages and writes a contact sheet.",
        allow_abbrev=False,
    )
    parser.add_argument("--weights", type=Path, default=SHIPPED_WEIGHTS)
    parser.add_argument("--out", type=Path, default=Path("outputs/demo"))
    parser.add_argument("--steps", help="per stage; 0 retrains nothing")
    flags = parser.parse_args(argv)
    name, text = "--steps", flags.steps
    if text is None and environment_steps:
        name, text = "DEMO_STEPS", environment_steps
    if text is not None and not text.isdecimal():
        raise UserError(f"{name} is {text!r} but must be a whole number, 0 or more")
    num_steps = None if text is None else int(text)
    return DemoFlags(weights=flags.weights, out=flags.out, num_steps=num_steps)


def main(argv: Sequence[str]) -> None:
    """Runs the demo."""
    begin = time.perf_counter()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    flags = parse_flags(argv, os.environ.get("DEMO_STEPS"))
    weights = load_demo_weights(flags.weights)
    photo = _photograph()
    _set_aside(flags.out)
    edits = _first_edits(weights, training_steps(flags.weights), photo, flags.out)
    is_retraining = flags.num_steps != 0
    data = _data(("stage1", "stage2", "heldout") if is_retraining else ("heldout",))
    pairs = _pairs(data / "heldout", "en")
    editor = Editor(weights.config)
    groups = [_compare(editor, SHIPPED, flags.weights, weights, pairs, None)]
    _report(groups[0].table, flags.out)
    if is_retraining:
        retraining = Retraining(
            base=weights,
            base_path=flags.weights,
            data=data,
            runs=flags.out / "runs",
            out=flags.out / "weights",
            num_steps=flags.num_steps,
        )
        retrain(retraining, _say)
        trained = load_weights(retraining.out)
        groups.append(
            _compare(editor, TRAINED, retraining.out, trained, pairs, groups[0])
        )
        _report(groups[1].table, flags.out)
    sheet = _contact_sheet(flags, weights, edits, data, pairs, groups, begin)
    (flags.out / "sheet.html").write_text(sheet_html(sheet), encoding="utf-8")
    image = sheet_png(sheet)
    save_image(flags.out / "sheet.png", image, source_from_array(image))
    _say(f"{flags.out / 'sheet.html'} and {flags.out / 'sheet.png'} show all of it")
    _say(f"the demo took {(time.perf_counter() - begin) / 60:.1f} minutes")


def load_demo_weights(path: Path) -> Weights:
    """Loads weights that have everything the demo compares.

    Raises:
      UserError: there is no weights folder, it is damaged, or lacks a stage.
    """
    weights = load_weights(path)
    missing = [name for name in STAGE_PARTS if name not in weights.parts]
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)}; the demo compares base, stage 1 and "
            "stage 2, so export both stages into the folder with "
            "`python -m experiments.export`"
        )
    return weights


def shipped_table(path: Path, pairs: Sequence[HeldoutPair]) -> ScoreTable:
    """The README's table: the scores of a weights folder on held-out pairs."""
    weights = load_demo_weights(path)
    editor = Editor(weights.config)
    return _compare(editor, SHIPPED, path, weights, pairs, None).table


def _photograph() -> UInt8[np.ndarray, "h w 3"]:
    """A real photograph, from a package that is made for examples."""
    try:
        from skimage import data
    except ImportError as error:
        raise UserError(
            "the demo edits a photograph from scikit-image, which is not installed; "
            "install it with `pip install -e '.[demo]'`"
        ) from error
    return np.asarray(data.coffee())


def _set_aside(out: Path) -> None:
    """Moves what an earlier demo wrote out of the way: nothing of it is lost."""
    names = (*_PRODUCTS, *_TABLES.values())
    there = [out / name for name in names if (out / name).exists()]
    if there:
        number = 1
        while (out / f"earlier-{number}").exists():
            number += 1
        earlier = out / f"earlier-{number}"
        earlier.mkdir()
        for path in there:
            path.rename(earlier / path.name)
        _say(f"what an earlier demo wrote is now in {earlier}")
    out.mkdir(parents=True, exist_ok=True)


def _first_edits(
    weights: Weights,
    num_steps: dict[str, int],
    photo: UInt8[np.ndarray, "h w 3"],
    out: Path,
) -> tuple[ShownEdit, ...]:
    """Edits a product and a photograph, each in both languages."""
    record = make_record("heldout", _PRODUCT_SEED, _PRODUCT_INDEX, (128, 128))
    texts = (record.instructions_en[0], record.instructions_zh[0])
    product = decode_image(record.source_images[0])
    pipeline = EditPipeline(weights)
    directory = out / "edits"
    directory.mkdir()
    shown = []
    for name, title, image, instructions in (
        ("product", "a rendered product", product, texts),
        ("photo", "a photograph", photo, _PHOTO_INSTRUCTIONS),
    ):
        source_path = directory / f"{name}.png"
        save_image(source_path, image, source_from_array(image))
        source = open_image(source_path)
        for language, instruction in zip(("en", "zh"), instructions, strict=True):
            edited = pipeline(source, instruction)
            path = directory / f"{name}_{language}.png"
            mask_path = directory / f"{name}_{language}_mask.png"
            save_image(path, edited.image, source)
            save_mask(mask_path, edited.edit_mask)
            share = share_identical_on_disk(path, source)
            kept = edited.edit_mask == 0
            result = f"{percent(share)} of the pixels are bit-identical"
            if kept.any():
                held = share_identical_on_disk(path, source, kept)
                result += f"; outside the edit mask: {percent(held)}"
            _say(f'{path}: "{instruction}": {result}')
            shown.append(
                ShownEdit(
                    title=title,
                    instruction=instruction,
                    english=instructions[0],
                    model=f"stage 2, {SHIPPED}, {steps_note(num_steps, 'consistency')}",
                    result=result,
                    source=source_path,
                    edit=path,
                    mask=mask_path,
                )
            )
    return tuple(shown)


def _data(names: Sequence[str]) -> Path:
    """The directory of the sets: the full ones if built, else smaller ones."""
    if all((BUILT_TINY / name).exists() for name in names):
        return BUILT_TINY
    _say(f"building {', '.join(names)} in {BUILT_DEMO}")
    build_tiny(BUILT_DEMO, {name: _DEMO_COUNTS[name] for name in names})
    return BUILT_DEMO


def _pairs(path: Path, language: str) -> list[HeldoutPair]:
    num_pairs = min(_MAX_PAIRS, len(RecordSource(path, "test")))
    return load_pairs(path, num_pairs, language)


def _compare(
    editor: Editor,
    origin: str,
    path: Path,
    weights: Weights,
    pairs: Sequence[HeldoutPair],
    shipped: _Group | None,
) -> _Group:
    """Edits and scores; the base's edits are taken over, for it is the same base."""
    num_steps = training_steps(path)
    models: list[ComparedModel] = []
    if shipped is not None:
        models.append(shipped.models[0])
        num_steps = {**shipped.num_steps, **num_steps}
    parts = ("params", *STAGE_PARTS)[len(models) :]
    for part in tqdm(parts, desc=f"editing {len(pairs)} held-out pairs", unit="model"):
        models += compare_models(editor, weights, pairs, (part,))
    table = score_table(origin, pairs, models, num_steps)
    if shipped is not None:
        base, *others = table.rows
        base = dataclasses.replace(base, note=f"{SHIPPED}, {base.note}")
        table = dataclasses.replace(table, rows=(base, *others))
    return _Group(origin=origin, models=tuple(models), table=table, num_steps=num_steps)


def _report(table: ScoreTable, out: Path) -> None:
    """Prints a table and writes it."""
    (out / _TABLES[table.title]).write_text(markdown(table), encoding="utf-8")
    _say(plain_text(table))


def _contact_sheet(
    flags: DemoFlags,
    weights: Weights,
    edits: tuple[ShownEdit, ...],
    data: Path,
    pairs: Sequence[HeldoutPair],
    groups: Sequence[_Group],
    begin: float,
) -> ContactSheet:
    """Writes the pictures of the pairs shown and composes the sheet."""
    shown = spread_over_tasks(pairs, _NUM_SHOWN)
    chinese = _pairs(data / "heldout", "zh")
    directory = flags.out / "heldout"
    directory.mkdir()

    def column(title: str, note: str, images: Sequence[np.ndarray]) -> SheetColumn:
        name = f"{title} {note.partition(',')[0]}".replace(" ", "_")
        paths = []
        for index in shown:
            path = directory / f"{pairs[index].key}_{name}.png"
            if images[index].ndim == 2:
                save_mask(path, images[index])
            else:
                save_image(path, images[index], source_from_array(images[index]))
            paths.append(path)
        return SheetColumn(title=title, note=note, pictures=tuple(paths))

    columns = [column("true edit", "rendered", [pair.target for pair in pairs])]
    for place, group in enumerate(groups):
        for model in group.models[1:] if place else group.models:
            note = f"{group.origin}, {steps_note(group.num_steps, model.part)}"
            images = [edit.image for edit in model.edits]
            columns.append(column(model.name, note, images))
            if model.part == "consistency":
                masks = [_mask_image(edit.edit_mask) for edit in model.edits]
                columns.append(column(f"edit mask of {model.name}", note, masks))
    base = sampling_options(weights, "params")
    stages = sampling_options(weights, "consistency")
    minutes = (time.perf_counter() - begin) / 60
    return ContactSheet(
        title="tbstar_jax: base, stage 1 and stage 2 on held-out products",
        notes=(
            f"Every picture comes from the model named above it, sampled in "
            f"{stages.num_steps} steps; guidance {stages.guidance_scale:g}, base "
            f"{base.guidance_scale:g}. Models were given the English instruction.",
            f"{len(shown)} of {len(pairs)} held-out pairs are shown, all are in the "
            f"tables. Made in {minutes:.1f} minutes on {os.cpu_count()} CPU cores.",
        ),
        edits=edits,
        rows=tuple(_row(pairs[index], chinese[index]) for index in shown),
        source=column("source", "rendered", [pair.source for pair in pairs]),
        columns=tuple(columns),
        tables=tuple(group.table for group in groups),
    )


def _row(pair: HeldoutPair, chinese: HeldoutPair) -> SheetRow:
    return SheetRow(
        task=pair.task,
        instruction=pair.instruction,
        translation=chinese.instruction,
    )


def _mask_image(mask: np.ndarray | None) -> UInt8[np.ndarray, "h w"]:
    assert mask is not None  # stage 2 has a gate
    return np.where(mask, 255, 0).astype(np.uint8)


def _say(line: str) -> None:
    """Prints above a progress bar, if there is one."""
    tqdm.write(line)


if __name__ == "__main__":
    sys.exit(run_command(main))
