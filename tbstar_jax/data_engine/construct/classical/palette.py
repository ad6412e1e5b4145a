"""Colours: by name from the renderer's palette, and in CIE Lab."""

import re

import cv2
import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.data_engine.render.scene import COLORS, RGB

_HEX = re.compile(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})")
_OTHER_NAMES = {"gray": "grey", "cyan": "teal", "violet": "purple"}


def color_named(name: str) -> RGB:
    """Finds a colour.

    Args:
      name: an English or Chinese name of the palette, with or without the character
        for colour, or `#rrggbb`.

    Returns:
      sRGB, 0..255.

    Raises:
      CannotEdit: no such colour.
    """
    wanted = name.strip().lower()
    if match := _HEX.fullmatch(wanted):
        red, green, blue = (int(part, 16) for part in match.groups())
        return red, green, blue
    wanted = _OTHER_NAMES.get(wanted, wanted)
    for color in COLORS:
        names = (color.name_en, color.name_zh, color.name_zh.removesuffix("\u8272"))
        if wanted in names:
            return color.rgb
    known = ", ".join(color.name_en for color in COLORS)
    raise CannotEdit(f"there is no colour {name!r}; known are {known} and #rrggbb")


def lab_image(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Converts to CIE Lab: L* in [0, 100], a*, b*, as float32."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
