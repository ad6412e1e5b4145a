"""Builds the procedural data sets: `python -m data.build --preset=tiny`.

`python -m data.build --stage=precompute` encodes a set ahead, see data/precompute.py.

Four sets under `data/built/tiny`: `base` (captions for text-to-image), `stage1` and
`stage2` (editing pairs) with split `train`, `heldout` with split `test`. Each is
rendered by worker processes in the order of its indices, written beside its place and
renamed when whole: the bytes depend on the seed and the counts, never on the workers.
"""

import argparse
import collections
import contextlib
import dataclasses
import difflib
import fcntl
import itertools
import json
import math
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from tbstar_jax.data_engine.examples import ENGINE_VERSION, make_record
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.records import EditRecord, write_records

COUNTS: Mapping[str, int] = {
    "base": 20_000,
    "stage1": 4_000,
    "stage2": 2_000,
    "heldout": 60,
}
"""Records per set of the tiny preset."""

DEFAULT_OUT = Path("data/built/tiny")
_RECORDS_PER_SHARD = 2_000
_RECORDS_PER_WORKER = 250
_MANIFEST = "manifest.json"


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


def _keep_or_build(directory: Path, count: int, seed: int, limit: int) -> BuiltSet:
    facts = {"engine_version": ENGINE_VERSION, "seed": seed, "count": count}
    start = time.monotonic()
    tasks = _complete(directory, facts)
    is_kept = tasks is not None
    if tasks is None:
        processes = min(limit, math.ceil(count / _RECORDS_PER_WORKER))
        tasks = _build_set(directory, facts, processes)
    return BuiltSet(
        name=directory.name,
        directory=directory,
        num_records=count,
        tasks=tasks,
        is_kept=is_kept,
        seconds=time.monotonic() - start,
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


def _complete(directory: Path, facts: Mapping[str, int]) -> Mapping[str, int] | None:
    """Tasks of a complete set with these facts, or None where none was finished."""
    path = directory / _MANIFEST
    if not path.is_file():
        if directory.exists() and any(directory.iterdir()):
            raise UserError(
                f"{directory} is not empty and holds no built set; remove it or choose "
                "another --out"
            )
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        there = {fact: int(manifest[fact]) for fact in facts}
        shards = [directory / shard["name"] for shard in manifest["shards"]]
        tasks = dict(manifest["tasks"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a manifest of a built set; remove {directory} to build it"
        ) from error
    if there != facts:
        raise UserError(
            f"{directory} holds a set with {_say(there)}, not {_say(facts)}; remove "
            "it or choose another --out"
        )
    if not all(shard.is_file() for shard in shards):
        shutil.rmtree(directory)
        return None
    return tasks


def _say(facts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _build_set(
    directory: Path, facts: Mapping[str, int], processes: int
) -> dict[str, int]:
    name = directory.name
    staging = directory.with_name(f".{name}.building")
    shutil.rmtree(staging, ignore_errors=True)
    tasks: collections.Counter[str] = collections.Counter()

    def counted(records: Iterable[EditRecord]) -> Iterator[EditRecord]:
        for record in records:
            tasks[record.task] += 1
            yield record

    jobs = [(name, facts["seed"], index) for index in range(facts["count"])]
    with tqdm(total=len(jobs), desc=name, unit="record", disable=None) as progress:
        records = _render(jobs, processes, progress)
        write_records(
            staging, name, split_of(name), counted(records), _RECORDS_PER_SHARD
        )
    ordered = dict(sorted(tasks.items()))
    path = staging / _MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps({**facts, "tasks": ordered, **manifest}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    os.rename(staging, directory)
    return ordered


def _render(
    jobs: Sequence[tuple[str, int, int]], processes: int, progress: "tqdm[Any]"
) -> Iterator[EditRecord]:
    """Renders in order; one process needs no pool."""
    if processes == 1:
        for record in map(_make, jobs):
            progress.update()
            yield record
        return
    # Threads of numerical libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        for record in pool.imap(_make, jobs, chunksize=32):
            progress.update()
            yield record


def _make(job: tuple[str, int, int]) -> EditRecord:
    name, seed, index = job
    return make_record(name, seed, index)


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


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `python -m data.build --help`")


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m data.build",
        description="Builds the procedural data sets.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--stage",
        choices=("render", "precompute"),
        default="render",
        help="render sets (%(default)s), or encode one ahead: see --stage=precompute "
        "--help",
    )
    parser.add_argument("--preset", required=True, help="only: tiny")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="%(default)s")
    parser.add_argument("--seed", type=int, default=0, help="%(default)s")
    for name, count in COUNTS.items():
        parser.add_argument(
            f"--num-{name}", type=int, default=count, help=f"records: {count}"
        )
    parser.add_argument(
        "--workers", type=int, help="processes; one per core, at most 8"
    )
    return parser


def main(argv: Sequence[str]) -> None:
    """Builds the sets that are missing and prints what is there."""
    if "--stage=precompute" in argv:
        # Loads the models; rendering needs none of them.
        from data import precompute

        precompute.main([flag for flag in argv if flag != "--stage=precompute"])
        return
    parser = _parser()
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        name = unknown[0].split("=")[0]
        nearest = difflib.get_close_matches(name, flags, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "see --help."
        raise UserError(f"unknown option {unknown[0]!r}: {hint}")
    if options.preset != "tiny":
        raise UserError(
            f"--preset is {options.preset!r}, but only 'tiny' has procedural sets"
        )
    counts = {name: getattr(options, f"num_{name}") for name in COUNTS}
    built = build_tiny(options.out, counts, options.seed, options.workers)
    for one in built:
        if one.is_kept:
            print(f"{one.directory} is complete and was kept.")
    print(summary(built))


if __name__ == "__main__":
    sys.exit(run_command(main))
