"""Adds phrasings to a record: by grammar, and by a model whose words are checked."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from tbstar_jax.data_engine.annotate import annotated, is_photo
from tbstar_jax.data_engine.augment.paraphrase.checks import problem
from tbstar_jax.data_engine.augment.paraphrase.slots import Phrase, phrases
from tbstar_jax.data_engine.facts import Facts, Language, facts_of
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

Rewrite: TypeAlias = Callable[[str], Sequence[str]]
"""From an instruction to others, in English or Chinese, in any order; thread-safe.
A `UserError` says that there was no answer for this one."""


@runtime_checkable
class Rewriter(Protocol):
    """Where rewritten instructions come from, e.g. a language model; picklable."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the answers: model, prompt, sampling."""

    @property
    def num_threads(self) -> int:
        """Requests in flight per process."""

    def open(self) -> AbstractContextManager[Rewrite]:
        """Connects, once per process."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paraphrase:
    """Adds phrasings in both languages; what a record says already stays and is first.

    The grammar speaks only where the record brings facts: its task alone does not tell
    whether the request asks for more.

    The record notes under `paraphrase` how many were added by the grammar and
    by the model, what was dropped and by which check, and requests without an answer.

    Attributes:
      num_texts: phrasings per language to fill up to.
      max_bytes: longest new text, in UTF-8 bytes.
      rewriter: the model; None for the grammar alone.
    """

    num_texts: int
    max_bytes: int
    rewriter: Rewriter | None = None

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is below 1.
        """
        for name in ("num_texts", "max_bytes"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, but must be >= 1")

    @property
    def name(self) -> str:
        """The method's name."""
        return "paraphrase"

    @property
    def fingerprint(self) -> str:
        """Names the settings and the model."""
        rewriter = self.rewriter.fingerprint if self.rewriter else "none"
        settings = {
            "num_texts": self.num_texts,
            "max_bytes": self.max_bytes,
            "rewriter": rewriter,
        }
        return fingerprint_of(self.name, 1, settings)

    @property
    def num_threads(self) -> int:
        """As many as the model answers at a time."""
        return self.rewriter.num_threads if self.rewriter else 1

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Connects to the model, if there is one."""
        with contextlib.ExitStack() as stack:
            rewriter = self.rewriter
            rewrite = stack.enter_context(rewriter.open()) if rewriter else None

            def transform(
                record: EditRecord, rng: np.random.Generator
            ) -> Iterable[Made]:
                return self._transform(record, rng, rewrite)

            yield transform

    def _transform(
        self, record: EditRecord, rng: np.random.Generator, rewrite: Rewrite | None
    ) -> Iterable[Made]:
        if is_photo(record):
            return [record]
        try:
            facts = facts_of(record)
        except UserError as error:
            return [
                record,
                Reject(row=f"{record.key} ({self.name})", reason=str(error)),
            ]
        counts: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        rewritten = self._ask(record, facts, rewrite, counts, dropped)
        texts: dict[Language, tuple[str, ...]] = {}
        languages: tuple[Language, ...] = ("en", "zh")
        for language in languages:
            is_english = language == "en"
            own = record.instructions_en if is_english else record.instructions_zh
            known = phrases(record.task, facts, language) if facts != Facts() else ()
            drawn = _by_turns(rng, known)
            short = [text for text in drawn if len(text.encode()) <= self.max_bytes]
            dropped["length"] += len(drawn) - len(short)
            texts[language] = self._filled(own, rewritten[language], short, counts)
        notes = {
            **counts,
            "dropped": {name: count for name, count in dropped.items() if count},
        }
        record = dataclasses.replace(
            record, instructions_en=texts["en"], instructions_zh=texts["zh"]
        )
        return [annotated(record, paraphrase=notes)]

    def _ask(
        self,
        record: EditRecord,
        facts: Facts,
        rewrite: Rewrite | None,
        counts: Counter[str],
        dropped: Counter[str],
    ) -> dict[Language, list[str]]:
        """Rewrites the first text of each language and keeps what passes the checks."""
        found: dict[Language, list[str]] = {"en": [], "zh": []}
        if rewrite is None:
            return found
        for original in (*record.instructions_en[:1], *record.instructions_zh[:1]):
            try:
                answers = rewrite(original)
            except UserError:
                counts["unanswered"] += 1
                continue
            for answer in answers:
                text = answer.strip()
                wrong = problem(original, text, facts.brands)
                if wrong is None and len(text.encode()) > self.max_bytes:
                    wrong = "length"
                language = language_of(text)
                if wrong is not None:
                    dropped[wrong] += 1
                elif language is not None:
                    found[language].append(text)
        return found

    def _filled(
        self,
        own: tuple[str, ...],
        rewritten: Sequence[str],
        drawn: Sequence[str],
        counts: Counter[str],
    ) -> tuple[str, ...]:
        """Own texts, then the model's and the grammar's by turns, up to `num_texts`."""
        texts = dict.fromkeys(own)
        sources = {"model": list(rewritten), "grammar": list(drawn)}
        while any(sources.values()):
            for name, waiting in sources.items():
                if waiting and len(texts) < self.num_texts and waiting[0] not in texts:
                    texts[waiting[0]] = None
                    counts[name] += 1
                del waiting[:1]
        return tuple(texts)


def _by_turns(rng: np.random.Generator, found: Sequence[Phrase]) -> list[str]:
    """Shuffles, then takes one of each style in turn, so that few texts differ most."""
    order = rng.permutation(len(found))
    by_style: dict[str, list[str]] = {}
    for index in order:
        phrase = found[int(index)]
        by_style.setdefault(phrase.style, []).append(phrase.text)
    drawn = []
    while any(by_style.values()):
        for waiting in by_style.values():
            if waiting:
                drawn.append(waiting.pop(0))
    return drawn
