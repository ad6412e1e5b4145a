"""What a preference study of a given size can show.

A vote is +1, 0 or -1: its variance is 1 - ties - net^2. Votes of one prompt are alike;
with r votes a prompt and correlation c, the net of n prompts has variance
(1 - ties - net^2) (1 + (r - 1) c) / (r n). A difference is called significant where
the 95 % interval leaves out 0.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

_CHUNK = 500
"""Studies simulated at a time: bounds the memory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """What is assumed of the votes.

    Attributes:
      tie_share: share of votes for neither, in [0, 1).
      net: share of votes for the first less share for the second, in (-1, 1).
      votes_per_prompt: raters who see each prompt.
      correlation: of two votes on one prompt, in [0, 1].
    """

    tie_share: float = 0.3
    net: float = 0.1
    votes_per_prompt: int = 1
    correlation: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.tie_share < 1:
            raise ValueError(f"tie_share is {self.tie_share}, not in [0, 1)")
        if abs(self.net) > 1 - self.tie_share:
            raise ValueError(f"net {self.net} is impossible with {self.tie_share} ties")
        if self.votes_per_prompt < 1:
            raise ValueError(
                f"votes_per_prompt is {self.votes_per_prompt}, not 1 or up"
            )
        if not 0 <= self.correlation <= 1:
            raise ValueError(f"correlation is {self.correlation}, not in [0, 1]")

    def standard_error(self, num_prompts: int) -> float:
        """Of the net."""
        extra = 1 + (self.votes_per_prompt - 1) * self.correlation
        variance = (1 - self.tie_share - self.net**2) * extra
        return math.sqrt(variance / (self.votes_per_prompt * num_prompts))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Power:
    """A line of the table.

    Attributes:
      num_prompts: in the study.
      half_width: of the 95 % interval of the net.
      chance: that the study calls the difference significant, normal approximation.
      simulated_chance: the same, counted in simulated studies.
    """

    num_prompts: int
    half_width: float
    chance: float
    simulated_chance: float


def power_table(
    design: StudyDesign,
    num_prompts: Sequence[int] = (50, 100, 200, 400, 800),
    num_studies: int = 4_000,
    seed: int = 0,
) -> tuple[Power, ...]:
    """Half-width and chance of significance, by number of prompts (two or more)."""
    z = ndtri(0.975)
    rows = []
    for prompts in num_prompts:
        error = design.standard_error(prompts)
        ratio = design.net / error if error else math.copysign(math.inf, design.net)
        rows.append(
            Power(
                num_prompts=prompts,
                half_width=float(z * error),
                chance=float(ndtr(ratio - z) + ndtr(-ratio - z)),
                simulated_chance=_simulate(design, prompts, num_studies, seed),
            )
        )
    return tuple(rows)


def smallest_net(
    num_prompts: int, tie_share: float, votes_per_prompt: int, chance: float = 0.8
) -> float:
    """The net that a study finds with the given chance; normal approximation at net 0.

    May exceed 1 - tie_share: then no difference is found that surely.
    """
    none = StudyDesign(tie_share=tie_share, net=0.0, votes_per_prompt=votes_per_prompt)
    return float((ndtri(0.975) + ndtri(chance)) * none.standard_error(num_prompts))


def draw_votes(
    design: StudyDesign, num_studies: int, num_prompts: int, rng: np.random.Generator
) -> np.ndarray:
    """Votes of simulated studies.

    Each rater repeats the prompt's own opinion with probability sqrt(correlation), and
    has an own one otherwise, so that two raters' votes have the wanted correlation.

    Returns:
      int8, `[studies, prompts, votes_per_prompt]`: 1, 0 or -1.
    """
    shape = (num_studies, num_prompts, design.votes_per_prompt)
    wins = (1 - design.tie_share + design.net) / 2
    limits = np.array([wins, wins + design.tie_share])

    def opinions(size: tuple[int, ...]) -> np.ndarray:
        return (1 - np.searchsorted(limits, rng.random(size), "right")).astype(np.int8)

    if design.votes_per_prompt == 1:
        return opinions(shape)
    follows = rng.random(shape) < math.sqrt(design.correlation)
    return np.where(follows, opinions((*shape[:2], 1)), opinions(shape))


def _simulate(design: StudyDesign, prompts: int, num_studies: int, seed: int) -> float:
    """Share of studies whose interval, by the spread over prompts, leaves out 0."""
    rng = np.random.default_rng([seed, prompts])
    found = 0
    for start in range(0, num_studies, _CHUNK):
        votes = draw_votes(design, min(_CHUNK, num_studies - start), prompts, rng)
        nets = votes.mean(2)  # [studies, prompts]
        error = nets.std(1, ddof=1) / math.sqrt(prompts)
        found += int((np.abs(nets.mean(1)) > ndtri(0.975) * error).sum())
    return found / num_studies
