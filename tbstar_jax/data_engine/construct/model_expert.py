"""An editing model as an expert: our own pipeline, or any other in the same process.

The data engine does not know the pipeline: whoever starts it hands over a function that
loads one (image, instruction, seed) -> image.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    Edit,
    EditedPhoto,
    EditRequest,
)
from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.errors import UserError

EditImage: TypeAlias = Callable[
    [UInt8[np.ndarray, "h w 3"], str, int], UInt8[np.ndarray, "h w 3"]
]
"""A photo, an instruction and a seed to the edited photo of the same size."""

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelExpert:
    """Edits with a model in this process, one photo at a time.

    Attributes:
      name: of the model, lower-case letters, digits and underscores.
      identity: what decides its output: its weights' digest, steps, guidance.
      tasks: ids of the tasks it may be asked for.
      language: of the instruction it is given.
      load: loads the model; a module's function, or a partial of one, since every
        process loads its own.
    """

    name: str
    identity: str
    tasks: tuple[str, ...]
    language: Language
    load: Callable[[], EditImage]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, identity, tasks and language."""
        settings = {
            "identity": self.identity,
            "tasks": self.tasks,
            "language": self.language,
        }
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Edit]:
        """Loads the model."""
        edit_image = self.load()
        lock = threading.Lock()

        def edit(
            photo: UInt8[np.ndarray, "h w 3"],
            request: EditRequest,
            rng: np.random.Generator,
        ) -> EditedPhoto:
            seed = int(rng.integers(2**31))
            is_english = self.language == "en"
            text = request.instruction_en if is_english else request.instruction_zh
            try:
                with lock:  # one accelerator, one edit at a time
                    image = edit_image(photo, text, seed)
            except UserError as error:
                raise CannotEdit(f"{self.name} declines: {error}") from error
            if image.shape != photo.shape:
                raise CannotEdit(
                    f"{self.name} made {image.shape[:2]} (rows, columns) of a photo of "
                    f"{photo.shape[:2]}"
                )
            return EditedPhoto(image=image, mask=None)

        yield edit
