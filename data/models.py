"""Our own models, as the data engine takes them: an editing expert and a painter."""

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.in_context import Paint
from tbstar_jax.data_engine.construct.model_expert import EditImage, ModelExpert

__all__ = ["BasePainter", "editor_expert"]


def editor_expert(folder: Path, tasks: tuple[str, ...]) -> ModelExpert:
    """Our editing pipeline as an expert.

    Args:
      folder: a weights folder or a public checkpoint; `shipped` for the weights in the
        package.
      tasks: what it is asked for.
    """
    return ModelExpert(
        name="editor",
        identity=_identity(_folder(folder)),
        tasks=tasks,
        language="en",
        load=functools.partial(_load_editor, folder),
    )


def _load_editor(folder: Path) -> EditImage:
    # Loaded in the process that edits; the command itself needs no model.
    from tbstar_jax.inference.pipeline import EditPipeline

    pipeline = EditPipeline.from_checkpoint(_folder(folder))

    def edit(
        photo: UInt8[np.ndarray, "h w 3"], instruction: str, seed: int
    ) -> UInt8[np.ndarray, "h w 3"]:
        return pipeline(photo, instruction, seed=seed).image

    return edit


@dataclasses.dataclass(frozen=True, kw_only=True)
class BasePainter:
    """Our text-to-image base as what draws in-context pairs.

    Attributes:
      folder: a weights folder or a public checkpoint; `shipped` as above.
      licence: of what it draws.
    """

    folder: Path
    licence: str

    @property
    def fingerprint(self) -> str:
        """Names the weights."""
        return _identity(_folder(self.folder))

    @contextlib.contextmanager
    def open(self) -> Iterator[Paint]:
        """Loads the base."""
        from tbstar_jax.inference.text_to_image import TextToImage

        model = TextToImage.from_checkpoint(_folder(self.folder))

        def paint(
            prompt: str, seed: int, size: tuple[int, int]
        ) -> UInt8[np.ndarray, "h w 3"]:
            return model(prompt, size=size, seed=seed).image

        yield paint


def _folder(folder: Path) -> Path:
    from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS

    return SHIPPED_WEIGHTS if str(folder) == "shipped" else folder


def _identity(folder: Path) -> str:
    """Names the weights by their files' names, sizes and small files' contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            size = path.stat().st_size
            entry = [path.relative_to(folder).as_posix(), size]
            digest.update(json.dumps(entry).encode())
            if path.suffix == ".json" and size < 2**20:
                digest.update(path.read_bytes())
    return digest.hexdigest()
