"""The stage of the data engine that renders pairs in the studio.

A unit is a range of indices and needs nothing else: record `index` is determined by
the settings, the seed and `index` alone, whichever unit or process makes it.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.data_engine.facts import with_facts
from tbstar_jax.data_engine.language import MAX_INSTRUCTION_BYTES
from tbstar_jax.data_engine.render.scene import Size
from tbstar_jax.data_engine.stage import (
    Made,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.blender import frames
from tbstar_jax.data_engine.studio.blender.process import (
    BlenderProcess,
    BlenderSettings,
)
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, Edit, sample_edit
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.grammar import instructions
from tbstar_jax.data_engine.studio.pairs import Pair, render_pairs
from tbstar_jax.data_engine.studio.renderer import Frame
from tbstar_jax.data_engine.studio.scene import Scene, scene_digest
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord

STUDIO_VERSION = 5
"""Raised whenever the same seed and index would give another record."""

_MAX_ATTEMPTS = 12
_LEAST_DIFFERENCE = 12
_LEAST_CHANGED = 12

Draw: TypeAlias = Callable[[Sequence[Edit]], list[Pair]]
"""Renders edits as pairs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudioStage:
    """Renders editing pairs in three dimensions.

    Attributes:
      name: of the stage; part of every record's key.
      seed: of all random numbers.
      num_records: how many pairs.
      records_per_unit: pairs per output shard.
      sizes: rows and columns, in pixels; one is drawn per record.
      tasks: ids of `edits.EDIT_TASKS`, taken in turn.
      is_strict: see `pairs`.
      backend: `numpy`, the reference; `jax`, which agrees to one level; or `blender`,
        which traces the paths of light through the same shapes.
      supersampling: rays per pixel and direction; not used by `blender`.
      pairs_per_batch: pairs whose kernels run together on `jax`.
      blender: its interpreter and settings.
      max_instruction_bytes: longest instruction, UTF-8 bytes.
    """

    name: str = "studio"
    seed: int = 0
    num_records: int
    records_per_unit: int = 256
    sizes: tuple[Size, ...] = ((256, 256),)
    tasks: tuple[str, ...] = EDIT_TASKS
    is_strict: bool = True
    backend: Literal["numpy", "jax", "blender"] = "numpy"
    supersampling: int = 2
    pairs_per_batch: int = 8
    blender: BlenderSettings = dataclasses.field(default_factory=BlenderSettings)
    max_instruction_bytes: int = MAX_INSTRUCTION_BYTES

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a number below 1, no size or task, or a task not rendered here.
        """
        counts = {
            "num_records": self.num_records,
            "records_per_unit": self.records_per_unit,
            "supersampling": self.supersampling,
            "pairs_per_batch": self.pairs_per_batch,
        }
        for name, value in counts.items():
            if value < 1:
                raise UserError(f"{name} is {value}, but must be at least 1")
        unknown = [task for task in self.tasks if task not in EDIT_TASKS]
        if unknown or not self.tasks or not self.sizes:
            raise UserError(
                f"the studio was asked for the tasks {', '.join(self.tasks) or 'none'} "
                f"in {len(self.sizes)} sizes; give at least one size, and tasks among "
                f"{', '.join(EDIT_TASKS)}"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides a record beside its index."""
        settings = dataclasses.asdict(self)
        for name in ("num_records", "records_per_unit", "pairs_per_batch", "blender"):
            del settings[name]
        if self.backend == "blender":
            settings["samples"] = self.blender.samples
        return fingerprint_of(self.name, STUDIO_VERSION, settings)

    def units(self) -> Sequence[Unit]:
        """Ranges of indices."""
        made = []
        for first in range(0, self.num_records, self.records_per_unit):
            stop = min(first + self.records_per_unit, self.num_records)
            text = json.dumps([first, stop])
            made.append(
                Unit(
                    name=f"{self.name}-{first:09d}",
                    digest=hashlib.sha256(text.encode()).hexdigest(),
                    payload=(first, stop),
                )
            )
        return made

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """The worker; with `jax`, this is where it is imported.

        Raises:
          UserError: Blender is asked for and does not start.
        """
        with contextlib.ExitStack() as stack:
            batch, notes = 1, {}
            if self.backend == "blender":
                process = stack.enter_context(BlenderProcess(self.blender))
                notes = {"renderer": process.renderer}
                draw: Draw = functools.partial(
                    frames.render_pairs, is_strict=self.is_strict, process=process
                )
            elif self.backend == "jax":
                from tbstar_jax.data_engine.studio.fast import JaxBackend

                batch = self.pairs_per_batch
                draw = functools.partial(
                    render_pairs, is_strict=self.is_strict, backend=JaxBackend()
                )
            else:
                draw = functools.partial(
                    render_pairs, is_strict=self.is_strict, backend=NumpyBackend()
                )

            def work(unit: Unit) -> Iterable[Made]:
                first, stop = unit.payload
                for start in range(first, stop, batch):
                    indices = range(start, min(start + batch, stop))
                    for record in self.records(indices, draw):
                        yield annotated(record, **notes)

            yield work

    def records(self, indices: Sequence[int], draw: Draw) -> list[EditRecord]:
        """Makes records, their renders together.

        An edit that nobody would see is drawn again, from the same generator.

        Args:
          indices: of the records.
          draw: what renders.
        """
        generators = [
            record_generator(self.seed, self.name, str(index)) for index in indices
        ]
        done: dict[int, tuple[Edit, Pair]] = {}
        for _ in range(_MAX_ATTEMPTS):
            todo = [k for k in range(len(indices)) if k not in done]
            if not todo:
                break
            edits = [self._sample(generators[k], indices[k]) for k in todo]
            pairs = draw(edits)
            for k, edit, pair in zip(todo, edits, pairs, strict=True):
                if edit.task == "identity" or is_visible(pair):
                    done[k] = edit, pair
        if len(done) < len(indices):
            raise UserError(
                f"{_MAX_ATTEMPTS} edits of {self.sizes} pixels in a row changed fewer "
                f"than {_LEAST_CHANGED} pixels visibly; draw larger images"
            )
        return [
            self._record(index, generators[k], *done[k])
            for k, index in enumerate(indices)
        ]

    def _sample(self, rng: np.random.Generator, index: int) -> Edit:
        size = self.sizes[int(rng.integers(len(self.sizes)))]
        task = self.tasks[index % len(self.tasks)]
        return sample_edit(rng, task, size, self.supersampling)

    def _record(
        self, index: int, rng: np.random.Generator, edit: Edit, pair: Pair
    ) -> EditRecord:
        about = (*edit.touched_before, *edit.touched_after, 0)[0]
        scene = edit.before if edit.touched_before else edit.after
        measure = family_of(scene.items[about].family).measure_zh
        english, chinese = map(
            self._fitting, instructions(edit.task, edit.facts, measure)
        )
        provenance = {
            "method": "template",
            "transform": "identity" if edit.task == "identity" else "construct",
            "licence": "Apache-2.0",
            "origin": "tbstar_jax.data_engine.studio",
            "seed": self.seed,
            "index": index,
            "engine_version": STUDIO_VERSION,
            "backend": self.backend,
            "variant": "strict" if self.is_strict else "physical",
            "source_scene": scene_digest(edit.before),
            "target_scene": scene_digest(edit.after),
            "text_boxes": text_boxes(edit, pair),
        }
        record = EditRecord(
            key=f"{self.name}-{self.seed}-{index}",
            source_images=(encode_png(pair.source),),
            target_image=encode_png(pair.target),
            change_mask=encode_png(pair.change_mask),
            instructions_en=_shuffled(rng, english),
            instructions_zh=_shuffled(rng, chinese),
            task=edit.task,
            scene=scene_digest(edit.before),
            provenance=provenance,
        )
        return with_facts(record, edit.facts)

    def _fitting(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        limit = self.max_instruction_bytes
        short = tuple(text for text in texts if len(text.encode()) <= limit)
        if not short:
            raise UserError(
                f"max_instruction_bytes is {limit}, but no phrasing is as short as "
                f"that, e.g. {texts[0]!r}; allow at least 96"
            )
        return short


def is_visible(pair: Pair) -> bool:
    """Whether enough pixels change by enough for anybody to see it."""
    difference = np.abs(pair.source.astype(np.int16) - pair.target.astype(np.int16))
    return int(np.sum(difference.max(axis=2) >= _LEAST_DIFFERENCE)) >= _LEAST_CHANGED


def text_boxes(edit: Edit, pair: Pair) -> list[dict[str, Any]]:
    """Lists the texts on plates of both pictures, those of the source first.

    Each is an object: `text`, `language`, `box` ([top, left, bottom, right] of its
    letters, without logo and frame, pixels), `part`, `kept` (whether it says the same
    at the same place in both pictures) and `image` (`both`, `source` or `target`).

    Args:
      edit: the scenes.
      pair: their renders.
    """
    before, after = _texts(edit.before, pair.before), _texts(edit.after, pair.after)
    notes = []
    for text in before:
        is_kept = text in after
        image = "both" if is_kept else "source"
        notes.append({**text, "kept": is_kept, "image": image})
    return notes + [
        {**text, "kept": False, "image": "target"}
        for text in after
        if text not in before
    ]


def _texts(scene: Scene, frame: Frame) -> list[dict[str, Any]]:
    found = []
    for k, item in enumerate(scene.items):
        rows, columns = np.nonzero(frame.text[k] > 0.05)
        if item.label is None or not item.label.text or not len(rows):
            continue
        top, left = int(rows.min()), int(columns.min())
        box = [top, left, int(rows.max()) + 1, int(columns.max()) + 1]
        language = "en" if item.label.text.isascii() else "zh"
        found.append(
            {"text": item.label.text, "language": language, "box": box,
             "part": f"item-{k}"}
        )  # fmt: skip
    return found


def _shuffled(rng: np.random.Generator, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(texts[int(k)] for k in rng.permutation(len(texts)))
