"""Where an edit may reach, and pasting it back: outside, the photo keeps every bit."""

import cv2
import numpy as np

from tbstar_jax.array_types import Bool, UInt8
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    EditedPhoto,
    EditRequest,
)
from tbstar_jax.geometry import Box


def allowed_region(
    request: EditRequest, size: tuple[int, int]
) -> Bool[np.ndarray, "h w"]:
    """Marks the pixels that a request lets change.

    Args:
      request: its mask counts, then its boxes, then the whole photo.
      size: rows and columns of the photo.

    Raises:
      CannotEdit: a box or the mask does not fit the photo, or nothing is allowed.
    """
    if request.mask is not None:
        if request.mask.shape != size:
            raise CannotEdit(
                f"the mask is {request.mask.shape} (rows, columns), but the photo is "
                f"{size}"
            )
        marked = request.mask > 127
        if not marked.any():
            raise CannotEdit("the mask marks no pixel, so nothing may be edited")
        return marked
    if not request.regions:
        return np.ones(size, dtype=bool)
    return boxes_mask(request, size)


def boxes_mask(request: EditRequest, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Marks the inside of a request's boxes; raises as `allowed_region` does."""
    marked = np.zeros(size, dtype=bool)
    for region in request.regions:
        if not region.fits(*size):
            raise CannotEdit(
                f"the box of {region.label!r} ends at row {region.bottom} and column "
                f"{region.right}, outside the photo of {size[0]} x {size[1]} pixels"
            )
        marked[region.top : region.bottom, region.left : region.right] = True
    return marked


def grown(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    """Adds the pixels within `radius` pixels of a marked one."""
    if radius < 1:
        return mask.copy()
    return cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0


def shrunk(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    """Drops the pixels within `radius` of an unmarked one; the border counts as one."""
    return ~grown(np.pad(~mask, radius, constant_values=True), radius)[
        radius : radius + mask.shape[0], radius : radius + mask.shape[1]
    ]


def shrunk_within(
    mask: Bool[np.ndarray, "h w"], radius: int
) -> Bool[np.ndarray, "h w"]:
    """Shrinks a mask, but not where the photo's border cuts it."""
    padded = np.pad(mask, radius + 1, mode="edge")
    inner = shrunk(padded, radius)
    edge = radius + 1
    return inner[edge : edge + mask.shape[0], edge : edge + mask.shape[1]]


def bounding_box(mask: Bool[np.ndarray, "h w"], margin: int = 0) -> Box:
    """The smallest box around the marked pixels, widened within the picture.

    Args:
      mask: marks at least one pixel.
      margin: pixels to add on every side.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom = min(mask.shape[0], int(rows[-1]) + 1 + margin)
    right = min(mask.shape[1], int(columns[-1]) + 1 + margin)
    return Box(top=top, left=left, height=bottom - top, width=right - left)


def pasted_back(
    source: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    allowed: Bool[np.ndarray, "h w"],
) -> EditedPhoto:
    """Takes the edit where it is allowed and the photo everywhere else.

    Args:
      source: the photo.
      edited: its edit.
      allowed: the pixels that may change.

    Returns:
      The picture, and the mask of exactly the pixels that differ from the photo.

    Raises:
      CannotEdit: no pixel differs.
    """
    image = np.where(allowed[:, :, None], edited, source)
    differs = np.any(image != source, axis=2)
    if not differs.any():
        raise CannotEdit("the edit leaves every allowed pixel as it was")
    return EditedPhoto(image=image, mask=np.where(differs, np.uint8(255), np.uint8(0)))


def _disc(radius: int) -> UInt8[np.ndarray, "n n"]:
    reach = np.arange(-radius, radius + 1)
    is_near = reach[:, None] ** 2 + reach**2 <= (radius + 0.3) ** 2
    return is_near.astype(np.uint8)
