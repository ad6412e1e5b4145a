"""Reading JSON that anybody may have written: the value wanted, or one sentence."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeGuard

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Quad
from tbstar_jax.geometry import Box

_MAX_TEXT = 4000
_MAX_SIDE = 16384
_MAX_ENTRIES = 1000
_LARGEST = 1e9
_CORNERS = "four corners, each a row and a column in pixels"


class Fields:
    """An object of JSON and where it was found."""

    def __init__(self, values: object, where: str) -> None:
        """Takes an object.

        Args:
          values: what JSON gave.
          where: for errors, e.g. `line 3 of cases.jsonl`.

        Raises:
          UserError: it is no object.
        """
        if not isinstance(values, dict):
            raise UserError(f"{where} is no object of JSON but {_shown(values)}")
        self._values: Mapping[str, Any] = values
        self.where = where

    def text(self, name: str, choices: Sequence[str] | None = None) -> str:
        """A text, of some length; one of `choices` if they are given."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
            self.refuse(name, f"a text of 1 to {_MAX_TEXT} characters")
        if choices is not None and value not in choices:
            self.refuse(name, f"one of {', '.join(choices)}")
        return str(value)

    def text_or_none(self, name: str) -> str | None:
        """A text, or null."""
        return None if self._values.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            self.refuse(name, "true or false")
        return bool(value)

    def number(self, name: str, least: int = 0, largest: int = 2**31) -> int:
        """An integer within bounds."""
        value = self._values.get(name)
        if type(value) is not int or not least <= value <= largest:
            self.refuse(name, f"an integer from {least} to {largest}")
        return int(value)

    def color(self, name: str) -> tuple[int, int, int]:
        """Three integers, 0..255."""
        value = self._values.get(name)
        if not _are_integers(value, 3, 255):
            self.refuse(name, "three integers from 0 to 255")
        red, green, blue = value  # type: ignore[misc]
        return red, green, blue

    def size(self, name: str) -> tuple[int, int]:
        """Rows and columns, at least 1."""
        value = self._values.get(name)
        if not _are_integers(value, 2, _MAX_SIDE) or 0 in value:  # type: ignore[operator]
            self.refuse(name, "two integers, rows and columns")
        rows, columns = value  # type: ignore[misc]
        return rows, columns

    def box(self, name: str) -> Box:
        """Top, left, height and width in pixels, not empty."""
        value = self._values.get(name)
        if not _are_integers(value, 4, _MAX_SIDE):
            self.refuse(name, "four integers: top, left, height, width")
        top, left, height, width = value  # type: ignore[misc]
        if height < 1 or width < 1:
            self.refuse(name, "a box that is not empty")
        return Box(top=top, left=left, height=height, width=width)

    def box_or_none(self, name: str) -> Box | None:
        """A box, or null."""
        return None if self._values.get(name) is None else self.box(name)

    def quad(self, name: str) -> Quad:
        """Four corners, each a row and a column in pixels, maybe beyond the canvas."""
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) != 4:
            self.refuse(name, _CORNERS)
        if not all(_are_numbers(one, 2, 2.0 * _MAX_SIDE) for one in value):
            self.refuse(name, _CORNERS)
        first, second, third, fourth = ((float(one[0]), float(one[1])) for one in value)
        return first, second, third, fourth

    def numbers(self, name: str, count: int, largest: float) -> tuple[float, ...]:
        """So many numbers, finite and of at most this size."""
        value = self._values.get(name)
        if not _are_numbers(value, count, largest):
            self.refuse(name, f"{count} numbers from -{largest:g} to {largest:g}")
        return tuple(float(one) for one in value)

    def parameters(self, name: str) -> dict[str, float | str]:
        """An object whose values are numbers or short texts."""
        values = self.object(name)._values
        for key, value in values.items():
            is_text = isinstance(value, str) and max(len(key), len(value)) <= 200
            if not is_text and not _are_numbers([value], 1, _LARGEST):
                self.refuse(name, "an object of finite numbers and short texts")
        if len(values) > _MAX_ENTRIES:
            self.refuse(name, f"an object of at most {_MAX_ENTRIES} values")
        return dict(values)

    def object(self, name: str) -> "Fields":
        """An object within this one."""
        return Fields(self._values.get(name), f"{name!r} in {self.where}")

    def objects(self, name: str) -> list["Fields"]:
        """A list of objects."""
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
            self.refuse(name, f"a list of at most {_MAX_ENTRIES} objects")
        return [
            Fields(one, f"entry {k} of {name!r} in {self.where}")
            for k, one in enumerate(value)
        ]

    def texts(self, name: str) -> dict[str, str]:
        """An object whose values are short texts."""
        values = self.object(name)._values
        for key, value in values.items():
            if not isinstance(value, str) or max(len(key), len(value)) > 200:
                self.refuse(name, "an object of texts of at most 200 characters")
        if len(values) > _MAX_ENTRIES:
            self.refuse(name, f"an object of at most {_MAX_ENTRIES} texts")
        return dict(values)

    def raw(self, name: str) -> Any:
        """The value as it is."""
        return self._values.get(name)

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Raises what is wrong with a field.

        Raises:
          UserError: always.
        """
        found = _shown(self._values.get(name))
        raise UserError(f"{self.where}: {name!r} is {found}, but must be {wanted}")


def _are_integers(value: object, count: int, largest: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(type(one) is int and 0 <= one <= largest for one in value)
    )


def _are_numbers(
    value: object, count: int, largest: float
) -> TypeGuard[list[int | float]]:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(
            type(one) in (int, float) and math.isfinite(one) and abs(one) <= largest
            for one in value
        )
    )


def _shown(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "not finite"
    return repr(value)[:60]
