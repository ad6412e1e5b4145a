"""A drawing as inline SVG."""

from tbstar_jax.evaluation.report.drawing import (
    LIGHT,
    Dot,
    Drawing,
    Length,
    Line,
    Rect,
    Shape,
)
from tbstar_jax.evaluation.report.markup import Html, join, tag


def svg(drawing: Drawing) -> Html:
    """Draws it; roles of colours are the classes `f-<role>` and `s-<role>`."""
    return tag(
        "svg",
        *map(_shape, drawing.shapes),
        viewBox=f"0 0 {drawing.width:g} {drawing.height:g}",
        width=f"{drawing.width:g}",
        height=f"{drawing.height:g}",
        role="img",
        aria_label=drawing.title,
    )


def _shape(shape: Shape) -> Html:
    match shape:
        case Line():
            return tag(
                "polyline",
                points=" ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points),
                **_stroke(shape.color),
                stroke_width=_n(shape.width),
            )
        case Rect():
            return tag(
                "rect",
                *_hint(shape.hint),
                x=_n(shape.x),
                y=_n(shape.y),
                width=_n(shape.width),
                height=_n(shape.height),
                **_fill(shape.color),
            )
        case Dot():
            paint = _fill(shape.color) if shape.is_filled else _stroke(shape.color)
            return tag(
                "circle",
                *_hint(shape.hint),
                cx=_n(shape.x),
                cy=_n(shape.y),
                r=_n(shape.radius),
                **paint,
            )
    return tag(
        "text",
        shape.text,
        x=_n(shape.x),
        y=_n(shape.y),
        font_size=_n(shape.size),
        text_anchor=shape.anchor,
        font_weight="600" if shape.is_bold else "400",
        **_fill(shape.color),
    )


def _hint(text: str) -> tuple[Html, ...]:
    return (tag("title", text),) if text else ()


def _fill(color: str) -> dict[str, str]:
    return {"class_": f"f-{color}"} if color in LIGHT else {"fill": color}


def _stroke(color: str) -> dict[str, str]:
    paint = {"class_": f"s-{color}"} if color in LIGHT else {"stroke": color}
    return {"fill": "none", **paint}


def _n(value: Length) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def style() -> Html:
    """The rules for the classes; the roles are custom properties of the page."""
    rules = (
        f".f-{role}{{fill:var(--{role})}}.s-{role}{{stroke:var(--{role})}}"
        for role in LIGHT
    )
    return join(Html("".join(rules)))
