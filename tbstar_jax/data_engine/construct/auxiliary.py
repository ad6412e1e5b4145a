"""What is known about a photo beside its pixels, for whoever writes its edit request.

`provenance["auxiliary"]` of a photo holds it, all of it optional:

    category   English noun phrase, e.g. `drinkware`
    counts     English noun -> how many of it are in the photo
    regions    [{"label", "top", "left", "bottom", "right"}], pixels, as `Region`
    tasks      ids of the tasks that suit the photo; without it, all may

and `provenance["facts"]` the words for what is in it (see `facts`). It comes from
detectors, shops' own tables or whoever imported the photo, and keeps a language model
from inventing what to edit.
"""

import dataclasses
import re
from typing import Any

from tbstar_jax.data_engine.construct.protocol import Region
from tbstar_jax.data_engine.facts import (
    MAX_COUNT,
    MAX_LENGTH,
    Facts,
    Position,
    facts_of,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.tasks import task_by_id

MAX_REGIONS = 100
"""Most boxes, and most counted nouns, of a photo."""

_POSITIONS: tuple[tuple[Position, ...], ...] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)
_SIDES = ("top", "left", "bottom", "right")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Auxiliary:
    """What is known about one photo.

    Attributes:
      category: of the product; None when nobody said.
      counts: nouns and how many there are, sorted by noun.
      regions: labelled boxes, all inside the photo.
      tasks: ids that suit the photo; None when all may.
      facts: words for what is in it.
      height: of the photo, in pixels.
      width: likewise.
    """

    category: str | None
    counts: tuple[tuple[str, int], ...]
    regions: tuple[Region, ...]
    tasks: tuple[str, ...] | None
    facts: Facts
    height: int
    width: int

    def regions_like(self, *nouns: str) -> tuple[Region, ...]:
        """The boxes whose label has one of these nouns, as whole words."""
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, nouns))})\b", re.I)
        return tuple(one for one in self.regions if pattern.search(one.label))

    def num_of(self, noun: str) -> int:
        """How many of a thing there are, as far as counts and boxes know."""
        return max(dict(self.counts).get(noun, 0), len(self.regions_like(noun)))

    def position_of(self, region: Region) -> Position:
        """Where the middle of a box lies, the photo divided into three by three."""
        row = (region.top + region.bottom) * 3 // (2 * self.height)
        column = (region.left + region.right) * 3 // (2 * self.width)
        return _POSITIONS[row][column]


def auxiliary_of(record: EditRecord, height: int, width: int) -> Auxiliary:
    """Reads what a photo brings.

    Args:
      record: the photo.
      height: of the photo, in pixels.
      width: likewise.

    Raises:
      UserError: a field that holds what it may not; the sentence names the record.
    """
    values = record.provenance.get("auxiliary", {})
    facts = facts_of(record)
    try:
        if not isinstance(values, dict):
            raise UserError("it must be a JSON object")
        unknown = sorted(set(values) - {"category", "counts", "regions", "tasks"})
        if unknown:
            raise UserError(f"there is no field {unknown[0][:40]!r}")
        return Auxiliary(
            category=_text(values.get("category")),
            counts=_counts(values.get("counts", {})),
            regions=_regions(values.get("regions", []), height, width),
            tasks=_tasks(values.get("tasks")),
            facts=facts,
            height=height,
            width=width,
        )
    except UserError as error:
        raise UserError(
            f"the auxiliary information of record {record.key!r} is not readable: "
            f"{error}"
        ) from error


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise UserError(f"{str(value)[:40]!r} must be one line of visible text")
    if len(value) > MAX_LENGTH:
        raise UserError(f"a text has {len(value)} characters, at most {MAX_LENGTH}")
    return value.strip()


def _counts(values: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(values, dict) or len(values) > MAX_REGIONS:
        raise UserError(f"counts must be an object of at most {MAX_REGIONS} nouns")
    for count in values.values():
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            raise UserError(f"the count {count!r} must be 0 to {MAX_COUNT}")
    return tuple(sorted((_text(noun) or "", count) for noun, count in values.items()))


def _regions(values: Any, height: int, width: int) -> tuple[Region, ...]:
    if not isinstance(values, list) or len(values) > MAX_REGIONS:
        raise UserError(f"regions must be a list of at most {MAX_REGIONS} boxes")
    found = []
    for value in values:
        if not isinstance(value, dict) or set(value) != {"label", *_SIDES}:
            raise UserError(f"a region has label, {', '.join(_SIDES)} and nothing else")
        sides = {side: value[side] for side in _SIDES}
        if any(type(number) is not int for number in sides.values()):
            raise UserError("the sides of a region are whole numbers of pixels")
        region = Region(label=_text(value["label"]) or "", **sides)
        if not region.fits(height, width):
            raise UserError(
                f"the box of {region.label!r} ends at row {region.bottom}, column "
                f"{region.right}, but the photo has {height} rows, {width} columns"
            )
        found.append(region)
    return tuple(found)


def _tasks(values: Any) -> tuple[str, ...] | None:
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise UserError("tasks must be a list of task ids")
    return tuple(task_by_id(value).id for value in values)
