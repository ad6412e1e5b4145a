"""Distances between two pictures by a model in an ONNX file: LPIPS and its kin.

LPIPS (Zhang et al. 2018, arXiv 1801.03924; `lpips/lpips.py` of its authors) takes two
pictures in [-1, 1] and gives one number, 0 for the same picture. Its module exports as
it is: `torch.onnx.export(lpips.LPIPS(net="alex"), (x, x), "lpips.onnx")`.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import FLOATS, NoAnswerError, OnnxFile, Session, fits
from tbstar_jax.metrics.onnx_model import stretched

_MAX_SIDE = 4096
_TOLERANCE = 1e-3
_TRIED_SIDE = 64

Distance: TypeAlias = Callable[
    [UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]], float
]
"""From two RGB pictures of one size, 0..255, to their distance.

Raises `NoAnswerError`, or `UserError` where the model itself cannot be run so.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxPairModel(OnnxFile):
    """A model `[1 3 h w], [1 3 h w] -> one value`, a distance.

    Attributes:
      side: where the file states no size, the longest side of what goes in, in pixels:
        larger pictures are scaled down, by Lanczos; None: all go in as they are. Where
        it states one, pictures are stretched to it.
      values: `signed` is [-1, 1], as LPIPS takes; `unit` [0, 1].
    """

    side: int | None = None
    values: Literal["signed", "unit"] = "signed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side is not None and not _TRIED_SIDE <= self.side <= _MAX_SIDE:
            raise UserError(
                f"side of {self.path} is {self.side}; it must be from {_TRIED_SIDE} to "
                f"{_MAX_SIDE}"
            )

    @contextlib.contextmanager
    def open(self) -> Iterator[Distance]:
        """Loads it, and asks it how far a picture is from itself.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, its inputs or
            outputs are others, or it is no distance.
        """
        session = Session(self)
        size = _stated_size(self, session)

        def measure(
            one: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h w 3"]
        ) -> float:
            answer = session.run(*(self._values(image, size) for image in (one, other)))
            if answer.size != 1:
                raise UserError(
                    f"{self.path} gives shape {answer.shape} for two pictures, but a "
                    "distance is one value; name another with `output`"
                )
            return float(answer.reshape(()))

        ramp = np.zeros((_TRIED_SIDE, _TRIED_SIDE, 3), np.uint8)
        ramp += np.linspace(0, 255, _TRIED_SIDE).astype(np.uint8)[:, None]
        with contextlib.suppress(NoAnswerError):
            own = measure(ramp, ramp)
            if abs(own) > _TOLERANCE:
                raise UserError(
                    f"{self.path} gives {own:g} for a picture and itself, but a "
                    "distance is 0 there; it is another model, or takes other values"
                )
        yield measure

    def _values(
        self, image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int] | None
    ) -> Float32[np.ndarray, "1 3 rows columns"]:
        height, width = image.shape[:2]
        if size is None and self.side is not None and max(height, width) > self.side:
            scale = self.side / max(height, width)
            size = max(1, round(height * scale)), max(1, round(width * scale))
        if size is not None and size != (height, width):
            image = stretched(image, size)
        levels = image.astype(np.float32) / np.float32(255)
        if self.values == "signed":
            levels = 2 * levels - 1
        return levels.transpose(2, 0, 1)[None]


def _stated_size(model: OnnxPairModel, session: Session) -> tuple[int, int] | None:
    """Rows and columns that the inputs state; None: any."""
    told = " and ".join(f"{one.type} {list(one.shape)}" for one in session.inputs)
    wanted = "two of float [1, 3, rows, columns]"
    shapes = {one.shape[2:] for one in session.inputs}
    if len(session.inputs) != 2 or not all(
        one.type in FLOATS
        and len(one.shape) == 4
        and fits(one.shape[0], 1)
        and fits(one.shape[1], 3)
        for one in session.inputs
    ):
        raise UserError(f"the inputs of {model.path} are {told}, but must be {wanted}")
    sizes = [tuple(side for side in shape if isinstance(side, int)) for shape in shapes]
    if all(not size for size in sizes):
        return None
    if len(sizes) != 1 or len(sizes[0]) != 2:
        raise UserError(
            f"the inputs of {model.path} are {told}; they must state one size, or none"
        )
    if model.side is not None:
        raise UserError(
            f"side of {model.path} is {model.side}, but its inputs state their size, "
            f"{list(sizes[0])}; leave it out"
        )
    rows, columns = sizes[0]
    if not (1 <= rows <= _MAX_SIDE and 1 <= columns <= _MAX_SIDE):
        raise UserError(
            f"the inputs of {model.path} are {told}; at most {_MAX_SIDE} rows and "
            "columns are run"
        )
    return rows, columns
