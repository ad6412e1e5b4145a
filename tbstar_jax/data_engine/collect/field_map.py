"""Which column of a foreign set holds what, as data.

A column is named by an expression: `src_img`, a path into nested values
(`conversations.0.value`, `image.-1`), or alternatives of which the first present one
counts (`instruction|prompt`). A list of values counts as several values.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

from tbstar_jax.errors import UserError

MaskKind = Literal["white", "black", "painted", "rle"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldMap:
    """Column expressions by what they hold; empty means that there is none.

    Attributes:
      source: images before the edit, references after the first.
      target: the edited image; empty for photos that wait for their edit.
      mask: what changed, an image or a run-length code, see `mask_kind`.
      mask_kind: `white` or `black` is the colour of what changed; `painted`: what
        changed is transparent, or white, in a copy of the source; `rle`: COCO's code.
      instruction: texts; their language is told by their script.
      inverse: texts that ask for the way back.
      task: a task id, or a name that the set's task names translate.
      scene: texts with the same value belong to one side of a split.
      chain: the name of a multi-turn edit.
      turn: position in the chain.
      first_turn: what the first position is called, 0 or 1.
      turns: a list of mappings, each a row of its own in one chain.
      scores: numbers, or mappings and lists of numbers.
      licence: of the row, where a set mixes several.
      notes: whatever else should be kept in the provenance.
      auxiliary: an object, or JSON of one: what is known about a photo, for whoever
        writes its edit request; see `construct/auxiliary.py`.
      facts: likewise, the words for what is in it; see `facts.py`.
      drop_text: markers that are cut out of texts, e.g. `<image>`.
    """

    source: tuple[str, ...] = ()
    target: str = ""
    mask: str = ""
    mask_kind: MaskKind = "white"
    instruction: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    task: str = ""
    scene: str = ""
    chain: str = ""
    turn: str = ""
    first_turn: int = 0
    turns: str = ""
    scores: tuple[str, ...] = ()
    licence: str = ""
    notes: tuple[str, ...] = ()
    auxiliary: str = ""
    facts: str = ""
    drop_text: tuple[str, ...] = ("<image>",)

    def __post_init__(self) -> None:
        if not self.source and not self.target:
            raise UserError("a field map needs a source (a photo) or a target (a pair)")
        if self.source and self.target and not self.instruction:
            raise UserError("a field map with source and target needs an instruction")

    def image_columns(self) -> tuple[str, ...]:
        """The expressions that hold images."""
        return tuple(e for e in (*self.source, self.target, self.mask) if e)

    def columns(self) -> tuple[str, ...]:
        """All expressions; those inside of `turns` are looked up there first."""
        single = (self.target, self.mask, self.task, self.scene, self.chain, self.turn)
        many = self.source + self.instruction + self.inverse + self.scores + self.notes
        known = (self.turns, self.licence, self.auxiliary, self.facts)
        return tuple(e for e in (*single, *known, *many) if e)

    def names(self) -> tuple[str, ...]:
        """The names of the columns that must be read, without repetition."""
        branches = [b for e in self.columns() for b in e.split("|")]
        heads = [name for b in branches for name in (b, b.split(".")[0])]
        return tuple(dict.fromkeys(heads))


_LISTS = ("source", "instruction", "inverse", "scores", "notes", "drop_text")


def parse_field_map(text: str, base: FieldMap | None = None) -> FieldMap:
    """Reads `source=a+b,target=c,instruction=d|e` as a field map.

    Args:
      text: assignments parted by commas; several columns are joined by `+`, an empty
        value clears a field.
      base: what is kept where `text` names nothing; None: nothing.

    Raises:
      UserError: an assignment is not one, or the fields do not make a map.
    """
    known = {field.name for field in dataclasses.fields(FieldMap)}
    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in known:
            raise UserError(
                f"{part!r} is not a field: write name=column with one of the names "
                f"{', '.join(sorted(known))}"
            )
        given[name] = _parsed(name, value)
    return dataclasses.replace(base, **given) if base else FieldMap(**given)


def _parsed(name: str, value: str) -> Any:
    if name in _LISTS:
        return tuple(filter(None, (piece.strip() for piece in value.split("+"))))
    if name == "first_turn":
        if value not in ("0", "1"):
            raise UserError(f"first_turn is {value!r}, but must be 0 or 1")
        return int(value)
    kinds = get_args(MaskKind)
    if name == "mask_kind" and value not in kinds:
        raise UserError(
            f"mask_kind is {value!r}, but must be one of {', '.join(kinds)}"
        )
    return value


def lookup(values: Mapping[str, Any], expression: str) -> list[Any]:
    """The values an expression names in a row, lists flattened and None left out.

    Args:
      values: a row.
      expression: see above; empty names nothing.
    """
    for branch in expression.split("|") if expression else ():
        found = _flat(_descend(values, branch))
        if found:
            return found
    return []


def _descend(value: Any, path: str) -> Any:
    """Follows a dotted path; names that hold dots themselves win over descending."""
    if not path:
        return value
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        # The longest name that the mapping has, so that `1.0.jpg.x` finds `1.0.jpg`.
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            head = ".".join(parts[:length])
            if head in value:
                return _descend(value[head], ".".join(parts[length:]))
        return None
    if isinstance(value, list | tuple):
        head, _, rest = path.partition(".")
        if head.lstrip("-").isdecimal():
            index = int(head)
            inside = -len(value) <= index < len(value)
            return _descend(value[index], rest) if inside else None
        return [_descend(item, path) for item in value]
    return None


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _flat(item)]
    return [] if value is None else [value]
