"""How many planted defects the filter catches, and how many clean pairs it accuses.

rows = run_trial(photos, num_pairs=40, side=256, seed=0, profile=STAGE_1)
print(table(rows))
"""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.annotate import KEPT, scores_of
from tbstar_jax.data_engine.filter.align import align
from tbstar_jax.data_engine.filter.decide import decide
from tbstar_jax.data_engine.filter.defects import DEFECTS, Defect, lossy
from tbstar_jax.data_engine.filter.edits import (
    EDITS,
    PAD,
    PlantedPair,
    crop_of,
    feathered,
    with_label,
)
from tbstar_jax.data_engine.filter.method import MeasurePairs, decoded_pair
from tbstar_jax.data_engine.filter.rules import Profile
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import EditRecord

Encoding: TypeAlias = Literal["png", "jpeg", "target_jpeg"]
"""Both images lossless, both JPEG q95 4:4:4, or only the target, as an editor saves."""

_MORE_CLEAN: Mapping[str, tuple[Encoding, bool]] = {
    "jpeg q95 4:4:4": ("jpeg", False),
    "target saved as jpeg q95": ("target_jpeg", False),
    "feathered": ("png", True),
}
"""Clean pairs of all edits that are not equal to the bit: encoding, and whether the
edit fades out over 3 pixels beyond its mask.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRow:
    """What became of the pairs of one kind.

    Attributes:
      name: the defect, or `clean: <edit>`.
      is_clean: whether nothing is wrong with them.
      num_pairs: how many.
      num_caught: how many were not kept.
      num_named: how many were not kept for a right reason.
      statuses: status -> pairs, most frequent first.
      shift_error_p95: 95th percentile of the estimate's error, px; NaN for what is no
        displacement.
    """

    name: str
    is_clean: bool
    num_pairs: int
    num_caught: int
    num_named: int
    statuses: tuple[tuple[str, int], ...]
    shift_error_p95: float

    @property
    def rate(self) -> float:
        """Share caught: the detection rate, or the rate of false alarms."""
        return self.num_caught / self.num_pairs


def run_trial(
    photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    *,
    num_pairs: int,
    side: int,
    seed: int,
    profile: Profile,
    declares_mask: bool = True,
) -> tuple[TrialRow, ...]:
    """Plants every defect, filters, and counts.

    Args:
      photos: real photographs, RGB, larger than `side`.
      num_pairs: per defect and per kind of clean pair.
      side: rows and columns of the pairs.
      seed: decides crops, edits and defects.
      profile: how strictly is decided.
      declares_mask: whether the filter is given the true masks.

    Returns:
      A row per kind of clean pair, then one per defect.
    """
    rows = []
    for name in (*EDITS, *_MORE_CLEAN):
        records = [_clean_record(photos, name, side, seed, k) for k in range(num_pairs)]
        rows.append(_row(f"clean: {name}", records, None, profile, declares_mask))
    for defect in DEFECTS:
        records = [
            _defect_record(photos, defect, side, seed, k) for k in range(num_pairs)
        ]
        rows.append(_row(defect.name, records, defect, profile, declares_mask))
    return tuple(rows)


def false_alarm_rate(rows: Sequence[TrialRow]) -> float:
    """Share of all clean pairs that were not kept."""
    clean = [row for row in rows if row.is_clean]
    return sum(row.num_caught for row in clean) / sum(row.num_pairs for row in clean)


def table(rows: Sequence[TrialRow]) -> str:
    """Writes the rows as a Markdown table."""
    lines = [
        "| pairs | n | not kept | for a right reason | shift error p95, px "
        "| statuses |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        error = "" if math.isnan(row.shift_error_p95) else f"{row.shift_error_p95:.3f}"
        named = "" if row.is_clean else f"{100 * row.num_named / row.num_pairs:.1f} %"
        said = ", ".join(f"{status} {count}" for status, count in row.statuses)
        lines.append(
            f"| {row.name} | {row.num_pairs} | {100 * row.rate:.1f} % | {named} "
            f"| {error} | {said} |"
        )
    return "\n".join(lines) + "\n"


def planted_record(
    pair: PlantedPair, key: str, encoding: Encoding = "png"
) -> EditRecord:
    """Cuts the padding off and encodes a pair."""
    inside = np.s_[PAD:-PAD, PAD:-PAD]
    images = [
        np.ascontiguousarray(image[inside]) for image in (pair.source, pair.target)
    ]
    source, target = (
        lossy(image, "JPEG", 95, subsampling=0) if is_lossy else encode_png(image)
        for image, is_lossy in zip(
            images, (encoding == "jpeg", encoding != "png"), strict=True
        )
    )
    mask = np.ascontiguousarray(pair.mask[inside]).astype(np.uint8) * 255
    boxes = [{"text": "", "box": [x - PAD for x in box]} for box in pair.text_boxes]
    return EditRecord(
        key=key,
        source_images=(source,),
        target_image=target,
        change_mask=encode_png(mask),
        instructions_en=(pair.instruction,),
        instructions_zh=(),
        task=pair.task,
        scene="",
        provenance={"text_boxes": boxes} if boxes else {},
    )


def _clean_record(
    photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    name: str,
    side: int,
    seed: int,
    index: int,
) -> EditRecord:
    key = f"clean {name} {index}"
    rng = record_generator(seed, "trial", key)
    encoding, is_feathered = _MORE_CLEAN.get(name, ("png", False))
    edit = EDITS[name if name in EDITS else _edit_name(tuple(EDITS), photos, index)]
    pair = edit(crop_of(photos[index % len(photos)], side, rng), rng)
    return planted_record(feathered(pair) if is_feathered else pair, key, encoding)


def _edit_name(
    names: Sequence[str], photos: Sequence[UInt8[np.ndarray, "_ _ 3"]], index: int
) -> str:
    """Goes through the photos for every edit."""
    return names[index // len(photos) % len(names)]


def _defect_record(
    photos: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    defect: Defect,
    side: int,
    seed: int,
    index: int,
) -> EditRecord:
    key = f"{defect.name} {index}"
    rng = record_generator(seed, "trial", key)
    names = defect.edits or tuple(EDITS)
    edit = EDITS[_edit_name(names, photos, index)]
    crop = crop_of(photos[index % len(photos)], side, rng)
    pair = with_label(crop, edit, rng) if defect.needs_label else edit(crop, rng)
    return planted_record(defect.plant(pair, rng), key)


def _row(
    name: str,
    records: Sequence[EditRecord],
    defect: Defect | None,
    profile: Profile,
    declares_mask: bool,
) -> TrialRow:
    if not declares_mask:
        records = [dataclasses.replace(record, change_mask=b"") for record in records]
    statuses = filtered_statuses(records, profile)
    rules = defect.rules if defect else ()
    named = [status.partition(":")[2] in rules for status in statuses]
    shift = defect.shift if defect else 0.0
    errors = [_shift_error(record, shift) for record in records] if shift else []
    return TrialRow(
        name=name,
        is_clean=defect is None,
        num_pairs=len(records),
        num_caught=sum(status != KEPT for status in statuses),
        num_named=sum(named),
        statuses=tuple(collections.Counter(statuses).most_common()),
        shift_error_p95=float(np.percentile(errors, 95)) if errors else math.nan,
    )


def filtered_statuses(records: Sequence[EditRecord], profile: Profile) -> list[str]:
    """Measures records and decides, as the engine does, in this process."""
    scores = []
    with MeasurePairs().open() as transform:
        for record in records:
            (measured,) = transform(record, record_generator(0, "filter", record.key))
            assert isinstance(measured, EditRecord), measured
            scores.append(scores_of(measured))
    names = sorted({name for one in scores for name in one})
    columns = {
        name: np.array([one.get(name, math.nan) for one in scores]) for name in names
    }
    tasks = np.array([record.task for record in records])
    return [str(status) for status in decide(columns, tasks, profile)]


def _shift_error(record: EditRecord, shift: float) -> float:
    """Error of the estimated length, px; what could not be measured errs by all."""
    source, target, mask = decoded_pair(record)
    found = align(source, target, mask).shift
    return shift if math.isnan(found) else abs(found - shift)
