"""Our own models as systems: a weights folder or a public checkpoint."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.convert.folder import BASE_PARTS, STAGE_PARTS, load_weights
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import Answer, CannotAnswer
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.files import file_digest
from tbstar_jax.geometry import OutpaintPlan
from tbstar_jax.inference.image_file import outpaint_source, source_from_array
from tbstar_jax.inference.loaded_model import load_model, model_of, most_photos
from tbstar_jax.inference.pipeline import EditPipeline
from tbstar_jax.inference.preserve import Preserve
from tbstar_jax.inference.round_trip import round_trip

Modules: TypeAlias = Literal["base", "stage1", "stage2"]
"""Which of a weights folder's modules are on: none, the pattern-shifting modules, or
these and the consistency modules."""

_ONE_PHOTO = "not given, the model takes one photo"
_PRESERVE_WITHOUT_GATE = "off; pixel where the canvas grows, which has a mask"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """The reference through a model's autoencoder: an anchor, not an editor.

    Attributes:
      directory: weights folder or public checkpoint.
    """

    directory: Path

    @property
    def name(self) -> str:
        """The anchor's."""
        return "reference_vae"

    @property
    def num_threads(self) -> int:
        """One: the device is shared."""
        return 1

    def describe(self) -> Mapping[str, str]:
        """The folder, and its contents as a whole.

        Raises:
          UserError: there is no such folder, or nothing in it.
        """
        return {
            "directory": str(self.directory),
            "weights_sha256": _contents(self.directory),
        }

    @contextlib.contextmanager
    def open(self) -> Iterator[Answer]:
        """Loads the model; raises as `load_model`."""
        model = load_model(self.directory)

        def answer(prompt: Prompt, sample: int) -> UInt8[np.ndarray, "h w 3"]:
            del sample  # nothing is drawn
            return round_trip(model, prompt.case.reference)

        yield answer


_NUM_STAGES: Mapping[Modules, int] = {"base": 0, "stage1": 1, "stage2": 2}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model of ours, run as `tbstar-edit` runs it.

    Attributes:
      name: what reports call it.
      directory: weights folder or public checkpoint.
      modules: None: all that the folder has.
      seed: of the noise, the same for every prompt; plus the number of the sample.
      num_steps: sampling steps; None: the checkpoint's.
      guidance: scale; None: the checkpoint's, and 1 for a base without modules, which
        never learned to edit.
      preserve: see `EditPipeline`; None: its choice.
    """

    name: str
    directory: Path
    modules: Modules | None = None
    seed: int = 0
    num_steps: int | None = None
    guidance: float | None = None
    preserve: Preserve | None = None

    @property
    def num_threads(self) -> int:
        """One: the device is shared."""
        return 1

    def describe(self) -> Mapping[str, str]:
        """Folder, its contents, and modules and sampler as far as they were given.

        This is what tells systems apart; what it comes to, `settings` says.

        The contents are read as a whole: other weights in the same folder are another
        system, whose pictures must not be mixed with the first one's.

        Raises:
          UserError: there is no such folder, or nothing in it.
        """
        given = dataclasses.asdict(self)
        told = {
            name: str(value)
            for name, value in given.items()
            if value is not None and name != "name"
        }
        return {**told, "weights_sha256": _contents(self.directory)}

    def settings(self) -> Mapping[str, Any]:
        """How it edits, with what the checkpoint says where nothing was given.

        Returns:
          `sampler`; `num_steps`; `guidance`, 1 for none; `seed`; `modules`; `preserve`
          (see `EditPipeline`); `resize`, what becomes of the photo's size;
          `second_pictures`, whether it is given them where cases have one.

        Raises:
          UserError: there is no such folder, or it is no model.
        """
        config, held = model_of(self.directory)
        stages = [part for part in STAGE_PARTS if part in held]
        if self.modules is not None:
            stages = list(STAGE_PARTS[: _NUM_STAGES[self.modules]])
        names = {count: name for name, count in _NUM_STAGES.items()}
        steps, guidance = self.num_steps, self._guidance
        takes_two = _takes_two(most_photos(config, (*BASE_PARTS, *stages)))
        kept = "pixel" if "consistency" in stages else _PRESERVE_WITHOUT_GATE
        return {
            "sampler": "Euler steps along the velocity",
            "num_steps": config.num_steps if steps is None else steps,
            "guidance": config.guidance_scale if guidance is None else guidance,
            "seed": self.seed,
            "modules": names[len(stages)],
            "preserve": self.preserve or kept,
            "resize": "the photo's canvas, extended by its edges to whole tokens; "
            f"above {config.pixel_budget} pixels scaled there and back, Lanczos; never "
            "stretched",
            "second_pictures": "given" if takes_two else _ONE_PHOTO,
        }

    @property
    def _guidance(self) -> float | None:
        """None: the checkpoint's."""
        return 1.0 if self.modules == "base" else self.guidance

    @contextlib.contextmanager
    def open(self) -> Iterator[Answer]:
        """Loads the model.

        Raises:
          UserError: there is no such folder, it is damaged, or lacks the modules.
        """
        pipeline = self._pipeline()
        takes_two = _takes_two(pipeline.max_photos)

        def answer(prompt: Prompt, sample: int) -> UInt8[np.ndarray, "h w 3"]:
            case = prompt.case
            photo, mask = source_from_array(case.photo), None
            if case.photo_box is not None:
                plan = OutpaintPlan(canvas=case.size, photo=case.photo_box)
                photo, mask = outpaint_source(photo, plan)
            try:
                edited = pipeline(
                    photo,
                    prompt.instruction,
                    references=case.further_photos if takes_two else (),
                    mask=mask,
                    seed=self.seed + sample,
                    num_steps=self.num_steps,
                    guidance=self._guidance,
                    preserve=self.preserve,
                )
            except UserError as error:  # such as an instruction that is too long
                raise CannotAnswer(str(error), is_final=True) from error
            return edited.image

        yield answer

    def _pipeline(self) -> EditPipeline:
        if self.modules is None:
            return EditPipeline.from_checkpoint(self.directory)
        weights = load_weights(self.directory)
        wanted = STAGE_PARTS[: _NUM_STAGES[self.modules]]
        missing = [part for part in wanted if part not in weights.parts]
        if missing:
            raise UserError(
                f"{self.directory} has no {' and '.join(missing)}, which "
                f"--modules={self.modules} needs; take fewer modules, or export them "
                "into the folder with `python -m experiments.export`"
            )
        parts = {name: weights.parts[name] for name in (*BASE_PARTS, *wanted)}
        return EditPipeline(dataclasses.replace(weights, parts=parts))


def _takes_two(max_photos: int | None) -> bool:
    return max_photos is None or max_photos > 1


def _contents(directory: Path) -> str:
    """SHA-256 of all files of a folder, in the order of their names."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    if not files:
        raise UserError(f"there are no weights in {directory}; name their folder")
    return file_digest(files)
