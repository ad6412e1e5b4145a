"""Two languages of a case, two systems on the same prompts."""

import itertools

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.statistics.paired import compare, language_difference
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tests.evaluation.statistics.samples import benchmark, sample

NAN, INF = float("nan"), float("inf")
CONFIG = BootstrapConfig(num_resamples=2_000)


def test_the_language_difference_is_paired_by_case():
    rng = np.random.default_rng(0)
    english = rng.normal(0, 5, (4, 20))
    values = np.stack([english, english - 0.5], 2)
    found = language_difference(benchmark(values), CONFIG)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.num_prompts, found.num_cases, found.num_left_out) == (80, 80, 0)


def test_a_case_in_one_language_is_left_out_of_the_difference():
    rows = [
        ("a", "a/0", "en", 3.0),
        ("a", "a/0", "zh", 1.0),
        ("a", "a/1", "zh", 9.0),
        ("a", "a/2", "en", 1.0),
        ("a", "a/2", "zh", 1.0),
        ("a", "a/3", "en", 5.0),
        ("a", "a/3", "zh", NAN),
    ]
    found = language_difference(sample(rows), CONFIG)
    assert (found.mean, found.num_cases, found.num_left_out) == (1.0, 2, 2)


def _systems():
    first = [
        ("a", "a/0", "en", 0.9),
        ("a", "a/0", "zh", 0.5),
        ("a", "a/1", "en", 0.5),
        ("a", "a/2", "en", NAN),
        ("b", "b/0", "en", 0.2),
        ("b", "b/1", "en", INF),
        ("b", "b/2", "en", 0.4),
    ]
    second = [
        ("b", "b/1", "en", INF),
        ("b", "b/0", "en", 0.6),
        ("a", "a/2", "en", 0.1),
        ("a", "a/1", "en", 0.495),
        ("a", "a/0", "zh", 0.5),
        ("a", "a/0", "en", 0.5),
        ("c", "c/0", "en", 0.5),
        ("c", "c/1", "en", 0.5),
    ]
    return sample(first), sample(second)


def test_a_comparison_counts_wins_ties_losses_and_what_it_left_out():
    first, second = _systems()
    found = compare(first, second, CONFIG, tolerance=0.01, higher_is_better=True)
    # a: 0.4, 0, 0.005; b: -0.4 and two equal infinities.
    assert (found.wins, found.ties, found.losses) == pytest.approx((0.2, 0.6, 0.2))
    assert (found.num_common, found.num_undefined) == (5, 1)
    assert (found.num_first_only, found.num_second_only) == (1, 2)
    assert found.micro.mean == pytest.approx(0.005 / 5)
    assert found.macro.mean == pytest.approx((0.405 / 3 - 0.2) / 2)
    assert found.tasks["b"].mean == pytest.approx(-0.2)
    strict = compare(first, second, CONFIG, tolerance=0.0, higher_is_better=True)
    assert strict.wins == pytest.approx(0.4)


def test_swapping_systems_or_direction_swaps_wins_and_losses():
    first, second = _systems()
    one = compare(first, second, CONFIG, tolerance=0.0, higher_is_better=True)
    swapped = compare(second, first, CONFIG, tolerance=0.0, higher_is_better=True)
    lower = compare(first, second, CONFIG, tolerance=0.0, higher_is_better=False)
    assert (one.wins, one.losses) == (swapped.losses, swapped.wins)
    assert (one.wins, one.losses) == (lower.losses, lower.wins)
    assert swapped.macro.mean == pytest.approx(-one.macro.mean)
    assert lower.macro == one.macro


def test_systems_without_a_common_prompt_are_refused():
    one = sample([("a", "a/0", "en", 1.0)])
    other = sample([("a", "a/1", "en", 1.0)])
    with pytest.raises(UserError, match="no prompt in common"):
        compare(one, other, CONFIG, tolerance=0.0, higher_is_better=True)


def test_pairing_removes_what_both_systems_share():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 1, (4, 30, 1))
    one, other = (hard + rng.normal(m, 0.1, (4, 30, 2)) for m in (0.05, 0.0))
    found = compare(
        benchmark(one), benchmark(other), CONFIG, tolerance=0.0, higher_is_better=True
    )
    assert 0 < found.macro.low < 0.05 < found.macro.high < 0.1
    assert found.p_value < 0.01


def test_the_p_value_counts_sign_flips_of_whole_cases():
    """All 2^6 assignments enumerated; the two prompts of a case never part."""
    values = np.array([[0.9, 0.3], [0.5, 0.1], [-0.3, 0.2], [0.4, 0.4], [0.1, -0.2]])
    values = np.concatenate([values, [[0.7, 0.2]]])[None]
    zeros = np.zeros_like(values)
    config = BootstrapConfig(num_resamples=20_000)
    found = compare(
        benchmark(values),
        benchmark(zeros),
        config,
        tolerance=0.0,
        higher_is_better=True,
    )
    sums = values[0].sum(1)
    flips = [abs(sums @ signs) for signs in itertools.product((1, -1), repeat=6)]
    exact = np.mean(np.array(flips) >= abs(sums.sum()) - 1e-12)
    assert found.p_value == pytest.approx(exact, abs=0.005)


def test_the_p_value_is_uniform_where_systems_are_equal():
    rng = np.random.default_rng(3)
    config = BootstrapConfig(num_resamples=200)
    zeros = benchmark(np.zeros((2, 12, 2)))
    p_values = []
    for _ in range(300):
        values = rng.normal(size=(2, 12, 1)) + 0.3 * rng.normal(size=(2, 12, 2))
        one = benchmark(values)
        found = compare(one, zeros, config, tolerance=0.0, higher_is_better=True)
        p_values.append(found.p_value)
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.085
    assert 0.44 <= np.mean(np.array(p_values) <= 0.5) <= 0.56
