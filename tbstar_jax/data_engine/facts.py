"""What is true of an edit, in words: the slots instructions are written from.

`provenance["facts"]` of a record holds them as a flat JSON object without nulls. Who
makes a pair and knows what it shows (a renderer, a template, an annotated import) fills
in what it knows and nothing else; who writes instructions never guesses the rest. Names
come in pairs, `*_en` and `*_zh`; a field without prefix is the state in the source, and
`new_*` the state in the target, so that an edit is undone by swapping the two.

What the fields mean by task:

    bg_white, bg_scene   object (the product kept), background -> new_background
    recolor              object, color -> new_color
    material             object, material -> new_material
    watermark_remove     text (what it says), text_kind, object (what it lies over)
    text_remove          text, text_kind, object, position
    text_replace_*       text -> new_text, text_kind, object
    text_add             new_text, text_kind, object, position
    object_add/_remove   object and its color, other_object (what it stands beside)
    object_replace       object, color -> new_object, new_color
    light_shadow         light -> new_light
    outpaint             direction, new_background
    layout               object, layout -> new_layout, count -> new_count, new_size
    repair_zoom          object, defect (what is repaired) or new_size (zoomed in)
    move                 object, direction, position -> new_position
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

MAX_LENGTH = 200
"""Longest text of a field, in characters."""

MAX_COUNT = 10_000
"""Largest count."""

Language: TypeAlias = Literal["en", "zh"]

Position: TypeAlias = Literal[
    "left",
    "right",
    "top",
    "bottom",
    "center",
    "top left",
    "top right",
    "bottom left",
    "bottom right",
]
"""Where a thing is in the picture, as the viewer sees it."""

Direction: TypeAlias = Literal["left", "right", "up", "down", "all sides"]
"""Where a thing moves, or a picture grows, as the viewer sees it."""

SizeChange: TypeAlias = Literal["larger", "smaller"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """The words of an edit; None is not known, or does not apply.

    Attributes:
      object_en, object_zh: noun of what is edited, without article or colour.
      color_en, color_zh: its colour in the source (of an added thing: its colour).
      new_color_en, new_color_zh: its colour in the target.
      material_en, material_zh: its material in the source, e.g. `glass`.
      new_material_en, new_material_zh: its material in the target.
      new_object_en, new_object_zh: noun of what takes its place.
      other_object_en, other_object_zh: noun of what stands beside it and is kept.
      background_en, background_zh: noun phrase, e.g. `wooden table`.
      new_background_en, new_background_zh: noun phrase of the target's background.
      light_en, light_zh: noun phrase, e.g. `soft light from the left`.
      new_light_en, new_light_zh: noun phrase of the target's light.
      layout_en, layout_zh: noun phrase, e.g. `a single row`.
      new_layout_en, new_layout_zh: noun phrase of the target's arrangement.
      defect_en, defect_zh: noun of what is wrong in the source, e.g. `scratch`.
      text_kind_en, text_kind_zh: noun of the text itself, not of what it stands on,
        e.g. `watermark`, `headline`, `label text`, `price`.
      text: what is written in the source, verbatim.
      new_text: what is written in the target, verbatim.
      text_language: the language `text` is written in.
      new_text_language: the language `new_text` is written in.
      position: where the thing edited is in the source (of an added one: where it
        is put).
      new_position: where it is in the target, if it moved.
      direction: where it moves, or the picture grows.
      new_size: how its size changes.
      count: how many there are in the source.
      new_count: how many there are in the target.
      brands: names that every instruction which has them must keep verbatim.
    """

    object_en: str | None = None
    object_zh: str | None = None
    color_en: str | None = None
    color_zh: str | None = None
    new_color_en: str | None = None
    new_color_zh: str | None = None
    material_en: str | None = None
    material_zh: str | None = None
    new_material_en: str | None = None
    new_material_zh: str | None = None
    new_object_en: str | None = None
    new_object_zh: str | None = None
    other_object_en: str | None = None
    other_object_zh: str | None = None
    background_en: str | None = None
    background_zh: str | None = None
    new_background_en: str | None = None
    new_background_zh: str | None = None
    light_en: str | None = None
    light_zh: str | None = None
    new_light_en: str | None = None
    new_light_zh: str | None = None
    layout_en: str | None = None
    layout_zh: str | None = None
    new_layout_en: str | None = None
    new_layout_zh: str | None = None
    defect_en: str | None = None
    defect_zh: str | None = None
    text_kind_en: str | None = None
    text_kind_zh: str | None = None
    text: str | None = None
    new_text: str | None = None
    text_language: Language | None = None
    new_text_language: Language | None = None
    position: Position | None = None
    new_position: Position | None = None
    direction: Direction | None = None
    new_size: SizeChange | None = None
    count: int | None = None
    new_count: int | None = None
    brands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks types and values, since records may come from anywhere.

        Raises:
          UserError: a field holds what it may not.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                _check(field.name, value)

    def to_json(self) -> dict[str, Any]:
        """The fields that are known, as `provenance["facts"]` holds them."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        brands = list(values.pop("brands"))
        known = {name: value for name, value in values.items() if value is not None}
        return known | ({"brands": brands} if brands else {})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Facts":
        """Reads what `to_json` wrote.

        Raises:
          UserError: an unknown field, or one that holds what it may not.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(str(name) for name in values if name not in names)
        if unknown:
            raise UserError(
                f"facts have no field {unknown[0][:40]!r}; the fields are "
                f"{', '.join(sorted(names))}"
            )
        fields = dict(values)
        if isinstance(fields.get("brands"), list):
            fields["brands"] = tuple(fields["brands"])
        for name, value in fields.items():
            _check(name, value)
        return cls(**fields)


def facts_of(record: EditRecord) -> Facts:
    """The facts a record brings; all None where it brings none.

    Raises:
      UserError: they are not readable.
    """
    values = record.provenance.get("facts", {})
    if not isinstance(values, dict):
        raise UserError(
            f"the facts of record {record.key!r} are a {type(values).__name__}, "
            "but must be a JSON object"
        )
    try:
        return Facts.from_json(values)
    except UserError as error:
        raise UserError(f"record {record.key!r}: {error}") from error


def with_facts(record: EditRecord, facts: Facts) -> EditRecord:
    """The record with these facts instead of those it has."""
    return annotated(record, facts=facts.to_json())


_CHOICES: dict[str, tuple[str, ...]] = {
    "text_language": get_args(Language),
    "new_text_language": get_args(Language),
    "position": get_args(Position),
    "new_position": get_args(Position),
    "direction": get_args(Direction),
    "new_size": get_args(SizeChange),
}


def _check(name: str, value: object) -> None:
    shown = repr(value)[:60]
    if name in ("count", "new_count"):
        if type(value) is not int or not 0 <= value <= MAX_COUNT:
            raise UserError(f"{name} is {shown}, but must be 0 to {MAX_COUNT}")
    elif name == "brands":
        if not isinstance(value, tuple):
            raise UserError(f"brands are {shown}, but must be a list of names")
        for brand in value:
            _check_text(name, brand)
    else:
        _check_text(name, value)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise UserError(
                f"{name} is {shown}, but must be one of {', '.join(_CHOICES[name])}"
            )


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise UserError(
            f"{name} is {repr(value)[:60]}, but must be one line of visible text"
        )
    if len(value) > MAX_LENGTH:
        raise UserError(
            f"{name} has {len(value)} characters, but may have {MAX_LENGTH}"
        )
