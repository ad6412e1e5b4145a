"""Davidson's model: planted strengths, an independent fit, groups that never met."""

import choix
import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.statistics.davidson import SCORE_SCALE, Matches, rank
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

FEW = BootstrapConfig(num_resamples=50)


def matches(rows, clusters=None):
    first, second, outcomes = zip(*rows, strict=True)
    return Matches(
        first=first,
        second=second,
        outcomes=outcomes,
        clusters=clusters or tuple(map(str, range(len(rows)))),
    )


def scores(ranking):
    return {one.system: one.score for one in ranking.systems}


def draw(strengths, nu, num_votes, rng):
    """Votes on random pairs, by the model's own probabilities."""
    rows = []
    for _ in range(num_votes):
        i, j = rng.choice(len(strengths), 2, replace=False)
        a, b = np.exp(strengths[i]), np.exp(strengths[j])
        weights = np.array([a, nu * np.sqrt(a * b), b])
        outcome = rng.choice([1, 0, -1], p=weights / weights.sum())
        rows.append((f"s{i}", f"s{j}", int(outcome)))
    return rows


def test_planted_strengths_and_ties_come_back_inside_their_intervals():
    strengths = np.array([0.8, 0.3, -0.2, -0.9])
    rows = draw(strengths, 0.7, 4000, np.random.default_rng(0))
    ranking = rank(matches(rows), BootstrapConfig(num_resamples=200))
    assert [one.system for one in ranking.systems] == ["s0", "s1", "s2", "s3"]
    truth = 1000 + SCORE_SCALE * (strengths - strengths.mean())
    for one, expected in zip(ranking.systems, truth, strict=True):
        assert one.score == pytest.approx(expected, abs=20)
        assert one.low < expected < one.high
        assert one.high - one.low < 60
    assert ranking.nu == pytest.approx(0.7, abs=0.06)
    assert (ranking.num_votes, ranking.num_clusters, ranking.num_split) == (
        4000,
        4000,
        0,
    )
    assert sum(one.num_votes for one in ranking.systems) == 8000


def test_without_ties_it_is_bradley_terry_as_choix_fits_it():
    rows = draw(np.array([1.0, 0.0, -0.4, -0.6]), 0.0, 300, np.random.default_rng(1))
    wins = [
        (int(a[1]), int(b[1])) if outcome > 0 else (int(b[1]), int(a[1]))
        for a, b, outcome in rows
    ]
    penalty = 0.5
    theirs = choix.opt_pairwise(4, wins, alpha=penalty / 2, tol=1e-9)
    ranking = rank(matches(rows), FEW, penalty=penalty)
    ours = scores(ranking)
    assert ranking.nu == 0
    assert [ours[f"s{i}"] for i in range(4)] == pytest.approx(
        1000 + SCORE_SCALE * (theirs - theirs.mean()), abs=0.05
    )


def test_two_systems_have_a_closed_form():
    """Strengths differ by log(wins / losses); nu is ties / sqrt(wins losses)."""
    rows = [("a", "b", 1)] * 60 + [("a", "b", 0)] * 30 + [("b", "a", 1)] * 20
    ranking = rank(matches(rows), FEW, penalty=1e-6)
    found = scores(ranking)
    assert found["a"] - found["b"] == pytest.approx(400 * np.log10(3), abs=0.01)
    assert ranking.nu == pytest.approx(30 / np.sqrt(60 * 20), abs=1e-4)


def test_symmetric_votes_give_equal_scores():
    rows = [
        (a, b, outcome) for a in "xyz" for b in "xyz" if a != b for outcome in (1, 0)
    ]
    assert list(scores(rank(matches(rows), FEW)).values()) == pytest.approx(
        [1000.0] * 3, abs=1e-6
    )


def test_the_order_a_pair_is_written_in_does_not_matter():
    rows = draw(np.array([0.5, 0.0, -0.5]), 0.5, 200, np.random.default_rng(2))
    turned = [(b, a, -outcome) for a, b, outcome in rows]
    assert rank(matches(rows), FEW) == rank(matches(turned), FEW)


def test_a_system_that_never_lost_stays_finite():
    rows = [("a", "b", 1)] * 10 + [("b", "c", 1), ("c", "b", 1)]
    found = scores(rank(matches(rows), FEW))
    assert 1000 < found["a"] < 4000


def test_votes_of_a_cluster_move_together():
    """Every vote ten times over, in its own cluster: the interval stays as wide."""
    rows = draw(np.array([0.4, 0.0, -0.4]), 0.5, 120, np.random.default_rng(3))
    config = BootstrapConfig(num_resamples=300)
    once = rank(matches(rows), config, penalty=1e-3)
    names = tuple(str(index // 10) for index in range(1200))
    repeated = [row for row in rows for _ in range(10)]
    clustered = rank(matches(repeated, names), config, penalty=1e-2)
    naive = rank(matches(repeated), config, penalty=1e-2)
    width = [
        np.mean([one.high - one.low for one in ranking.systems])
        for ranking in (once, clustered, naive)
    ]
    assert width[1] == pytest.approx(width[0], rel=1e-3)
    assert width[2] == pytest.approx(width[0] / np.sqrt(10), rel=0.2)


def test_groups_that_never_met_are_named():
    rows = [("a", "b", 1), ("b", "a", 1), ("c", "d", 0)]
    with pytest.raises(UserError, match=r"\(a, b\) and \(c, d\)"):
        rank(matches(rows), FEW)


def test_resamples_that_fall_apart_are_counted():
    rows = [("a", "b", 1), ("a", "b", -1), ("b", "c", 1)]
    found = rank(matches(rows), BootstrapConfig(num_resamples=400))
    # Two draws of three: split unless the last vote and another one are drawn.
    assert found.num_split / 400 == pytest.approx(1 - 4 / 9, abs=0.08)


def test_bad_votes_are_refused():
    with pytest.raises(UserError, match="no vote"):
        rank(Matches(first=(), second=(), outcomes=(), clusters=()), FEW)
    with pytest.raises(ValueError, match="compared with itself"):
        matches([("a", "a", 1)])
    with pytest.raises(ValueError, match="not -1, 0 or 1"):
        matches([("a", "b", 2)])
