"""The edit over the original pixels, at full resolution, in the source's own profile.

Outside the mask every pixel is the original's, bit for bit. The transition lies inside
the edit region: at Chebyshev distance d (1 = the first edited pixel) from the nearest
kept pixel the edit's weight is min(d, f + 1) / (f + 1) for a feather of f pixels, so
a feather of 0 switches hard. The image's border counts as edited: no fade there.
"""

import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from tbstar_jax.errors import UserError
from tbstar_jax.geometry import erode
from tbstar_jax.inference.color_profile import from_srgb
from tbstar_jax.inference.image_file import SourceImage


def composite(
    source: SourceImage,
    edited_srgb: UInt8[np.ndarray, "h w 3"],
    edit_mask: UInt8[np.ndarray, "h w"],
    feather_px: int = 4,
) -> UInt8[np.ndarray, "h w 3"]:
    """Paints the edit into the source where the mask says so.

    Args:
      source: the photo, of the canvas size.
      edited_srgb: the edited image in sRGB, of the same size.
      edit_mask: above 127 edited, else kept.
      feather_px: width of the transition inside the edit region, in pixels.

    Returns:
      The result in the source's profile (a grey source's with three equal channels).
    """
    for name, size in (("edit", edited_srgb.shape[:2]), ("mask", edit_mask.shape)):
        if size != source.size:
            raise UserError(
                f"the {name} has {size[1]}x{size[0]} pixels but the image has "
                f"{source.size[1]}x{source.size[0]}; both must have the same size"
            )
    edited = from_srgb(edited_srgb, source.icc_profile, source.color_mode)
    depth = _depth(edit_mask > 127, feather_px + 1)
    result = source.rgb.copy()
    is_full = depth == feather_px + 1
    result[is_full] = edited[is_full]
    is_ramp = (depth > 0) & ~is_full
    weight = depth[is_ramp, None].astype(np.float32) / np.float32(feather_px + 1)
    blended = source.rgb[is_ramp] * (1 - weight) + edited[is_ramp] * weight
    result[is_ramp] = np.rint(blended).astype(np.uint8)
    return result


def _depth(
    is_edited: Bool[np.ndarray, "h w"], max_depth: int
) -> UInt16[np.ndarray, "h w"]:
    """Returns min(distance to the nearest kept pixel, max_depth); 0 on kept pixels."""
    depth = is_edited.astype(np.uint16)
    eroded = is_edited
    for _ in range(max_depth - 1):
        eroded = erode(eroded, 1)
        depth += eroded
    return depth
