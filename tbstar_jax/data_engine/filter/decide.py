"""From scores to statuses: columns in, one column out, no image is read.

A rule is one comparison of a column with a column of limits, so that a million pairs
are decided again in seconds when a threshold moves.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from tbstar_jax.data_engine.annotate import KEPT
from tbstar_jax.data_engine.filter.rules import (
    PREFIX,
    RULE_NAMES,
    RULES,
    UNMEASURABLE,
    Condition,
    Profile,
)
from tbstar_jax.errors import UserError


def decide(
    scores: Mapping[str, Float[np.ndarray, " _"]],
    tasks: Shaped[np.ndarray, " n"],
    profile: Profile,
) -> Shaped[np.ndarray, " n"]:
    """Gives every pair its status.

    Args:
      scores: columns by name, NaN where a pair has no such score; names that no rule
        reads are passed over.
      tasks: task id of every pair, text.
      profile: limits, and which rules flag.

    Returns:
      `kept`, `flagged:<rule>` or `rejected:<rule>`, as objects.

    Raises:
      UserError: a column has another length.
    """
    broken = broken_rules(scores, tasks, profile)
    statuses = [KEPT]
    code = np.zeros(len(tasks), np.int16)
    # Flags first, rejections over them; backwards, so that the first rule wins.
    for kind, names in (
        ("flagged", [name for name in RULE_NAMES if name in profile.flags]),
        ("rejected", [name for name in RULE_NAMES if name not in profile.flags]),
    ):
        for name in reversed(names):
            code[broken[name]] = len(statuses)
            statuses.append(f"{kind}:{name}")
    return np.array(statuses, object)[code]


def broken_rules(
    scores: Mapping[str, Float[np.ndarray, " _"]],
    tasks: Shaped[np.ndarray, " n"],
    profile: Profile,
) -> dict[str, Bool[np.ndarray, " n"]]:
    """Says for every rule which pairs break it; arguments as those of `decide`."""
    for name, column in scores.items():
        if len(column) != len(tasks):
            raise UserError(
                f"the column {name} has {len(column)} rows instead of {len(tasks)}"
            )
    ids, code = np.unique(np.asarray(tasks, str), return_inverse=True)
    broken = {name: np.zeros(len(tasks), bool) for name in RULE_NAMES}
    for rule in RULES:
        limits = [
            _limits(condition, ids, code, profile) for condition in rule.conditions
        ]
        if all(limit is None for limit in limits):
            continue
        holds = np.ones(len(tasks), bool)
        is_on = np.zeros(len(tasks), bool)
        for condition, limit in zip(rule.conditions, limits, strict=True):
            if limit is None:
                continue
            is_set = ~np.isnan(limit)
            is_on |= is_set
            holds &= ~is_set | _violates(scores, condition, limit)
        broken[rule.name] |= holds & is_on
    broken[UNMEASURABLE] |= _is_unmeasurable(scores, len(tasks))
    return broken


def compared(
    scores: Mapping[str, Float[np.ndarray, " n"]], condition: Condition
) -> Float[np.ndarray, " n"]:
    """Returns what a condition compares with its limit, a new column."""
    values = np.array(scores[condition.score], np.float64)
    if condition.measure == "abs":
        return np.abs(values)
    if condition.measure == "abs_log":
        return np.abs(np.log(np.where(values > 0, values, np.nan)))
    return values


def _limits(
    condition: Condition,
    ids: Shaped[np.ndarray, " k"],
    code: Int[np.ndarray, " n"],
    profile: Profile,
) -> Float[np.ndarray, " n"] | None:
    """Returns the limit of every pair, NaN where there is none; None if nowhere."""
    values = [profile.limit_of(condition.limit, str(task)) for task in ids]
    if all(value is None for value in values):
        return None
    by_task = np.array([np.nan if value is None else value for value in values])
    return by_task[code]


def _violates(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    condition: Condition,
    limit: Float[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    if condition.score not in scores:
        return np.zeros(len(limit), bool)
    values = compared(scores, condition)
    return values > limit if condition.is_upper else values < limit


def _is_unmeasurable(
    scores: Mapping[str, Float[np.ndarray, " n"]], num_pairs: int
) -> Bool[np.ndarray, " n"]:
    absent = np.full(num_pairs, np.nan)
    shift = scores.get(PREFIX + "shift_px", absent)
    return np.isnan(shift) & ~(scores.get(PREFIX + "identical_share", absent) == 1)
