"""HTML and SVG from text that anybody may have written: escaped unless it is `Html`."""

import math
from html import escape
from typing import TypeAlias

from tbstar_jax.evaluation.run.measures import Measure
from tbstar_jax.evaluation.statistics.resample import Interval

Attribute: TypeAlias = str | int | float | bool

_LONG = 24
"""Characters of a cell above which it is words."""

_VOID = ("img", "meta", "br", "line", "rect", "circle", "polyline")


class Html(str):
    """Text that is markup already; every other string is escaped."""


def tag(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """An element.

    Args:
      name: of the element; void elements take no children.
      children: markup, or text that is escaped.
      attributes: `_` at the end is dropped, other `_` are `-`; True writes the bare
        name, False nothing.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID and not children:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Markup after markup; text is escaped."""
    return Html(
        "".join(one if isinstance(one, Html) else escape(one) for one in children)
    )


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(str(value))}"'


def digits_of(measure: Measure) -> int:
    """Decimals that are shown of a measure."""
    return {"": 3, "dB": 1}.get(measure.unit, 2)


def shown(value: float, digits: int) -> str:
    """A number for people; `n/a` where there is none."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text


def number(value: float, digits: int, key: str) -> Html:
    """A rounded number that carries the exact one.

    Args:
      value: any; NaN is shown as `n/a`.
      digits: decimals that are shown.
      key: what it is: system, measure, slice and end, with `|` between.
    """
    text = shown(value, digits)
    if math.isnan(value):
        return tag("span", text, class_="none")
    return tag("data", text, value=repr(float(value)), data_key=key)


def interval(found: Interval, digits: int, key: str) -> Html:
    """A mean with its interval below; the interval is absent where there is none."""
    mean = number(found.mean, digits, f"{key}|mean")
    if math.isnan(found.low):
        return mean
    low = number(found.low, digits, f"{key}|low")
    high = number(found.high, digits, f"{key}|high")
    return join(mean, tag("small", low, " to ", high))


def table(
    caption: str, heads: list[str], rows: list[list[str]], class_: str = ""
) -> Html:
    """A table whose first column names its rows; wide ones scroll by themselves.

    Args:
      caption: what it holds, read out before it.
      heads: of the columns.
      rows: cells.
      class_: for its looks.
    """
    top = tag("tr", *(tag("th", head, scope="col") for head in heads))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in rows
    ]
    inner = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", top),
        tag("tbody", *body),
        class_=class_,
    )
    return scroll(inner, caption)


def _cell(text: str) -> Html:
    """A cell; words, unlike numbers, may be wrapped, though not to a narrow column."""
    is_words = not isinstance(text, Html) and len(text) > _LONG
    return tag("td", text, class_="words") if is_words else tag("td", text)


def scroll(inner: Html, label: str) -> Html:
    """A box that scrolls sideways, also by keyboard."""
    return tag("div", inner, class_="wide", tabindex=0, role="region", aria_label=label)


def note(text: str) -> Html:
    """A paragraph of explanation."""
    return tag("p", text, class_="note")
