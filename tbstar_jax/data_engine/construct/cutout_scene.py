"""Cut-outs on a background: which things stand where, and the picture of it.

Things keep their pixels: positions are whole pixels, and where a thing's alpha is 255
the picture shows its colours bit for bit. Two arrangements that share their things and
background differ only where they differ.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.construct.cutout_image import Cutout
from tbstar_jax.data_engine.render.layers import Layer, compose
from tbstar_jax.data_engine.render.overlays import shadow_layer
from tbstar_jax.data_engine.render.scene import Side, Size


@dataclasses.dataclass(frozen=True)
class Backdrop:
    """What stands behind everything.

    Attributes:
      picture: opaque colours, [0, 1].
      name_en: noun phrase, e.g. `wooden table`.
      name_zh: the same in Chinese.
    """

    picture: Float[np.ndarray, "h w 3"]
    name_en: str
    name_zh: str


@dataclasses.dataclass(frozen=True)
class Placed:
    """A thing and the pixel of the canvas where its first row and column lie."""

    cutout: Cutout
    top: int
    left: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Everything that a picture shows.

    Attributes:
      backdrop: behind the things; its size is the picture's.
      things: the first one is painted first.
      shadow: darkness of the things' shadows on the ground, in [0, 1); 0 = none.
      light: the side the light comes from.
    """

    backdrop: Backdrop
    things: tuple[Placed, ...]
    shadow: float
    light: Side

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """Composites background, shadows and things, and rounds once."""
        size = self.backdrop.picture.shape[0], self.backdrop.picture.shape[1]
        shadows = [self._shadow(thing, size) for thing in self.things]
        layers = [*(shadows if self.shadow > 0 else []), *_layers(self.things)]
        return compose(self.backdrop.picture, layers)

    def _shadow(self, thing: Placed, size: Size) -> Layer:
        rows = thing.cutout.size[0]
        foot = thing.cutout.alpha[int(0.88 * rows) :].max(axis=0) > 127
        columns = np.flatnonzero(foot)
        first, last = (columns[0], columns[-1]) if len(columns) else (0, len(foot) - 1)
        return shadow_layer(
            center=thing.left + (first + last + 1) / 2,
            ground=thing.top + rows - 0.015 * rows,
            half_width=max(2.0, (last + 1 - first) / 2),
            size=size,
            light=self.light,
            dark=self.shadow,
        )


def standing(cutout: Cutout, size: Size, *, center: float, ground: float) -> Placed:
    """Puts a thing on the ground, as far inside the canvas as it goes.

    Args:
      cutout: no larger than the canvas.
      size: rows and columns of the canvas, pixels.
      center: of its columns, as a share of the canvas.
      ground: its lowest row, as a share of the canvas.
    """
    rows, columns = cutout.size
    top = round(ground * size[0]) - rows
    left = round(center * size[1] - columns / 2)
    return Placed(
        cutout,
        min(max(top, 0), size[0] - rows),
        min(max(left, 0), size[1] - columns),
    )


def _layers(things: Sequence[Placed]) -> list[Layer]:
    layers = []
    for thing in things:
        alpha = thing.cutout.alpha.astype(np.float64) / 255.0
        color = thing.cutout.color.astype(np.float64) / 255.0 * alpha[:, :, None]
        layers.append(Layer(thing.top, thing.left, color, alpha))
    return layers
