"""`judge.yaml`: which model judges, where, how and in which mode."""

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.modes import (
    JSON_MODES,
    SETTINGS,
    Format,
    Mode,
    Order,
    Sampling,
    Settings,
    Structured,
)
from tbstar_jax.evaluation.judge.rubrics import OwnRubric, Rubric
from tbstar_jax.evaluation.judge.upstream import UPSTREAM_MODES, read_upstream
from tbstar_jax.evaluation.settings_file import read_settings
from tbstar_jax.vlm.cache import request_key
from tbstar_jax.vlm.client import VlmConfig
from tbstar_jax.vlm.cost import Prices
from tbstar_jax.vlm.server import ServerConfig

_UNPRICED = Prices(input_per_million=0.0, output_per_million=0.0, currency="")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """How pictures are sent; None is the mode's own.

    Attributes:
      format: of the files.
      quality: of JPEG, 1 to 95.
      max_side: longer pictures are made smaller, in pixels.
    """

    format: Format | None = None
    quality: int | None = None
    max_side: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """A judge.

    Attributes:
      base_url: e.g. `https://host/v1`.
      model: as the server names it; a dated snapshot where there is one.
      mode: see `modes`.
      api_key_env: the environment variable that holds the key; None without a key.
      sampling: None: the mode's own (see `modes.Settings`, also for what follows).
      temperature: likewise; where pinned.
      seed: likewise; where pinned.
      max_tokens: likewise.
      max_tokens_field: what the server calls that limit.
      structured: likewise; in modes that ask for JSON with a schema.
      image: how pictures are sent.
      order: likewise.
      re_asks: likewise.
      votes: how often each question is asked, at seeds of its own; scores are averaged.
      both_orders: in `pairwise`, ask again with the two edits exchanged.
      timeout: seconds from a request to the end of its reply.
      retries: requests that may follow a failed one.
      concurrency: questions in flight.
      rpm: requests per minute.
      prompts: folder with the reference program's prompts (see `upstream`); None: ours.
      prices: what tokens cost; None: not known, and then no cost is given.
      cache: directory of the replies; None keeps none.
      replay: answers come from the cache alone.
      canary: whether a run starts with fixed pictures by which a judge that has drifted
        is found out (see `canary`).
      canary_record: file of what it said of them the first time, shared between runs;
        None: the command's own, one for every judge.
      bug_compatible: whether the report also says what the program that a mode
        reproduces would have made of the same replies (see `quirks`).
    """

    base_url: str
    model: str
    mode: Mode = "strict"
    api_key_env: str | None = None
    sampling: Sampling | None = None
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    structured: Structured | None = None
    image: ImageConfig = ImageConfig()
    order: Order | None = None
    re_asks: int | None = None
    votes: int = 1
    both_orders: bool = True
    timeout: float = 120.0
    retries: int = 5
    concurrency: int = 8
    rpm: float = 600.0
    prompts: Path | None = None
    prices: Prices | None = None
    cache: Path | None = None
    replay: bool = False
    canary: bool = True
    canary_record: Path | None = None
    bug_compatible: bool = False

    def __post_init__(self) -> None:
        settings = self.settings()
        if self.votes < 1 or settings.re_asks < 0 or settings.seed < 0:
            raise UserError(
                f"votes is {self.votes}, re_asks {settings.re_asks} and seed "
                f"{settings.seed}; they must be at least 1, 0 and 0"
            )
        if settings.sampling == "server" and (self.temperature, self.seed) != (
            None,
            None,
        ):
            raise UserError(
                f"mode {self.mode} leaves temperature and seed to the server; set "
                "sampling to pinned to send them"
            )
        if self.image.quality is not None and settings.format == "png":
            raise UserError("image.quality has no meaning for PNG; drop it")
        if not 1 <= settings.quality <= 95 or (settings.max_side or 1) < 1:
            raise UserError(
                f"image.quality is {settings.quality} and image.max_side "
                f"{settings.max_side}; they must be 1 to 95, and at least 1"
            )
        if self.structured is not None and self.mode not in JSON_MODES:
            raise UserError(f"mode {self.mode} asks for no schema; drop structured")
        if not self.both_orders and self.mode != "pairwise":
            raise UserError(f"both_orders has no meaning in mode {self.mode}; drop it")
        if self.prompts is not None and self.mode not in UPSTREAM_MODES:
            raise UserError(
                f"mode {self.mode} reproduces no other program; drop prompts, or "
                f"choose one of {', '.join(UPSTREAM_MODES)}"
            )
        self._require_meaning()
        self.vlm()

    def _require_meaning(self) -> None:
        if self.bug_compatible and self.mode not in UPSTREAM_MODES:
            raise UserError(
                f"mode {self.mode} reproduces no other program; drop bug_compatible, "
                f"or choose one of {', '.join(UPSTREAM_MODES)}"
            )
        has_canary = self.canary and self.mode != "pairwise" and not self.replay
        if self.canary_record is not None and not has_canary:
            raise UserError(
                "canary_record has no effect with canary: off, with replay, or in mode "
                "pairwise; drop it"
            )
        currency = None if self.prices is None else self.prices.currency
        if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
            raise UserError(
                f"prices.currency is {currency[:40]!r}, but must be three capital "
                "letters (ISO 4217), e.g. USD"
            )

    def settings(self) -> Settings:
        """The mode's settings, with what this config says in their place."""
        chosen = {
            "sampling": self.sampling,
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "structured": self.structured,
            "order": self.order,
            "re_asks": self.re_asks,
            **dataclasses.asdict(self.image),
        }
        changes = {name: value for name, value in chosen.items() if value is not None}
        return dataclasses.replace(SETTINGS[self.mode], **changes)

    def departures(self) -> tuple[str, ...]:
        """Settings that are not the mode's own, as `name=value`."""
        own, settings = SETTINGS[self.mode], self.settings()
        return tuple(
            f"{field.name}={getattr(settings, field.name)}"
            for field in dataclasses.fields(settings)
            if getattr(settings, field.name) != getattr(own, field.name)
        )

    def rubric(self) -> Rubric:
        """The words of the questions.

        Raises:
          UserError: the folder `prompts` does not hold them.
        """
        if self.prompts is None:
            return OwnRubric(mode=self.mode)
        return read_upstream(self.prompts, self.mode)

    def vlm(self) -> VlmConfig:
        """The model behind the judge."""
        settings = self.settings()
        is_pinned = settings.sampling == "pinned"
        return VlmConfig(
            server=ServerConfig(
                base_url=self.base_url,
                api_key_env=self.api_key_env,
                reply_timeout_s=self.timeout,
                num_retries=self.retries,
                max_concurrency=self.concurrency,
                requests_per_minute=self.rpm,
            ),
            model=self.model,
            prices=self.prices or _UNPRICED,
            max_output_tokens=settings.max_tokens,
            max_tokens_field=self.max_tokens_field,
            temperature=settings.temperature if is_pinned else None,
            sends_seed=is_pinned,
            structured=settings.structured,
            cache=self.cache,
            replay_only=self.replay,
        )

    def label(self) -> str:
        """What a number of this judge is called: mode, whose words, departures."""
        words = self.rubric().label
        return ", ".join([f"{self.mode} ({words})", *self.departures()])

    def provenance(self) -> dict[str, Any]:
        """What a report says of the judge, as JSON values; nothing of its key."""
        rubric = self.rubric()
        return {
            "label": self.label(),
            "model": self.model,
            "endpoint": self.base_url,
            "fingerprint": self.fingerprint(),
            "rubric": rubric.label,
            "rubric_sha256": rubric.sha256,
            "settings": dataclasses.asdict(self.settings()),
            "departures": list(self.departures()),
            "votes": self.votes,
            "bug_compatible": self.bug_compatible,
            "prices": None if self.prices is None else dataclasses.asdict(self.prices),
        }

    def fingerprint(self) -> str:
        """SHA-256 of all that decides the scores: not of server, prices or cache."""
        return request_key(
            {
                "mode": self.mode,
                "model": self.model,
                "settings": dataclasses.asdict(self.settings()),
                "rubric": self.rubric().sha256,
                "votes": self.votes,
                "both_orders": self.both_orders,
            }
        )


def read_judge(path: Path) -> JudgeConfig:
    """Reads `judge.yaml`, or a JSON file of the same keys.

    Raises:
      UserError: not readable, an unknown key (naming the nearest) or a wrong value.
    """
    return read_settings(path, JudgeConfig, "judge")
