"""Edit pairs from nothing: cards with a product, a record per (seed, index)."""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from tbstar_jax.data_engine.language import MAX_INSTRUCTION_BYTES
from tbstar_jax.data_engine.layout.card import card_digest
from tbstar_jax.data_engine.layout.edits import CARD_TASKS, sample_card_edit
from tbstar_jax.data_engine.layout.overlay_method import LEAST_SIDE, require_tasks
from tbstar_jax.data_engine.layout.pairs import (
    LAYOUT_VERSION,
    draw_edit,
    pair_fields,
)
from tbstar_jax.data_engine.render.scene import Size
from tbstar_jax.data_engine.stage import (
    Made,
    Unit,
    Worker,
    fingerprint_of,
    record_generator,
)
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import MAX_ASPECT_RATIO
from tbstar_jax.input_pipeline.records import EditRecord

_MAX_SIDE = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayoutStage:
    """Makes cards.

    Attributes:
      num_records: how many, at least 1.
      seed: of everything random; a record depends on seed, index and settings alone.
      records_per_unit: records per output shard, at least 1.
      sizes: rows and columns the records take in turn, pixels.
      tasks: ids the records take in turn; some of `CARD_TASKS`.
      max_instruction_bytes: longest instruction, UTF-8 bytes.
    """

    num_records: int
    seed: int = 0
    records_per_unit: int = 500
    sizes: tuple[Size, ...] = ((512, 512),)
    tasks: tuple[str, ...] = CARD_TASKS
    max_instruction_bytes: int = MAX_INSTRUCTION_BYTES

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a setting is out of range.
        """
        require_tasks(self.tasks, CARD_TASKS)
        if self.num_records < 1 or self.records_per_unit < 1:
            raise UserError(
                f"num_records is {self.num_records} and records_per_unit "
                f"{self.records_per_unit}, but both must be at least 1"
            )
        if not self.sizes:
            raise UserError("sizes are empty; name at least one, e.g. (512, 512)")
        for size in self.sizes:
            short, long = sorted(size)
            is_fine = LEAST_SIDE <= short and long <= _MAX_SIDE
            if not is_fine or long > MAX_ASPECT_RATIO * short:
                raise UserError(
                    f"a size of {size[1]}x{size[0]} pixels cannot be drawn; sides must "
                    f"be {LEAST_SIDE} to {_MAX_SIDE} and their ratio within "
                    f"1:{MAX_ASPECT_RATIO}"
                )

    @property
    def name(self) -> str:
        """`layout`."""
        return "layout"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides a record beside its index."""
        settings = dataclasses.asdict(self)
        del settings["num_records"], settings["records_per_unit"]
        return fingerprint_of(self.name, LAYOUT_VERSION, settings)

    def units(self) -> Sequence[Unit]:
        """One unit per range of indices, in order."""
        starts = range(0, self.num_records, self.records_per_unit)
        units = []
        for start in starts:
            stop = min(start + self.records_per_unit, self.num_records)
            name = f"cards-{start:08d}"
            digest = hashlib.sha256(f"{start}:{stop}".encode()).hexdigest()
            units.append(Unit(name=name, digest=digest, payload=(start, stop)))
        return units

    def open(self) -> AbstractContextManager[Worker]:
        """Needs nothing."""
        return contextlib.nullcontext(functools.partial(_records, self))


def make_card_record(stage: LayoutStage, index: int) -> EditRecord:
    """Draws one record.

    Args:
      stage: its settings.
      index: number of the record, from 0.
    """
    key = f"layout-{stage.seed}-{index:08d}"
    rng = record_generator(stage.seed, stage.name, key)
    task = stage.tasks[index % len(stage.tasks)]
    # Sizes advance once per round of tasks, so that every task comes in every size.
    size = stage.sizes[(index // len(stage.tasks)) % len(stage.sizes)]
    sample = functools.partial(sample_card_edit, task=task, size=size)
    drawn = draw_edit(rng, sample)
    assert drawn is not None, f"no card for task {task!r} at {size} with key {key}"
    fields = pair_fields(rng, drawn, stage.max_instruction_bytes)
    fields["provenance"] |= {
        "licence": "Apache-2.0",
        "origin": "tbstar_jax.data_engine.layout",
        "parents": [],
        "seed": stage.seed,
        "index": index,
    }
    return EditRecord(key=key, scene=card_digest(drawn.edit.before)[:16], **fields)


def _records(stage: LayoutStage, unit: Unit) -> Iterator[Made]:
    for index in range(*unit.payload):
        yield make_card_record(stage, index)
