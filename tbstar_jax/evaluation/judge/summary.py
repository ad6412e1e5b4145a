"""A system's scores by one judge, never without their coverage.

What the judge failed at is bounded: `dropped` leaves it out, `lower` gives it the
lowest mark there is. A picture that the system did not deliver has the lowest mark in
both: that is the system's failure, not the judge's.
"""

import collections
import dataclasses
import statistics
from collections.abc import Iterable, Mapping

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.judge.canary import CanaryResult
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.modes import SCALES, Mode
from tbstar_jax.evaluation.judge.quirks import ReferenceNumber


@dataclasses.dataclass(frozen=True, kw_only=True)
class Means:
    """Means of the overall score.

    Attributes:
      macro: over tasks, of the mean over a task's pictures.
      micro: over pictures.
      by_task: over a task's pictures.
    """

    macro: float
    micro: float
    by_task: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """What one judge says of one system.

    Attributes:
      system: who made the pictures.
      mode: of the judge.
      label: what the numbers are called: mode, whose words, departures.
      judge: its fingerprint.
      models: names under which the server gave it; several mean that it changed.
      is_mock: no judge was asked; never part of a leaderboard.
      num_expected: prompts that should be judged.
      statuses: how many have which, `not_judged` included; they add up to that.
      dropped: without what the judge failed at; None where nothing is left.
      lower: with the lowest mark for it.
      semantic: macro mean of SC, as `dropped`; None where the mode has none.
      quality: of PQ, likewise.
      success: of the first of SC's scores alone: was the edit made? Likewise.
      restraint: of the second: was the rest left alone? Likewise.
      perfect: share of answers all of whose scores are the best there are (RISEBench's
        accuracy), in [0, 1], macro, as `dropped`; missing pictures are not perfect.
      num_above_cap: items of `imgedit` with a mark above their first.
      mean_range: mean over pictures of the votes' range.
      tokens: mean per judged picture, read and written.
      cost: of all replies, as first paid; None where prices are not known, or were in
        several currencies.
      currency: of the cost; None without one.
      canary: whether the judge judges as it did before; None: not known.
      reference: what the program behind the mode would have reported; None unless that
        was asked for (`bug_compatible`).
      is_unstructured: whether the server refused to be asked with a schema.
    """

    system: str
    mode: Mode
    label: str
    judge: str
    models: tuple[str, ...]
    is_mock: bool
    num_expected: int
    statuses: Mapping[str, int]
    dropped: Means | None
    lower: Means
    semantic: float | None
    quality: float | None
    success: float | None
    restraint: float | None
    perfect: float | None
    num_above_cap: int
    mean_range: float | None
    tokens: float | None
    cost: float | None
    currency: str | None
    canary: CanaryResult | None = None
    reference: ReferenceNumber | None = None
    is_unstructured: bool = False

    @property
    def num_covered(self) -> int:
        """Prompts with a mark: judged, or without a picture."""
        return self.statuses.get("ok", 0) + self.statuses.get("missing", 0)

    @property
    def coverage(self) -> float:
        """Share of the expected prompts that have a mark, in [0, 1]."""
        return self.num_covered / self.num_expected

    def headline(self) -> str:
        """The score in one line: with coverage, bounds and the judge's name.

        There is no line without coverage: half a benchmark is another benchmark.
        """
        score = "n/a" if self.dropped is None else f"{self.dropped.macro:.2f}"
        mock = "MOCK " if self.is_mock else ""
        return (
            f"{self.system}: {mock}{self.label} {score} (missing as lowest: "
            f"{self.lower.macro:.2f}), coverage {100 * self.coverage:.1f} % "
            f"({self.num_covered} of {self.num_expected}), judge "
            f"{', '.join(self.models) or 'n/a'}"
        )


def summarise(
    judgements: Iterable[Judgement], expected: Mapping[str, str]
) -> tuple[Summary, ...]:
    """Sums judgements up, per system and judge, in the order they come.

    Args:
      judgements: at most one per system, judge and prompt.
      expected: task of every prompt that should be judged.

    Raises:
      UserError: nothing is expected, a judgement is of another prompt, or there are two
        of one.
    """
    if not expected:
        raise UserError(
            "no prompts are expected, so a score would have no coverage; name the "
            "split that was judged"
        )
    groups: dict[tuple[str, str], dict[str, Judgement]] = {}
    for judgement in judgements:
        group = groups.setdefault((judgement.system, judgement.judge), {})
        if judgement.prompt not in expected:
            raise UserError(
                f"{judgement.system} was judged on {judgement.prompt}, which is not of "
                "this split"
            )
        if judgement.prompt in group:
            raise UserError(
                f"{judgement.system} was judged twice on {judgement.prompt} by one "
                "judge"
            )
        group[judgement.prompt] = judgement
    return tuple(_summary(group, expected) for group in groups.values())


def _summary(group: Mapping[str, Judgement], expected: Mapping[str, str]) -> Summary:
    first = next(iter(group.values()))
    ok = [one for one in group.values() if one.status == "ok"]
    lowest = SCALES[first.mode][0]
    marks: dict[str, float | None] = {
        prompt: _mark(group.get(prompt), lowest) for prompt in expected
    }
    statuses = collections.Counter(
        group[prompt].status if prompt in group else "not_judged" for prompt in expected
    )
    costs = [one.cost for one in group.values() if one.cost is not None]
    currencies = {one.currency for one in group.values()}
    is_priced = len(costs) == len(group) and len(currencies) == 1
    tokens = [one.input_tokens + one.output_tokens for one in ok]
    known = {prompt: mark for prompt, mark in marks.items() if mark is not None}
    return Summary(
        system=first.system,
        mode=first.mode,
        label=first.label,
        judge=first.judge,
        models=tuple(dict.fromkeys(one.model for one in ok)),
        is_mock=any(one.is_mock for one in group.values()),
        num_expected=len(expected),
        statuses=dict(statuses),
        dropped=_means(known, expected, first.mode) if known else None,
        lower=_means(
            {p: lowest if mark is None else mark for p, mark in marks.items()},
            expected,
            first.mode,
        ),
        semantic=_macro({one.prompt: one.semantic for one in ok}, expected),
        quality=_macro({one.prompt: one.quality for one in ok}, expected),
        success=_macro({one.prompt: _nth(one.sc, 0) for one in ok}, expected),
        restraint=_macro({one.prompt: _nth(one.sc, 1) for one in ok}, expected),
        perfect=_macro(
            {prompt: float(group[prompt].is_perfect) for prompt in known},
            expected,
        ),
        num_above_cap=sum(one.exceeds_cap for one in ok),
        mean_range=statistics.fmean(one.overall_range or 0.0 for one in ok)
        if ok
        else None,
        tokens=statistics.fmean(tokens) if tokens else None,
        cost=sum(costs) if is_priced else None,
        currency=first.currency if is_priced else None,
    )


def _nth(scores: tuple[float, ...], index: int) -> float | None:
    return scores[index] if index < len(scores) else None


def _mark(judgement: Judgement | None, lowest: float) -> float | None:
    """The mark of a prompt; None where the judge failed."""
    if judgement is not None and judgement.status == "missing":
        return lowest
    return None if judgement is None else judgement.overall


def _by_task(
    values: Mapping[str, float], tasks: Mapping[str, str]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for prompt, value in values.items():
        found.setdefault(tasks[prompt], []).append(value)
    return found


def _means(values: Mapping[str, float], tasks: Mapping[str, str], mode: Mode) -> Means:
    if mode == "imgedit":
        # As its scripts do: items and types are rounded to two decimals.
        values = {prompt: round(value, 2) for prompt, value in values.items()}
        by_type = {
            task: viescore.imgedit_type(items)
            for task, items in _by_task(values, tasks).items()
        }
        macro = statistics.fmean(by_type.values())
        return Means(
            macro=macro, micro=statistics.fmean(values.values()), by_task=by_type
        )
    by_task = _by_task(values, tasks)
    return Means(
        macro=viescore.macro_mean(by_task),
        micro=viescore.micro_mean(by_task),
        by_task={task: statistics.fmean(found) for task, found in by_task.items()},
    )


def _macro(
    values: Mapping[str, float | None], tasks: Mapping[str, str]
) -> float | None:
    known = {prompt: value for prompt, value in values.items() if value is not None}
    return viescore.macro_mean(_by_task(known, tasks)) if known else None
