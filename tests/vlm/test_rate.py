"""The token bucket, on a clock of its own; and the wait a server asks for."""

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.vlm.rate import TokenBucket
from tbstar_jax.vlm.server import retry_after_s


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def starts(bucket, clock, count):
    times = []
    for _ in range(count):
        bucket.take()
        times.append(clock.now - 100.0)
    return times


def test_a_burst_starts_at_once_and_the_rest_evenly():
    clock = Clock()
    bucket = TokenBucket(60.0, 3, clock, clock.sleep)
    assert starts(bucket, clock, 6) == [0, 0, 0, 1, 2, 3]


def test_rest_fills_the_bucket_no_further_than_its_burst():
    clock = Clock()
    bucket = TokenBucket(60.0, 2, clock, clock.sleep)
    clock.now += 1000
    assert starts(bucket, clock, 4) == [1000, 1000, 1001, 1002]


def test_a_pause_holds_everybody():
    clock = Clock()
    bucket = TokenBucket(60.0, 5, clock, clock.sleep)
    bucket.pause(10.0)
    bucket.pause(3.0)
    assert starts(bucket, clock, 2) == [10, 10]


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_no_rate_is_refused(rate, burst):
    with pytest.raises(UserError, match="no rate"):
        TokenBucket(rate, burst)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("-3", 0),
        ("7.5", 0),
        ("soon", 0),
        ("", 0),
        ("\u0667", 0),
        ("9" * 5000, 365 * 86400),
        ("Thu, 01 Jan 1970 00:17:10 GMT", 30),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("Thu, 99 Jan 1970 00:00:10 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert retry_after_s({"retry-after": text}, now=1000.0) == seconds
    assert retry_after_s({}, now=1000.0) == 0
