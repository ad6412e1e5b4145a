"""The options of the command `tbstar-edit`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias, get_args

from tbstar_jax.errors import UserError
from tbstar_jax.inference.preserve import Preserve

Attention: TypeAlias = Literal["xla", "cudnn", "splash"]
"""The model's `AttentionKernel`, which cannot be had without importing jax."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def make_parser() -> argparse.ArgumentParser:
    """The command's options; `EditOptions` checks what they say together."""
    parser = _Parser(
        prog="tbstar-edit",
        description="Edits a photo, or a folder of photos, by instruction.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", type=Path, help="a photo or a folder of photos")
    add("instruction", help="what to change, in English or Chinese")
    add("-o", "--output", type=Path, required=True, help="a photo, or a folder")
    add(
        "--reference",
        dest="references",
        type=Path,
        action="append",
        default=[],
        help="a further photo the instruction speaks of; may be repeated",
    )
    add("--mask", type=Path, help="white = may be edited, black = kept; canvas size")
    add("--mask-out", type=Path, help="where to write the edit mask (.png)")
    add("--seed", type=int, default=0, help="of the noise (default: 0)")
    add("--steps", type=int, help="denoising steps (default: the checkpoint's)")
    add("--guidance", type=float, help="strength (default: the checkpoint's)")
    add(
        "--preserve",
        choices=get_args(Preserve),
        help="how kept regions are held (default: pixel where the checkpoint can)",
    )
    _add_model_options(add)
    add(
        "--convert",
        action="store_true",
        help="accept palette, CMYK, 16-bit and other images by converting them",
    )
    _add_canvas_options(add)
    add(
        "--overwrite",
        action="store_true",
        help="in a folder, replace outputs that exist (default: leave them)",
    )
    return parser


def _add_model_options(add: Callable[..., object]) -> None:
    """What edits, and on which devices."""
    add(
        "--checkpoint",
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="a weights folder or a public checkpoint (default: the shipped weights)",
    )
    add(
        "--lora",
        dest="loras",
        action="append",
        default=[],
        metavar="FILE[:SCALE]",
        help="merge a LoRA into the base; may be repeated",
    )
    add(
        "--mesh",
        metavar="DATAxMODEL",
        help="devices to share the weights, e.g. 1x4 (default: the first device)",
    )
    add(
        "--attention",
        choices=get_args(Attention),
        help="implementation (default: the fastest for the device)",
    )


def _add_canvas_options(add: Callable[..., object]) -> None:
    """What becomes of the photo's canvas."""
    add(
        "--crop",
        type=_crop,
        metavar="X,Y,W,H",
        help="cut this box out of the edited canvas, in pixels",
    )
    add(
        "--canvas",
        type=_canvas,
        metavar="WxH",
        help="place the photo on a larger canvas and paint the rest",
    )
    add(
        "--offset",
        type=_offset,
        metavar="X,Y",
        help="the photo's top left corner on the canvas (default: centred)",
    )


def _crop(text: str) -> tuple[int, int, int, int]:
    x, y, width, height = _integers(text, ",", "X,Y,W,H", 4)
    return y, x, height, width


def _canvas(text: str) -> tuple[int, int]:
    width, height = _integers(text, "x", "WxH", 2)
    return height, width


def _offset(text: str) -> tuple[int, int]:
    x, y = _integers(text, ",", "X,Y", 2)
    return y, x


def _integers(text: str, separator: str, form: str, count: int) -> list[int]:
    parts = text.split(separator)
    if len(parts) != count or not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} must have the form {form} in whole pixels"
        )
    return [int(part) for part in parts]
