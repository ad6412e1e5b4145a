"""What a run writes: JSON lines, TensorBoard and preview images, by one process.

    <workdir>/config.json          the resolved configuration
    <workdir>/metrics.jsonl        one event per line: step, event, time, values
    <workdir>/tensorboard/         the same values, and the previews
    <workdir>/previews/            <step>_<name>.png

A resumed run first drops the events after the step it resumes from, so that every step
stands in the file once.
"""

import json
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tbstar_jax.array_types import UInt8
from tbstar_jax.errors import UserError

_log = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"


class RunWriter:
    """The event files of one run; use it as a context manager.

    Process 0 writes; in the others every method does nothing.
    """

    def __init__(self, workdir: Path, *, resume_step: int, is_primary: bool) -> None:
        """Opens the files to continue after a step.

        Args:
          workdir: directory of the run; created where absent.
          resume_step: number of finished steps; later events are dropped.
          is_primary: whether this process writes.
        """
        self._workdir = workdir
        self._is_primary = is_primary
        if not is_primary:
            return
        (workdir / "previews").mkdir(parents=True, exist_ok=True)
        path = workdir / METRICS_FILE
        drop_events_after(path, resume_step)
        self._file = path.open("a", encoding="utf-8")
        # Imported here: it loads torch where torch is installed, which takes seconds.
        from tensorboardX import SummaryWriter

        self._board = SummaryWriter(
            str(workdir / "tensorboard"), purge_step=resume_step + 1
        )

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def config(self, text: str) -> None:
        """Writes the run's configuration, `config.to_json`."""
        if self._is_primary:
            (self._workdir / CONFIG_FILE).write_text(text, encoding="utf-8")

    def event(self, step: int, event: str, values: Mapping[str, Any]) -> None:
        """Writes one line, flushed to the system; numbers also go to TensorBoard.

        Args:
          step: number of finished steps.
          event: `start`, `train`, `evaluate`, `save`, `stop`.
          values: JSON values; a number that is not finite is written as a text.
        """
        if not self._is_primary:
            return
        line = {"step": step, "event": event, "time": time.time()}
        line.update({name: _json_value(value) for name, value in values.items()})
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()
        for name, value in values.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                self._board.add_scalar(f"{event}/{name}", value, step)

    def preview(self, step: int, name: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Writes a preview as PNG and to TensorBoard.

        Args:
          step: number of finished steps.
          name: part of the file's name.
          image: RGB, 0..255.
        """
        if not self._is_primary:
            return
        path = self._workdir / "previews" / f"{step:07d}_{name}.png"
        Image.fromarray(image).save(path)
        self._board.add_image(f"preview/{name}", image, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes the files."""
        if self._is_primary:
            self._file.close()
            self._board.close()


def read_events(path: Path) -> list[dict[str, Any]]:
    """Reads the events of a metrics file; a last line cut by a crash is left out.

    Raises:
      UserError: a line before the last that is not JSON.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    events = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            if number == len(lines):
                _log.warning("dropping the unfinished last line of %s", path)
                continue
            raise UserError(
                f"line {number} of {path} is not JSON; repair the file or move it away"
            ) from None
    return events


def drop_events_after(path: Path, step: int) -> None:
    """Rewrites a metrics file without the events after a step, atomically."""
    events = read_events(path)
    kept = [event for event in events if event["step"] <= step]
    if len(kept) < len(events):
        _log.info("dropping %d events after step %d", len(events) - len(kept), step)
    if not path.exists():
        return
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        for event in kept:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
