"""Stopping in good order: SIGTERM, as schedulers send it before they take a machine."""

import logging
import signal
import threading
import types
from typing import Any

import jax
from jax.experimental import multihost_utils

_log = logging.getLogger(__name__)


class StopRequest:
    """Notices SIGTERM while its context is entered; restores the old handler after it.

    With several processes all must stop after the same step: there `jax.distributed`
    listens to the signal, and its service tells every process the step to stop at.
    """

    def __init__(self) -> None:
        self._is_requested = False
        # Only a main thread may set handlers; elsewhere the caller ends the run.
        in_main = threading.current_thread() is threading.main_thread()
        self._listens = in_main and jax.process_count() == 1
        self._previous: Any = None

    def __enter__(self) -> "StopRequest":
        if self._listens:
            self._previous = signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._listens:
            signal.signal(signal.SIGTERM, self._previous)

    def is_requested(self, step: int) -> bool:
        """Whether to stop after this step; all processes ask for every step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._is_requested

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        del number, frame
        _log.warning("SIGTERM received: saving after this step and stopping")
        self._is_requested = True
