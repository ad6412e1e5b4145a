"""One picture of the benchmark: a case of every task under its instructions.

`python -m tbstar_jax.evaluation.cases.sheet docs/images/benchmark_cases.png`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import font
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case
from tbstar_jax.evaluation.cases.make import make_case

_COLUMNS = 2
_LINE = 15
_NUM_LINES = 6
_GAP = 8
_TEXT = 11
_CLOSING = "。，：；、”"

_INDICES = {
    "bg_scene": 3,
    "text_add": 2,
    "object_replace": 4,
    "light_shadow": 4,
}
"""Which case stands for a task, where it is not the first."""


def cases_sheet(cases: Sequence[Case], pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Draws source, reference and edit mask of each case under its instructions.

    Of a case with a second picture source, second picture and reference, and its title
    says so.

    Args:
      cases: at least one.
      pixels: side of the square that each picture fits into.
    """
    tiles = [_tile(case, pixels) for case in cases]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    rows = [
        np.concatenate(tiles[at : at + _COLUMNS], axis=1)
        for at in range(0, len(tiles), _COLUMNS)
    ]
    return np.concatenate(rows)


def _tile(case: Case, pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    pictures = np.concatenate([_fitted(one, pixels) for one in _shown(case)], axis=1)
    strip = Image.new("RGB", (pictures.shape[1], _LINE * _NUM_LINES + 4), "white")
    pen = ImageDraw.Draw(strip)
    lines = [_title(case)]
    for text in (case.instructions["en"], case.instructions["zh"]):
        lines += _wrapped(text, pictures.shape[1] - 18)
    for number, line in enumerate(lines[:_NUM_LINES]):
        weight = "bold" if number == 0 else "regular"
        place = (3, 2 + _LINE * number)
        pen.text(place, line, font=font(weight, _TEXT), fill=(30, 30, 32))
    tile = np.concatenate([np.asarray(strip), pictures])
    return np.pad(tile, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _shown(case: Case) -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
    if case.object_photo is not None:
        return case.source, case.object_photo, case.reference
    mask = np.where(case.masks.edit, np.uint8(255), np.uint8(0))
    return case.source, case.reference, np.repeat(mask[:, :, None], 3, axis=2)


def _title(case: Case) -> str:
    kind = f"{case.task}  ({case.generator}, {case.style})"
    if case.object_photo is None:
        return kind
    return f"{kind}: source, second picture, reference"


def _fitted(picture: UInt8[np.ndarray, "h w 3"], pixels: int) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((pixels - 2, pixels - 2), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (pixels, pixels), (228, 228, 232))
    square.paste(image, ((pixels - image.width) // 2, (pixels - image.height) // 2))
    return np.asarray(square)


def _wrapped(text: str, width: int) -> list[str]:
    """Breaks a text into lines: between words, or anywhere between Chinese signs."""
    face = font("regular", _TEXT)
    lines = [""]
    is_chinese = any("\u4e00" <= sign <= "\u9fff" for sign in text[:4])
    pieces = list(text) if is_chinese else text.split(" ")
    joint = "" if is_chinese else " "
    for piece in pieces:
        longer = f"{lines[-1]}{joint}{piece}" if lines[-1] else piece
        if face.getlength(longer) <= width or piece in _CLOSING:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def main() -> None:
    """Writes the sheet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="mini", choices=("smoke", "mini", "dev"))
    parser.add_argument("--pixels", type=int, default=160)
    options = parser.parse_args()
    indices = _INDICES if options.split != "smoke" else {}
    cases = [
        make_case(options.split, task, indices.get(task, 0)) for task in BENCHMARK_TASKS
    ]
    sheet = Image.fromarray(cases_sheet(cases, options.pixels))
    sheet.save(options.out, optimize=True)


if __name__ == "__main__":
    main()
