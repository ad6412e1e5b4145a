"""Texts printed with the project's own typeface, and where their ink is."""

import numpy as np
from PIL import Image, ImageFilter

from tbstar_jax.data_engine.fonts.loader import font
from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.geometry import Box

DARK_ON_LIGHT = ((30, 30, 34), (240, 240, 236))
WHITE_ON_RED = ((255, 255, 255), (196, 40, 44))
RED_ON_YELLOW = ((200, 30, 30), (250, 214, 60))


def plate(text, pixels=24, colors=DARK_ON_LIGHT, size=None, fade=0.0, blur=0.0):
    """A plate with a text in its middle, and the box of the ink.

    Args:
      text: empty for an empty plate, whose box is the plate's middle.
      pixels: em square.
      colors: ink and ground.
      size: rows and columns; as the text needs by default.
      fade: how much darker the right end of the ground is, 0 to 1.
      blur: standard deviation, pixels.
    """
    ink, ground = colors
    if size is None:
        width = font("bold", 256).getlength(text) / 256 * pixels
        size = (3 * pixels, round(width) + 4 * pixels)
    image = np.ones((*size, 3)) * np.array(ground) / 255
    image = image * np.linspace(1.0, 1.0 - fade, size[1])[None, :, None]
    alpha = np.zeros(size)
    if text:
        top, width = (size[0] - pixels) / 2, size[1] - 2 * pixels
        place = (top, float(pixels), float(pixels), float(width))
        layer = text_layer(text, ink, box=place, size=size, weight="bold")
        rows, columns = layer.alpha.shape
        here = np.s_[layer.top : layer.top + rows, layer.left : layer.left + columns]
        image[here] = layer.color + (1 - layer.alpha[..., None]) * image[here]
        alpha[here] = layer.alpha
    pixels_of = np.round(image * 255).astype(np.uint8)
    if blur:
        softened = Image.fromarray(pixels_of).filter(ImageFilter.GaussianBlur(blur))
        pixels_of = np.asarray(softened)
    return pixels_of, box_of(alpha > 0.1)


def box_of(mask):
    """The box of what is marked; an inner box where nothing is."""
    if not mask.any():
        rows, columns = mask.shape
        return Box(
            top=rows // 3, left=columns // 4, height=rows // 3, width=columns // 2
        )
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(
        top=int(rows[0]),
        left=int(columns[0]),
        height=int(rows[-1] - rows[0] + 1),
        width=int(columns[-1] - columns[0] + 1),
    )


def union(first, second):
    """The box around two."""
    top, left = min(first.top, second.top), min(first.left, second.left)
    bottom = max(first.top + first.height, second.top + second.height)
    right = max(first.left + first.width, second.left + second.width)
    return Box(top=top, left=left, height=bottom - top, width=right - left)
