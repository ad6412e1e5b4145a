"""A photo in 64 bits: the signs of its lowest cosine frequencies.

The hash survives scaling, compression and small changes of tone. It sees luma only, so
that the same product in another colour hashes alike; `chroma_signature` tells those
apart.
"""

import numpy as np
from PIL import Image

from tbstar_jax.array_types import Float, UInt8

CHROMA_CELLS = 4
"""Rows and columns of the grid on which colour is compared."""

_SIDE = 32
_NUM_FREQUENCIES = 8
_FLAT = 1e-3
"""What a coefficient must exceed the median by: rounding errors are not structure."""


def perceptual_hash(photo: UInt8[np.ndarray, "h w 3"]) -> np.uint64:
    """Hashes a photo's structure.

    Args:
      photo: RGB, 0..255.

    Returns:
      64 bits: which of the 8 x 8 lowest frequencies of the luma, scaled to 32 x 32,
      exceed their median; the mean (frequency 0) is left out of the median.
    """
    small = Image.fromarray(photo).convert("L")
    luma = np.asarray(
        small.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64
    )
    basis = _cosines()
    spectrum = (basis @ luma @ basis.T).ravel()
    bits = spectrum > np.median(spectrum[1:]) + _FLAT
    bits[0] = False
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


def chroma_signature(photo: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, " c"]:
    """The mean colour, without brightness, of 4 x 4 cells.

    Args:
      photo: RGB, 0..255.

    Returns:
      32 numbers 0..255: Cb of all cells, then Cr.
    """
    small = Image.fromarray(photo).convert("YCbCr")
    cells = small.resize((CHROMA_CELLS, CHROMA_CELLS), Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(cells)[..., 1:].transpose(2, 0, 1)).ravel()


def _cosines() -> Float[np.ndarray, "k n"]:
    positions = (np.arange(_SIDE) + 0.5) * np.pi / _SIDE
    return np.cos(np.arange(_NUM_FREQUENCIES)[:, None] * positions[None, :])
