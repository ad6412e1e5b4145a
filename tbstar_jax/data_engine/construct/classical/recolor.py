"""Another product colour, in CIE Lab: hue and chroma move, shading and print stay.

The product's own colour is the most common one in its segment. Pixels of that colour
are turned about the grey axis and stretched, so that a grey highlight stays grey; a
product without colour gets it in proportion to how matt a pixel is. Lightness is bent
between black and white, which both stay, such that the product's median lightness
becomes the wanted colour's.
"""

import dataclasses

import cv2
import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.classical.palette import lab_image
from tbstar_jax.data_engine.construct.classical.regions import grown
from tbstar_jax.data_engine.construct.protocol import CannotEdit
from tbstar_jax.data_engine.render.scene import RGB
from tbstar_jax.metrics.color import ciede2000

_GREY_CHROMA = 10.0
"""Chroma below which a product has no hue to turn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecolorSettings:
    """When a product can be recoloured.

    Attributes:
      min_difference: least CIEDE2000 difference between old and new colour.
      min_own_share: least share of the segment in the product's own colour.
      grey_reach: how far from a grey product's colour, in a* and b*, a pixel still
        has it.
      hue_reach: how far from a coloured product's hue, in degrees, likewise.
    """

    min_difference: float = 12.0
    min_own_share: float = 0.35
    grey_reach: float = 26.0
    hue_reach: float = 22.0


def recolored(
    image: UInt8[np.ndarray, "h w 3"],
    alpha: Float[np.ndarray, "h w"],
    new_color: RGB,
    settings: RecolorSettings,
) -> UInt8[np.ndarray, "h w 3"]:
    """Gives the segmented product another colour.

    Args:
      image: the photo.
      alpha: how much of every pixel is the product, in [0, 1].
      new_color: the wanted colour, sRGB 0..255.
      settings: when to decline.

    Raises:
      CannotEdit: it has that colour already, or no colour of its own.
    """
    lab = lab_image(image).astype(np.float64)
    wanted = lab_image(np.array([[new_color]], np.uint8))[0, 0].astype(np.float64)
    own = _own_color(lab[alpha > 0.9])
    share = alpha * _held_together(_has_color(lab, own, settings), alpha)
    coverage = float(share.sum() / alpha.sum())
    if coverage < settings.min_own_share:
        raise CannotEdit(
            f"only {coverage:.0%} of the product has its main colour; below "
            f"{settings.min_own_share:.0%} it is not of one colour"
        )
    own[0] = np.median(lab[share > 0.6][:, 0])
    difference = float(ciede2000(own, wanted))
    if difference < settings.min_difference:
        raise CannotEdit(
            f"the product differs from the wanted colour by {difference:.1f} "
            f"CIEDE2000; below {settings.min_difference:.0f} it has that colour already"
        )
    moved = _moved(lab, own, wanted)
    mixed = lab + share[:, :, None] * (moved - lab)
    rgb = cv2.cvtColor(mixed.astype(np.float32), cv2.COLOR_LAB2RGB)
    edited = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    # Lab and back is not exact: what has no share keeps its bits.
    return np.where(share[:, :, None] > 0, edited, image)


def _own_color(lab: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3"]:
    """The most common a* and b* (mode of a smoothed histogram), and median L*."""
    if len(lab) == 0:
        raise CannotEdit("no pixel of the product is free of background")
    edges = np.arange(-112, 113, 8)
    counts, _, _ = np.histogram2d(lab[:, 1], lab[:, 2], bins=(edges, edges))
    counts = cv2.GaussianBlur(counts, (3, 3), 0)
    a, b = np.unravel_index(counts.argmax(), counts.shape)
    center = np.array([edges[a] + 4.0, edges[b] + 4.0])
    near = lab[np.linalg.norm(lab[:, 1:] - center, axis=1) < 12]
    return np.median(near if len(near) else lab, axis=0)


def _has_color(
    lab: Float[np.ndarray, "h w 3"],
    own: Float[np.ndarray, "3"],
    settings: RecolorSettings,
) -> Float[np.ndarray, "h w"]:
    """How much a pixel has the product's own colour, in [0, 1].

    In shade a coloured surface keeps hue and chroma per lightness; white print and
    highlights have less of it, other things another hue.
    """
    light = np.maximum(lab[:, :, 0], 1.0)
    chroma = np.hypot(lab[:, :, 1], lab[:, :, 2])
    own_chroma = float(np.hypot(own[1], own[2]))
    if own_chroma < _GREY_CHROMA:
        away = np.hypot(lab[:, :, 1] - own[1], lab[:, :, 2] - own[2])
        # White and black print on a grey product have its hue, not its lightness.
        away = np.maximum(away, (np.abs(lab[:, :, 0] - own[0]) - 30.0) * 0.8)
        return np.clip(
            (settings.grey_reach - away) / (0.65 * settings.grey_reach), 0, 1
        )
    along = lab[:, :, 1] * own[1] + lab[:, :, 2] * own[2]
    cosine = along / np.maximum(chroma * own_chroma, 1e-6)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    is_hue = np.clip((settings.hue_reach - angle) / (0.5 * settings.hue_reach), 0, 1)
    saturation = (chroma / light) / (own_chroma / max(float(own[0]), 1.0))
    is_colored = is_hue * np.clip((saturation - 0.3) / 0.25, 0.0, 1.0)
    # In the dark both are noise: a dark pixel belongs to what surrounds it.
    is_dark = np.clip((24.0 - light) / 10.0, 0.0, 1.0)
    return np.maximum(is_colored, is_dark * (along > 0))


def _held_together(
    share: Float[np.ndarray, "h w"], alpha: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Smooths a share, and drops patches that are small beside the largest one."""
    steps = np.rint(share * 255).astype(np.uint8)
    smooth = cv2.GaussianBlur(cv2.medianBlur(steps, 5), (0, 0), 0.8) / 255.0
    is_part = (smooth > 0.3) & (alpha > 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        is_part.astype(np.uint8), connectivity=8
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    least = 0.1 * areas[1:].max() if count > 1 else 0
    large = [label for label in range(1, count) if areas[label] >= least]
    # With their soft borders.
    return np.where(grown(np.isin(labels, large), 3), smooth, 0.0)


def _moved(
    lab: Float[np.ndarray, "h w 3"],
    own: Float[np.ndarray, "3"],
    wanted: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "h w 3"]:
    light = _bent(lab[:, :, 0], float(own[0]), float(wanted[0]))
    chroma = float(np.hypot(own[1], own[2]))
    target = np.hypot(wanted[1], wanted[2])
    if chroma >= _GREY_CHROMA:
        turn = np.arctan2(wanted[2], wanted[1]) - np.arctan2(own[2], own[1])
        a, b = lab[:, :, 1], lab[:, :, 2]
        stretch = target / chroma
        new_a = stretch * (np.cos(turn) * a - np.sin(turn) * b)
        new_b = stretch * (np.sin(turn) * a + np.cos(turn) * b)
        # No pixel gets much more chroma than the wanted colour has.
        size = np.hypot(new_a, new_b)
        limit = np.minimum(1.0, 1.25 * max(target, 4.0) / np.maximum(size, 1e-6))
        return np.stack([light, new_a * limit, new_b * limit], axis=-1)
    # Dark pixels and highlights carry less colour than the middle.
    matt = np.minimum(1.0, light / max(float(wanted[0]), 1.0)) * np.clip(
        (100.0 - light) / max(100.0 - float(wanted[0]), 1.0), 0.0, 1.0
    )
    offset = lab[:, :, 1:] - own[1:]
    colored = wanted[1:] * matt[:, :, None] + offset
    return np.concatenate([light[:, :, None], colored], axis=-1)


def _bent(
    light: Float[np.ndarray, "h w"], middle: float, wanted: float
) -> Float[np.ndarray, "h w"]:
    """Maps 0 to 0, `middle` to `wanted` and 100 to 100, straight in between."""
    middle, wanted = (min(max(value, 4.0), 96.0) for value in (middle, wanted))
    below = light * (wanted / middle)
    above = wanted + (light - middle) * (100.0 - wanted) / (100.0 - middle)
    # Between a dark old and a light new colour the slopes differ much: shading would
    # turn hard on one side, so the steeper side is eased towards a plain offset.
    offset = light + (wanted - middle)
    bent = np.where(light < middle, below, above)
    steep = np.where(light < middle, wanted / middle, 1.0)
    ease = np.clip((steep - 1.4) / 2.0, 0.0, 0.8)
    return np.clip(ease * np.maximum(offset, 0.0) + (1 - ease) * bent, 0.0, 100.0)
