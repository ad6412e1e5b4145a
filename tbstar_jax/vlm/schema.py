"""JSON objects read into dataclasses, strictly; and the JSON schema that asks for them.

Fields may be `str`, `int`, `float`, `bool`, `Literal[...]` of texts, a dataclass,
`tuple[X, ...]` and `X | None`. Nothing is converted: a number in quotes is not a
number, 1 is not true. A whole number is accepted where a float is asked for.
"""

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

_Read = TypeVar("_Read")

_NAMES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}


class NotValidError(ValueError):
    """A JSON value that is not what was asked for; one sentence says where."""


def read_as(cls: type[_Read], value: Any, where: str = "reply") -> _Read:
    """Reads a JSON value as a dataclass.

    Args:
      cls: a dataclass of the field types above.
      value: what `read_json` returned.
      where: how to call it in the error.

    Returns:
      An instance; a field that may be None is None where its key is absent.

    Raises:
      NotValidError: not an object, a key that is unknown or missing, a value of
        another type, or one that the class itself refuses.
    """
    if not isinstance(value, dict):
        raise NotValidError(f"{where} is no object")
    annotations = typing.get_type_hints(cls)
    for key in value:
        if key not in annotations:
            raise NotValidError(f"{where} has the unknown key {key[:40]!r}")
    fields = {}
    for name, annotation in annotations.items():
        if name not in value and _inner(annotation) is None:
            raise NotValidError(f"{where} lacks {name}")
        fields[name] = _read(annotation, value.get(name), f"{where}.{name}")
    try:
        return cls(**fields)
    except ValueError as error:
        raise NotValidError(f"{where}: {error}") from error


def schema_of(cls: type) -> dict[str, Any]:
    """The JSON schema of a dataclass, as strict structured output wants it."""
    annotations = typing.get_type_hints(cls)
    return {
        "type": "object",
        "properties": {name: _schema(one) for name, one in annotations.items()},
        "required": list(annotations),
        "additionalProperties": False,
    }


def _read(annotation: Any, value: Any, where: str) -> Any:
    inner = _inner(annotation)
    if inner is not None:
        return None if value is None else _read(inner, value, where)
    if dataclasses.is_dataclass(annotation):
        return read_as(typing.cast(type, annotation), value, where)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        if not isinstance(value, list):
            raise NotValidError(f"{where} is no list")
        return tuple(
            _read(arguments[0], one, f"{where}[{k}]") for k, one in enumerate(value)
        )
    if origin is typing.Literal:
        if not isinstance(value, str) or value not in arguments:
            raise NotValidError(f"{where} is none of {', '.join(arguments)}")
        return value
    if annotation is float and type(value) is int:
        return _float(value, where)
    if type(value) is not annotation:
        raise NotValidError(f"{where} is no {_NAMES[annotation]}")
    if annotation is str and not _is_text(value):
        raise NotValidError(f"{where} holds characters that are no text")
    return value


def _float(value: int, where: str) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise NotValidError(f"{where} is too large") from error
    assert math.isfinite(number)
    return number


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8 and holds no NUL."""
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _schema(annotation: Any) -> dict[str, Any]:
    inner = _inner(annotation)
    if inner is not None:
        return {"anyOf": [_schema(inner), {"type": "null"}]}
    if dataclasses.is_dataclass(annotation):
        return schema_of(typing.cast(type, annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is typing.Literal:
        return {"type": "string", "enum": list(arguments)}
    return {"type": _NAMES[annotation]}


def _inner(annotation: Any) -> Any | None:
    """X of `X | None`; None for any other annotation."""
    if typing.get_origin(annotation) not in (types.UnionType, typing.Union):
        return None
    (inner,) = [one for one in typing.get_args(annotation) if one is not type(None)]
    return inner
