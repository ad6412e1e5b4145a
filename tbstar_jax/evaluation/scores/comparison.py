"""One picture against the photo, over the region that is kept."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.geometry import erode
from tbstar_jax.metrics.color import ciede2000, lab_drift, srgb_to_lab
from tbstar_jax.metrics.similarity import (
    SSIM_WINDOW,
    masked_mean,
    psnr,
    share_within,
    ssim,
    tile95,
    worst_tile,
)

THRESHOLDS = (2.0, 5.0, 10.0)
"""CIEDE2000: just visible, plain, another colour."""

CURVE = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
"""CIEDE2000 at which shares are recorded; `THRESHOLDS` are among them."""

_TILES = 8
"""Tiles along the longer side: what is lost weighs the same at every size."""

_NAN = float("nan")


def tile_side(mask: Bool[np.ndarray, "h w"]) -> int:
    """Pixels of a side of the tiles that P looks for losses in."""
    return max(1, max(mask.shape) // _TILES)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """One picture against the source, over a mask.

    Attributes:
      lab: the picture's L*, a*, b* in the mask, the source's elsewhere.
      psnr: dB; inf where identical.
      ssim: structural similarity, windows wholly inside; NaN where none is.
      drift: mean signed change of L*, a*, b*.
      mean: CIEDE2000.
      curve: shares within each threshold of `CURVE`.
      tile95: 95th percentile of the means of 32 x 32 tiles.
      worst_tile: the largest mean of tiles of `tile_side`.
    """

    lab: Float[np.ndarray, "h w 3"]
    psnr: float
    ssim: float
    drift: tuple[float, float, float]
    mean: float
    curve: tuple[float, ...]
    tile95: float
    worst_tile: float

    @classmethod
    def of(
        cls,
        source: UInt8[np.ndarray, "h w 3"],
        lab: Float[np.ndarray, "h w 3"],
        edited: UInt8[np.ndarray, "h w 3"],
        mask: Bool[np.ndarray, "h w"],
    ) -> "Comparison":
        """Compares over a mask that is not empty.

        Colours are converted only where pixels differ, which the gate's hardly do.
        """
        differs = mask & np.any(source != edited, axis=-1)
        there = lab.copy()
        there[differs] = srgb_to_lab(edited[differs])
        difference = np.zeros(mask.shape)
        difference[differs] = ciede2000(lab[differs], there[differs])
        drift = lab_drift(lab, there, mask)
        return cls(
            lab=there,
            psnr=float(psnr(source, edited, mask)),
            ssim=_ssim(source, edited, mask, is_same=not differs.any()),
            drift=(float(drift[0]), float(drift[1]), float(drift[2])),
            mean=float(masked_mean(difference, mask)),
            curve=_shares(difference, mask),
            tile95=float(tile95(difference, mask)),
            worst_tile=float(worst_tile(difference, mask, tile_side(mask))),
        )


def _ssim(
    source: UInt8[np.ndarray, "h w 3"],
    edited: UInt8[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"],
    *,
    is_same: bool,
) -> float:
    """SSIM over a mask, known without computing where nothing differs."""
    if not is_same:
        return float(ssim(source, edited, mask))
    reach = SSIM_WINDOW // 2
    has_window = erode(mask, reach)[reach:-reach, reach:-reach].any()
    return 1.0 if has_window else _NAN


def _shares(
    difference: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]
) -> tuple[float, ...]:
    return tuple(float(share_within(difference, one, mask)) for one in CURVE)
