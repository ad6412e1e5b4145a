"""Settings that a user writes in YAML or JSON, read into a config."""

import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tbstar_jax.config import from_dict, to_dict
from tbstar_jax.errors import UserError
from tbstar_jax.vlm.strict_json import read_json

_MAX_BYTES = 1 << 20

_Config = TypeVar("_Config")


def read_settings(path: Path, cls: type[_Config], noun: str) -> _Config:
    """Reads a YAML file, or a JSON file of the same keys.

    Args:
      path: of the file; `.json` is JSON.
      cls: a frozen dataclass; fields that are dataclasses, or None, are sections.
      noun: what it describes, e.g. `judge`.

    Raises:
      UserError: not readable, an unknown key (naming the nearest) or a wrong value.
    """
    values = _values_in(path, noun)
    try:
        return from_dict(cls, _with_defaults(cls, values, f"the {noun}"))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _values_in(path: Path, noun: str) -> Any:
    try:
        data = path.read_bytes()
        text = data.decode()
    except FileNotFoundError as error:
        raise UserError(
            f"there is no file {path}; it should hold the settings of the {noun}, in "
            "YAML or JSON"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error.reason}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} has {len(data)} bytes; no {noun} needs so many")
    is_json = path.suffix == ".json"
    try:
        return read_json(text) if is_json else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        kind = "JSON" if is_json else "YAML"
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} is no {kind}: {reason}") from error


def _with_defaults(cls: type, values: Any, where: str) -> dict[str, Any]:
    """Adds what a user may leave out."""
    if not isinstance(values, dict):
        raise UserError(f"{where} is no mapping of names to values")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=2, cutoff=0.0)
            raise UserError(
                f"{where} has no setting {str(key)[:40]!r}; the nearest are "
                f"{' and '.join(near)}"
            )
    complete = {
        name: _plain(field.default)
        for name, field in fields.items()
        if field.default is not dataclasses.MISSING
    } | values
    for name, annotation in typing.get_type_hints(cls).items():
        section = _section(annotation)
        if section is not None and complete.get(name) is not None:
            complete[name] = _with_defaults(section, complete[name], name)
    return complete


def _section(annotation: Any) -> type | None:
    """The dataclass that a field holds, perhaps beside None."""
    for one in (annotation, *typing.get_args(annotation)):
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            return one
    return None


def _plain(value: Any) -> Any:
    return to_dict(value) if dataclasses.is_dataclass(value) else value
