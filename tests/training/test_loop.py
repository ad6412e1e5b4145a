"""The loop: exact resumption, stopping, and what it refuses to save."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.checkpoint import saved_steps
from tbstar_jax.errors import UserError
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.loop import TrainingError
from tbstar_jax.training.train_config import IntervalConfig
from tbstar_jax.trees import checksums, leaf_names
from tests.training.toy import toy_batch
from tests.training.toy_training import CountingBatches, train


def steps_of(workdir, event):
    events = read_events(workdir / "metrics.jsonl")
    return [each["step"] for each in events if each["event"] == event]


def run_process(workdir, *arguments):
    workdir.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.training.toy_training", str(workdir)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_ten_steps_equal_four_a_kill_and_six_bitwise(tmp_path):
    whole = checksums(leaf_names(train(tmp_path / "whole", 10)))
    killed = run_process(tmp_path / "cut", 10, 7)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert saved_steps(tmp_path / "cut" / "checkpoints") == [4]
    assert steps_of(tmp_path / "cut", "train") == [1, 2, 3, 4, 5, 6]
    assert checksums(leaf_names(train(tmp_path / "cut", 10))) == whole
    drawn = (tmp_path / "cut" / "drawn.txt").read_text().split()
    assert [int(step) for step in drawn] == [1, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9, 10]


def test_the_event_file_holds_every_step_once_after_a_resume(tmp_path):
    train(tmp_path, 4)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "event": "train", "loss": 0.0}\n{"step": 6, "ev')
    train(tmp_path, 10)
    assert steps_of(tmp_path, "train") == list(range(1, 11))
    assert steps_of(tmp_path, "evaluate") == [4, 8, 10]
    whole = tmp_path / "whole"
    train(whole, 10)
    losses = [
        [e["loss"] for e in read_events(d / "metrics.jsonl") if e["event"] == "train"]
        for d in (tmp_path, whole)
    ]
    assert losses[0] == losses[1]


def test_sigterm_saves_the_running_step_and_returns(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    train(tmp_path, 10, 3, signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert saved_steps(tmp_path / "checkpoints") == [3]
    events = read_events(tmp_path / "metrics.jsonl")
    assert (events[-1]["event"], events[-1]["is_complete"]) == ("stop", False)


class BrokenBatches(CountingBatches):
    def __next__(self):
        batch = super().__next__()
        if self.step == 6:
            batch["x"][0, 0, 0] = np.inf
        return batch


def test_a_non_finite_loss_stops_with_a_sentence_and_saves_nothing(tmp_path):
    with pytest.raises(TrainingError, match=r"step 6 has the loss (nan|inf)"):
        train(tmp_path, 10, batches=BrokenBatches())
    assert saved_steps(tmp_path / "checkpoints") == [4]
    assert max(steps_of(tmp_path, "train")) == 5
    assert issubclass(TrainingError, UserError)


def test_a_non_finite_loss_is_noticed_when_the_host_runs_one_step_ahead(tmp_path):
    intervals = IntervalConfig(log=100, evaluate=100, save=4, keep_latest=2)
    batches = BrokenBatches()
    with pytest.raises(TrainingError, match="step 6 has the loss"):
        train(tmp_path, 10, batches=batches, intervals=intervals, platform="gpu")
    assert batches.step == 7
    assert saved_steps(tmp_path / "checkpoints") == [4]


def test_running_one_step_ahead_gives_the_same_state(tmp_path):
    intervals = IntervalConfig(log=3, evaluate=100, save=4, keep_latest=2)
    states = [
        train(tmp_path / platform, 6, intervals=intervals, platform=platform)
        for platform in ("cpu", "gpu")
    ]
    first, second = (checksums(leaf_names(state)) for state in states)
    assert first == second


def test_a_finished_run_is_left_as_it_is(tmp_path):
    first = checksums(leaf_names(train(tmp_path, 4)))
    assert checksums(leaf_names(train(tmp_path, 4))) == first
    assert steps_of(tmp_path, "train") == [1, 2, 3, 4]


def test_logged_values_are_the_promised_ones(tmp_path):
    train(tmp_path, 4)
    events = read_events(tmp_path / "metrics.jsonl")
    last = [event for event in events if event["event"] == "train"][-1]
    assert last.keys() >= {
        "loss",
        "loss/flow",
        "loss/gate",
        "grad_norm",
        "learning_rate",
        "images_per_second",
        "seconds_per_step",
        "input_wait_share",
        "tflops_per_device",
    }
    assert 0 <= last["input_wait_share"] <= 1
    assert (tmp_path / "previews" / "0000004_grid.png").exists()
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_the_toy_batches_differ_from_step_to_step():
    assert (toy_batch(1)["x"] != toy_batch(2)["x"]).all()
