"""The measures that reports average: names, units and which way is better."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from tbstar_jax.errors import UserError

Kind = Literal["score", "preservation", "edit", "text", "learned"]

_TIES = {"": 0.01, "dB": 0.1, "px": 0.05, "ΔE": 0.1}
"""By unit."""

_LEVEL_TIES = {"l1_reference": 1e-3, "l1_source": 1e-3, "l2_reference": 1e-4}
"""Of means over whole pictures, a quarter of a level; by name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """One column.

    Attributes:
      name: of the field of `ScoreRecord`, or in its `metrics`.
      label: for people.
      unit: empty for shares and scores in [0, 1].
      kind: which panel shows it.
      is_higher_better: None where neither is (a signed drift).
      is_infinite_exact: whether infinity means "identical": such answers are counted
        and left out of the mean.
      models: sections of `learned.yaml` whose weights measure it.
    """

    name: str
    label: str
    unit: str
    kind: Kind
    is_higher_better: bool | None
    is_infinite_exact: bool = False
    models: tuple[str, ...] = ()

    @property
    def tie(self) -> float:
        """Largest difference of two answers that nobody would call one."""
        return _LEVEL_TIES.get(self.name, _TIES[self.unit])

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which means lie: shares in [0, 1], errors and distances from 0."""
        if self.is_higher_better and self.models:
            return -1.0, 1.0  # cosines
        if self.is_higher_better and not self.unit:
            return 0.0, 1.0
        is_error = self.is_higher_better is False or self.name in CEILINGS.values()
        return (0.0 if is_error else -math.inf), math.inf


def _measure(
    name: str,
    label: str,
    kind: Kind,
    is_higher_better: bool | None = True,
    unit: str = "",
    is_infinite_exact: bool = False,
) -> Measure:
    return Measure(
        name=name,
        label=label,
        unit=unit,
        kind=kind,
        is_higher_better=is_higher_better,
        is_infinite_exact=is_infinite_exact,
    )


def _learned(
    name: str, label: str, *models: str, is_higher_better: bool = True
) -> Measure:
    return Measure(
        name=name,
        label=label,
        unit="",
        kind="learned",
        is_higher_better=is_higher_better,
        models=models,
    )


MEASURES: tuple[Measure, ...] = (
    _measure("consistency", "C", "score"),
    _measure("edit", "E", "score"),
    _measure("preservation", "P", "score"),
    _measure("consistency_area", "C by area alone", "score"),
    _measure("preservation_area", "P by area alone", "score"),
    _measure("psnr_keep", "PSNR", "preservation", True, "dB", True),
    _measure("ssim_keep", "SSIM", "preservation"),
    _measure("shift", "shift", "preservation", False, "px"),
    _measure("shift_columns", "shift to the right", "preservation", None, "px"),
    _measure("shift_rows", "shift down", "preservation", None, "px"),
    _measure("zoom", "zoom", "preservation", None),
    _measure(
        "psnr_keep_registered", "PSNR, registered", "preservation", True, "dB", True
    ),
    _measure("ssim_keep_registered", "SSIM, registered", "preservation"),
    _measure("drift_norm", "drift", "preservation", False, "ΔE"),
    _measure("drift_l", "drift L*", "preservation", None),
    _measure("drift_a", "drift a*", "preservation", None),
    _measure("drift_b", "drift b*", "preservation", None),
    _measure("keep_within_2", "kept within ΔE 2", "preservation"),
    _measure("keep_within_5", "kept within ΔE 5", "preservation"),
    _measure("keep_within_10", "kept within ΔE 10", "preservation"),
    _measure(
        "keep_within_registered_2", "kept within ΔE 2, registered", "preservation"
    ),
    _measure(
        "keep_within_registered_5", "kept within ΔE 5, registered", "preservation"
    ),
    _measure(
        "keep_within_registered_10", "kept within ΔE 10, registered", "preservation"
    ),
    _measure("tile95", "worst tiles", "preservation", False, "ΔE"),
    _measure("worst_tile", "worst tile", "preservation", False, "ΔE"),
    _measure("structure_lost", "structure lost", "preservation", False),
    _measure("share_identical", "bit-identical", "preservation"),
    _measure("l1_source", "L1 photo, rewards doing nothing", "preservation", False),
    _measure("edit_accuracy_2", "edit accuracy, ΔE 2", "edit"),
    _measure("edit_accuracy_5", "edit accuracy, ΔE 5", "edit"),
    _measure("edit_accuracy_10", "edit accuracy, ΔE 10", "edit"),
    _measure("iou_5", "IoU, ΔE 5", "edit"),
    _measure("l1_reference", "L1 reference", "edit", False),
    _measure("l2_reference", "L2 reference", "edit", False),
    _measure("text_cer", "CER", "text", False),
    _measure("text_cer_ceiling", "CER, a perfect edit", "text", None),
    _measure("text_cer_raw", "CER, as it lies", "text", False),
    _measure("text_ned", "NED", "text"),
    _measure("text_exact", "text exact", "text"),
    _measure("price_exact", "price exact", "text"),
    _measure("glyph_iou", "glyph overlap", "text"),
    _measure("keep_text_cer", "CER of kept text", "text", False),
    _measure("keep_text_cer_ceiling", "CER of kept text, unchanged", "text", None),
    _measure("keep_text_cer_raw", "CER of kept text, as it lies", "text", False),
    _measure("keep_glyph_iou", "overlap of kept glyphs", "text"),
    _learned("lpips_keep", "LPIPS kept", "lpips", is_higher_better=False),
    _learned("lpips_edit", "LPIPS edit", "lpips", is_higher_better=False),
    _learned("dino_prod", "DINO product", "dino"),
    _learned("dino_reference", "DINO reference", "dino"),
    _learned("dino_source", "DINO photo, rewards doing nothing", "dino"),
    _learned("clip_i_reference", "CLIP-I reference", "clip_image"),
    _learned("clip_i_source", "CLIP-I photo, rewards doing nothing", "clip_image"),
    _learned("clip_t", "CLIP-T caption", "clip_image", "clip_text"),
    _learned("clip_dir", "CLIP-dir", "clip_image", "clip_text"),
)
"""In the order of reports."""


CEILINGS = {
    "text_cer": "text_cer_ceiling",
    "keep_text_cer": "keep_text_cer_ceiling",
}
"""Error rates to what a perfect edit has: what the reader itself misreads."""


def variant_of(measure: Measure, tools: Mapping[str, Any]) -> str:
    """Names of the weights that measured; empty where none did.

    Args:
      measure: any.
      tools: `provenance["tools"]` of the run.
    """
    learned = tools.get("learned", {})
    names = [learned[model]["name"] for model in measure.models if model in learned]
    return ", ".join(dict.fromkeys(names))


def with_variants(tools: Mapping[str, Any]) -> tuple[Measure, ...]:
    """`MEASURES`, labelled with the weights that measured them.

    Args:
      tools: `provenance["tools"]` of the run.
    """
    return tuple(
        dataclasses.replace(one, label=f"{one.label} ({variant})") if variant else one
        for one in MEASURES
        for variant in (variant_of(one, tools),)
    )


def measure_by_name(name: str) -> Measure:
    """Finds a measure.

    Raises:
      UserError: there is none of this name.
    """
    for measure in MEASURES:
        if measure.name == name:
            return measure
    names = ", ".join(measure.name for measure in MEASURES)
    raise UserError(f"there is no measure {name!r}; the measures are {names}")
