"""Every two systems on the same prompts: C, E and P, first minus second.

Means side by side do not tell how sure a difference is: systems are good at the same
prompts, and what they share cancels where they are compared prompt by prompt.
"""

import csv
import io
import math
from collections.abc import Sequence

from tbstar_jax.evaluation.run.measures import measure_by_name
from tbstar_jax.evaluation.run.results import HeadToHead, measured, plain_text
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.paired import compare
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

SCORES = ("consistency", "edit", "preservation")
"""That are compared: numbers of every answer, and higher is better."""

MAX_PAIRS = 10
"""Of systems in a report: more are no longer read."""

_COLUMNS = (
    "first",
    "second",
    "measure",
    "difference",
    "low",
    "high",
    "better",
    "tie",
    "worse",
    "tie_within",
    "p",
    "num_prompts",
    "num_cases",
)


def head_to_head(
    first: Sequence[ScoreRecord],
    second: Sequence[ScoreRecord],
    config: BootstrapConfig,
) -> list[HeadToHead]:
    """Compares two systems, prompt by prompt.

    Args:
      first: records of one system, all samples.
      second: of the other.
      config: of the intervals.

    Returns:
      One comparison for each of `SCORES`; none where no prompt is common.
    """
    if not {row.prompt for row in first} & {row.prompt for row in second}:
        return []
    found = []
    for measure in map(measure_by_name, SCORES):
        compared = compare(
            measured(first, measure),
            measured(second, measure),
            config,
            tolerance=measure.tie,
            higher_is_better=True,
        )
        found.append(
            HeadToHead(
                first=first[0].system,
                second=second[0].system,
                measure=measure.name,
                found=compared,
            )
        )
    return found


def to_csv(pairs: Sequence[HeadToHead]) -> str:
    """`head_to_head.csv`: a line per pair of systems and measure."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for pair in pairs:
        found, macro = pair.found, pair.found.macro
        numbers = (macro.mean, macro.low, macro.high)
        shares = (found.wins, found.ties, found.losses, found.tolerance, found.p_value)
        writer.writerow(
            [
                plain_text(pair.first),
                plain_text(pair.second),
                pair.measure,
                *("" if math.isnan(one) else repr(one) for one in (*numbers, *shares)),
                found.num_common,
                macro.num_cases,
            ]
        )
    return file.getvalue()
