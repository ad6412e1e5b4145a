"""The expert method: photo -> request -> expert's edit -> finer request -> pair.

    photo + auxiliary information
      -> task drawn by its share, among those that suit the photo and have an expert
      -> request: by a vision-language model, or by rule
      -> edited photo: by the first expert of the task that does not decline
      -> request said finely from both images, in both languages: by the model
      -> pair

Without a model the rules write the request and it stays as it is; the record says who
wrote it (`instructions_by`). A model that declines, or whose answers fail the checks,
leaves the photo to the next task. A server that gives no answer stops the run, with one
sentence: another run goes on from the cache, and no photo is given up for an outage.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.annotate import derived, is_photo
from tbstar_jax.data_engine.construct.auxiliary import Auxiliary, auxiliary_of
from tbstar_jax.data_engine.construct.change import MIN_LEVELS, finished
from tbstar_jax.data_engine.construct.instruct import InstructConfig, prompts_digest
from tbstar_jax.data_engine.construct.needs import NEEDED
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    Edit,
    EditRequest,
    Expert,
)
from tbstar_jax.data_engine.construct.writers import (
    ModelWriter,
    RuleWriter,
    Writer,
    Written,
)
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.vlm.client import VlmClient, VlmConfig

_LOG = logging.getLogger(__name__)
_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskShare:
    """How often a task is drawn, relative to the others that suit a photo.

    Attributes:
      task: an id in `needs.NEEDED`.
      weight: above 0.
    """

    task: str
    weight: float

    def __post_init__(self) -> None:
        if self.task not in NEEDED:
            raise UserError(
                f"experts are not asked for task {self.task!r}, only for "
                f"{', '.join(NEEDED)}"
            )
        if not 0 < self.weight < float("inf"):
            raise UserError(
                f"the weight of {self.task} is {self.weight}, but must be above 0"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpertMethod:
    """Makes pairs of photos by asking experts.

    Attributes:
      experts: the first that can edit is asked first.
      shares: the tasks, and how often each is drawn.
      vlm: the vision-language model; None for rules alone.
      instruct: how the model is asked.
      pairs_per_photo: at most so many, each of another task.
      max_tries: tasks that are tried per photo, at most.
      min_levels: where an expert gives no mask, a pixel counts as changed when a
        channel differs by at least so many of 255 levels.
      num_threads: photos in flight per process.
    """

    experts: tuple[Expert, ...]
    shares: tuple[TaskShare, ...]
    vlm: VlmConfig | None
    instruct: InstructConfig = dataclasses.field(default_factory=InstructConfig)
    pairs_per_photo: int = 1
    max_tries: int = 4
    min_levels: int = MIN_LEVELS
    num_threads: int = 1

    def __post_init__(self) -> None:
        for name in ("pairs_per_photo", "max_tries", "min_levels", "num_threads"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, but must be >= 1")
        tasks = [share.task for share in self.shares]
        if len(set(tasks)) < len(tasks):
            raise UserError("shares name a task twice; add their weights")
        names = [expert.name for expert in self.experts]
        if len(set(names)) < len(names):
            raise UserError(f"two experts have one name: {', '.join(sorted(names))}")
        if not self._served():
            raise UserError("no expert does any of the tasks in shares")

    @property
    def name(self) -> str:
        """`expert`."""
        return "expert"

    @property
    def instructions_by(self) -> str:
        """Who writes: `vlm`, `replay` (its replies, from the cache) or `rules`."""
        if self.vlm is None:
            return "rules"
        return "replay" if self.vlm.replay_only else "vlm"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of experts, shares, model, prompts and settings."""
        settings = {
            "experts": [expert.fingerprint for expert in self.experts],
            "shares": [[share.task, share.weight] for share in self.shares],
            "vlm": self.vlm.identity() if self.vlm else None,
            "instructions_by": self.instructions_by,
            "instruct": dataclasses.asdict(self.instruct),
            "prompts": prompts_digest() if self.vlm else None,
            "pairs_per_photo": self.pairs_per_photo,
            "max_tries": self.max_tries,
            "min_levels": self.min_levels,
        }
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Opens the experts and the model's client.

        Raises:
          UserError: a key or a file that one of them needs is missing.
        """
        with contextlib.ExitStack() as stack:
            edits = {
                expert.name: stack.enter_context(expert.open())
                for expert in self.experts
            }
            client = VlmClient(self.vlm) if self.vlm else None
            writer: Writer = RuleWriter()
            if client is not None:
                writer = ModelWriter(client=client, config=self.instruct)

            def transform(
                photo: EditRecord, rng: np.random.Generator
            ) -> Iterable[Made]:
                return self._pairs(photo, rng, writer, edits)

            yield transform
            if client is not None:
                _LOG.info("%s", client)

    def _pairs(
        self,
        photo: EditRecord,
        rng: np.random.Generator,
        writer: Writer,
        edits: Mapping[str, Edit],
    ) -> list[Made]:
        if not is_photo(photo):
            return [Reject(row=photo.key, reason="it is a pair already, not a photo")]
        try:
            image = decode_image(photo.source_images[0], f"photo {photo.key!r}")
            auxiliary = auxiliary_of(photo, *image.shape[:2])
        except UserError as error:
            return [Reject(row=photo.key, reason=str(error))]
        pairs: list[Made] = []
        reasons: list[str] = []
        for task in self._drawn(auxiliary, rng)[: self.max_tries]:
            if len(pairs) == self.pairs_per_photo:
                break
            try:
                written = writer.write(image, task, auxiliary, rng)
                pair = self._pair(photo, image, written, writer, edits, rng)
                key = f"{photo.key}-expert{len(pairs)}"
                pairs.append(dataclasses.replace(pair, key=key))
            except CannotEdit as error:
                reasons.append(f"{task}: {error.reason}")
        if not pairs:
            why = "; ".join(reasons) or "no task with an expert suits it"
            return [Reject(row=photo.key, reason=f"no edit could be made: {why}")]
        return pairs

    def _pair(
        self,
        photo: EditRecord,
        image: UInt8[np.ndarray, "h w 3"],
        written: Written,
        writer: Writer,
        edits: Mapping[str, Edit],
        rng: np.random.Generator,
    ) -> EditRecord:
        request = written.request
        expert, edited, mask, mask_from = self._edit(image, request, edits, rng)
        fine = writer.rewrite(image, edited, written, rng)
        return derived(
            photo,
            key=photo.key,
            transform="construct",
            parents=[photo],
            # PNG: source and target must decode alike wherever they are read.
            source_images=(encode_png(image),),
            target_image=encode_png(edited),
            change_mask=encode_png(mask),
            instructions_en=_distinct(fine.en, request.instruction_en),
            instructions_zh=_distinct(fine.zh, request.instruction_zh),
            task=request.task,
            provenance={
                "method": self.name,
                "expert": expert.name,
                "expert_fingerprint": expert.fingerprint,
                "instructions_by": self.instructions_by,
                "coarse": {"en": request.instruction_en, "zh": request.instruction_zh},
                "fine": {"en": list(fine.en), "zh": list(fine.zh)},
                "regions": [dataclasses.asdict(one) for one in request.regions],
                "mask_from": mask_from,
                "facts": written.facts.to_json(),
                **fine.notes(),
                **_status(fine.status),
            },
        )

    def _edit(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        request: EditRequest,
        edits: Mapping[str, Edit],
        rng: np.random.Generator,
    ) -> tuple[Expert, UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], str]:
        """The first expert's edit that changed something, and where."""
        reasons = []
        for expert in self.experts:
            if request.task not in expert.tasks:
                continue
            try:
                edited = edits[expert.name](image, request, rng)
                target, mask, mask_from = finished(image, edited, self.min_levels)
                return expert, target, mask, mask_from
            except CannotEdit as error:
                reasons.append(f"{expert.name} ({error.reason})")
        raise CannotEdit(", ".join(reasons))

    def _served(self) -> list[TaskShare]:
        served = {task for expert in self.experts for task in expert.tasks}
        return [share for share in self.shares if share.task in served]

    def _drawn(self, auxiliary: Auxiliary, rng: np.random.Generator) -> list[str]:
        """The tasks that suit a photo, drawn without replacement by their weights."""
        suited = [
            share
            for share in self._served()
            if auxiliary.tasks is None or share.task in auxiliary.tasks
        ]
        # Exponential clocks: the first to ring is drawn in proportion to its rate.
        rings = [rng.exponential() / share.weight for share in suited]
        return [suited[k].task for k in np.argsort(rings, kind="stable")]


def _distinct(fine: tuple[str, ...], coarse: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(text.strip() for text in fine), coarse)))


def _status(status: str) -> dict[str, Any]:
    """A pair whose request was not said finely is kept, and says so."""
    return {} if status == "ok" else {"status": "flagged:fine_instruction"}
