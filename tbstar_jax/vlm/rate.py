"""A token bucket: how many requests may start per minute, over all threads."""

import threading
import time
from collections.abc import Callable

from tbstar_jax.errors import UserError


class TokenBucket:
    """Lets requests start at a bounded rate, in the order they ask.

    A request takes one token; tokens come back evenly. A bucket may go into debt: who
    asks next waits until its own token has come back, so nobody polls.
    """

    def __init__(
        self,
        per_minute: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Starts with a full bucket.

        Args:
          per_minute: tokens that come back per minute.
          burst: tokens it holds at most: requests that may start at once.
          clock: seconds.
          sleep: waits that many seconds.
        """
        if per_minute <= 0 or burst < 1:
            raise UserError(
                f"{per_minute} requests per minute in bursts of {burst} is no rate; "
                "the rate must be above 0 and the burst at least 1"
            )
        self._interval_s = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_until = clock() - burst * self._interval_s
        self._paused_until = clock()

    def take(self) -> None:
        """Waits for a token, and for the end of a pause."""
        with self._lock:
            now = self._clock()
            earliest = now - self._burst * self._interval_s
            self._paid_until = max(self._paid_until, earliest) + self._interval_s
            wait_s = max(self._paid_until, self._paused_until) - now
        if wait_s > 0:
            self._sleep(wait_s)

    def pause(self, seconds: float) -> None:
        """Lets nobody start for some seconds: the server asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
