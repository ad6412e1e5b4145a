"""From facts to phrases: which slots are known, and which phrases they fill."""

import dataclasses
import string
from collections.abc import Mapping

from tbstar_jax.data_engine.augment.paraphrase.counterparts import with_counterparts
from tbstar_jax.data_engine.augment.paraphrase.grammar_en import (
    ENGLISH,
    Grammar,
    Style,
)
from tbstar_jax.data_engine.augment.paraphrase.grammar_zh import CHINESE
from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.tasks import task_by_id


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phrase:
    """One way to say a request.

    Attributes:
      style: its manner.
      text: ready to be used.
    """

    style: Style
    text: str


WHERE: dict[Language, dict[str, str]] = {
    "en": {
        "left": "on the left",
        "right": "on the right",
        "top": "at the top",
        "bottom": "at the bottom",
        "center": "in the center",
        "top left": "in the top left corner",
        "top right": "in the top right corner",
        "bottom left": "in the bottom left corner",
        "bottom right": "in the bottom right corner",
    },
    "zh": {
        "left": "左侧",
        "right": "右侧",
        "top": "上方",
        "bottom": "下方",
        "center": "中间",
        "top left": "左上角",
        "top right": "右上角",
        "bottom left": "左下角",
        "bottom right": "右下角",
    },
}
"""What a position is called."""

WAY: dict[Language, dict[str, str]] = {
    "en": {
        "left": "to the left",
        "right": "to the right",
        "up": "upwards",
        "down": "downwards",
        "all sides": "on all sides",
    },
    "zh": {
        "left": "向左",
        "right": "向右",
        "up": "向上",
        "down": "向下",
        "all sides": "向四周",
    },
}
"""What a direction is called."""

_SCALE_ZH = {"larger": "放大", "smaller": "缩小"}


def phrases(task: str, facts: Facts, language: Language) -> tuple[Phrase, ...]:
    """All phrasings of a request that the facts allow, in the grammar's order.

    Args:
      task: an id of `tbstar_jax/tasks.py`.
      facts: what is known about the edit; what `counterparts` can translate need be
        known in one language only.
      language: of the phrases.

    Returns:
      Distinct phrases; none where the facts do not name what the task needs.

    Raises:
      UserError: no task has this id.
    """
    task_by_id(task)
    grammar: Grammar = ENGLISH if language == "en" else CHINESE
    slots = _slots(with_counterparts(facts), language)
    entry = "text_replace_en" if task == "text_replace_zh" else task
    found: dict[str, Phrase] = {}
    for style, templates in grammar[entry].items():
        for template in templates:
            names = slot_names(template)
            is_filled = names <= slots.keys()
            if is_filled and _names_enough(task, facts, names):
                text = template.format_map(slots)
                found.setdefault(text, Phrase(style=style, text=text))
    return tuple(found.values())


def slot_names(template: str) -> frozenset[str]:
    """The slots of a phrase of the grammar."""
    parts = string.Formatter().parse(template)
    return frozenset(name for _, name, _, _ in parts if name)


def _names_enough(task: str, facts: Facts, names: frozenset[str]) -> bool:
    """Whether a phrase with these slots stands for this edit and no other."""
    if task == "text_add" and "watermark" in (facts.text_kind_en or "").lower():
        # A watermark is not just written somewhere.
        return not names.isdisjoint({"kind", "a_kind"})
    # Where only some of several things come or go, a phrase must say how many.
    is_counted = bool(facts.count) and bool(facts.new_count)
    return not is_counted or facts.count == facts.new_count or "new_count" in names


def _slots(facts: Facts, language: Language) -> dict[str, str]:
    named = {
        field.name.removesuffix(f"_{language}"): getattr(facts, field.name)
        for field in dataclasses.fields(facts)
        if field.name.endswith(f"_{language}")
    }
    slots = {name: value for name, value in named.items() if value is not None}
    _rename(slots, "other_object", "other")
    _rename(slots, "text_kind", "kind")
    _split_meanings(slots)
    if "object" in slots:
        slots["thing"] = _with_color(slots.get("color"), slots["object"], language)
    if "new_object" in slots:
        slots["new_thing"] = _with_color(
            slots.get("new_color"), slots["new_object"], language
        )
    if language == "en":
        for name in ("thing", "new_thing", "kind", "new_background"):
            if name in slots:
                slots[f"a_{name}"] = _with_article(slots[name])
    return slots | _shared_slots(facts, language)


def _split_meanings(slots: dict[str, str]) -> None:
    """Gives shadows and plain arrangements slots of their own."""
    lights = [slots[name] for name in ("light", "new_light") if name in slots]
    if any("shadow" in light or "影" in light for light in lights):
        _rename(slots, "light", "shadow")
        _rename(slots, "new_light", "new_shadow")
    # "a single row", but not "the badge on the left and the logo on the right".
    arrangements = [slots[name] for name in ("layout", "new_layout") if name in slots]
    marks = (",", "，", "、", *((slots["object"],) if "object" in slots else ()))
    if not any(mark in text for text in arrangements for mark in marks):
        for old, new in (("layout", "shape"), ("new_layout", "new_shape")):
            if old in slots:
                slots[new] = slots[old]


def _shared_slots(facts: Facts, language: Language) -> dict[str, str]:
    """Slots that are made from fields without a language."""
    # Of a short move both ends may lie in the same part of the picture.
    moves = facts.position != facts.new_position
    made: Mapping[str, str | None] = {
        "text": quoted(facts.text, language) if facts.text else None,
        "new_text": quoted(facts.new_text, language) if facts.new_text else None,
        "where": WHERE[language].get(facts.position or ""),
        "new_where": WHERE[language].get(facts.new_position or "") if moves else None,
        "way": WAY[language].get(facts.direction or ""),
        "size": facts.new_size if language == "en" else None,
        "larger": "larger" if facts.new_size == "larger" else None,
        "scale": _SCALE_ZH.get(facts.new_size or ""),
        "enlarge": "放大" if facts.new_size == "larger" else None,
        "count": None if facts.count is None else str(facts.count),
        "new_count": None if facts.new_count is None else str(facts.new_count),
    }
    return {name: value for name, value in made.items() if value is not None}


def _rename(slots: dict[str, str], old: str, new: str) -> None:
    if old in slots:
        slots[new] = slots.pop(old)


def _with_color(color: str | None, thing: str, language: Language) -> str:
    if color is None:
        return thing
    return f"{color} {thing}" if language == "en" else f"{color}{thing}"


def _with_article(noun: str) -> str:
    if noun.split()[0].lower() in ("a", "an", "the"):
        return noun
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def quoted(text: str, language: Language) -> str:
    """A text in the quotation marks of a language, or in the other's, if it has some.

    Args:
      text: what is written, verbatim.
      language: of the sentence around it.
    """
    straight, curly = f'"{text}"', f"“{text}”"
    if language == "en":
        return straight if '"' not in text else curly
    return curly if not {"“", "”"} & set(text) else straight
