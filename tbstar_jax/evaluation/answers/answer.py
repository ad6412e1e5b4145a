"""Asking a system for the pictures that are not there yet.

A picture is a PNG named by its prompt, `<folder>/<prompt id>.png`, moved into place
when it is whole; one that exists is not asked for again. Further samples of a prompt
are `<prompt id>~1.png`, `~2.png` and so on: ids of prompts end in their language, so no
prompt has such a name. What could not be answered stands in `unanswered.jsonl` with its
reason and is asked for again by the next run: only a refusal is final.
"""

import collections
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.files import write_whole
from tbstar_jax.evaluation.journal import Journal, read_journal
from tbstar_jax.input_pipeline.images import encode_png

UNANSWERED = "unanswered.jsonl"
"""In the folder of the pictures: prompts without one, and why."""

SECONDS = "seconds.jsonl"
"""In the folder of the pictures: how long each took, the first with compilation."""

GIVE_UP_AFTER = 16
"""Prompts in a row without a picture, after which a system is not asked any more."""


class CannotAnswer(Exception):  # noqa: N818
    """A system gives no picture for a prompt: one sentence says why.

    Attributes:
      is_final: whether asking again is pointless (a refusal).
    """

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


_Request: TypeAlias = tuple[Prompt, int]
_Outcome: TypeAlias = tuple[str, float, CannotAnswer | None]


@runtime_checkable
class Answer(Protocol):
    """Answers prompts; called from `num_threads` threads."""

    def __call__(self, prompt: Prompt, sample: int) -> UInt8[np.ndarray, "h w 3"]:
        """Edits the photo of a prompt.

        Args:
          prompt: what is asked.
          sample: which of several answers, from 0: added to the seed of the noise.

        Raises:
          CannotAnswer: there is no picture.
        """


@runtime_checkable
class System(Protocol):
    """Something that edits photos by instruction."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def num_threads(self) -> int:
        """Prompts in flight."""

    def describe(self) -> Mapping[str, str]:
        """What decides its pictures, for the provenance of a report."""

    def open(self) -> AbstractContextManager[Answer]:
        """Loads it."""


def ask_system(
    system: System,
    ids: Sequence[str],
    prompts: Iterable[Prompt],
    folder: Path,
    num_samples: int = 1,
) -> Mapping[str, float]:
    """Asks for every picture that the folder lacks.

    Args:
      system: whom to ask.
      ids: of the prompts.
      prompts: the same prompts, drawn a few ahead: their cases are not kept.
      folder: where the pictures are, or will be.
      num_samples: pictures per prompt.

    Returns:
      Name of the picture (`sample_name`) to seconds, of the pictures made now.

    Raises:
      UserError: what the system raises for a fault that concerns all prompts; or it
        answers nothing: `GIVE_UP_AFTER` pictures in a row, or every one
        of fewer that were asked for.
    """
    ledger = folder / UNANSWERED
    names = sample_names(ids, num_samples)
    due = _due(folder, names)
    seconds: dict[str, float] = {}
    if not due:
        return seconds
    progress = tqdm(total=len(due), desc=f"asking {system.name}", unit="edit")
    with (
        system.open() as answer,
        Journal(ledger) as journal,
        Journal(folder / SECONDS) as timing,
        progress,
    ):
        asked = (
            (prompt, sample)
            for prompt in prompts
            for sample in range(num_samples)
            if sample_name(prompt.id, sample) in due
        )
        streak: list[tuple[str, CannotAnswer]] = []
        ask = functools.partial(_ask, answer, folder)
        for id, took, error in _each(ask, asked, system.num_threads):
            progress.update()
            if error is None:
                seconds[id] = took
                timing.append({"prompt": id, "seconds": took})
                _note(journal, streak)
            else:
                streak.append((id, error))
                _require_answers(system, streak, min(GIVE_UP_AFTER, len(names)))
        _note(journal, streak)
    return seconds


def _due(folder: Path, names: Sequence[str]) -> set[str]:
    """Pictures that are not there and were not refused."""
    noted = unanswered(folder, names)
    refused = {name for name, error in noted.items() if error.is_final}
    return {
        name
        for name in names
        if name not in refused and not answer_path(folder, name).exists()
    }


def _ask(answer: Answer, folder: Path, request: _Request) -> _Outcome:
    prompt, sample = request
    name = sample_name(prompt.id, sample)
    begin = time.perf_counter()
    try:
        image = answer(prompt, sample)
    except CannotAnswer as error:
        return name, time.perf_counter() - begin, error
    took = time.perf_counter() - begin
    write_whole(answer_path(folder, name), encode_png(image))
    return name, took, None


def _require_answers(
    system: System, streak: Sequence[tuple[str, CannotAnswer]], limit: int
) -> None:
    """What fails for every prompt is not noted: it is no answer to any of them."""
    if len(streak) >= limit:
        _, error = streak[-1]
        raise UserError(
            f"{system.name} gave no picture for {len(streak)} prompts in a row; the "
            f"last time: {error}"
        )


def unanswered(folder: Path, ids: Sequence[str]) -> dict[str, CannotAnswer]:
    """Why prompts have no picture, as their system last said; others are left out.

    Args:
      folder: where the pictures are; `unanswered.jsonl` may be absent.
      ids: of the prompts, or `sample_names` of them.

    Raises:
      UserError: the file is not what `ask_system` writes.
    """
    found: dict[str, CannotAnswer] = {}
    for number, entry in enumerate(read_journal(folder / UNANSWERED), 1):
        try:
            reason, is_final = str(entry["reason"]), bool(entry["is_final"])
            found[str(entry["prompt"])] = CannotAnswer(reason, is_final=is_final)
        except KeyError as error:
            raise UserError(
                f"line {number} of {folder / UNANSWERED} has no {error}; delete the "
                "file to ask for its prompts again"
            ) from error
    wanted = [id for id in ids if id in found]
    return {id: found[id] for id in wanted if not answer_path(folder, id).exists()}


def _note(journal: Journal, failures: list[tuple[str, CannotAnswer]]) -> None:
    for id, error in failures:
        journal.append({"prompt": id, "reason": str(error), "is_final": error.is_final})
    failures.clear()


def sample_name(prompt_id: str, sample: int) -> str:
    """Name of a picture: the prompt's id, with `~<sample>` unless it is the first."""
    return f"{prompt_id}~{sample}" if sample else prompt_id


def sample_names(ids: Iterable[str], num_samples: int) -> list[str]:
    """Names of all pictures, those of a prompt together."""
    return [sample_name(id, sample) for id in ids for sample in range(num_samples)]


def answer_path(folder: Path, name: str) -> Path:
    """Where a picture is, by its `sample_name`."""
    return folder / f"{name}.png"


def _each(
    ask: Callable[[_Request], _Outcome], asked: Iterable[_Request], num_threads: int
) -> Iterator[_Outcome]:
    """The outcomes in order; in this thread where one is enough."""
    if num_threads == 1:
        yield from map(ask, asked)
        return
    waiting: collections.deque[Future[_Outcome]] = collections.deque()
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            for request in asked:
                waiting.append(pool.submit(ask, request))
                if len(waiting) > 2 * num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            # Prompts that wait are not sent to a server that is given up.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
