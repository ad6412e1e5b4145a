"""An expert's edit as a pair's target: where it changed the photo, and that it did."""

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.protocol import CannotEdit, EditedPhoto

MIN_LEVELS = 12
"""Levels of 255 that count as a change where an expert cannot say what it changed:
above what re-encoding a photo by an autoencoder or JPEG does to most pixels."""


def finished(
    photo: UInt8[np.ndarray, "h w 3"], edited: EditedPhoto, min_levels: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], str]:
    """Pastes an edit back where its mask is known, and finds where it differs.

    Args:
      photo: before.
      edited: the expert's answer, of the photo's size.
      min_levels: see `MIN_LEVELS`; only for answers without mask.

    Returns:
      The target; its change mask, 255 where it differs and 0 elsewhere; and where that
      comes from: `expert` (exact: all other pixels equal the photo's bit for bit) or
      `difference` (pixels that differ by at least `min_levels`).

    Raises:
      CannotEdit: nothing was changed.
    """
    assert edited.image.shape == photo.shape, "an expert keeps the photo's size"
    target, least, mask_from = edited.image, min_levels, "difference"
    if edited.mask is not None:
        target = np.where((edited.mask > 127)[..., None], edited.image, photo)
        least, mask_from = 1, "expert"
    levels = np.abs(target.astype(np.int16) - photo.astype(np.int16)).max(axis=-1)
    is_changed = levels >= least
    if not is_changed.any():
        raise CannotEdit(
            f"nothing changed: the largest difference is {int(levels.max())} of 255 "
            f"levels, at least {least} count"
        )
    return target, np.where(is_changed, np.uint8(255), np.uint8(0)), mask_from
