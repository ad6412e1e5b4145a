"""The models of `learned.yaml`, opened."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np

from tbstar_jax.data_engine.local_models import Embed, EmbeddingModel
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.learned.config import LearnedConfig
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_pair import Distance
from tbstar_jax.metrics.onnx_text import EmbedText


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LearnedModels:
    """Models by section; None where there are no weights.

    Attributes:
      lpips: a distance of two pictures.
      dino: from a picture to a vector of length 1.
      clip_image: likewise.
      clip_text: from a caption to a vector of length 1 of the same space.
    """

    lpips: Distance | None
    dino: Embed | None
    clip_image: Embed | None
    clip_text: EmbedText | None


@contextlib.contextmanager
def open_learned(config: LearnedConfig) -> Iterator[LearnedModels]:
    """Loads the models and tries each of them once.

    Raises:
      UserError: no `onnxruntime`, a file is missing or of another kind, or pictures
        and texts are put into spaces of different sizes.
    """
    with contextlib.ExitStack() as stack:
        lpips, dino, image, text = (
            config.lpips,
            config.dino,
            config.clip_image,
            config.clip_text,
        )
        enter = stack.enter_context
        models = LearnedModels(
            lpips=enter(lpips.model().open()) if lpips else None,
            dino=enter(EmbeddingModel(model=dino.model()).open()) if dino else None,
            clip_image=(
                enter(EmbeddingModel(model=image.model()).open()) if image else None
            ),
            clip_text=enter(text.model().open()) if text else None,
        )
        _check_spaces(config, models)
        yield models


def _check_spaces(config: LearnedConfig, models: LearnedModels) -> None:
    image, text = config.clip_image, config.clip_text
    if models.clip_image is None or models.clip_text is None:
        return
    assert image is not None
    assert text is not None
    with contextlib.suppress(NoAnswerError):
        seen = models.clip_image(np.full((32, 32, 3), 128, np.uint8))
        read = models.clip_text("a photo")
        if len(seen) != len(read):
            raise UserError(
                f"{image.path} gives {len(seen)} numbers and {text.path} {len(read)}; "
                "both must be parts of one CLIP, exported with their projections"
            )
