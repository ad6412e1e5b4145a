"""Models in ONNX files on local disk: from a picture, or a vector, to numbers."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import FLOATS, OnnxFile, Session, fits

_MAX_SIDE = 4096
_MEAN_AND_STD = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}

Resize = Literal["crop", "stretch"]

RunImage: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float32[np.ndarray, "..."]]
"""From an RGB picture, 0..255, to the model's answer, all finite; thread-safe.

Raises `NoAnswerError`, or `UserError` where the model itself cannot be run so.
"""

RunVector: TypeAlias = Callable[[Float[np.ndarray, " d"]], Float32[np.ndarray, "..."]]
"""From a vector to the model's answer; otherwise as `RunImage`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxVectorModel(OnnxFile):
    """A model `[1 d] -> any shape`, e.g. a head on an embedding."""

    @contextlib.contextmanager
    def open(self) -> Iterator[RunVector]:
        """Loads it.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, or its inputs or
            outputs are others.
        """
        session = Session(self)
        _only_input(session, "[1, numbers]", ndim=2)

        def run(vector: Float[np.ndarray, " d"]) -> Float32[np.ndarray, "..."]:
            return session.run(vector[None])

        yield run


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxImageModel(OnnxFile):
    """A model `[1 3 h w] -> any shape` of one RGB picture.

    The picture, in [0, 1], becomes (picture - mean) / std.

    Attributes:
      side: rows and columns of the input; None: those the file states.
      normalisation: names `mean` and `std`: of ImageNet (DINOv2, U2-Net, BiRefNet), of
        CLIP, 0.5 and 0.5 (SigLIP), or 0 and 1.
      mean: of red, green and blue instead.
      std: likewise.
      resize: `crop` scales the shorter side to the input's by bicubic and crops the
        middle, as CLIP and DINOv2 do; `stretch` scales the whole picture by Lanczos,
        whatever its shape, as rembg does. None: as the use asks: `crop` for embeddings
        and scores, `stretch` for masks.
    """

    side: int | None = None
    normalisation: Literal["imagenet", "clip", "half", "unit"] = "imagenet"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Resize | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side is not None and not 1 <= self.side <= _MAX_SIDE:
            raise UserError(
                f"side of {self.path} is {self.side}; it must be from 1 to {_MAX_SIDE}"
            )
        if self.std is not None and min(self.std) <= 0:
            raise UserError(f"std of {self.path} is {self.std}; it must be above 0")

    @contextlib.contextmanager
    def open(self, use: Resize) -> Iterator[RunImage]:
        """Loads it.

        Args:
          use: how pictures are resized where `resize` is None.

        Raises:
          UserError: no `onnxruntime`, no such file, not an ONNX file, or its inputs or
            outputs are others.
        """
        session = Session(self)
        size = _input_size(self, _only_input(session, "[1, 3, rows, columns]", ndim=4))
        how = self.resize or use
        named = _MEAN_AND_STD[self.normalisation]
        mean = np.array(self.mean or named[0], np.float32)
        std = np.array(self.std or named[1], np.float32)

        def run(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "..."]:
            resized = _cropped(image, size) if how == "crop" else stretched(image, size)
            levels = resized.astype(np.float32) / np.float32(255)
            return session.run(((levels - mean) / std).transpose(2, 0, 1)[None])

        yield run


def _only_input(
    session: Session, wanted: str, *, ndim: int
) -> tuple[int | str | None, ...]:
    """The shape of the one input, checked."""
    if len(session.inputs) != 1:
        names = ", ".join(one.name for one in session.inputs)
        raise UserError(
            f"{session.path} has {len(session.inputs)} inputs ({names}), but must have "
            f"one, {wanted}; of a joint model export the part for pictures alone"
        )
    only = session.inputs[0]
    is_one = len(only.shape) == ndim and fits(only.shape[0], 1)
    if not is_one or only.type not in FLOATS:
        raise UserError(
            f"the input of {session.path} is {only.type} {list(only.shape)}, but must "
            f"be float {wanted}"
        )
    return only.shape


def _input_size(
    model: OnnxImageModel, shape: tuple[int | str | None, ...]
) -> tuple[int, int]:
    """Rows and columns of the input: what the file states, else `side`."""
    if not fits(shape[1], 3):
        raise UserError(
            f"the input of {model.path} is {list(shape)}, but must be "
            "[1, 3, rows, columns]"
        )
    sides = []
    for stated in shape[2:]:
        side = stated if isinstance(stated, int) else model.side
        if side is None:
            raise UserError(
                f"the input of {model.path} is {list(shape)}, which states no size; "
                "set `side`, as the model was trained, e.g. 224"
            )
        if model.side not in (None, side) or not 1 <= side <= _MAX_SIDE:
            raise UserError(
                f"the input of {model.path} is {list(shape)}, which is not side="
                f"{model.side} or not from 1 to {_MAX_SIDE} pixels"
            )
        sides.append(side)
    return sides[0], sides[1]


def _cropped(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = image.shape[:2]
    scale = min(height / size[0], width / size[1])
    rows, columns = size[0] * scale, size[1] * scale
    top, left = (height - rows) / 2, (width - columns) / 2
    # Scales the box alone: of a sliver the whole would be a huge picture.
    box = (left, top, min(width, left + columns), min(height, top + rows))
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC, box)
    )


def stretched(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Scales the whole picture to rows and columns by Lanczos, whatever its shape."""
    return np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
    )
