"""A ranking from pairwise votes: Bradley-Terry with ties (Davidson, 1970).

    P(i beats j) = exp(t_i) / z,  P(tie) = nu exp((t_i + t_j) / 2) / z,
    z = exp(t_i) + exp(t_j) + nu exp((t_i + t_j) / 2)

with strengths t of mean zero (Davidson, 1970, "On extending the Bradley-Terry model to
accommodate ties in paired comparison experiments", JASA 65, equation 2.3). The fit
maximises the log-likelihood less `penalty / 2` times the sum of squares of the
parameters, which keeps a system that never lost at a finite strength. Scores are
1000 + 400 / ln(10) t: 400 points are odds of ten to one.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse.csgraph
from jaxtyping import Float, Int

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.statistics.resample import (
    BootstrapConfig,
    draw_counts,
    percentiles,
)
from tbstar_jax.evaluation.statistics.sample import codes_of

SCORE_CENTER = 1000.0
SCORE_SCALE = 400 / math.log(10)

_MAX_STEPS = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matches:
    """Votes on pairs of systems; the columns are of one length.

    Attributes:
      first: names of systems.
      second: the systems they were compared with.
      outcomes: 1 the first won, 0 tie, -1 the second won.
      clusters: what is drawn together, usually the case.
    """

    first: Sequence[str]
    second: Sequence[str]
    outcomes: Sequence[int]
    clusters: Sequence[str]

    def __post_init__(self) -> None:
        columns = (self.first, self.second, self.outcomes, self.clusters)
        if len({len(column) for column in columns}) != 1:
            raise ValueError("columns of matches differ in length")
        if any(a == b for a, b in zip(self.first, self.second, strict=True)):
            raise ValueError("a system was compared with itself")
        if set(self.outcomes) - {-1, 0, 1}:
            raise ValueError(f"outcomes {set(self.outcomes)} are not -1, 0 or 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rated:
    """A system's place.

    Attributes:
      system: its name.
      score: 1000 on average over systems.
      low: of the interval; NaN where there is one cluster.
      high: likewise.
      num_votes: votes it was in.
    """

    system: str
    score: float
    low: float
    high: float
    num_votes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
    """All systems, the best first.

    Attributes:
      systems: their scores.
      nu: how common ties are: two equal systems tie with nu / (2 + nu); 0 without ties.
      num_votes: votes in the fit.
      num_clusters: what was drawn anew.
      num_split: resamples in which no chain of votes links all systems: their intervals
        then lean on the penalty. Many of these mean too few votes.
    """

    systems: tuple[Rated, ...]
    nu: float
    num_votes: int
    num_clusters: int
    num_split: int


def rank(matches: Matches, config: BootstrapConfig, penalty: float = 0.01) -> Ranking:
    """Fits the model and draws clusters anew for its intervals.

    Args:
      matches: votes, at least one.
      config: of the intervals; each resample is a fit, and 1,000 are plenty.
      penalty: on the squares of the parameters, above 0.

    Raises:
      UserError: no vote, or systems in groups that were never compared.
    """
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, not above 0")
    if not len(matches.outcomes):
        raise UserError("there is no vote to rank systems by: collect votes first")
    names, index = codes_of((*matches.first, *matches.second))
    first, second = np.split(index, 2)
    _require_linked(names, first, second)
    pairs, per_cluster = _tables(first, second, matches)
    origin = np.zeros(len(names) + 1)
    fitted = _fit(pairs, per_cluster.sum(0)[None], origin, penalty)[0]
    scores = _scores(fitted)
    low, high, num_split = _interval(pairs, per_cluster, fitted, config, penalty)
    votes = np.bincount(index, minlength=len(names))
    order = np.argsort(-scores, kind="stable")
    return Ranking(
        systems=tuple(
            Rated(
                system=names[one],
                score=scores[one].item(),
                low=low[one].item(),
                high=high[one].item(),
                num_votes=int(votes[one]),
            )
            for one in order
        ),
        nu=np.exp(fitted[-1]).item(),
        num_votes=len(matches.outcomes),
        num_clusters=len(per_cluster),
        num_split=num_split,
    )


def _tables(
    first: np.ndarray, second: np.ndarray, matches: Matches
) -> tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, "clusters pairs 3"]]:
    """Systems of each pair, and first wins, ties, second wins by cluster."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    sign = np.where(first < second, 1, -1) * np.asarray(matches.outcomes, np.int64)
    keys, pair = codes_of(list(zip(low.tolist(), high.tolist(), strict=True)))
    _, cluster = codes_of(matches.clusters)
    counts = np.zeros((cluster.max() + 1, len(keys), 3))
    np.add.at(counts, (cluster, pair, 1 - sign), 1.0)
    return np.array(keys, np.int64), counts


def _fit(
    pairs: Int[np.ndarray, "pairs 2"],
    counts: Float[np.ndarray, "fits pairs 3"],
    start: Float[np.ndarray, " parameters"],
    penalty: float,
) -> Float[np.ndarray, "fits parameters"]:
    """Damped Newton steps of many fits at once.

    Args:
      pairs: the two systems of each pair.
      counts: first wins, ties and second wins of each pair, for each fit.
      start: strengths, then log nu.
      penalty: on the squares; makes the loss strictly convex.

    Returns:
      Strengths and log nu of each fit. A fit without ties is Bradley-Terry: its nu is 0
      and its log nu -inf.
    """
    design = np.zeros((len(pairs), 3, len(start)))  # logits are linear
    rows = np.arange(len(pairs))
    design[rows, 0, pairs[:, 0]] = 1
    design[rows, 2, pairs[:, 1]] = 1
    design[:, 1] = (design[:, 0] + design[:, 2]) / 2
    design[:, 1, -1] = 1
    has_ties = np.asarray(counts[:, :, 1].any(1))
    parameters = np.tile(start, (len(counts), 1))
    parameters[~has_ties, -1] = 0
    loss, step, excess = _newton(design, counts, has_ties, parameters, penalty)
    for _ in range(_MAX_STEPS):
        if excess.max() < 1e-16:
            parameters[~has_ties, -1] = -np.inf
            return parameters
        proposed = _newton(design, counts, has_ties, parameters - step, penalty)
        # Rounding must not reject the last steps.
        better = proposed[0] <= loss + 1e-10 * (1 + np.abs(loss))
        parameters[better] -= step[better]
        loss[better], excess[better] = proposed[0][better], proposed[2][better]
        step = np.where(better[:, None], proposed[1], step / 2)
    raise AssertionError(f"no fit after {_MAX_STEPS} steps: {parameters}")


def _newton(
    design: np.ndarray,
    counts: np.ndarray,
    has_ties: np.ndarray,
    parameters: np.ndarray,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss `[fits]`, Newton step `[fits, parameters]`, twice what it should gain."""
    logits = np.einsum("pkq,fq->fpk", design, parameters)
    logits[~has_ties, :, 1] = -np.inf
    log_share = logits - np.logaddexp.reduce(logits, 2, keepdims=True)
    loss = -(counts * np.where(counts > 0, log_share, 0)).sum((1, 2))
    loss += penalty / 2 * (parameters**2).sum(1)
    share, votes = np.exp(log_share), counts.sum(2)
    slope = np.einsum("fpk,pkq->fq", votes[:, :, None] * share - counts, design)
    slope += penalty * parameters
    center = np.einsum("fpk,pkq->fpq", share, design)
    weighted = (votes[:, :, None] * share).reshape(len(counts), -1)
    products = np.einsum("pkq,pkr->pkqr", design, design)
    size = design.shape[-1]
    curvature = (weighted @ products.reshape(-1, size * size)).reshape(-1, size, size)
    curvature -= np.einsum("fp,fpq,fpr->fqr", votes, center, center, optimize=True)
    curvature += penalty * np.eye(size)
    step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
    return loss, step, (slope * step).sum(1)


def _interval(
    pairs: np.ndarray,
    per_cluster: np.ndarray,
    fitted: np.ndarray,
    config: BootstrapConfig,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Ends of each system's score, and how many resamples fell apart."""
    num_systems = len(fitted) - 1
    if len(per_cluster) < 2:
        unknown = np.full(num_systems, np.nan)
        return unknown, unknown, 0
    drawn = draw_counts(len(per_cluster), config, "")
    counts = np.tensordot(drawn, per_cluster, 1)  # [resamples, pairs, 3]
    start = np.where(np.isfinite(fitted), fitted, 0.0)
    scores = _scores(_fit(pairs, counts, start, penalty))
    num_split = sum(
        _groups(num_systems, pairs[votes > 0]).max() > 0 for votes in counts.sum(2)
    )
    low, high = percentiles(scores, config.level)
    return low, high, int(num_split)


def _scores(parameters: np.ndarray) -> np.ndarray:
    strengths = parameters[..., :-1]
    return SCORE_CENTER + SCORE_SCALE * (strengths - strengths.mean(-1, keepdims=True))


def _groups(num_systems: int, pairs: np.ndarray) -> np.ndarray:
    """Number of each system's group of systems that chains of votes link."""
    graph = np.zeros((num_systems, num_systems), bool)
    graph[pairs[:, 0], pairs[:, 1]] = True
    return scipy.sparse.csgraph.connected_components(graph, directed=False)[1]


def _require_linked(names: list[str], first: np.ndarray, second: np.ndarray) -> None:
    group = _groups(len(names), np.stack([first, second], 1))
    if group.max() == 0:
        return
    members = [
        ", ".join(name for name, own in zip(names, group, strict=True) if own == one)
        for one in range(group.max() + 1)
    ]
    raise UserError(
        f"systems that were never compared cannot share a ranking: the groups are "
        f"({') and ('.join(members)}); collect votes between them or rank each alone"
    )
