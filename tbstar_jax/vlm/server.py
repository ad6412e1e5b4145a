"""Any HTTP endpoint that is asked many times: concurrency, rate, retries, the key."""

import dataclasses
import email.utils
import os
import random
import threading
import time
from collections.abc import Mapping

from tbstar_jax.errors import UserError
from tbstar_jax.vlm.exchange import (
    ExchangeError,
    HttpReply,
    Limits,
    check_url,
    post,
)
from tbstar_jax.vlm.rate import TokenBucket

_RETRIED = (408, 425, 429, 500, 502, 503, 504, 529)
_MAX_RETRY_AFTER_S = 365 * 86400.0

MAX_REFUSALS = 3
"""Connections in a row that fail before any was made: nobody is there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where a server is and how it may be asked.

    Attributes:
      base_url: e.g. `https://host/v1`; http or https, without user name or password.
      api_key_env: the environment variable that holds the key; None without a key.
      connect_timeout_s: seconds until connected.
      reply_timeout_s: seconds from sending a request to the end of its reply.
      max_reply_bytes: largest reply that is read.
      num_retries: requests that may follow a failed one (429, 5xx, cut off, late).
      first_wait_s: seconds before the first retry, doubled before each further one;
        a random part of up to a half is taken off.
      max_wait_s: longest wait before a retry, in seconds. A server that asks for more
        (`Retry-After`) is not asked again.
      max_concurrency: requests in flight at once, per process.
      requests_per_minute: requests that start per minute, per process.
    """

    base_url: str
    api_key_env: str | None = None
    connect_timeout_s: float = 10.0
    reply_timeout_s: float = 120.0
    max_reply_bytes: int = 4 << 20
    num_retries: int = 5
    first_wait_s: float = 1.0
    max_wait_s: float = 60.0
    max_concurrency: int = 8
    requests_per_minute: float = 600.0

    def __post_init__(self) -> None:
        check_url(self.base_url)
        if self.num_retries < 0 or self.max_concurrency < 1:
            raise UserError(
                f"num_retries is {self.num_retries} and max_concurrency "
                f"{self.max_concurrency}, but they must be at least 0 and 1"
            )
        if not 0 <= self.first_wait_s <= self.max_wait_s:
            raise UserError(
                f"first_wait_s is {self.first_wait_s} and max_wait_s "
                f"{self.max_wait_s}, but they must be 0 or more, in this order"
            )
        if self.requests_per_minute <= 0:
            raise UserError(
                f"requests_per_minute is {self.requests_per_minute}, but must be "
                "above 0"
            )
        self.limits()

    def limits(self) -> Limits:
        """What one exchange may take."""
        return Limits(
            connect_timeout_s=self.connect_timeout_s,
            reply_timeout_s=self.reply_timeout_s,
            max_reply_bytes=self.max_reply_bytes,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answered:
    """The last reply of a server, after its retries.

    Attributes:
      reply: with the key taken out of its body; None when there was none.
      error: why there is none.
      num_requests: that were sent.
    """

    reply: HttpReply | None
    error: ExchangeError | None
    num_requests: int


class Server:
    """Asks one endpoint from many threads; opened once per process."""

    def __init__(self, config: ServerConfig, *, must_be_up: bool = False) -> None:
        """Reads the key.

        Args:
          config: where it is.
          must_be_up: whether a server that was never there is given up at once (see
            `unreachable`). Else it may start late, and retries wait for it.

        Raises:
          UserError: its environment variable is empty or holds no key.
        """
        self._config = config
        self._must_be_up = must_be_up
        self._key = _read_key(config.api_key_env)
        self._slots = threading.Semaphore(config.max_concurrency)
        self._bucket = TokenBucket(config.requests_per_minute, config.max_concurrency)
        # Spreads retries in time; nothing that is written depends on it.
        self._random = random.Random()
        self._lock = threading.Lock()
        self._was_reached = False
        self._refused: list[ExchangeError] = []

    @property
    def unreachable(self) -> str | None:
        """One sentence where the server must be up and never was; None: it may be.

        Then further requests are not sent. One that was reached once is waited for by
        retries, whatever becomes of it.
        """
        with self._lock:
            if self._is_awaited() or len(self._refused) < MAX_REFUSALS:
                return None
            return (
                f"nothing answers at {self._config.base_url} ({self._refused[-1]}, "
                f"{len(self._refused)} times); start the server, or correct its address"
            )

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Posts until an answer comes that another request would not change.

        Args:
          path: below the base URL, beginning with a slash.
          body: of the request.
          headers: of the request, without the key.
        """
        url = self._config.base_url.rstrip("/") + path
        if self._key:
            headers = {**headers, "Authorization": f"Bearer {self._key}"}
        limits = self._config.limits()
        if self.unreachable is not None:
            return Answered(reply=None, error=self._refused[-1], num_requests=0)
        for attempt in range(self._config.num_retries + 1):
            reply, error = None, None
            with self._slots:
                self._bucket.take()
                try:
                    reply = self._without_key(post(url, body, headers, limits))
                except ExchangeError as caught:
                    error = caught
            self._note(error)
            is_last = attempt == self._config.num_retries
            wait_s = None if is_last else self._wait_s(reply, error, attempt)
            if wait_s is None:
                break
            if reply is not None and reply.status == 429:
                self._bucket.pause(wait_s)
            time.sleep(wait_s)
        return Answered(reply=reply, error=error, num_requests=attempt + 1)

    def _note(self, error: ExchangeError | None) -> None:
        """Remembers whether there was a connection."""
        with self._lock:
            if error is None or error.is_connected:
                self._was_reached = True
            elif not self._was_reached:
                self._refused.append(error)

    def _is_awaited(self) -> bool:
        """Whether a connection that failed is tried again."""
        return self._was_reached or not self._must_be_up

    def _wait_s(
        self, reply: HttpReply | None, error: ExchangeError | None, attempt: int
    ) -> float | None:
        """Seconds until the request is sent again; None when it must not be."""
        if error is not None and error.kind not in ("timeout", "connection"):
            return None
        if error is not None and not error.is_connected and not self._is_awaited():
            return None
        if reply is not None and reply.status not in _RETRIED:
            return None
        longest = self._config.max_wait_s
        # Beyond 2**30 the limit has long been reached.
        grown = min(longest, self._config.first_wait_s * 2.0 ** min(attempt, 30))
        wait_s = grown * self._random.uniform(0.5, 1.0)
        asked = retry_after_s(reply.headers, time.time()) if reply else 0.0
        return None if asked > longest else max(wait_s, asked)

    def _without_key(self, reply: HttpReply) -> HttpReply:
        if not self._key:
            return reply
        # Servers quote a wrong key in their errors, and errors are logged and stored.
        body = reply.body.replace(self._key.encode(), b"[key]")
        return dataclasses.replace(reply, body=body)


def retry_after_s(headers: Mapping[str, str], now: float) -> float:
    """The wait a server asks for, in seconds; 0 where it does not, or unreadably.

    Args:
      headers: names in lower case.
      now: seconds since 1970, which a date is compared with.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _MAX_RETRY_AFTER_S)
    try:
        date = email.utils.parsedate_to_datetime(text)
        return min(max(date.timestamp() - now, 0.0), _MAX_RETRY_AFTER_S)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def _read_key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        # The value is not repeated: it is a secret, or half of one.
        raise UserError(
            f"the environment variable {variable} holds no API key; set it, or leave "
            "api_key_env out for a server without keys"
        )
    return key
