"""A whole toy run: `python -m tests.training.toy_training DIR LAST STEP`.

Trains the toy model to step LAST with a checkpoint every 4 steps, but kills itself
after drawing the batch of STEP, as soon as a checkpoint is complete.
"""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np

from tbstar_jax.checkpoint import Checkpoints, saved_steps
from tbstar_jax.training.freeze import TRAIN_ALL
from tbstar_jax.training.initialise import WeightSource, first_step, initialise
from tbstar_jax.training.logging import RunWriter
from tbstar_jax.training.loop import Loop
from tbstar_jax.training.optimizer import make_optimizer
from tbstar_jax.training.step import init_train_state
from tbstar_jax.training.throughput import Workload
from tbstar_jax.training.train_config import IntervalConfig
from tests.training.toy import CONFIG, SCHEDULE, toy_batch, toy_run, toy_variables

EXPECTED = {"stage": "stage1", "base_identity": "toy"}
INTERVALS = IntervalConfig(log=1, evaluate=4, save=4, keep_latest=2)


class CountingBatches:
    """Counts the steps, writes down what it drew, and may stop the process."""

    def __init__(self, step=0, drawn=None, signal_at=None, number=signal.SIGKILL):
        self.step = step
        self._drawn = drawn
        assert drawn is not None or signal_at is None
        self._signal_at = signal_at
        self._number = number

    def __next__(self):
        self.step += 1
        if self.step == self._signal_at:
            if self._number == signal.SIGKILL:
                self._wait_for_checkpoint()
            os.kill(os.getpid(), self._number)
        if self._drawn is not None:
            with self._drawn.open("a") as file:
                file.write(f"{self.step}\n")
        return toy_batch(self.step, num_micro_batches=2)

    def get_state(self):
        return {"step": self.step}

    def _wait_for_checkpoint(self):
        # Saving is asynchronous and these steps take milliseconds.
        deadline = time.monotonic() + 60
        while not saved_steps(self._drawn.parent / "checkpoints"):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def evaluate(state):
    yield "norm", float(np.sum(np.square(state.ema["pattern_shifting"]["up"])))
    yield "grid", np.zeros((4, 4, 3), np.uint8)


def sources():
    load = {name: (lambda n=name: toy_variables()[n]) for name in toy_variables()}
    return [WeightSource(origin="random", path="seed 0", load=load)]


def initialise_toy(checkpoints, offered=None, expected=EXPECTED, seed=7):
    begin = first_step(checkpoints.directory, None)
    optimizer = make_optimizer(CONFIG, SCHEDULE, first_step=begin)

    def make_state(trainable):
        return init_train_state(trainable, optimizer, jax.random.key(7), begin)

    return initialise(
        jax.eval_shape(toy_variables),
        stage="stage1",
        rules=TRAIN_ALL,
        sources=sources() if offered is None else offered,
        make_state=make_state,
        checkpoints=checkpoints,
        expected=expected,
        config={"seed": seed, "workdir": "here"},
        first_step=begin,
    )


def train(
    workdir,
    last_step,
    signal_at=None,
    number=signal.SIGKILL,
    batches=None,
    intervals=INTERVALS,
    platform="cpu",
):
    """Starts or resumes the toy run; returns its final state."""
    with Checkpoints(
        workdir / "checkpoints",
        save_every=intervals.save,
        keep_latest=intervals.keep_latest,
    ) as checkpoints:
        run = initialise_toy(checkpoints)
        begin = int(run.state.step)
        if run.data_iterator_state is not None:
            assert run.data_iterator_state == {"step": begin}
        with RunWriter(workdir, resume_step=begin, is_primary=True) as writer:
            loop = Loop(
                step_fn=toy_run()[2],
                frozen=run.frozen,
                batches=batches
                or CountingBatches(begin, workdir / "drawn.txt", signal_at, number),
                place_batch=lambda batch: batch,
                evaluate=evaluate,
                checkpoints=checkpoints,
                metadata=run.metadata,
                writer=writer,
                intervals=intervals,
                last_step=last_step,
                workload=Workload(
                    num_images=8, tflop=1.0, num_devices=1, peak_tflops=None
                ),
                platform=platform,
            )
            return loop.run(run.state, show_progress=False)


if __name__ == "__main__":
    directory, last, kill = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    train(directory, last, kill)
