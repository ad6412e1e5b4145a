"""What asking costs: tokens counted by the server, money by a price list."""

import dataclasses
import threading

from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one reply, as the server counted them; 0 where it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """The tokens of both."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


NO_USAGE = Usage()
"""What costs nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prices:
    """A price list.

    Attributes:
      input_per_million: price of a million tokens read.
      output_per_million: price of a million tokens written.
      currency: e.g. `USD`.
    """

    input_per_million: float
    output_per_million: float
    currency: str

    def __post_init__(self) -> None:
        if not (self.input_per_million >= 0 and self.output_per_million >= 0):
            raise UserError(
                f"prices are {self.input_per_million} and {self.output_per_million} "
                "per million tokens, but must not be negative"
            )

    def cost(self, usage: Usage) -> float:
        """The price of one reply."""
        return (
            usage.input_tokens * self.input_per_million
            + usage.output_tokens * self.output_per_million
        ) / 1e6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Totals:
    """What a client has used.

    Attributes:
      num_requests: sent over the network, retries included.
      num_from_cache: questions answered from the cache; they cost nothing.
      usage: tokens of the replies that came over the network.
      cost: their price.
    """

    num_requests: int = 0
    num_from_cache: int = 0
    usage: Usage = NO_USAGE
    cost: float = 0.0


class CostCounter:
    """Adds up what is used, from many threads."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._lock = threading.Lock()
        self._totals = Totals()

    def add_reply(self, num_requests: int, usage: Usage) -> None:
        """Counts a question that went over the network."""
        with self._lock:
            old = self._totals
            summed = old.usage + usage
            self._totals = dataclasses.replace(
                old,
                num_requests=old.num_requests + num_requests,
                usage=summed,
                cost=self._prices.cost(summed),
            )

    def add_from_cache(self) -> None:
        """Counts a question that the cache answered."""
        with self._lock:
            self._totals = dataclasses.replace(
                self._totals, num_from_cache=self._totals.num_from_cache + 1
            )

    @property
    def totals(self) -> Totals:
        """What was used so far."""
        return self._totals

    def __str__(self) -> str:
        """The totals in one line, for a log."""
        totals = self._totals
        return (
            f"{totals.num_requests:,} requests, {totals.num_from_cache:,} answers from "
            f"the cache, {totals.usage.input_tokens:,} tokens read, "
            f"{totals.usage.output_tokens:,} written, {totals.cost:.4f} "
            f"{self._prices.currency}"
        )
