"""A studio photo whose product, background and edges are known, and real ones."""

from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

from tbstar_jax.data_engine.construct.protocol import EditRequest, Region

SIDE = 96
BOX = (18, 18, 78, 78)
"""Top, left, bottom and right around the product."""


def backdrop(noise=1.5):
    """A grey wall, darker downwards, with grain."""
    rng = np.random.default_rng(7)
    wall = np.linspace(190, 150, SIDE)[:, None, None] * np.array([1.0, 0.98, 0.94])
    grain = rng.normal(0, noise, (SIDE, SIDE, 3))
    return np.broadcast_to(wall, (SIDE, SIDE, 3)) + grain


def disc(softness=1.0, radius=26):
    """How much of every pixel is the product."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    away = np.hypot(y - SIDE / 2, x - SIDE / 2)
    return np.clip((radius - away) / softness + 0.5, 0, 1)


def product(color=(200, 40, 36)):
    """A ball of one colour, lit from the left."""
    x = np.mgrid[:SIDE, :SIDE][1] / SIDE
    return (1.25 - 0.7 * x)[:, :, None] * np.array(color, float)


def studio(color=(200, 40, 36), softness=1.0):
    share = disc(softness)[:, :, None]
    mixed = share * product(color) + (1 - share) * backdrop()
    return np.rint(mixed.clip(0, 255)).astype(np.uint8)


def plain_wall():
    return np.rint(backdrop()).astype(np.uint8)


def sky(width):
    """The cloudless part of a photo of scikit-learn."""
    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    return _small(folder / "china.jpg", width)[: width // 6]


def real(name, width):
    """A photo of scikit-image, by its file name."""
    return _small(Path(skimage.__file__).parent / "data" / name, width)


def _small(path, width):
    with Image.open(path) as image:
        height = round(image.height * width / image.width)
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        return np.array(small)


def ask(task, *boxes, mask=None, **parameters):
    regions = tuple(
        Region(label="thing", top=top, left=left, bottom=bottom, right=right)
        for top, left, bottom, right in boxes
    )
    return EditRequest(
        task=task,
        instruction_en="edit it",
        instruction_zh="编辑",
        regions=regions,
        parameters=parameters,
        mask=mask,
    )
