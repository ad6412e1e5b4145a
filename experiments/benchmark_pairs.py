"""The table of a judge's comparisons of two systems, or more."""

import math
from collections.abc import Sequence

from experiments.benchmark_shown import LANGUAGES
from tbstar_jax.evaluation.judge.config import JudgeConfig
from tbstar_jax.evaluation.judge.pairs import (
    PairResult,
    Spent,
    failures,
    spent,
    summarise_pairs,
)
from tbstar_jax.evaluation.judge.pairwise import Comparison
from tbstar_jax.evaluation.report.content import Table
from tbstar_jax.evaluation.statistics.davidson import Ranking
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

_COLUMNS = (
    *("pair", "of", "pairs", "wins", "ties", "orders disagree, of the ties", "losses"),
    *("no verdict", "GSB", "GSB, low", "GSB, high"),
    *("win rate", "win rate, low", "win rate, high"),
)
_TIES = (
    "In GSB, (wins - losses) / (wins + ties + losses), a tie counts nothing; in the "
    "win rate half a win. Pairs without a verdict are in neither. Intervals: 95 %, "
    "cases drawn anew with both their languages."
)


def pairwise_table(
    comparisons: Sequence[Comparison],
    ranking: Ranking,
    config: JudgeConfig,
    bootstrap: BootstrapConfig,
) -> Table:
    """What a judge says of every two systems: all pairs, by task and by language."""
    rows = [
        [f"{pair.first} against {pair.second}", label, *_cells(found, config)]
        for pair in summarise_pairs(comparisons, bootstrap)
        for label, found in (
            ("all", pair.overall),
            *pair.tasks.items(),
            *((LANGUAGES.get(one, one), two) for one, two in pair.languages.items()),
        )
    ]
    scores = [
        f"{one.system}: {_whole(one.score)} ({_whole(one.low)} to {_whole(one.high)}), "
        f"Davidson, of {one.num_votes} verdicts"
        for one in ranking.systems
    ]
    return Table(
        title=f"Edits in pairs, judged by {config.model}, {config.label()}",
        columns=_COLUMNS,
        rows=rows,
        notes=[
            _TIES,
            *scores,
            _coverage(comparisons, config),
            _spent(spent(comparisons)),
        ],
    )


def _cells(found: PairResult, config: JudgeConfig) -> list[str | int | float | None]:
    counted = found.counted
    decided = (counted.num_a, counted.num_tie)
    return [
        sum(decided) + counted.num_b + counted.num_failed,
        *decided,
        counted.num_inconsistent if config.both_orders else None,
        counted.num_b,
        counted.num_failed,
        *(found.gsb.mean, found.gsb.low, found.gsb.high),
        *(found.win_rate.mean, found.win_rate.low, found.win_rate.high),
    ]


def _coverage(comparisons: Sequence[Comparison], config: JudgeConfig) -> str:
    missing = failures(comparisons)
    num = len(comparisons)
    why = ", ".join(f"{count} {status}" for status, count in missing.items())
    told = f"{100 * (num - sum(missing.values())) / num:.1f} % of the pairs have a "
    told += f"verdict{f' (without: {why})' if why else ''}; "
    if not config.both_orders:
        return told + "each was asked in one order, so the order may have swayed it"
    swayed = sum(one.is_consistent is False for one in comparisons)
    return told + f"in {swayed} the two orders disagreed, which counts as a tie"


def _spent(found: Spent) -> str:
    if found.tokens is None:
        return "Nothing was asked: every pair lacks a picture."
    cost = "n/a (no prices, or several currencies, when it was asked)"
    if found.cost is not None:
        cost = f"{found.cost:.4f} {found.currency or '(currency not recorded)'}"
    return (
        f"A pair took {found.tokens:.0f} tokens on average, in all orders and votes; "
        f"all {found.num_asked} that were asked cost {cost}, as first paid."
    )


def _whole(number: float) -> str:
    """Without decimals; a single case says nothing about its spread."""
    return "n/a" if math.isnan(number) else f"{number:.0f}"
