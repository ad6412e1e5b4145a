"""Foreign masks as masks of a record: PNG of one channel, 255 = changed."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from tbstar_jax.array_types import Bool
from tbstar_jax.data_engine.collect.field_map import MaskKind
from tbstar_jax.data_engine.collect.image_bytes import fit_image
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import (
    MAX_PIXELS,
    decode_image,
    decode_mask,
    encode_png,
)


def change_mask(data: bytes, kind: MaskKind, source: bytes) -> bytes:
    """Turns a mask image into a record's mask.

    Args:
      data: the encoded mask.
      kind: `white`, `black` or `painted`, see `FieldMap`.
      source: the image before the edit.

    Raises:
      UserError: the mask cannot be read.
    """
    fitted = fit_image(data, keep_alpha=True)
    if kind == "painted":
        return _as_png(_painted(fitted.data, source))
    levels = decode_mask(fitted.data)
    return _as_png(levels < 128 if kind == "black" else levels >= 128)


def _painted(data: bytes, source: bytes) -> Bool[np.ndarray, "h w"]:
    """Where a copy of the source is transparent or, failing that, painted white."""
    shown = decode_image(data)
    before = decode_image(source)
    if shown.shape != before.shape:
        raise UserError(
            f"the mask has {shown.shape[:2]} rows and columns, its image "
            f"{before.shape[:2]}"
        )
    alpha = _alpha(data)
    if alpha is not None:
        return alpha < 128
    white = np.all(shown >= 250, axis=-1) & ~np.all(before >= 250, axis=-1)
    return np.asarray(white)


def _alpha(data: bytes) -> np.ndarray | None:
    image = Image.open(io.BytesIO(data), formats=("PNG", "WEBP"))
    return np.asarray(image.getchannel("A")) if image.mode == "RGBA" else None


def mask_from_rle(code: Any) -> bytes:
    """Decodes COCO's run-length code into a record's mask.

    Args:
      code: a mapping with `size` (rows, columns) and `counts`: runs of unchanged and
        changed pixels in turn, down the columns; a list, or COCO's compressed text.

    Raises:
      UserError: it is not such a code, or it does not fill its size exactly.
    """
    if not isinstance(code, Mapping) or "size" not in code or "counts" not in code:
        raise UserError("the mask is not a run-length code with size and counts")
    size, counts = code["size"], code["counts"]
    if (
        not _are_counts(size)
        or len(size) != 2
        or not 0 < size[0] * size[1] <= MAX_PIXELS
    ):
        raise UserError(f"the mask's size {str(size)[:80]} is not (rows, columns)")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    runs = _expand(counts) if isinstance(counts, str) else counts
    if not _are_counts(runs) or sum(runs) != size[0] * size[1]:
        raise UserError(
            f"the mask's runs do not fill its {size[0]} x {size[1]} pixels exactly"
        )
    changed = np.repeat(np.arange(len(runs)) % 2 == 1, np.asarray(runs, np.int64))
    return _as_png(changed.reshape(size[1], size[0]).T)


def _are_counts(values: Any) -> bool:
    is_list = isinstance(values, list | tuple)
    return is_list and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= MAX_PIXELS
        for v in values
    )


def _expand(text: str) -> list[int]:
    """Reads COCO's text: 5 bits a character, signed, differences from the third on."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise UserError("the mask's counts are not COCO's compressed text")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _as_png(changed: Bool[np.ndarray, "h w"]) -> bytes:
    return encode_png(np.ascontiguousarray(changed).astype(np.uint8) * 255)
