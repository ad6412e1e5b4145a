"""Configuration as values: overrides, JSON and a digest for frozen dataclasses.

A config is a tree of frozen keyword-only dataclasses whose leaves are annotated with
`int`, `float`, `bool`, `str`, `Path`, `Literal[...]`, `X | None`, `tuple[X, ...]` or
`tuple[X, Y]`, where `X` may itself be a config, or `X | Y` of configs told apart by
their fields. Everything here reads those annotations, so a field is declared once:

    config = apply_overrides(config, ["optimizer.clip_norm=0.5", "seed=3"])
    assert from_json(TrainConfig, to_json(config)) == config

A field whose name Python reserves has a trailing underscore in code and none in writing
(`as_`, written `as`).

What a user can get wrong (a name, a value, a file) is a `UserError`; an annotation
this module does not know is a `TypeError`, because only we can write one.
"""

import dataclasses
import difflib
import functools
import hashlib
import json
import keyword
import math
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tbstar_jax.errors import UserError

_Config = TypeVar("_Config")

_BOOLEANS = {"true": True, "false": False}


def apply_overrides(config: _Config, assignments: Sequence[str]) -> _Config:
    """Replaces leaves of a config by `path.to.field=value` texts.

    All assignments are collected first and applied at once, from the leaves up, so a
    cross-field check sees the final values, whatever the order of the flags.

    Args:
      config: a frozen dataclass.
      assignments: texts as given to `--set`. Booleans are `true` or `false`, an absent
        optional value is `none`, tuples are comma-separated or a JSON list.

    Returns:
      A config of the same class.

    Raises:
      UserError: a path that does not exist (naming the nearest one), a path given
        twice, a value its annotation does not accept, or values that contradict each
        other.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        path = path.strip()
        if not separator or not path:
            raise UserError(
                f"cannot read the override {assignment!r}; write it as "
                "path.to.field=value"
            )
        if path in changes:
            raise UserError(f"{path} is set twice; keep one of the two overrides")
        changes[path] = _parse(_leaf_annotation(config, path), text.strip(), path)
    return _replace(config, changes)


def leaf_paths(config: Any) -> list[str]:
    """Lists the dotted path of every leaf of a config, in declaration order."""
    paths: list[str] = []
    for name, value in _items(config):
        if dataclasses.is_dataclass(value):
            paths.extend(f"{name}.{path}" for path in leaf_paths(value))
        else:
            paths.append(name)
    return paths


def to_dict(config: Any) -> dict[str, Any]:
    """Turns a config into nested dicts of JSON values (paths become texts)."""
    return {name: _to_plain(value) for name, value in _items(config)}


def from_dict(cls: type[_Config], values: dict[str, Any]) -> _Config:
    """Builds a config from `to_dict`'s result.

    Args:
      cls: the config class.
      values: nested dicts, with no key that is not a field, and every field but those
        that are None unless given: a config may gain such a field after it was stored.

    Raises:
      UserError: an unknown or missing key, or a value of the wrong type, by path.
    """
    return _from_plain(cls, values, path="")


def to_json(config: Any) -> str:
    """Writes a config as indented JSON with keys in declaration order."""
    return json.dumps(to_dict(config), indent=2, ensure_ascii=False) + "\n"


def from_json(cls: type[_Config], text: str) -> _Config:
    """Reads `to_json`'s result.

    Raises:
      UserError: text that is not JSON, or does not describe a `cls`.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"the {cls.__name__} is not valid JSON: {error}") from error
    return from_dict(cls, values)


def digest(config: Any) -> str:
    """Names a config's content: hexadecimal SHA-256 of its canonical JSON."""
    text = json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _items(config: Any) -> list[tuple[str, Any]]:
    """Every field's name, as written, and its value."""
    fields = dataclasses.fields(config)
    return [(_written(field.name), getattr(config, field.name)) for field in fields]


def _written(name: str) -> str:
    return name[:-1] if keyword.iskeyword(name[:-1]) else name


def _in_code(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _leaf_annotation(config: Any, path: str) -> Any:
    """Returns the annotation at a dotted path of an existing leaf."""
    node = config
    *groups, leaf = path.split(".")
    for name in groups:
        if name not in dict(_items(node)):
            raise _unknown_path(config, path)
        node = getattr(node, _in_code(name))
        if not dataclasses.is_dataclass(node):
            raise _unknown_path(config, path)
    if leaf not in dict(_items(node)):
        raise _unknown_path(config, path)
    value = getattr(node, _in_code(leaf))
    if dataclasses.is_dataclass(value):
        inside = ", ".join(f"{path}.{name}" for name in leaf_paths(value))
        raise UserError(f"{path} is a group of settings; set one of {inside}")
    return typing.get_type_hints(type(node))[_in_code(leaf)]


def _unknown_path(config: Any, path: str) -> UserError:
    paths = leaf_paths(config)
    wanted = path.rpartition(".")[2]

    def likeness(candidate: str) -> tuple[float, float]:
        # A right field name in the wrong group must beat a similar-looking path.
        leaf = candidate.rpartition(".")[2]
        whole = difflib.SequenceMatcher(None, path, candidate).ratio()
        return whole + (0.5 if leaf == wanted else 0.0), whole

    nearest = max(paths, key=likeness)
    return UserError(f"there is no setting {path}; the nearest is {nearest}")


def _replace(config: Any, changes: dict[str, Any]) -> Any:
    """Returns the config with changes by dotted path, rebuilt from the leaves up."""
    direct: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        head, separator, rest = path.partition(".")
        if separator:
            nested.setdefault(head, {})[rest] = value
        else:
            direct[_in_code(head)] = value
    for name, inner in nested.items():
        direct[_in_code(name)] = _replace(getattr(config, _in_code(name)), inner)
    return _build(lambda: dataclasses.replace(config, **direct))


def _build(make: Callable[[], Any]) -> Any:
    """Calls a constructor; its cross-field `ValueError` becomes a `UserError`."""
    try:
        return make()
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error


def _optional_inner(annotation: Any) -> Any | None:
    """Returns `X` of `X | None`, or None for an annotation that is not optional."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    inner = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"a config field cannot be annotated {annotation}")
    return inner[0]


def _is_choice_of_configs(annotation: Any) -> bool:
    """Whether this is `X | Y` of two or more configs."""
    choices = typing.get_args(annotation)
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return is_union and all(dataclasses.is_dataclass(choice) for choice in choices)


def _fitting_config(annotation: Any, value: Any, path: str) -> Any:
    """The config among several whose fields are the keys of a JSON value."""
    if not isinstance(value, dict):
        raise UserError(f"{path} is {value!r}; it must be an object")
    names = {
        choice: {_written(field.name) for field in dataclasses.fields(choice)}
        for choice in typing.get_args(annotation)
    }
    # The error for a key that fits none is then the nearest choice's.
    return max(names, key=lambda choice: -len(names[choice] ^ value.keys()))


def _element_annotations(annotation: Any, count: int) -> list[Any] | None:
    """Returns one annotation per element, or None when the count does not fit."""
    args = list(typing.get_args(annotation))
    if len(args) == 2 and args[1] is Ellipsis:
        return [args[0]] * count
    return args if len(args) == count else None


def _parse(annotation: Any, text: str, path: str) -> Any:
    """Reads the text of an override as its field's annotation says."""
    inner = _optional_inner(annotation)
    if inner is not None:
        return None if text.lower() == "none" else _parse(inner, text, path)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        by_text = {str(choice): choice for choice in typing.get_args(annotation)}
        if text not in by_text:
            raise UserError(f"{path} is {text!r}; it must be one of {_list(by_text)}")
        return by_text[text]
    if origin is tuple:
        return _parse_tuple(annotation, text, path)
    if annotation is bool:
        if text.lower() not in _BOOLEANS:
            raise UserError(f"{path} is {text!r}; it must be true or false")
        return _BOOLEANS[text.lower()]
    if annotation in (int, float):
        return _parse_number(annotation, text, path)
    if annotation in (str, Path):
        return annotation(text)
    if dataclasses.is_dataclass(annotation):
        return _from_plain(annotation, _read_json(text, path), path, is_typed=True)
    raise TypeError(f"{path} has an annotation that cannot be set: {annotation}")


def _parse_number(annotation: type, text: str, path: str) -> int | float:
    kind = "whole number" if annotation is int else "finite number"
    try:
        value = annotation(text)
    except ValueError:
        raise UserError(f"{path} is {text!r}; it must be a {kind}") from None
    if not math.isfinite(value):
        raise UserError(f"{path} is {text!r}; it must be a {kind}")
    return value


def _parse_tuple(annotation: Any, text: str, path: str) -> tuple[Any, ...]:
    if text.startswith("["):
        return _from_plain(annotation, _read_json(text, path), path, is_typed=True)
    parts = [part.strip() for part in text.split(",")] if text else []
    annotations = _element_annotations(annotation, len(parts))
    if annotations is None:
        raise _wrong_count(annotation, len(parts), path)
    pairs = zip(annotations, parts, strict=True)
    return tuple(_parse(inner, part, path) for inner, part in pairs)


def _read_json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def _wrong_count(annotation: Any, count: int, path: str) -> UserError:
    expected = len(typing.get_args(annotation))
    return UserError(f"{path} has {count} elements; it must have {expected}")


def _to_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_to_plain(element) for element in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a config cannot hold a {type(value).__name__}: {value!r}")


def _from_plain(
    annotation: Any, value: Any, path: str, *, is_typed: bool = False
) -> Any:
    """Checks a JSON value against an annotation and converts it.

    What somebody typed may leave out every field that has a default; what was stored
    may not, or a changed default would change the past.
    """
    read = functools.partial(_from_plain, is_typed=is_typed)
    if _is_choice_of_configs(annotation):
        return read(_fitting_config(annotation, value, path), value, path)
    inner = _optional_inner(annotation)
    if inner is not None:
        return None if value is None else read(inner, value, path)
    if dataclasses.is_dataclass(annotation):
        return _dataclass_from_plain(annotation, value, path, is_typed=is_typed)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        # `True == 1`, so a choice must also agree in type.
        if not any(type(value) is type(c) and value == c for c in choices):
            raise UserError(f"{path} is {value!r}; it must be one of {_list(choices)}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise UserError(f"{path} is {value!r}; it must be a list")
        annotations = _element_annotations(annotation, len(value))
        if annotations is None:
            raise _wrong_count(annotation, len(value), path)
        pairs = enumerate(zip(annotations, value, strict=True))
        return tuple(read(a, v, f"{path}[{i}]") for i, (a, v) in pairs)
    if annotation is Path and isinstance(value, str):
        return Path(value)
    if annotation is float and type(value) is int:
        return float(value)
    if annotation not in (bool, int, float, str, Path):
        raise TypeError(f"{path} has an annotation that cannot be read: {annotation}")
    if type(value) is not annotation:
        raise UserError(f"{path} is {value!r}; it must be a {annotation.__name__}")
    return value


def _dataclass_from_plain(cls: Any, value: Any, path: str, *, is_typed: bool) -> Any:
    where = path or cls.__name__
    if not isinstance(value, dict):
        raise UserError(f"{where} is {value!r}; it must be an object")
    annotations = typing.get_type_hints(cls)
    fields = {_written(field.name): field for field in dataclasses.fields(cls)}
    names = list(fields)
    unknown = [key for key in value if key not in names]
    if unknown:
        raise UserError(
            f"{where} has the unknown key {unknown[0]!r}; it may have {_list(names)}"
        )
    missing = [
        name
        for name in names
        if name not in value and not _may_be_absent(fields[name], is_typed)
    ]
    if missing:
        raise UserError(f"{where} lacks {_list(missing)}")
    prefix = f"{path}." if path else ""
    arguments = {
        _in_code(name): _from_plain(
            annotations[_in_code(name)], value[name], prefix + name, is_typed=is_typed
        )
        for name in names
        if name in value
    }
    return _build(lambda: cls(**arguments))


def _may_be_absent(field: dataclasses.Field[Any], is_typed: bool) -> bool:
    if not is_typed:
        return field.default is None
    absent = dataclasses.MISSING
    return field.default is not absent or field.default_factory is not absent


def _list(names: Iterable[Any]) -> str:
    return ", ".join(str(name) for name in names)
