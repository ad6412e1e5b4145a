"""Removing a thing: OpenCV inpainting of its pixels, soft border included.

A thing ends in a soft border (blur, a halo of sharpening, the start of its shadow).
What is kept of it shows as a ghost, and inpainting would even spread it. So the
background is first predicted from further away; pixels near the thing that differ from
this prediction, and hang together with it, belong to the thing too. The fill is smooth
where the photo has grain, so grain of the surroundings' strength is added. Whether it
can be right at all is tried first on a ring whose true pixels are known.
"""

import dataclasses
import math
from typing import Literal

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, Float, UInt8
from tbstar_jax.data_engine.construct.classical.regions import (
    bounding_box,
    grown,
    shrunk,
)
from tbstar_jax.data_engine.construct.protocol import CannotEdit

Algorithm = Literal["telea", "navier_stokes"]

_FLAGS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}
_GHOST_LEVELS = 7.0
"""Difference from the prediction, in grey levels, that counts as the thing's border."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InpaintSettings:
    """How things are removed.

    Attributes:
      algorithm: Telea (2004), or Navier-Stokes (Bertalmio et al., 2001).
      max_share: largest share of the photo that is filled.
      max_error: largest error with which the fill predicts a ring of known pixels
        around the thing, root mean square in grey levels; above it a fill would show.
    """

    algorithm: Algorithm = "telea"
    max_share: float = 0.3
    max_error: float = 9.0


def remove_thing(
    image: UInt8[np.ndarray, "h w 3"],
    thing: Bool[np.ndarray, "h w"],
    allowed: Bool[np.ndarray, "h w"],
    settings: InpaintSettings,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """Fills a thing and its soft border from what surrounds it.

    Args:
      image: the photo.
      thing: its pixels.
      allowed: the pixels that may be filled; holds the thing.
      settings: how.
      rng: draws the grain.

    Raises:
      CannotEdit: it is too large, or nothing around it shows what is behind it.
    """
    share = float(thing.mean())
    if not 0 < share <= settings.max_share:
        raise CannotEdit(
            f"the object covers {share:.1%} of the photo; inpainting works for more "
            f"than 0 % and at most {settings.max_share:.0%}"
        )
    box = bounding_box(thing, margin=max(16, int(0.5 * math.sqrt(thing.sum()))))
    part = np.ascontiguousarray(image[box.slices])
    region = soft_border(
        part, thing[box.slices], allowed[box.slices], settings.algorithm
    )
    around = grown(region, max(4, round(0.12 * math.sqrt(region.sum())))) & ~region
    if not around.any():
        raise CannotEdit("nothing around the object is left to fill it from")
    tried = fill(part, region | around, settings.algorithm).astype(np.float64)
    error = float(np.sqrt(np.square(tried - part)[around].mean()))
    if error > settings.max_error:
        raise CannotEdit(
            f"filling from further away misses what surrounds the object by "
            f"{error:.1f} grey levels; above {settings.max_error:.1f} a fill would show"
        )
    detail = _detail(part)[around]
    filled = image.copy()
    filled[box.slices] = with_grain(
        fill(part, region, settings.algorithm), region, detail, rng
    )
    return filled


def soft_border(
    image: UInt8[np.ndarray, "h w 3"],
    thing: Bool[np.ndarray, "h w"],
    allowed: Bool[np.ndarray, "h w"],
    algorithm: Algorithm,
) -> Bool[np.ndarray, "h w"]:
    """Marks a thing and the pixels around it that only the thing explains."""
    scale = math.sqrt(thing.sum())
    least, reach = max(1, round(0.02 * scale)), max(4, round(0.12 * scale))
    wide = grown(thing, reach)
    expected = fill(image, wide, algorithm).astype(np.float64)
    differs = np.abs(expected - image).max(axis=2) > _GHOST_LEVELS
    # Opening drops single noisy pixels; what remains must touch the thing.
    ghost = grown(shrunk(differs & wide, 1), 1) | thing
    _, labels = cv2.connectedComponents(ghost.astype(np.uint8), connectivity=4)
    touching = np.unique(labels[thing])
    is_border = np.isin(labels, touching[touching > 0])
    return (grown(is_border, least) | thing) & allowed


def fill(
    image: UInt8[np.ndarray, "h w 3"],
    region: Bool[np.ndarray, "h w"],
    algorithm: Algorithm,
    radius: float = 4.0,
) -> UInt8[np.ndarray, "h w 3"]:
    """Inpaints a region from its border, `radius` pixels of it at a time.

    Wide regions are filled coarsely first: at full resolution the fill would consist of
    streaks from single border pixels.
    """
    mask = region.astype(np.uint8) * 255
    if not region.any():
        return image.copy()
    depth = float(cv2.distanceTransform(mask, cv2.DIST_L2, 3).max())
    if depth <= 10 or min(image.shape[:2]) < 16:
        return cv2.inpaint(image, mask, radius, _FLAGS[algorithm])
    rows, columns = (max(8, side // 2) for side in image.shape[:2])
    coarse = fill(*_halved(image, region, (rows, columns)), algorithm, radius)
    smooth = cv2.resize(
        coarse, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC
    )
    # Near the border the fine fill continues the photo's own pixels.
    fine = cv2.inpaint(image, mask, radius, _FLAGS[algorithm]).astype(np.float64)
    near = np.exp(-(cv2.distanceTransform(mask, cv2.DIST_L2, 3) / 3.0).astype(float))
    mixed = fine * near[:, :, None] + smooth * (1.0 - near[:, :, None])
    mixed = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return np.where(region[:, :, None], mixed, image)


def with_grain(
    filled: UInt8[np.ndarray, "h w 3"],
    region: Bool[np.ndarray, "h w"],
    detail: Float[np.ndarray, "n 3"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """Adds grain to a fill.

    Args:
      filled: the picture.
      region: where it was filled.
      detail: samples of the surroundings' detail, grey levels; edges among them are
        left out by taking the median deviation.
      rng: draws the grain.
    """
    strength = 1.4826 * np.median(np.abs(detail), axis=0)
    # The three channels of photographic noise rise and fall together in part.
    shared = rng.standard_normal((*region.shape, 1))
    own = rng.standard_normal((*region.shape, 3))
    grain = strength * (math.sqrt(0.6) * shared + math.sqrt(0.4) * own)
    grainy = np.rint(filled + grain).clip(0, 255).astype(np.uint8)
    return np.where(region[:, :, None], grainy, filled)


def _halved(
    image: UInt8[np.ndarray, "h w 3"],
    region: Bool[np.ndarray, "h w"],
    size: tuple[int, int],
) -> tuple[UInt8[np.ndarray, "r c 3"], Bool[np.ndarray, "r c"]]:
    """Shrinks a picture by averaging what is known; unknown where nothing is."""
    known = (~region).astype(np.float32)
    to = (size[1], size[0])
    weight = cv2.resize(known, to, interpolation=cv2.INTER_AREA)
    total = cv2.resize(
        image.astype(np.float32) * known[:, :, None], to, interpolation=cv2.INTER_AREA
    )
    mean = total / np.maximum(weight, 1e-6)[:, :, None]
    return np.rint(mean).clip(0, 255).astype(np.uint8), weight < 0.5


def _detail(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    values = image.astype(np.float64)
    return values - cv2.GaussianBlur(values, (0, 0), 1.5)
