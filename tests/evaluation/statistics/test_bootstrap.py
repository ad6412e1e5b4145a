"""Intervals: means by hand, coverage in simulation, what moves together."""

import dataclasses
import time

import numpy as np
import pytest

from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.bootstrap import (
    macro_interval,
    macro_mean,
    micro_interval,
    slices,
    task_intervals,
    task_means,
)
from tbstar_jax.evaluation.statistics.resample import (
    BootstrapConfig,
    draw_counts,
    percentiles,
)
from tbstar_jax.evaluation.statistics.sample import sample_of
from tests.evaluation.statistics.samples import benchmark, sample

NAN, INF = float("nan"), float("inf")
CONFIG = BootstrapConfig(num_resamples=500)

UNEVEN = [
    ("a", "a/0", "en", 0.0),
    ("a", "a/0", "zh", 0.2),
    ("a", "a/1", "en", 0.4),
    ("a", "a/1", "zh", 0.6),
    ("a", "a/2", "en", 0.8),
    ("a", "a/2", "zh", 1.0),
    ("b", "b/0", "en", 0.1),
    ("b", "b/1", "en", 0.2),
]


def test_macro_is_the_mean_of_task_means_and_micro_that_of_values():
    uneven = sample(UNEVEN)
    macro, micro = macro_interval(uneven, CONFIG), micro_interval(uneven, CONFIG)
    assert macro.mean == pytest.approx((0.5 + 0.15) / 2)
    assert micro.mean == pytest.approx((3.0 + 0.3) / 8)
    assert (macro.num_prompts, macro.num_cases, macro.num_left_out) == (8, 5, 0)
    assert (micro.num_prompts, micro.num_cases, micro.num_left_out) == (8, 5, 0)
    tasks = task_intervals(uneven, CONFIG)
    assert {name: round(one.mean, 9) for name, one in tasks.items()} == {
        "a": 0.5,
        "b": 0.15,
    }


def test_slices_are_those_of_the_values_they_name():
    tags = [["size=big"], ["size=big"], [], [], [], [], ["size=big", "ink=red"], []]
    found = slices(sample(UNEVEN, tags), CONFIG)
    assert found.macro == macro_interval(sample(UNEVEN), CONFIG)
    assert found.micro == micro_interval(sample(UNEVEN), CONFIG)
    assert found.tasks == task_intervals(sample(UNEVEN), CONFIG)
    assert list(found.languages) == ["en", "zh"]
    english = [row for row in UNEVEN if row[2] == "en"]
    assert found.languages["en"] == macro_interval(sample(english), CONFIG)
    assert list(found.tags) == ["ink=red", "size=big"]
    big = [UNEVEN[0], UNEVEN[1], UNEVEN[6]]
    assert found.tags["size=big"] == micro_interval(sample(big), CONFIG)


def test_a_nan_is_left_out_and_counted():
    rows = [*UNEVEN, ("a", "a/3", "en", NAN), ("c", "c/0", "en", NAN)]
    with_nan, without = (macro_interval(sample(r), CONFIG) for r in (rows, UNEVEN))
    assert with_nan.num_left_out == 2
    assert (with_nan.mean, with_nan.low, with_nan.high, with_nan.num_cases) == (
        without.mean,
        without.low,
        without.high,
        without.num_cases,
    )
    nothing = macro_interval(sample([("a", "a/0", "en", NAN)]), CONFIG)
    assert np.isnan([nothing.mean, nothing.low, nothing.high]).all()
    assert (nothing.num_prompts, nothing.num_left_out) == (0, 1)


def test_an_infinite_value_makes_the_mean_infinite_but_not_undefined():
    rows = [("a", f"a/{case}", "en", float(case)) for case in range(200)]
    found = macro_interval(sample([*rows, ("a", "a/x", "en", INF)]), CONFIG)
    assert (found.mean, found.high) == (INF, INF)
    assert 70 < found.low < 100  # a third of the resamples miss the infinite one
    both = [*rows, ("a", "a/x", "en", INF), ("a", "a/y", "en", -INF)]
    assert np.isnan(macro_interval(sample(both), CONFIG).mean)


def test_a_single_case_has_no_interval():
    rows = [*UNEVEN, ("c", "c/0", "en", 0.3), ("c", "c/0", "zh", 0.5)]
    found = macro_interval(sample(rows), CONFIG)
    assert found.mean == pytest.approx((0.5 + 0.15 + 0.4) / 3)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(task_intervals(sample(rows), CONFIG)["c"].low)


def test_the_order_of_records_and_other_tasks_change_nothing():
    config = BootstrapConfig(num_resamples=300, seed=4)
    backwards = sample(UNEVEN[::-1])
    one, other = (macro_interval(s, config) for s in (sample(UNEVEN), backwards))
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)
    alone = task_intervals(sample(UNEVEN[:6]), config)["a"]
    assert alone == task_intervals(sample(UNEVEN), config)["a"]


def test_the_seed_decides_the_draws():
    data = benchmark(np.random.default_rng(0).random((2, 20, 2)))
    one, same, other = (
        macro_interval(data, BootstrapConfig(num_resamples=300, seed=seed))
        for seed in (4, 4, 5)
    )
    assert one == same
    assert one != other


def test_resamples_draw_one_case_less_and_every_case_equally():
    counts = draw_counts(5, BootstrapConfig(num_resamples=20_000), "a")
    assert counts.shape == (20_000, 5)
    assert (counts.sum(1) == 4).all()
    # Multinomial: mean 4/5 and variance 4/5 * 4/5 of each count.
    assert np.abs(counts.mean(0) - 0.8).max() < 0.025
    assert np.abs(counts.var(0) - 0.64).max() < 0.03
    other = draw_counts(5, BootstrapConfig(num_resamples=20_000), "b")
    assert abs(np.corrcoef(counts[:, 0], other[:, 0])[0, 1]) < 0.03


def test_both_languages_of_a_case_move_together():
    """Equal values in both languages: no narrower than one language alone."""
    values = np.random.default_rng(0).normal(size=(4, 30, 1))
    both = benchmark(np.repeat(values, 2, axis=2))
    english = both.where(np.array([name == "en" for name in both.languages]))
    one, two = (macro_interval(s, CONFIG) for s in (english, both))
    assert (one.low, one.high) == pytest.approx((two.low, two.high))
    assert (one.num_prompts, two.num_prompts) == (120, 240)


def covered(tasks, cases, alpha, num_studies, rng):
    """Share of intervals with the truth: Beta(alpha, 2), alike in both languages."""
    config = BootstrapConfig(num_resamples=1_000)
    alpha = np.broadcast_to(alpha, tasks)[:, None, None]
    truth = (alpha / (alpha + 2)).mean()
    num_covered = 0
    template = benchmark(np.zeros((tasks, cases, 2)))
    for _ in range(num_studies):
        scene = rng.beta(alpha, 2.0, (tasks, cases, 1))
        own = rng.beta(alpha, 2.0, (tasks, cases, 2))
        values = np.where(rng.random((tasks, cases, 2)) < 0.7, scene, own)
        template.values[:] = values.ravel()
        found = macro_interval(template, config)
        num_covered += found.low <= truth <= found.high
    return num_covered / num_studies


@pytest.mark.parametrize(("tasks", "cases"), [(16, 5), (4, 40)])
def test_95_percent_intervals_cover_the_truth(tasks, cases):
    """Skewed values in [0, 1], tasks of different means."""
    rng = np.random.default_rng(1)
    alpha = np.linspace(1, 6, tasks)
    assert 0.93 <= covered(tasks, cases, alpha, 800, rng) <= 0.97


@pytest.mark.parametrize("cases", [5, 15])
def test_intervals_of_a_single_task_cover_the_truth(cases):
    """Percentiles alone would cover 87 % of the time with five cases."""
    rng = np.random.default_rng(2)
    assert 0.93 <= covered(1, cases, 2.0, 3_000, rng) <= 0.97


def test_skewed_values_of_five_cases_cost_some_coverage():
    """As of a t-interval: five cases do not show their tail."""
    rng = np.random.default_rng(3)
    assert 0.9 <= covered(1, 5, 1.0, 2_000, rng) <= 0.95


def test_ends_are_students_for_few_cases_and_stay_within_bounds():
    rows = [("a", f"a/{case}", "en", value) for case, value in enumerate(range(5))]
    config = BootstrapConfig(num_resamples=20_000)
    found = macro_interval(sample(rows), config)
    low, high = percentiles(draw_counts(5, config, "a") @ np.arange(5.0) / 4, 0.95)
    # t(4) / z at 97.5 %: 2.776 / 1.960.
    assert found.low == pytest.approx(2 - 1.4165 * (2 - low), rel=1e-3)
    assert found.high == pytest.approx(2 + 1.4165 * (high - 2), rel=1e-3)
    # Two tasks of one variance have the degrees of freedom of both, 8: t is 2.306.
    twice = macro_interval(
        sample(rows + [("b", f"b/{k}", "en", value) for _, k, _, value in rows]), config
    )
    exact = 2.306 * np.std(range(5), ddof=1) / np.sqrt(10)
    assert (twice.high - twice.low) / 2 == pytest.approx(exact, rel=0.03)
    kept = dataclasses.replace(sample(rows), bounds=(1.0, 3.0))
    assert found.low < 1
    assert found.high > 3
    bounded = macro_interval(kept, config)
    assert (bounded.mean, bounded.low, bounded.high) == (2, 1, 3)
    assert task_intervals(kept, config)["a"] == bounded


def test_means_alone_are_those_of_the_intervals():
    rows = [*UNEVEN, ("c", "c/0", "en", NAN), ("d", "d/0", "en", 0.5)]
    data = sample(rows)
    assert macro_mean(data) == macro_interval(data, CONFIG).mean
    assert task_means(data) == pytest.approx({"a": 0.5, "b": 0.15, "d": 0.5})
    assert np.isnan(macro_mean(sample(rows[-2:-1])))


def test_the_benchmark_takes_under_a_second():
    values = np.random.default_rng(0).random((16, 40, 2))
    start = time.process_time()
    found = macro_interval(benchmark(values), BootstrapConfig())
    assert time.process_time() - start < 1.0
    assert found.num_prompts == 1280
    # By the normal approximation, which is close at this size.
    spread = values.mean(2).std(1, ddof=1)
    error = np.sqrt((spread**2 / 40).sum()) / 16
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.03)


def test_percentiles_are_order_statistics():
    low, high = percentiles(np.arange(1000.0), 0.95)
    assert (low, high) == (25.0, 974.0)


def _record(**changed):
    fields = {
        "system": "ours",
        "prompt": "mini/recolor/000/en",
        "case": "mini/recolor/000",
        "task": "recolor",
        "language": "en",
        "tags": {"size": "big"},
        "status": "ok",
        "size": (4, 4),
        "edit": 0.5,
        "preservation": 0.6,
        "consistency": 0.7,
        "edit_parts": {},
        "metrics": {"psnr": 30.0},
        "output": "a.png",
    }
    return ScoreRecord(**{**fields, **changed})


def test_a_sample_takes_scores_and_metrics_out_of_records():
    second = _record(prompt="mini/recolor/000/zh", language="zh", metrics={})
    records = [_record(), second]
    assert sample_of(records, "consistency").values.tolist() == [0.7, 0.7]
    psnr = sample_of(records, "psnr")
    assert psnr.values[0] == 30.0
    assert np.isnan(psnr.values[1])
    assert psnr.tags == (frozenset({"size=big"}),) * 2
    assert psnr.cases == ("mini/recolor/000",) * 2
    third = _record(sample=1, consistency=0.1, metrics={"psnr": NAN})
    both = [_record(), third, second]
    assert sample_of(both, "consistency").values == pytest.approx([0.4, 0.7])
    assert sample_of(both, "psnr").values[0] == 30.0
    assert sample_of(both, "psnr").prompts == (_record().prompt, second.prompt)
    with pytest.raises(ValueError, match="two records of sample 0"):
        sample_of([_record(), _record()], "edit")
    with pytest.raises(ValueError, match="several systems"):
        sample_of([_record(), _record(system="theirs", prompt="x")], "edit")
