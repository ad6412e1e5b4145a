"""The benchmark inside training runs, read back from what the runs wrote."""

import functools
import json

import pytest

from experiments.evaluate import make_evaluate
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation import in_training
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.run import train
from tests.support import reduced

TASKS = ("recolor", "material", "layout")
"""Enough of them: drawing and editing all takes longer than these runs."""


@pytest.fixture(scope="module", autouse=True)
def few_tasks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_training, "TASKS", TASKS)
        patch.setattr(in_training, "make_case", functools.cache(make_case))
        yield


def run(place, base, workdir, num_steps, *settings, stage="stage1", **benchmark):
    """Trains; the step's program is that of the reference runs."""
    config = reduced.stage_config(
        stage,
        place,
        workdir,
        "model.pixel_budget=16384",
        "data.num_microbatches=2",
        "intervals.evaluate=1",
        "intervals.save=100",
        f"evaluation.benchmark={json.dumps(benchmark)}",
        *settings,
        num_steps=num_steps,
    )
    train(config, base, make_evaluate, show_progress=False)
    return workdir


def scores(workdir):
    """Step to what the benchmark measured then."""
    found = {}
    for event in read_events(workdir / "metrics.jsonl"):
        if event["event"] == "evaluate":
            values = {k: v for k, v in event.items() if k.startswith("benchmark/")}
            found[event["step"]] = values
    return found


@pytest.fixture(scope="module")
def straight(place, base, few_tasks, tmp_path_factory):
    """Three steps of stage 1, measured after the second and the last."""
    return run(place, base, tmp_path_factory.mktemp("straight"), 3, every=2)


def test_a_run_writes_the_benchmark_when_it_is_due(straight):
    found = scores(straight)
    assert list(found) == [1, 2, 3]
    assert found[1] == {}
    for step in (2, 3):
        values = found[step]
        # Both instructions of `material` are longer than the 94 bytes `tiny` takes.
        tasks = [
            values.pop(f"benchmark/consistency/{t}") for t in ("layout", "recolor")
        ]
        assert values.pop("benchmark/consistency") == sum(tasks) / 2
        assert values.pop("benchmark/num_answers") == 4
        assert values.pop("benchmark/num_left_out") == 2
        assert values.keys() == {"benchmark/edit", "benchmark/preservation"}
        assert all(0 <= value <= 1 for value in [*tasks, *values.values()])


def test_it_stands_in_tensorboard(straight):
    (path,) = (straight / "tensorboard").iterdir()
    assert b"evaluate/benchmark/consistency/recolor" in path.read_bytes()


def test_a_resumed_run_measures_the_same(straight, place, base, tmp_path):
    run(place, base, tmp_path, 2, every=2)
    run(place, base, tmp_path, 3, every=2)
    assert scores(tmp_path) == scores(straight)
    assert reduced.losses(tmp_path) == reduced.losses(straight)


def test_training_does_not_feel_it(straight, stage1):
    expected = reduced.losses(stage1.config.workdir)
    assert reduced.losses(straight) == {step: expected[step] for step in (1, 2, 3)}


def test_stage2_counts_on_from_stage1_and_composites(straight, place, base, tmp_path):
    previous = f"previous={straight}"
    run(place, base, tmp_path, 1, previous, stage="stage2", every=3)
    found = scores(tmp_path)
    assert list(found) == [4]
    # 4 is no multiple of 3, but the last. The random model keeps nothing; the keep gate
    # leaves the photo alone.
    before = scores(straight)[3]["benchmark/preservation"]
    assert found[4]["benchmark/preservation"] > before


def test_a_split_beyond_the_pixel_budget_is_refused(place, base, tmp_path):
    with pytest.raises(UserError, match="take a smaller split: smoke"):
        run(place, base, tmp_path, 1, split="mini")
