"""The gap between two samples: by hand, identities, coverage in simulation."""

import dataclasses

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from tbstar_jax.evaluation.statistics.bootstrap import macro_interval, micro_interval
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.evaluation.statistics.unpaired import macro_gap, micro_gap
from tests.evaluation.statistics.samples import benchmark, sample

NAN, INF = float("nan"), float("inf")
CONFIG = BootstrapConfig(num_resamples=2_000)

FIRST = [
    ("a", "a/0", "en", 0.2),
    ("a", "a/0", "zh", 0.4),
    ("a", "a/1", "en", 0.6),
    ("b", "b/0", "en", 1.0),
    ("b", "b/1", "en", 0.5),
]
SECOND = [
    ("a", "a/0", "en", 0.1),
    ("a", "a/1", "en", 0.3),
    ("b", "b/0", "en", 0.5),
    ("b", "b/0", "zh", 0.5),
    ("b", "b/2", "en", 0.8),
]


def test_the_gap_is_that_of_the_means():
    first, second = sample(FIRST), sample(SECOND)
    macro, micro = (gap(first, second, CONFIG) for gap in (macro_gap, micro_gap))
    # a: 0.4 and 0.2; b: 0.75 and 0.6.
    assert macro.means == pytest.approx((0.575, 0.4))
    assert macro.mean == pytest.approx(0.175)
    assert micro.means == pytest.approx((2.7 / 5, 2.2 / 5))
    assert micro.mean == pytest.approx(0.1)
    for task, expected in (("a", 0.2), ("b", 0.15)):
        rows = ([row for row in one if row[0] == task] for one in (FIRST, SECOND))
        gap = macro_gap(*map(sample, rows), CONFIG)
        assert gap.mean == pytest.approx(expected)
    for one in (macro, micro):
        assert one.num_prompts == (5, 5)
        assert one.num_cases == (4, 4)
        assert one.tasks_left_out == ()
    for mean, gap in ((macro_interval, macro), (micro_interval, micro)):
        of_each = tuple(mean(one, CONFIG).mean for one in (first, second))
        assert gap.means == of_each


def test_the_interval_of_two_cases_in_each_by_hand():
    """One of two cases is drawn from each: -6, -4, -4 and -2 are equally likely."""
    rows = [
        [("a", f"a/{k}", "en", value) for k, value in enumerate(values)]
        for values in ((0.0, 2.0), (4.0, 6.0))
    ]
    first, second = map(sample, rows)
    found = macro_gap(first, second, BootstrapConfig())
    # Two variances of one degree of freedom each, alike: 2 together.
    stretch = stdtrit(2, 0.975) / ndtri(0.975)
    assert stretch == pytest.approx(2.1953, abs=1e-4)
    expected = (-4 - 2 * stretch, -4 + 2 * stretch)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-3)
    assert found.mean == -4


def _dyadic():
    """Values whose sums and means are exact, two cases of two languages a task."""
    values = np.random.default_rng(0).integers(0, 64, (2, 4, 2)) / 64
    return values, benchmark(values)


@pytest.mark.parametrize("gap", [macro_gap, micro_gap])
def test_a_sample_against_itself_moved_is_off_by_just_that(gap):
    values, one = _dyadic()
    moved = gap(benchmark(values + 0.25), one, CONFIG)
    assert moved.mean == 0.25
    same = gap(one, one, CONFIG)
    assert same.mean == 0.0
    # Independent draws: the same sample on both sides is still two samples.
    assert same.low < -0.1
    assert same.high > 0.1
    assert (moved.low - 0.25, moved.high - 0.25) == pytest.approx((same.low, same.high))


def test_the_width_is_that_of_two_independent_means():
    rng = np.random.default_rng(1)
    one, other = (rng.normal(size=(4, 50, 1)) for _ in range(2))
    found = macro_gap(benchmark(one), benchmark(other), BootstrapConfig())
    parts = [(side.std(1, ddof=1) ** 2 / 50).sum() / 16 for side in (one, other)]
    # By the normal approximation, which is close at this size.
    assert found.high - found.low == pytest.approx(3.92 * sum(parts) ** 0.5, rel=0.04)


def test_swapping_the_samples_turns_the_sign():
    first, second = sample(FIRST), sample(SECOND)
    for gap in (macro_gap, micro_gap):
        one, other = gap(first, second, CONFIG), gap(second, first, CONFIG)
        assert other.mean == pytest.approx(-one.mean)
        assert other.means == one.means[::-1]


def test_both_languages_of_a_case_move_together():
    """Equal values in both languages: no narrower than one language alone."""
    rng = np.random.default_rng(2)
    both = [benchmark(rng.normal(size=(4, 30, 1)).repeat(2, axis=2)) for _ in range(2)]
    english = [
        one.where(np.array([name == "en" for name in one.languages])) for one in both
    ]
    for gap in (macro_gap, micro_gap):
        one, two = gap(*english, CONFIG), gap(*both, CONFIG)
        assert (one.low, one.high) == pytest.approx((two.low, two.high))
        assert (one.num_prompts, two.num_prompts) == ((120, 120), (240, 240))


def test_cases_of_one_id_in_both_samples_are_different_cases():
    """Two fresh sets have the same ids: nothing may depend on it."""
    values, one = _dyadic()
    other = benchmark(values[:, ::-1])
    renamed = dataclasses.replace(other, cases=tuple(f"new {id}" for id in other.cases))
    assert macro_gap(one, other, CONFIG) == macro_gap(one, renamed, CONFIG)


def test_tasks_of_one_sample_alone_are_left_out_and_named():
    first = [*FIRST, ("c", "c/0", "en", 9.0), ("d", "d/0", "en", 7.0)]
    second = [*SECOND, ("d", "d/0", "en", NAN), ("e", "e/0", "en", 8.0)]
    second.append(("f", "f/0", "en", NAN))
    expected, expected_micro = (
        gap(sample(FIRST), sample(SECOND), CONFIG) for gap in (macro_gap, micro_gap)
    )
    found = macro_gap(sample(first), sample(second), CONFIG)
    assert found.tasks_left_out == ("c", "d", "e")
    assert dataclasses.replace(found, tasks_left_out=()) == expected
    micro = micro_gap(sample(first), sample(second), CONFIG)
    assert micro.tasks_left_out == ("c", "d", "e")
    assert dataclasses.replace(micro, tasks_left_out=()) == expected_micro
    for gap in (macro_gap, micro_gap):
        assert gap(sample(FIRST[:3]), sample(SECOND[2:]), CONFIG) is None


def test_a_single_case_in_either_has_no_interval():
    single = [row for row in SECOND if row[1] != "b/2"]
    for rows in ((FIRST, single), (single, FIRST)):
        found = macro_gap(*map(sample, rows), CONFIG)
        assert abs(found.mean) == pytest.approx((0.2 + 0.25) / 2)
        assert np.isnan([found.low, found.high]).all()


def test_ends_stay_within_what_can_be():
    bounded = [
        dataclasses.replace(sample(rows), bounds=bounds)
        for rows, bounds in ((FIRST, (0.3, 0.8)), (SECOND, (0.3, 0.5)))
    ]
    loose, found = (
        macro_gap(*both, CONFIG) for both in (map(sample, (FIRST, SECOND)), bounded)
    )
    assert loose.low < -0.2
    assert loose.high > 0.5
    assert (found.low, found.high) == pytest.approx((-0.2, 0.5))


def test_an_infinite_value_makes_the_gap_infinite_but_not_undefined():
    rows = [("a", f"a/{case}", "en", float(case)) for case in range(200)]
    endless = sample([*rows, ("a", "a/x", "en", INF)])
    found = macro_gap(endless, sample(rows), CONFIG)
    assert (found.mean, found.high) == (INF, INF)
    assert -30 < found.low < 10  # a third of the resamples miss the infinite one
    other = macro_gap(sample(rows), endless, CONFIG)
    assert (other.mean, other.low) == (-INF, -INF)
    # Where both are, nothing can be said.
    both = macro_gap(endless, endless, CONFIG)
    assert np.isnan([both.mean, both.low, both.high]).all()


def covered(tasks, sizes, num_studies):
    """Share of intervals with the truth: Beta(alpha, 2), alike in both languages."""
    rng = np.random.default_rng(1)
    config = BootstrapConfig(num_resamples=500)
    alphas = [
        share * np.linspace(1, 6, tasks)[:, None, None] + (tasks == 1)
        for share in (1.0, 0.7)
    ]
    truth = np.subtract(*((alpha / (alpha + 2)).mean() for alpha in alphas))
    both = [benchmark(np.zeros((tasks, size, 2))) for size in sizes]
    num_covered = 0
    for _ in range(num_studies):
        for one, alpha, size in zip(both, alphas, sizes, strict=True):
            scene = rng.beta(alpha, 2.0, (tasks, size, 1))
            own = rng.beta(alpha, 2.0, (tasks, size, 2))
            is_alike = rng.random((tasks, size, 2)) < 0.7
            one.values[:] = np.where(is_alike, scene, own).ravel()
        found = macro_gap(*both, config)
        num_covered += found.low <= truth <= found.high
    return num_covered / num_studies


@pytest.mark.parametrize(
    ("tasks", "sizes", "num_studies"),
    [(16, (5, 5), 400), (16, (40, 40), 250), (1, (5, 5), 1_000), (1, (5, 15), 1_000)],
)
def test_95_percent_intervals_cover_the_truth(tasks, sizes, num_studies):
    """Skewed values in [0, 1], tasks of different means, a real gap."""
    assert 0.93 <= covered(tasks, sizes, num_studies) <= 0.97
