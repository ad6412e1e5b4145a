"""What a pair must satisfy: limits, and the rules that read them, in order.

A rule is broken when all of its conditions hold. A limit of None drops its condition,
and a rule without conditions is off. The first broken rule that rejects names the
status, else the first that flags; which of the two a rule does is a setting too.

Where the values come from: shift, locality and `region_change` from data.md 3.3 (keep
to 0.25 px, 1 % outside the mask, 4 of 255 levels invisible); the others lie between the
clean and the planted pairs of `trial.py`, whose table is in the documentation.
"""

import dataclasses
from typing import Literal

from tbstar_jax.errors import UserError
from tbstar_jax.tasks import TASKS, task_by_id

PREFIX = "filter/"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pair of a local task must satisfy; None where nothing is asked.

    Attributes:
      max_aspect_error: |log| of the ratio of the aspect ratios.
      max_size_error: |log| of the ratio of the sizes; 0 asks for equal pixels.
      min_shift_confidence: correlation below which a registration is not believed.
      max_zoom_px: displacement by zoom at the middle of the long side, px.
      max_shift_px: displacement that is left, px.
      max_aligned_px: displacement that was undone by warping, px.
      min_region_change: 99th percentile of the change in the region, levels.
      max_unasked_share: share of the picture that may differ where nothing was asked.
      max_drift: absolute mean change of L*, a* or b* outside the region.
      max_color_mean: mean CIEDE2000 outside the region.
      min_blur_ratio: Laplacian energy outside, target over source.
      min_identical_share: share of equal pixels outside, with `min_psnr`.
      min_psnr: dB outside; a pair is re-encoded when it is below both.
      max_noise_color: mean CIEDE2000 outside of a pair with few equal pixels, which
        JPEG of quality 95 stays under and lossier codecs do not.
      min_text_kept: agreement of the worst text outside.
      max_color_name_error: degrees of hue from the colour asked for.
      max_leak_share: share of what is outside a declared mask that differs.
      max_changed_share: share of the picture that differs.
      min_ssim: structural similarity outside.
      max_color_p95: 95th percentile of CIEDE2000 outside.
      min_embedding_similarity: cosine, where an embedder was injected.
      max_embedding_similarity: likewise.
      min_judge: of every score `judge/overall`, where a judge was injected.
      min_lossless: 1 asks for images stored without loss.
    """

    max_aspect_error: float | None = 0.01
    max_size_error: float | None = 0.0
    min_shift_confidence: float | None = 0.6
    max_zoom_px: float | None = 0.5
    max_shift_px: float | None = 0.25
    max_aligned_px: float | None = 0.0
    min_region_change: float | None = 5.0
    max_unasked_share: float | None = None
    max_drift: float | None = 1.0
    max_color_mean: float | None = 3.0
    min_blur_ratio: float | None = 0.7
    min_identical_share: float | None = 0.5
    min_psnr: float | None = 36.0
    max_noise_color: float | None = 0.55
    min_text_kept: float | None = 0.6
    max_color_name_error: float | None = 20.0
    max_leak_share: float | None = 0.01
    max_changed_share: float | None = 0.7
    min_ssim: float | None = 0.9
    max_color_p95: float | None = 3.0
    min_embedding_similarity: float | None = None
    max_embedding_similarity: float | None = None
    min_judge: float | None = None
    min_lossless: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Override:
    """Another limit for one task.

    Attributes:
      task: an id of `tbstar_jax/tasks.py`.
      limit: a field of `Limits`.
      value: what holds instead.
    """

    task: str
    limit: str
    value: float | None = None

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
          UserError: no such task or limit.
        """
        task_by_id(self.task)
        names = [field.name for field in dataclasses.fields(Limits)]
        if self.limit not in names:
            raise UserError(
                f"there is no limit {self.limit!r}; the limits are {', '.join(names)}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """One comparison of a score with a limit; an absent score breaks nothing.

    Attributes:
      score: name in the index.
      limit: field of `Limits`.
      measure: of the score, what is compared: itself, its size or that of its log.
    """

    score: str
    limit: str
    measure: Literal["value", "abs", "abs_log"] = "value"

    @property
    def is_upper(self) -> bool:
        """Whether the limit is the most that is allowed, rather than the least."""
        return self.limit.startswith("max_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A name for a status, and when it applies.

    Attributes:
      name: what follows `rejected:` or `flagged:`; several rules may share it.
      conditions: all must hold.
    """

    name: str
    conditions: tuple[Condition, ...]


def _rule(name: str, score: str, limit: str, *more: tuple[str, str]) -> Rule:
    pairs = ((score, limit), *more)
    return Rule(
        name=name,
        conditions=tuple(
            Condition(
                score=score if "/" in score else PREFIX + score,
                limit=limit,
                measure=_MEASURES.get(score, "value"),
            )
            for score, limit in pairs
        ),
    )


_MEASURES: dict[str, Literal["value", "abs", "abs_log"]] = {
    "size_ratio": "abs_log",
    "drift_l": "abs",
    "drift_a": "abs",
    "drift_b": "abs",
}

UNMEASURABLE = "unmeasurable"
"""The rule for pairs without a displacement: not measured, or not registered.

A pair whose pixels outside are all equal is spared: nothing there can have moved.
"""

RULES: tuple[Rule, ...] = (
    _rule("aspect", "aspect_error", "max_aspect_error"),
    _rule("size", "size_ratio", "max_size_error"),
    _rule(UNMEASURABLE, "shift_confidence", "min_shift_confidence"),
    _rule("zoom", "zoom_px", "max_zoom_px"),
    _rule("shift", "shift_px", "max_shift_px"),
    _rule("aligned", "aligned_px", "max_aligned_px"),
    _rule("no_change", "region_change", "min_region_change"),
    _rule("unasked", "changed_share", "max_unasked_share"),
    _rule("cast", "drift_l", "max_drift"),
    _rule("cast", "drift_a", "max_drift"),
    _rule("cast", "drift_b", "max_drift"),
    _rule("cast", "color_mean", "max_color_mean"),
    _rule("blur", "blur_ratio", "min_blur_ratio"),
    _rule(
        "reencoded",
        "identical_share",
        "min_identical_share",
        ("psnr_outside", "min_psnr"),
    ),
    _rule(
        "reencoded",
        "identical_share",
        "min_identical_share",
        ("color_mean", "max_noise_color"),
    ),
    _rule("text", "text_kept", "min_text_kept"),
    _rule("color_name", "color_name_error", "max_color_name_error"),
    _rule("locality", "leak_share", "max_leak_share"),
    _rule("widespread", "changed_share", "max_changed_share"),
    _rule("preservation", "ssim_outside", "min_ssim"),
    _rule("preservation", "color_p95", "max_color_p95"),
    _rule("similarity", "embedding_similarity", "min_embedding_similarity"),
    _rule("similarity", "embedding_similarity", "max_embedding_similarity"),
    _rule("judge", "judge/overall", "min_judge"),
    _rule("lossy", "lossless", "min_lossless"),
)
"""All rules, in the order in which they name a status."""

RULE_NAMES: tuple[str, ...] = tuple(dict.fromkeys(rule.name for rule in RULES))


def _task_overrides() -> tuple[Override, ...]:
    """What tasks that reach everywhere, or nowhere, are spared or asked for."""
    backgrounds = ("bg_white", "bg_scene")
    everywhere = (
        "max_drift",
        "max_color_mean",
        "min_blur_ratio",
        "min_identical_share",
        "min_psnr",
        "max_noise_color",
        "max_leak_share",
        "max_changed_share",
        "min_ssim",
        "max_color_p95",
    )
    made = [
        Override(task=task.id, limit=limit)
        for task in TASKS
        if task.extent == "global" and task.id not in backgrounds
        for limit in everywhere
    ]
    for task_id in backgrounds:
        made += [
            Override(task=task_id, limit="max_changed_share"),
            # Shadows and reflections of the new background fall on the product.
            Override(task=task_id, limit="max_leak_share", value=0.05),
        ]
    made += [
        Override(task="identity", limit="min_region_change"),
        Override(task="identity", limit="max_unasked_share", value=0.001),
        Override(task="outpaint", limit="max_aspect_error"),
        Override(task="outpaint", limit="max_size_error"),
        Override(task="repair_zoom", limit="max_zoom_px"),
        Override(task="light_shadow", limit="min_text_kept"),
    ]
    return tuple(made)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """How strictly pairs are chosen.

    Attributes:
      limits: of every task.
      overrides: limits of single tasks instead; later ones win.
      flags: names of the rules that flag; the others reject.
    """

    limits: Limits = Limits()
    overrides: tuple[Override, ...] = _task_overrides()
    flags: tuple[str, ...] = ("size", UNMEASURABLE, "aligned", "locality", "widespread")

    def __post_init__(self) -> None:
        """Checks the names of the rules.

        Raises:
          UserError: there is no such rule.
        """
        unknown = [name for name in self.flags if name not in RULE_NAMES]
        if unknown:
            raise UserError(
                f"there is no rule {unknown[0]!r}; the rules are "
                f"{', '.join(RULE_NAMES)}"
            )

    def limit_of(self, limit: str, task: str) -> float | None:
        """What holds for a task."""
        value: float | None = getattr(self.limits, limit)
        for override in self.overrides:
            if (override.task, override.limit) == (task, limit):
                value = override.value
        return value


STAGE_1 = Profile()
"""Broad: JPEG of quality 95 is fine, warped and unmeasurable pairs are flagged."""

STAGE_2 = Profile(
    limits=Limits(
        min_shift_confidence=0.9,
        max_zoom_px=0.25,
        max_shift_px=0.1,
        max_drift=0.5,
        max_color_mean=0.5,
        min_blur_ratio=0.9,
        min_identical_share=0.98,
        min_psnr=None,
        max_noise_color=None,
        min_text_kept=0.9,
        max_leak_share=0.001,
        max_changed_share=0.5,
        min_ssim=0.98,
        max_color_p95=1.0,
        min_lossless=1.0,
    ),
    flags=(),
)
"""Strict: the rest is kept to the bit or nearly so, lossless, everything rejects."""
