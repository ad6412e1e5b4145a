"""What stands behind a segmented product: another background, with a soft shadow."""

import cv2
import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.classical.matte import foreground_colors
from tbstar_jax.data_engine.construct.classical.palette import color_named
from tbstar_jax.data_engine.construct.classical.regions import bounding_box
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.data_engine.render.backgrounds import draw_background
from tbstar_jax.data_engine.render.overlays import shadow_layer
from tbstar_jax.data_engine.render.scene import (
    SETTINGS,
    Background,
    Color,
    Setting,
    Side,
    setting_by_id,
)

_WORDS: dict[str, tuple[str, ...]] = {
    "wood": ("wood", "wooden", "table", "木桌", "木"),
    "tiles": ("tile", "tiled", "tiles", "瓷砖"),
    "marble": ("marble", "大理石"),
    "shelf": ("shelf", "架子", "置物架"),
    "gradient": ("gradient", "渐变"),
}
"""What a description must mention to mean a kind of background."""


def background_named(description: str, seed: int) -> Background:
    """Finds the background that a description asks for.

    Args:
      description: `white`, `#rrggbb`, a colour of the palette, or what a setting of
        `render/scene.py` is called, e.g. `wooden table`, `pink gradient`.
      seed: draws its grain.

    Raises:
      CannotEdit: nothing that can be drawn is meant.
    """
    words = description.strip().lower()
    for id, names in _WORDS.items():
        if any(_mentions(words, name) for name in names):
            setting = setting_by_id(id)
            return Background(setting=setting, tone=_tone(words, setting), seed=seed)
    plain = setting_by_id("plain")
    for tone in plain.tones:
        if any(_mentions(words, name) for name in (tone.name_en, tone.name_zh)):
            return Background(setting=plain, tone=tone, seed=seed)
    for ending in (" background", "背景"):
        words = words.removesuffix(ending)
    words = words.removeprefix("pure ").removeprefix("plain ").removeprefix("纯")
    try:
        rgb = color_named(words)
    except CannotEdit as error:
        known = ", ".join(setting.id for setting in SETTINGS)
        raise CannotEdit(
            f"no background can be drawn for {description!r}; the kinds are {known} "
            "and colours"
        ) from error
    if words in ("white", "白", "白色"):
        rgb = (255, 255, 255)
    return Background(setting=plain, tone=Color(words, words, words, rgb), seed=seed)


def with_background(
    image: UInt8[np.ndarray, "h w 3"],
    alpha: Float[np.ndarray, "h w"],
    background: Background,
    *,
    shadow: float,
    light: Side,
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts the product before another background.

    Args:
      image: the photo.
      alpha: how much of every pixel is the product, in [0, 1]; where it is 1 the photo
        keeps every bit.
      background: what to draw behind it.
      shadow: darkness of a soft shadow on the ground, in [0, 1); 0 draws none, and a
        product that the lower border cuts has none either.
      light: the side the light comes from.
    """
    size = image.shape[0], image.shape[1]
    behind = draw_background(background, size)
    box = bounding_box(alpha > 0.5)
    is_cut = box.top + box.height >= size[0]
    if shadow > 0 and not is_cut:
        foot = alpha[box.top + int(0.85 * box.height) : box.top + box.height] > 0.5
        columns = np.flatnonzero(foot.any(axis=0))
        cast = shadow_layer(
            center=(columns[0] + columns[-1] + 1) / 2,
            ground=box.top + 0.985 * box.height,
            half_width=max(2.0, (columns[-1] + 1 - columns[0]) / 2),
            size=size,
            light=light,
            dark=shadow,
        )
        # A shadow on real ground has no border; the drawn one is bounded.
        dark = cv2.GaussianBlur(cast.alpha, (0, 0), max(0.8, box.height / 80))
        behind = behind * (1.0 - dark[:, :, None])
    share = alpha[:, :, None]
    mixed = share * foreground_colors(image, alpha) + (1.0 - share) * behind
    mixed = np.rint(np.clip(mixed, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.where(share >= 1, image, mixed)


def _mentions(words: str, name: str) -> bool:
    if name.isascii():
        return f" {name} " in f" {words} "
    return name in words


def _tone(words: str, setting: Setting) -> Color:
    for tone in setting.tones:
        if _mentions(words, tone.name_en) or tone.name_zh in words:
            return tone
    return setting.tones[0]
