"""The training loop: everything that has an effect, around a step that has none.

    draw batch -> step -> [log] -> [evaluate] -> [save] -> draw batch -> ...

Logging and evaluation come before saving, so what a checkpoint has behind it is in the
event file; saving comes before the next batch is drawn, so the saved input state leads
to exactly the batch that follows.

On accelerators the host runs one step ahead of the devices. On CPU it waits for every
step: two programs over several virtual devices in flight at once can deadlock.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import numpy as np
from tqdm import tqdm

from tbstar_jax.array_types import Array, Tree, UInt8
from tbstar_jax.checkpoint import Checkpoints
from tbstar_jax.errors import UserError
from tbstar_jax.training.interrupt import StopRequest
from tbstar_jax.training.logging import RunWriter
from tbstar_jax.training.step import TrainState
from tbstar_jax.training.throughput import Throughput, Workload
from tbstar_jax.training.train_config import IntervalConfig

_log = logging.getLogger(__name__)

Evaluate: TypeAlias = Callable[
    [TrainState], Iterable[tuple[str, float | UInt8[np.ndarray, "h w 3"]]]
]
"""Yields `(name, value)`: a number to log or a preview image."""


class TrainingError(UserError):
    """Training cannot go on; the sentence says at which step and why."""


@runtime_checkable
class Batches(Protocol):
    """An endless iterator over host batches that knows where it stands."""

    def __next__(self) -> dict[str, np.ndarray]:
        """Returns this process' share of the next step."""
        ...

    def get_state(self) -> dict[str, Any]:
        """Returns where it stands, as JSON values."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loop:
    """What a run needs besides its state; `run` trains.

    Attributes:
      step_fn: the compiled `(state, frozen, batch) -> (state, metrics)`.
      frozen: what is not trained, on its devices.
      batches: the input, standing at the state's next step.
      place_batch: host batch to device arrays.
      evaluate: called every `intervals.evaluate` steps and at the end.
      checkpoints: of this run.
      metadata: written into every checkpoint: config, stage, base identity.
      writer: of this run.
      intervals: what happens how often, by global step.
      last_step: global step at which the run is complete.
      workload: what one step is worth.
      platform: where the step runs, such as `cpu`.
    """

    step_fn: Callable[[TrainState, Tree, Any], tuple[TrainState, dict[str, Array]]]
    frozen: Tree
    batches: Batches
    place_batch: Callable[[dict[str, np.ndarray]], Any]
    evaluate: Evaluate
    checkpoints: Checkpoints
    metadata: Mapping[str, Any]
    writer: RunWriter
    intervals: IntervalConfig
    last_step: int
    workload: Workload
    platform: str

    def run(self, state: TrainState, *, show_progress: bool) -> TrainState:
        """Trains to the last step, or until a stop is requested.

        Args:
          state: it is donated.
          show_progress: whether to draw a progress bar.

        Returns:
          The state after the last step that was done; it is saved.

        Raises:
          TrainingError: a loss or gradient norm that is not finite. The step's update
            was not applied, and nothing is saved after it.
        """
        begin = int(state.step)
        self.writer.event(begin, "start", {"last_step": self.last_step})
        with (
            StopRequest() as stop,
            tqdm(
                total=self.last_step,
                initial=begin,
                disable=not show_progress,
                unit="step",
                dynamic_ncols=True,
            ) as bar,
        ):
            state = self._run(state, begin, stop, bar)
        self.checkpoints.wait()
        return state

    def _run(
        self, state: TrainState, begin: int, stop: StopRequest, bar: tqdm
    ) -> TrainState:
        throughput = Throughput(self.workload)
        pending: tuple[int, dict[str, Array]] | None = None
        for step in range(begin + 1, self.last_step + 1):
            begin_wait = time.perf_counter()
            batch = self.place_batch(next(self.batches))
            waited = time.perf_counter() - begin_wait
            state, metrics = self.step_fn(state, self.frozen, batch)
            if pending is not None:
                _require_finite(*pending)
            pending = (step, metrics)
            if self.platform == "cpu":
                jax.block_until_ready((state, metrics))
            bar.update()
            if step == begin + 1:
                # The first step compiles: it would hide the speed of the others.
                jax.block_until_ready(metrics)
                throughput.start()
            else:
                throughput.add_step(waited)
            is_stopping = stop.is_requested(step)
            if self._is_boundary(step) or is_stopping:
                _require_finite(step, metrics)
                pending = None
                self._act(state, step, metrics, throughput, bar, is_stopping)
            if is_stopping:
                break
        return state

    def _is_boundary(self, step: int) -> bool:
        every = (self.intervals.log, self.intervals.evaluate, self.intervals.save)
        return step == self.last_step or any(step % n == 0 for n in every)

    def _act(
        self,
        state: TrainState,
        step: int,
        metrics: Mapping[str, Array],
        throughput: Throughput,
        bar: tqdm,
        is_stopping: bool,
    ) -> None:
        """Logs, evaluates and saves what is due after a step that was finite."""
        is_last = step == self.last_step
        if step % self.intervals.log == 0 or is_last or is_stopping:
            values = {n: float(v) for n, v in metrics.items() if n != "is_finite"}
            self.writer.event(step, "train", {**values, **throughput.report()})
            bar.set_postfix(loss=f"{values['loss']:.4f}", refresh=False)
        begin = time.perf_counter()
        if (step % self.intervals.evaluate == 0 or is_last) and not is_stopping:
            self._evaluate(state, step)
        self.checkpoints.save(
            step,
            state,
            self.batches.get_state(),
            self.metadata,
            force=is_last or is_stopping,
        )
        if is_stopping or is_last:
            self.writer.event(step, "stop", {"is_complete": is_last})
            _log.info("stopped after step %d of %d", step, self.last_step)
        throughput.skip(time.perf_counter() - begin)

    def _evaluate(self, state: TrainState, step: int) -> None:
        numbers: dict[str, float] = {}
        for name, value in self.evaluate(state):
            if isinstance(value, np.ndarray):
                self.writer.preview(step, name, value)
            else:
                numbers[name] = value
        self.writer.event(step, "evaluate", numbers)


def _require_finite(step: int, metrics: Mapping[str, Array]) -> None:
    if bool(metrics["is_finite"]):
        return
    loss, norm = float(metrics["loss"]), float(metrics["grad_norm"])
    raise TrainingError(
        f"step {step} has the loss {loss} and the gradient norm {norm}; its update was "
        "not applied and nothing was saved after it: lower the learning rate or look "
        "at the data of this step, and resume from the last checkpoint"
    )
