"""How many planted defects the pair filter catches: `python -m data.trial`.

    python -m data.trial --pairs=54                 declared masks
    python -m data.trial --pairs=27 --no-masks      the region is estimated
    python -m data.trial --photos=DIR               your own photos

Local edits are planted in photographs, and defects in their targets: displacement,
zoom, cast, blur and more. Prints a Markdown table. Without `--photos` the photographs
are nine that scikit-image and scikit-learn bring along (`pip install -e '.[test]'`).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.parser import Parser
from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.filter.rules import STAGE_1, STAGE_2
from tbstar_jax.data_engine.filter.trial import false_alarm_rate, run_trial, table
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.images import decode_image

_PROFILES = {"stage1": STAGE_1, "stage2": STAGE_2}
_OF_SKIMAGE = (
    "coffee.png",
    "astronaut.png",
    "chelsea.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
    "ihc.png",
)
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def main(argv: Sequence[str]) -> None:
    """Runs the trial and prints its table."""
    parser = Parser(prog="python -m data.trial", allow_abbrev=False)
    add = parser.add_argument
    add("--photos", type=Path, help="folder of photographs (default: bundled ones)")
    add("--pairs", type=int, default=54, help="per defect and kind (%(default)s)")
    add("--side", type=int, default=256, help="pixels (%(default)s)")
    add("--seed", type=int, default=0, help="%(default)s")
    add("--profile", choices=tuple(_PROFILES), default="stage1", help="%(default)s")
    add("--no-masks", action="store_true", help="let the filter find the region")
    options = parser.parse_args(argv)
    if options.pairs < 1 or options.side < 64:
        raise UserError(
            f"--pairs is {options.pairs} and --side {options.side}; they must be at "
            "least 1 and 64"
        )
    photos = _bundled() if options.photos is None else _read(options.photos)
    large = [photo for photo in photos if min(photo.shape[:2]) > options.side + 32]
    if not large:
        raise UserError(
            f"no photograph is larger than {options.side + 32} pixels on both sides"
        )
    rows = run_trial(
        large,
        num_pairs=options.pairs,
        side=options.side,
        seed=options.seed,
        profile=_PROFILES[options.profile],
        declares_mask=not options.no_masks,
    )
    print(table(rows))
    print(f"\nfalse alarms: {100 * false_alarm_rate(rows):.1f} % of the clean pairs")


def _read(folder: Path) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES
    )
    return [decode_image(path.read_bytes(), str(path)) for path in paths]


def _bundled() -> list[UInt8[np.ndarray, "_ _ 3"]]:
    try:
        import skimage
        import sklearn
    except ModuleNotFoundError as error:
        raise UserError(
            f"the bundled photographs need {error.name}: pip install -e '.[test]', or "
            "name a folder with --photos"
        ) from error
    skimage_data = Path(skimage.__file__).parent / "data"
    sklearn_data = Path(sklearn.__file__).parent / "datasets" / "images"
    paths = [skimage_data / name for name in _OF_SKIMAGE]
    paths += [sklearn_data / name for name in ("china.jpg", "flower.jpg")]
    return [decode_image(path.read_bytes(), path.name) for path in paths]


if __name__ == "__main__":
    sys.exit(run_command(main))
