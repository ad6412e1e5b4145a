"""Photographs that scikit-image and scikit-learn bring along."""

from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

_SKIMAGE = Path(skimage.__file__).parent / "data"
_SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
_PATHS = (
    _SKIMAGE / "coffee.png",
    _SKIMAGE / "astronaut.png",
    _SKIMAGE / "chelsea.png",
    _SKIMAGE / "rocket.jpg",
    _SKIMAGE / "motorcycle_left.png",
    _SKIMAGE / "hubble_deep_field.jpg",
    _SKIMAGE / "ihc.png",
    _SKLEARN / "china.jpg",
    _SKLEARN / "flower.jpg",
)


def photographs():
    found = []
    for path in _PATHS:
        with Image.open(path) as image:
            found.append(np.asarray(image.convert("RGB")))
    return found


def square(index, side):
    """The middle of a photograph, scaled down to a square."""
    photo = photographs()[index]
    size = min(photo.shape[:2])
    top, left = ((n - size) // 2 for n in photo.shape[:2])
    image = Image.fromarray(photo[top : top + size, left : left + size])
    return np.array(image.resize((side, side), Image.Resampling.LANCZOS))
