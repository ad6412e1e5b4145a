"""The procedural sets of the tiny preset: `python -m data.build --preset=tiny`.

Four sets under `data/built/tiny`: `base` (captions for text-to-image), `stage1` and
`stage2` (editing pairs) with split `train`, `heldout` with split `test`. The bytes
depend on the seed and the counts, never on the workers.
"""

import contextlib
import dataclasses
import fcntl
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.example_stage import ExampleStage
from tbstar_jax.data_engine.store.summary import summarise
from tbstar_jax.errors import UserError

COUNTS: Mapping[str, int] = {
    "base": 20_000,
    "stage1": 4_000,
    "stage2": 2_000,
    "heldout": 60,
}
"""Records per set of the tiny preset."""

DEFAULT_OUT = Path("data/built/tiny")
RECORDS_PER_SHARD = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuiltSet:
    """What was done for one set.

    Attributes:
      name: the set.
      directory: where it is.
      num_records: how many records it holds.
      tasks: records per task id.
      is_kept: it was complete already and was not rendered again.
      seconds: time spent.
    """

    name: str
    directory: Path
    num_records: int
    tasks: Mapping[str, int]
    is_kept: bool
    seconds: float


def split_of(name: str) -> str:
    """The only split of a set: `test` for the held-out one, else `train`."""
    return "test" if name == "heldout" else "train"


def build_tiny(
    out: str | os.PathLike[str] = DEFAULT_OUT,
    counts: Mapping[str, int] = COUNTS,
    seed: int = 0,
    workers: int | None = None,
) -> tuple[BuiltSet, ...]:
    """Builds the sets that are not there yet.

    Args:
      out: directory that holds one directory per set.
      counts: records per set; names as in `COUNTS`.
      seed: 0 or more; every set has its own seed space within it.
      workers: processes; None takes one per core, at most 8.

    Returns:
      One report per set, in the order of `counts`.

    Raises:
      UserError: a count, the seed or the workers are out of range, or a complete set of
        another seed, count or engine version is in the way.
    """
    _check(counts, seed, workers)
    limit = min(os.cpu_count() or 1, 8) if workers is None else workers
    with _only_builder(Path(out)):
        return tuple(
            _keep_or_build(Path(out) / name, count, seed, limit)
            for name, count in counts.items()
        )


@contextlib.contextmanager
def _only_builder(out: Path) -> Iterator[None]:
    """Makes a second builder of the same directory wait: it will find all complete."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _keep_or_build(directory: Path, count: int, seed: int, workers: int) -> BuiltSet:
    name = directory.name
    report = run_stage(
        ExampleStage(
            space=name,
            seed=seed,
            num_records=count,
            records_per_unit=RECORDS_PER_SHARD,
        ),
        directory,
        name,
        split_of(name),
        engine=EmbeddedEngine(workers=workers),
    )
    return BuiltSet(
        name=name,
        directory=directory,
        num_records=report.num_records,
        tasks=dict(sorted(summarise(directory).tasks.items())),
        is_kept=report.num_made == 0,
        seconds=report.seconds,
    )


def _check(counts: Mapping[str, int], seed: int, workers: int | None) -> None:
    for name, count in counts.items():
        if name not in COUNTS:
            raise UserError(f"unknown set {name!r}: use one of {', '.join(COUNTS)}")
        if count < 1:
            raise UserError(f"set {name!r} has {count} records, but needs at least 1")
    if seed < 0:
        raise UserError(f"the seed is {seed}, but must be 0 or more")
    if workers is not None and workers < 1:
        raise UserError(f"the number of workers is {workers}, but must be at least 1")


def summary(built: Sequence[BuiltSet]) -> str:
    """A table of the sets: records per task and images per second."""
    ids = sorted(set(itertools.chain.from_iterable(one.tasks for one in built)))
    rows = [["", *(one.name for one in built)]]
    rows += [[id, *(str(one.tasks.get(id, 0)) for one in built)] for id in ids]
    rows.append(["records", *(str(one.num_records) for one in built)])
    rows.append(["images/s", *(_speed(one) for one in built)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _speed(one: BuiltSet) -> str:
    """Source and target count as two images."""
    return "kept" if one.is_kept else f"{2 * one.num_records / one.seconds:.0f}"
