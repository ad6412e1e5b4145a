"""Defects that are planted in clean pairs, one at a time.

Each stands for something real: editors that resample or crop by a pixel, that tint or
soften the whole picture, that return it unchanged, that decode it from a latent, that
miss the colour, that lose a label on the way.
"""

import dataclasses
import io
import math
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tbstar_jax.data_engine.filter.edits import (
    HUES,
    PAD,
    PlantedPair,
    in_hue,
    shifted,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Defect:
    """One way to spoil a pair.

    Attributes:
      name: in the table.
      rules: names of the rules that are right about it.
      plant: returns the spoiled pair.
      shift: displacement in pixels, 0 for what is no displacement.
      edits: kinds of edits it is planted in; all when empty.
      needs_label: whether a label is written on the photo first.
    """

    name: str
    rules: tuple[str, ...]
    plant: Callable[[PlantedPair, np.random.Generator], PlantedPair]
    shift: float = 0.0
    edits: tuple[str, ...] = ()
    needs_label: bool = False


def _shift(pixels: float) -> Defect:
    def plant(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
        angle = rng.uniform(0, 2 * math.pi)
        rows, columns = pixels * math.sin(angle), pixels * math.cos(angle)
        return _with_target(pair, shifted(pair.target, rows, columns))

    return Defect(
        name=f"shift {pixels:g} px", rules=("aligned",), plant=plant, shift=pixels
    )


def _zoom(scale: float) -> Defect:
    def plant(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
        side = pair.target.shape[0]
        middle = (side - 1) / 2 + rng.uniform(-0.1, 0.1, 2) * side
        matrix = cv2.getRotationMatrix2D(tuple(map(float, middle)), 0, scale)
        zoomed = cv2.warpAffine(
            pair.target,
            matrix,
            (side, side),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        return _with_target(pair, zoomed)

    return Defect(name=f"zoom {scale:g}", rules=("zoom",), plant=plant)


def _cast(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
    """Scales the channels by up to 8 %, at least one by 5 %."""
    gains = rng.uniform(-0.08, 0.08, 3)
    channel = int(rng.integers(3))
    gains[channel] = rng.uniform(0.05, 0.08) * rng.choice((-1.0, 1.0))
    tinted = np.clip(pair.target * (1 + gains), 0, 255)
    return _with_target(pair, np.rint(tinted).astype(np.uint8))


def _blur(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
    sigma = float(rng.uniform(0.8, 1.5))
    return _with_target(pair, cv2.GaussianBlur(pair.target, (0, 0), sigma))


def _no_change(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
    del rng
    return _with_target(pair, pair.source)


def _reencoded(format: str, quality: int) -> Defect:
    def plant(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
        del rng
        inside = np.s_[PAD:-PAD, PAD:-PAD]
        target = pair.target.copy()
        # Inside the padding, so that the blocks lie as in a saved file.
        target[inside] = reencoded(
            np.ascontiguousarray(target[inside]), format, quality
        )
        return _with_target(pair, target)

    return Defect(
        name=f"re-encoded {format.lower()} q{quality}",
        rules=("reencoded", "blur"),
        plant=plant,
    )


def _wrong_color(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
    """Paints the region in a hue at least 90 degrees from the one asked for."""
    asked = HUES[pair.instruction.rsplit(" ", 1)[1]]
    others = [hue for hue in HUES.values() if 90 <= abs(hue - asked) <= 270]
    painted = in_hue(pair.source, float(rng.choice(others)))
    return _with_target(pair, np.where(pair.mask[..., None], painted, pair.source))


def _lost_label(pair: PlantedPair, rng: np.random.Generator) -> PlantedPair:
    """Wipes the writing off its plate; the plate stays."""
    del rng
    top, left, bottom, right = pair.text_boxes[0]
    target = pair.target.copy()
    target[top:bottom, left:right] = target[top, left]
    return _with_target(pair, target)


DEFECTS: tuple[Defect, ...] = (
    _shift(0.5),
    _shift(2.0),
    _shift(6.0),
    _zoom(1.01),
    _zoom(1.03),
    Defect(name="colour cast", rules=("cast",), plant=_cast),
    Defect(name="blur", rules=("blur",), plant=_blur),
    Defect(name="no change", rules=("no_change",), plant=_no_change),
    _reencoded("JPEG", 75),
    _reencoded("WEBP", 80),
    Defect(
        name="wrong colour",
        rules=("color_name",),
        plant=_wrong_color,
        edits=("recolor", "recolor_large"),
    ),
    Defect(
        name="lost label",
        rules=("text",),
        plant=_lost_label,
        edits=("recolor", "removal", "unmarking"),
        needs_label=True,
    ),
)
"""All planted defects, in the order of the table."""


def reencoded(
    image: UInt8[np.ndarray, "h w 3"], format: str, quality: int, subsampling: int = 2
) -> UInt8[np.ndarray, "h w 3"]:
    """Encodes and decodes by a lossy codec.

    Args:
      image: any.
      format: `JPEG` or `WEBP`.
      quality: 1 to 100.
      subsampling: of JPEG: 0 for 4:4:4, 2 for 4:2:0.
    """
    return np.array(Image.open(io.BytesIO(lossy(image, format, quality, subsampling))))


def lossy(
    image: UInt8[np.ndarray, "h w 3"], format: str, quality: int, subsampling: int = 2
) -> bytes:
    """The file of `reencoded`."""
    options = {"subsampling": subsampling} if format == "JPEG" else {}
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format, quality=quality, **options)
    return buffer.getvalue()


def _with_target(pair: PlantedPair, target: UInt8[np.ndarray, "h w 3"]) -> PlantedPair:
    return dataclasses.replace(pair, target=target)
