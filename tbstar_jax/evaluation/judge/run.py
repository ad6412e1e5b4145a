"""Many jobs for a judge, in threads, resumed without asking or writing twice.

A settled result is a line of the journal, and stays. What a server did not answer
stands in `<name>.unsettled.jsonl`, written anew by every run, and is asked for again
by the next one. A job whose pictures have changed since is done again; its new line
replaces the old one for every reader.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.journal import Journal, read_journal
from tbstar_jax.evaluation.judge.item import Item, content_of
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.judgement import Judgement, judgement_key
from tbstar_jax.evaluation.judge.pairwise import Comparison, compare, comparison_key
from tbstar_jax.vlm.schema import NotValidError, read_as

GIVE_UP_AFTER = 16
"""Results in a row that the server did not answer, after which a run stops."""


Record: TypeAlias = Judgement | Comparison

_Record = TypeVar("_Record", Judgement, Comparison)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job(Generic[_Record]):
    """One thing to be judged.

    Attributes:
      key: of its record.
      content: of its record.
      do: judges it; never raises for what a server does.
    """

    key: str
    content: str
    do: Callable[[], _Record]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """An edit that waits to be judged.

    Attributes:
      system: who made it.
      item: the request.
      answer: the edit; None where there is none.
    """

    system: str
    item: Item
    answer: UInt8[np.ndarray, "h w 3"] | None


def judge_all(judge: Judge, work: Iterable[Work], path: Path) -> list[Judgement]:
    """Judges edits that `path` has no judgement of yet.

    Args:
      judge: who judges.
      work: drawn one by one, a few ahead: pictures are not kept.
      path: a journal of judgements.

    Returns:
      The judgement of every edit, in the order of `work`.

    Raises:
      UserError: the server answers nothing any more, or was never there; what it has
        answered is kept.
    """
    jobs = (
        Job(
            key=judgement_key(one.system, one.item.prompt, judge.fingerprint),
            content=content_of(one.item, (one.answer,)),
            do=functools.partial(judge.judge, one.system, one.item, one.answer),
        )
        for one in work
    )
    return run_jobs(jobs, path, Judgement, judge)


def compare_all(
    judge: Judge, work: Iterable[tuple[Work, Work]], path: Path
) -> list[Comparison]:
    """Compares pairs of edits that `path` has no comparison of yet.

    Args:
      judge: of mode `pairwise`.
      work: edits of one item by two systems.
      path: a journal of comparisons.

    Raises:
      UserError: as `judge_all`, or the judge's mode is another.
    """
    jobs = (
        Job(
            key=comparison_key(a.system, b.system, a.item.prompt, judge.fingerprint),
            content=content_of(a.item, (a.answer, b.answer)),
            do=functools.partial(
                compare, judge, a.item, a.system, a.answer, b.system, b.answer
            ),
        )
        for a, b in work
    )
    return run_jobs(jobs, path, Comparison, judge)


def run_jobs(
    jobs: Iterable[Job[_Record]],
    path: Path,
    cls: type[_Record],
    judge: Judge,
) -> list[_Record]:
    """Does the jobs that a journal has no settled record of.

    Args:
      jobs: drawn a few ahead.
      path: the journal.
      cls: of the records.
      judge: who is asked: as many jobs at once as it takes, its totals beside the bar.

    Returns:
      A record per job, in their order; raises as `judge_all`.
    """
    records: dict[int, _Record] = {}
    waiting: dict[Future[_Record], int] = {}
    seen: set[str] = set()
    failures = 0
    num_threads = judge.config.concurrency
    with (
        Journal(path) as journal,
        ThreadPoolExecutor(num_threads) as pool,
        tqdm(desc="judged", unit="picture", disable=None) as bar,
    ):
        done = read_records(path, cls)

        def keep(future: Future[_Record]) -> _Record:
            record = records[waiting.pop(future)] = future.result()
            if record.is_settled:
                journal.append(_entry(record))
            bar.update()
            bar.set_postfix_str(str(judge))
            return record

        try:
            for index, job in enumerate(jobs):
                assert job.key not in seen, "one edit per system and prompt"
                seen.add(job.key)
                if (old := _settled(done, job)) is not None:
                    records[index] = old
                    bar.update()
                    continue
                waiting[pool.submit(job.do)] = index
                while len(waiting) >= 2 * num_threads:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        failures = _counted(failures, keep(future), judge)
            for future in as_completed(list(waiting)):
                failures = _counted(failures, keep(future), judge)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for future in list(waiting):
                if not future.cancelled() and future.exception() is None:
                    keep(future)
            _write_unsettled(path, done, records.values())
    return [records[index] for index in range(len(records))]


def read_records(path: Path, cls: type[_Record]) -> dict[str, _Record]:
    """Reads a journal and what its last run left unsettled, by key.

    Args:
      path: the journal; an absent one holds nothing.
      cls: of the records.

    Raises:
      UserError: a line is no such record.
    """
    found: dict[str, _Record] = {}
    for source in (path, _unsettled(path)):
        for number, entry in enumerate(read_journal(source), 1):
            try:
                record = read_as(cls, entry, f"line {number}")
            except NotValidError as error:
                raise UserError(
                    f"{source} holds no {cls.__name__}: {error}; move the file away"
                ) from error
            old = found.get(record.key)
            # Unsettled and settled for one picture: the run was killed in between.
            if source == path or old is None or old.content != record.content:
                found[record.key] = record
    return found


def _settled(done: Mapping[str, _Record], job: Job[_Record]) -> _Record | None:
    """The record of a job that needs not be done again."""
    old = done.get(job.key)
    is_same = old is not None and old.is_settled and old.content == job.content
    return old if is_same else None


def _counted(failures: int, record: Record, judge: Judge) -> int:
    """Unanswered results in a row, this one included."""
    if record.is_settled or record.status == "not_cached":
        return 0
    if judge.unreachable is not None:
        raise UserError(f"the judge cannot be asked: {judge.unreachable}")
    if failures + 1 >= GIVE_UP_AFTER:
        raise UserError(
            f"the judge has not answered {GIVE_UP_AFTER} times in a row "
            f"({record.status}: {record.detail}); check the server and run again: what "
            "it has answered is kept"
        )
    return failures + 1


def _entry(record: Any) -> Mapping[str, Any]:
    return dataclasses.asdict(record)


def _unsettled(path: Path) -> Path:
    return path.with_name(f"{path.stem}.unsettled{path.suffix}")


def _write_unsettled(
    path: Path, done: Mapping[str, Record], records: Iterable[Record]
) -> None:
    now = dict(done) | {record.key: record for record in records}
    lines = [
        json.dumps(_entry(record), ensure_ascii=False, allow_nan=False) + "\n"
        for record in now.values()
        if not record.is_settled
    ]
    write_whole(_unsettled(path), "".join(lines).encode())
