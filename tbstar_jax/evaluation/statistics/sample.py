"""One measure of one system: a value per prompt, and what the prompt belongs to."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tbstar_jax.evaluation.scores.record import ScoreRecord

_SCORES = ("edit", "preservation", "consistency")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Values with their prompts.

    Attributes:
      values: one per prompt, in the unit of the measure; NaN where it does not apply.
      prompts: ids; one prompt may have several values, as with votes.
      cases: what moves together when cases are drawn anew.
      tasks: strata of the macro mean.
      languages: `en` or `zh`.
      tags: `name=value` pairs that slices are made by.
      bounds: the least and the largest value there can be; ends of intervals stay
        within.
    """

    values: Float[np.ndarray, " n"]
    prompts: tuple[str, ...]
    cases: tuple[str, ...]
    tasks: tuple[str, ...]
    languages: tuple[str, ...]
    tags: tuple[frozenset[str], ...]
    bounds: tuple[float, float] = (-math.inf, math.inf)

    def __post_init__(self) -> None:
        columns = (self.prompts, self.cases, self.tasks, self.languages, self.tags)
        lengths = {len(self.values), *(len(column) for column in columns)}
        if len(lengths) != 1:
            raise ValueError(f"columns of a sample have lengths {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.values)

    def where(self, kept: Bool[np.ndarray, " n"]) -> "Sample":
        """The values that `kept` names."""
        (rows,) = np.nonzero(kept)
        return Sample(
            values=self.values[rows],
            prompts=tuple(self.prompts[row] for row in rows),
            cases=tuple(self.cases[row] for row in rows),
            tasks=tuple(self.tasks[row] for row in rows),
            languages=tuple(self.languages[row] for row in rows),
            tags=tuple(self.tags[row] for row in rows),
            bounds=self.bounds,
        )


def sample_of(records: Iterable[ScoreRecord], measure: str) -> Sample:
    """Takes one measure out of scored answers: the mean over samples of each prompt.

    Args:
      records: of one system.
      measure: `edit`, `preservation`, `consistency`, or a name in `metrics`; NaN in
        records whose metrics lack it, and left out of the mean over samples.

    Raises:
      ValueError: records of several systems, or two of one sample of a prompt.
    """
    by_prompt: dict[str, dict[int, ScoreRecord]] = {}
    systems = set()
    for row in records:
        systems.add(row.system)
        if by_prompt.setdefault(row.prompt, {}).setdefault(row.sample, row) is not row:
            raise ValueError(f"two records of sample {row.sample} of {row.prompt}")
    if len(systems) > 1:
        raise ValueError(f"records of several systems: {sorted(systems)}")
    value: Callable[[ScoreRecord], float] = (
        (lambda row: getattr(row, measure))
        if measure in _SCORES
        else (lambda row: row.metrics.get(measure, math.nan))
    )
    rows = [next(iter(samples.values())) for samples in by_prompt.values()]
    values = [_mean(map(value, samples.values())) for samples in by_prompt.values()]
    return Sample(
        values=np.array(values, np.float64),
        prompts=tuple(by_prompt),
        cases=tuple(row.case for row in rows),
        tasks=tuple(row.task for row in rows),
        languages=tuple(row.language for row in rows),
        tags=tuple(
            frozenset(f"{name}={text}" for name, text in row.tags.items())
            for row in rows
        ),
    )


def _mean(values: Iterable[float]) -> float:
    """Of those that are numbers; NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def codes_of(names: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
    """Numbers names in sorted order.

    Returns:
      The distinct names, sorted, and the index of each given name among them, `[n]`.
    """
    distinct = sorted(set(names))
    index = {name: number for number, name in enumerate(distinct)}
    return distinct, np.array([index[name] for name in names], np.int64)
