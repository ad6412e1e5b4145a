"""Defects of the whole picture, each by a stated amount.

All take the case, the amount and random numbers, and return the spoiled reference.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tbstar_jax.data_engine.filter.edits import shifted
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.conditions import as_jpeg

_WARM = np.array([1.0, 0.0, -1.0])


def shift(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Moves by `amount` pixels in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    return shifted(case.reference, amount * math.sin(angle), amount * math.cos(angle))


def zoom(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Enlarges by `amount` percent about the middle."""
    del rng
    height, width = case.size
    middle = ((width - 1) / 2, (height - 1) / 2)
    return cv2.warpAffine(
        case.reference,
        cv2.getRotationMatrix2D(middle, 0, 1 + amount / 100),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    ).astype(np.uint8)


def warm(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Adds `amount` levels to red and takes them from blue; negative is cold."""
    del rng
    return _levels(case.reference + amount * _WARM)


def cold(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Takes `amount` levels from red and adds them to blue."""
    return warm(case, -amount, rng)


def darker(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Takes `amount` percent of every level away."""
    del rng
    return _levels(case.reference * (1 - amount / 100))


def blur(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Softens by a Gaussian of `amount` pixels standard deviation."""
    del rng
    return cv2.GaussianBlur(case.reference, (0, 0), amount).astype(np.uint8)


def jpeg(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Saves as JPEG of quality `amount`, chroma halved."""
    del rng
    return as_jpeg(case.reference, round(amount))


def noise(
    case: Case, amount: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Adds independent noise of `amount` levels standard deviation."""
    return _levels(case.reference + rng.normal(0, amount, case.reference.shape))


def _levels(values: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
