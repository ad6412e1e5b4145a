"""Models of your own, in ONNX files, as the data engine takes them.

    AestheticModel      photo -> one number              collect.aesthetic
    EmbeddingModel      picture -> unit vector           filter.embedder
    SegmentationModel   photo -> where the product is    construct.expert.segmenter

Each is tried once on a grey picture when it is opened, so that a file of another kind
ends the run before its first photo.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from tbstar_jax.array_types import Float, UInt8
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_model import (
    OnnxImageModel,
    OnnxVectorModel,
    RunImage,
)

_VERSION = 1

Embed: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, " d"]]
"""From a picture to a vector of length 1."""

Score: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], float]
"""From a photo to a number; NaN where the model has none."""

Segment: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "h w"]]
"""From a photo to how much of every pixel is the product, in [0, 1]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingModel:
    """An image encoder: DINOv2, the image part of CLIP or SigLIP, and the like.

    Attributes:
      model: gives `[1 d]`, `[1 d 1 1]`, or `[1 n d]`, whose first token (class or
        pooled) is taken.
    """

    model: OnnxImageModel

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file and the settings."""
        settings = {"model": self.model.fingerprint}
        return fingerprint_of("onnx_embedding", _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Embed]:
        """Loads it.

        Raises:
          UserError: see `OnnxImageModel.open`; or its output is no embedding.
        """
        with self.model.open("crop") as run:

            def embed(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " d"]:
                return _unit_vector(self.model, run, image)

            _try(embed)
            yield embed


@dataclasses.dataclass(frozen=True, kw_only=True)
class AestheticModel:
    """How pleasing a photo is: an image model with one output value, or two models.

    Attributes:
      model: gives one value; or with a head an embedding, as `EmbeddingModel`'s.
      head: from the embedding, scaled to length 1, to one value, as the heads that
        LAION trained on CLIP.
    """

    model: OnnxImageModel
    head: OnnxVectorModel | None = None

    @property
    def name(self) -> str:
        """What the score is called: `aesthetic`."""
        return "aesthetic"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the files and the settings."""
        settings = {
            "model": self.model.fingerprint,
            "head": self.head.fingerprint if self.head else None,
        }
        return fingerprint_of("onnx_aesthetic", _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Score]:
        """Loads it.

        Raises:
          UserError: see `OnnxImageModel.open`; or there is not one output value.
        """
        with contextlib.ExitStack() as stack:
            run = stack.enter_context(self.model.open("crop"))
            rate = stack.enter_context(self.head.open()) if self.head else None

            def score(photo: UInt8[np.ndarray, "h w 3"]) -> float:
                try:
                    if rate is None:
                        answer = run(photo)
                    else:
                        answer = rate(_unit_vector(self.model, run, photo))
                except NoAnswerError:
                    return math.nan
                if answer.size != 1:
                    last = self.head or self.model
                    raise UserError(
                        f"{last.path} gives shape {answer.shape} for a photo, but a "
                        "score is one value; an embedding needs a `head`"
                    )
                return float(answer.reshape(()))

            _try(score)
            yield score


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentationModel:
    """What stands out of a photo: U2-Net, IS-Net, BiRefNet and the like.

    Attributes:
      model: gives `[1 1 h w]` or `[1 h w]`, at any resolution; it is stretched back to
        the photo's by bilinear.
      values: `min_max` scales what comes to [0, 1], photo by photo, as rembg does;
        `sigmoid` takes it for logits (BiRefNet) and shows an empty photo as empty.
    """

    model: OnnxImageModel
    values: Literal["min_max", "sigmoid"] = "min_max"

    def __post_init__(self) -> None:
        if self.model.resize == "crop":
            raise UserError(
                f"resize of {self.model.path} is crop, but a mask is of the whole "
                "photo; leave it out, or set it to stretch"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file and the settings."""
        settings = {"model": self.model.fingerprint, "values": self.values}
        return fingerprint_of("onnx_segmentation", _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Segment]:
        """Loads it; what it gives raises `NoAnswerError` where nothing stands out.

        Raises:
          UserError: see `OnnxImageModel.open`; or its output is no map.
        """
        with self.model.open("stretch") as run:

            def segment(photo: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
                return self._map(run, photo)

            _try(segment)
            yield segment

    def _map(
        self, run: RunImage, photo: UInt8[np.ndarray, "h w 3"]
    ) -> Float[np.ndarray, "h w"]:
        answer = run(photo)
        if answer.ndim not in (3, 4) or math.prod(answer.shape[:-2]) != 1:
            raise UserError(
                f"{self.model.path} gives shape {answer.shape} for a photo, but a mask "
                "is [1, 1, rows, columns]; name another with `output`"
            )
        saliency = answer.reshape(answer.shape[-2:]).astype(np.float64)
        if self.values == "sigmoid":
            # Of the same value as 1 / (1 + exp(-x)), and never too large a power.
            saliency = (1 + np.tanh(saliency / 2)) / 2
        else:
            low, high = saliency.min(), saliency.max()
            if low == high:
                raise NoAnswerError(f"{self.model.path} sees nothing stand out")
            saliency = (saliency - low) / (high - low)
        size = photo.shape[1], photo.shape[0]
        image = Image.fromarray(saliency.astype(np.float32))
        back = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        return back.clip(0, 1)


def _unit_vector(
    model: OnnxImageModel, run: RunImage, image: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, " d"]:
    """The embedding of a picture, of length 1."""
    answer = run(image)
    if answer.ndim == 4 and answer.shape[2:] == (1, 1):
        answer = answer[:, :, 0, 0]
    is_one = answer.ndim in (2, 3) and answer.shape[0] == 1
    if not is_one or 0 in answer.shape or answer.shape[-1] < 2:
        raise UserError(
            f"{model.path} gives shape {answer.shape} for a picture, but an embedding "
            "is [1, numbers] or [1, tokens, numbers]; name another with `output`"
        )
    vector = answer.reshape(-1, answer.shape[-1])[0].astype(np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0:
        raise NoAnswerError(f"{model.path} gives a vector of zeros for this picture")
    return vector / length


def _try(tool: Callable[[UInt8[np.ndarray, "h w 3"]], object]) -> None:
    """Runs a tool on a grey picture; what matters is that it is of the right kind."""
    with contextlib.suppress(NoAnswerError):
        tool(np.full((32, 32, 3), 128, np.uint8))
