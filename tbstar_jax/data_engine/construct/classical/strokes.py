"""Finding the strokes of text or a watermark, and inpainting only them.

Where a text stands on an even surface, its pixels are those that differ from the plane
of colour through the surface; elsewhere those that differ from the median of their
neighbourhood, which thin strokes do not reach.
"""

import dataclasses
import math

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, Float, UInt8
from tbstar_jax.data_engine.construct.classical.inpaint import fill, with_grain
from tbstar_jax.data_engine.construct.classical.palette import lab_image
from tbstar_jax.data_engine.construct.classical.regions import (
    bounding_box,
    grown,
    shrunk,
)
from tbstar_jax.data_engine.construct.protocol import CannotEdit


@dataclasses.dataclass(frozen=True, kw_only=True)
class StrokeSettings:
    """When strokes are believed to be text.

    Attributes:
      min_contrast: least difference from the surface, in CIE76 units.
      min_share: least share of the box that is stroke.
      max_share: largest share of the box that is stroke.
      min_agreement: least share of the strokes that are all lighter, or all darker,
        than their surface; ink is, detail of the photo is not.
      max_doubtful: largest area, as a share of the strokes', that stands out half as
        much as they do.
      max_unevenness: largest deviation of an even surface from a plane, grey levels.
    """

    min_contrast: float = 8.0
    min_share: float = 0.003
    max_share: float = 0.45
    min_agreement: float = 0.8
    max_doubtful: float = 0.15
    max_unevenness: float = 7.0


@dataclasses.dataclass(frozen=True)
class Surface:
    """An even surface: colour as a plane over rows and columns.

    Attributes:
      colors: its colour at every pixel, grey levels.
      unevenness: median deviation of the photo from it, as a standard deviation.
    """

    colors: Float[np.ndarray, "h w 3"]
    unevenness: float


def fit_surface(image: UInt8[np.ndarray, "h w 3"]) -> Surface:
    """Fits the surface that a text is printed on.

    The box's frame starts the fit; pixels far from it are left out three times.
    """
    rows, columns = image.shape[:2]
    y, x = np.mgrid[:rows, :columns]
    design = np.stack(
        [np.ones(image.shape[:2]), y / max(rows, 2) - 0.5, x / max(columns, 2) - 0.5],
        axis=-1,
    ).reshape(-1, 3)
    values = image.reshape(-1, 3).astype(np.float64)
    edge = max(1, min(rows, columns) // 12)
    frame = np.ones((rows, columns), dtype=bool)
    frame[edge : rows - edge, edge : columns - edge] = False
    used = frame.reshape(-1)
    # The frame may cut a stroke: the plane starts flat, at the frame's median.
    away = np.abs(values - np.median(values[used], axis=0)).max(axis=1)
    deviation = 0.0
    plane = np.broadcast_to(np.median(values[used], axis=0), values.shape)
    for _ in range(3):
        deviation = 1.4826 * float(np.median(away[used]))
        used = away <= max(6.0, 3.0 * deviation)
        if used.sum() < 12:
            break
        weights, *_ = np.linalg.lstsq(design[used], values[used], rcond=None)
        plane = design @ weights
        away = np.abs(values - plane).max(axis=1)
    deviation = 1.4826 * float(np.median(away[frame.reshape(-1)]))
    return Surface(colors=plane.reshape(image.shape), unevenness=deviation)


def find_strokes(
    image: UInt8[np.ndarray, "h w 3"],
    box: Bool[np.ndarray, "h w"],
    settings: StrokeSettings,
) -> Bool[np.ndarray, "h w"]:
    """Marks the strokes inside a region, without their soft border.

    Args:
      image: the photo.
      box: where to look; marks at least one pixel.
      settings: what counts as text.

    Raises:
      CannotEdit: there is nothing like text, or more than text can be.
    """
    around = bounding_box(box, margin=8)
    part, inside = np.ascontiguousarray(image[around.slices]), box[around.slices]
    reference, is_even = _surface_under(part, inside, settings.max_unevenness)
    change = lab_image(part) - lab_image(reference)
    contrast = np.where(inside, np.linalg.norm(change, axis=2), 0.0)
    high = max(settings.min_contrast, _otsu(contrast[inside]))
    low = 0.5 * high
    lighter = _require_one_ink(change[:, :, 0], contrast > high, settings)
    is_ink = np.ones_like(inside) if is_even else (change[:, :, 0] > 0) == lighter
    found = _connected(contrast > high, (contrast > low) & is_ink)
    outline = inside & ~shrunk(inside, 1)
    # What crosses the outline is text where all else is even, else perhaps detail.
    kept = found if is_even else found & ~_connected(outline & found, found)
    cut = float(found[outline].mean()) if is_even else 1 - kept.sum() / found.sum()
    if cut > (0.02 if is_even else 0.05):
        raise CannotEdit(
            f"{cut:.0%} of {'the outline' if is_even else 'what looks like strokes'} "
            "shows that the box cuts the text; draw it around the whole text"
        )
    doubtful = float(((contrast > low) & is_ink & ~found).sum() / max(kept.sum(), 1))
    if doubtful > settings.max_doubtful:
        raise CannotEdit(
            f"beside the strokes {doubtful:.0%} of their area stands out half as much; "
            f"above {settings.max_doubtful:.0%} text and detail cannot be told apart"
        )
    share = float(kept.sum() / inside.sum())
    if not settings.min_share <= share <= settings.max_share:
        raise CannotEdit(
            f"{share:.1%} of the box looks like strokes; text covers between "
            f"{settings.min_share:.1%} and {settings.max_share:.0%}"
        )
    strokes = np.zeros(box.shape, dtype=bool)
    strokes[around.slices] = kept
    return strokes


def _surface_under(
    image: UInt8[np.ndarray, "h w 3"],
    inside: Bool[np.ndarray, "h w"],
    max_unevenness: float,
) -> tuple[UInt8[np.ndarray, "h w 3"], bool]:
    """What the picture would be without text, and whether it is an even surface."""
    within = bounding_box(inside)
    surface = fit_surface(image[within.slices])
    if surface.unevenness > max_unevenness:
        return cv2.medianBlur(image, _window(within.height, within.width)), False
    reference = image.copy()
    reference[within.slices] = np.rint(surface.colors).clip(0, 255).astype(np.uint8)
    return reference, True


def _require_one_ink(
    change: Float[np.ndarray, "h w"],
    strong: Bool[np.ndarray, "h w"],
    settings: StrokeSettings,
) -> bool:
    """Whether the strokes are lighter than their surface; declines a mixture."""
    if not strong.any():
        raise CannotEdit(
            f"0.0% of the box looks like strokes; nothing differs from its surface by "
            f"{settings.min_contrast:.0f} CIE76"
        )
    lighter = float((change[strong] > 0).mean())
    if max(lighter, 1 - lighter) < settings.min_agreement:
        raise CannotEdit(
            f"{lighter:.0%} of what looks like strokes is lighter than what surrounds "
            "it and the rest darker, so it is detail of the photo rather than text"
        )
    return lighter > 0.5


def _connected(
    seeds: Bool[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """The connected parts of a mask that hold a seed."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    touched = np.unique(labels[seeds & mask])
    return np.isin(labels, touched[touched > 0])


def erase_strokes(
    image: UInt8[np.ndarray, "h w 3"],
    strokes: Bool[np.ndarray, "h w"],
    allowed: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """Inpaints strokes, soft border included, and adds the surface's grain."""
    box = bounding_box(strokes, margin=12)
    part = np.ascontiguousarray(image[box.slices])
    marked = strokes[box.slices]
    region = grown(marked, 2) & allowed[box.slices]
    around = grown(region, 4) & ~region
    values = part.astype(np.float64)
    detail = values - cv2.medianBlur(part, 3)
    erased = image.copy()
    filled = fill(part, region, "telea")
    samples = detail[around] if around.any() else np.zeros((1, 3))
    erased[box.slices] = with_grain(filled, region, samples, rng)
    return erased


def _window(height: int, width: int) -> int:
    """An odd window that strokes fill to less than half."""
    return 2 * min(25, max(3, round(0.18 * math.sqrt(height * width)))) + 1


def _otsu(values: Float[np.ndarray, " n"]) -> float:
    """The threshold between two classes of contrast, in CIE76 units."""
    steps = np.rint(values * 2).clip(0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(
        steps[None], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU
    )
    return float(threshold) / 2
