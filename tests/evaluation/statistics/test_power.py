"""Power: the figures of the literature note, by formula and by simulation."""

import numpy as np
import pytest

from tbstar_jax.evaluation.statistics.bootstrap import micro_interval
from tbstar_jax.evaluation.statistics.power import (
    StudyDesign,
    draw_votes,
    power_table,
    smallest_net,
)
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.statistics.samples import sample


def test_a_study_of_30_percent_ties_and_10_points():
    rows = power_table(StudyDesign(tie_share=0.3, net=0.1))
    assert [row.num_prompts for row in rows] == [50, 100, 200, 400, 800]
    assert [round(row.half_width, 2) for row in rows] == [0.23, 0.16, 0.12, 0.08, 0.06]
    published = [0.15, 0.22, 0.40, 0.68, 0.93]
    assert [row.chance for row in rows] == pytest.approx(published, abs=0.02)
    assert [row.simulated_chance for row in rows] == pytest.approx(published, abs=0.025)


def test_equal_systems_are_called_different_in_5_percent_of_studies():
    (row,) = power_table(StudyDesign(net=0.0, votes_per_prompt=3), (200,))
    assert row.chance == pytest.approx(0.05)
    assert 0.04 <= row.simulated_chance <= 0.06


def test_three_raters_who_agree_count_for_fewer_than_three():
    """True s.e. 0.047 on 200 prompts; 0.033 if votes were independent."""
    design = StudyDesign(tie_share=0.3, net=0.1, votes_per_prompt=3, correlation=0.5)
    votes = draw_votes(design, 3_000, 200, np.random.default_rng(0))
    truth = votes.mean((1, 2)).std()
    naive = votes.std((1, 2)).mean() / np.sqrt(600)
    assert round(truth, 3) == pytest.approx(0.047, abs=0.0015)
    assert round(naive, 3) == pytest.approx(0.034, abs=0.0015)
    assert design.standard_error(200) == pytest.approx(truth, rel=0.03)


def test_the_cluster_bootstrap_has_the_true_standard_error_and_the_naive_one_not():
    design = StudyDesign(tie_share=0.3, net=0.1, votes_per_prompt=3, correlation=0.5)
    studies = draw_votes(design, 30, 200, np.random.default_rng(1))
    config = BootstrapConfig(num_resamples=1_000)

    def error(votes, case_of):
        rows = [
            ("vote", case_of(prompt, rater), f"r{rater}", float(vote))
            for (prompt, rater), vote in np.ndenumerate(votes)
        ]
        found = micro_interval(sample(rows), config)
        return (found.high - found.low) / (2 * 1.96)

    clustered = [error(votes, lambda prompt, _: f"{prompt}") for votes in studies]
    naive = [error(votes, lambda *vote: f"{vote}") for votes in studies]
    assert np.mean(clustered) == pytest.approx(0.047, abs=0.0015)
    assert np.mean(naive) == pytest.approx(0.034, abs=0.0015)


def test_votes_have_the_shares_and_the_correlation_asked_for():
    design = StudyDesign(tie_share=0.2, net=0.3, votes_per_prompt=2, correlation=0.4)
    votes = draw_votes(design, 1, 200_000, np.random.default_rng(2))[0]
    shares = [np.mean(votes == one) for one in (1, 0, -1)]
    assert shares == pytest.approx([0.55, 0.2, 0.25], abs=0.005)
    assert np.corrcoef(votes.T)[0, 1] == pytest.approx(0.4, abs=0.01)


def test_the_smallest_net_is_found_with_the_chance_asked_for():
    net = smallest_net(400, 0.3, 1, 0.8)
    (row,) = power_table(StudyDesign(tie_share=0.3, net=net), (400,), num_studies=10)
    assert row.chance == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tie_share": 1.0},
        {"tie_share": 0.5, "net": 0.6},
        {"votes_per_prompt": 0},
        {"correlation": 1.5},
    ],
)
def test_an_impossible_design_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not in|impossible|not 1 or up"):
        StudyDesign(**wrong)
