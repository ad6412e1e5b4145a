"""Pictures to score records: by several processes, each picture once.

A line of the journal is a record with the key of all that it depends on: the picture,
the case, the reader of texts, the learned models and the version of the scores. What
stands there under the same key is not computed again; of several lines for one answer
of one system the last counts. Lines come in the order of the jobs, whatever the number
of processes.
"""

import atexit
import collections
import contextlib
import dataclasses
import functools
import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case, Language, Prompt
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.journal import Journal, read_journal
from tbstar_jax.evaluation.learned.config import LearnedConfig
from tbstar_jax.evaluation.learned.measure import LearnedMeasure
from tbstar_jax.evaluation.learned.models import LearnedModels, open_learned
from tbstar_jax.evaluation.scores.prompt import decode_answer, score_answer
from tbstar_jax.evaluation.scores.record import AnswerStatus, ScoreRecord
from tbstar_jax.evaluation.text.reader import find_reader

SCORES_VERSION = 8
"""Raised whenever the same picture would get another score."""

RecordId: TypeAlias = tuple[str, str, int]
"""System, prompt and sample."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A picture to be scored for some prompts of a case.

    Attributes:
      system: who made it.
      languages: the prompts it answers: one, or both for a picture that no instruction
        was needed for.
      picture: the file, or the pixels themselves; None: there is no answer.
      output: what the record says of where it is.
      sample: which of several answers to the prompt, from 0.
    """

    system: str
    languages: tuple[Language, ...]
    picture: Path | UInt8[np.ndarray, "_ _ 3"] | None
    output: str
    sample: int = 0


Job: TypeAlias = tuple[Case, Sequence[Candidate]]


def score_all(
    jobs: Iterable[Job],
    journal: Path,
    *,
    with_reader: bool,
    num_workers: int,
    total: int,
    title: str,
    learned: LearnedConfig | None = None,
) -> dict[RecordId, ScoreRecord]:
    """Scores what the journal has no record of.

    Args:
      jobs: cases with their pictures; drawn a few ahead, so cases are not kept.
      journal: where records are, and are put.
      with_reader: whether texts are read with the program that `find_reader` finds.
      num_workers: processes; 1 scores in this one.
      total: pictures, for the progress bar.
      title: of the bar.
      learned: weights of learned metrics; None: they have no columns.

    Returns:
      The record of every answer of the jobs.

    Raises:
      UserError: the journal is damaged, or another process writes it; or a learned
        model cannot be opened.
    """
    reader = find_reader() if with_reader else None
    tools = "" if reader is None else reader.name
    if learned is not None:
        # What was hashed is what every process reads.
        learned = learned.pinned()
        tools += f" {learned.fingerprint()}"
    records: dict[RecordId, ScoreRecord] = {}
    with (
        Journal(journal) as writer,
        tqdm(total=total, desc=title, unit="picture") as bar,
    ):
        done = read_records(journal)
        due = _due_jobs(jobs, done, records, tools)
        for keys, scored in _scored(due, with_reader, learned, num_workers):
            for key, group in zip(keys, scored, strict=True):
                for record in group:
                    id = (record.system, record.prompt, record.sample)
                    records[id] = record
                    # A kill between two languages leaves one line of a picture's.
                    if id not in done or done[id][0] != key:
                        writer.append({"key": key, "record": record.to_json()})
            bar.update(len(keys))
        bar.update(bar.total - bar.n if bar.total else 0)
    return records


def read_records(journal: Path) -> dict[RecordId, tuple[str, ScoreRecord]]:
    """The last record of every answer of every system, with its key.

    Raises:
      UserError: a line is not what `score_all` writes.
    """
    found: dict[RecordId, tuple[str, ScoreRecord]] = {}
    for number, line in enumerate(read_journal(journal), 1):
        try:
            record = ScoreRecord.from_json(line["record"])
            key = line["key"]
        except (KeyError, TypeError, UserError) as error:
            raise UserError(
                f"line {number} of {journal} is no score ({error}); delete the file to "
                "compute the scores again"
            ) from error
        # The order of the file is that of the last lines.
        id = (record.system, record.prompt, record.sample)
        found.pop(id, None)
        found[id] = (str(key), record)
    return found


def key_of(candidate: Candidate, case_sha256: str, tools: str) -> str:
    """SHA-256 of all that a record depends on.

    Args:
      candidate: the picture.
      case_sha256: digest of the case.
      tools: name of the reader of texts, empty without one; then the fingerprint of
        the learned models, if there are any.
    """
    total = hashlib.sha256()
    match candidate.picture:
        case None:
            total.update(b"missing")
        case Path() as path:
            try:
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
            except OSError:
                total.update(b"unreadable")  # scoring will say so
        case pixels:
            total.update(str(pixels.shape).encode() + pixels.tobytes())
    total.update(f"{case_sha256} {tools} {SCORES_VERSION}".encode())
    return total.hexdigest()


_Due: TypeAlias = tuple[Case, tuple[Candidate, ...], tuple[str, ...]]


def _due_jobs(
    jobs: Iterable[Job],
    done: Mapping[RecordId, tuple[str, ScoreRecord]],
    records: dict[RecordId, ScoreRecord],
    tools: str,
) -> Iterator[_Due]:
    """What must be computed; what need not be goes to the records at once."""
    for case, candidates in jobs:
        sha256 = case_digest(case)
        due: list[tuple[Candidate, str]] = []
        for candidate in candidates:
            key = key_of(candidate, sha256, tools)
            ids = [
                (
                    candidate.system,
                    Prompt(case=case, language=language).id,
                    candidate.sample,
                )
                for language in candidate.languages
            ]
            if all(id in done and done[id][0] == key for id in ids):
                records.update({id: done[id][1] for id in ids})
            else:
                due.append((candidate, key))
        if due:
            yield case, tuple(one for one, _ in due), tuple(key for _, key in due)


def _scored(
    due: Iterable[_Due],
    with_reader: bool,
    learned: LearnedConfig | None,
    num_workers: int,
) -> Iterator[tuple[tuple[str, ...], list[list[ScoreRecord]]]]:
    """Keys and records of every job, in order."""
    if num_workers == 1:
        for case, candidates, keys in due:
            yield keys, _score_case(case, candidates, with_reader, learned)
        return
    waiting: collections.deque[tuple[tuple[str, ...], Future[list[list[ScoreRecord]]]]]
    waiting = collections.deque()
    # Spawned, since threads of the parent (JAX has some) do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context) as pool:
        try:
            for case, candidates, keys in due:
                job = pool.submit(_score_case, case, candidates, with_reader, learned)
                waiting.append((keys, job))
                if len(waiting) > 2 * num_workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_reader = functools.cache(find_reader)


@functools.cache
def _models(config: LearnedConfig) -> LearnedModels:
    """Opened once per process, and closed with it."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_learned(config))


def _score_case(
    case: Case,
    candidates: Sequence[Candidate],
    with_reader: bool,
    learned: LearnedConfig | None,
) -> list[list[ScoreRecord]]:
    """The records of every candidate: one per prompt it answers."""
    reader = _reader() if with_reader else None
    measure = None if learned is None else LearnedMeasure(_models(learned), case)
    scored = []
    for candidate in candidates:
        answer, status = _opened(candidate.picture)
        first, *others = (
            Prompt(case=case, language=language) for language in candidate.languages
        )
        record = score_answer(
            first,
            answer,
            system=candidate.system,
            status=status,
            reader=reader,
            output=candidate.output,
            learned=measure,
        )
        record = dataclasses.replace(record, sample=candidate.sample)
        same = [
            dataclasses.replace(record, prompt=other.id, language=other.language)
            for other in others
        ]
        scored.append([record, *same])
    return scored


def _opened(
    picture: Path | UInt8[np.ndarray, "_ _ 3"] | None,
) -> tuple[UInt8[np.ndarray, "_ _ 3"] | None, AnswerStatus]:
    if picture is None:
        return None, "missing"
    if isinstance(picture, np.ndarray):
        return picture, "ok"
    try:
        return decode_answer(picture), "ok"
    except UserError:
        return None, "decode_error"
