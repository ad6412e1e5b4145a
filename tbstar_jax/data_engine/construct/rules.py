"""Edit requests by rule, from the auxiliary information alone, without any model.

A rule asks only for what the information supports: a text is replaced where the text
and its box are known, a thing removed where its box is. What it adds (a new colour,
background, text, light) it draws.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from tbstar_jax.data_engine.augment.paraphrase.slots import phrases
from tbstar_jax.data_engine.construct.auxiliary import Auxiliary
from tbstar_jax.data_engine.construct.needs import (
    LIGHTS,
    PLACED,
    missing,
    parameters_of,
)
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    EditRequest,
    Region,
)
from tbstar_jax.data_engine.facts import Facts, Language
from tbstar_jax.data_engine.render.scene import COLORS, FAMILIES, PROPS, SETTINGS

TASKS: tuple[str, ...] = (
    "bg_white",
    "bg_scene",
    "recolor",
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "object_remove",
    "light_shadow",
)
"""Ids of the tasks there is a rule for."""

NEW_TEXTS: dict[Language, tuple[str, ...]] = {
    "en": ("NEW", "SALE", "FRESH", "50% OFF", "BEST", "ONLY 29", "LIMITED"),
    "zh": ("新品", "热卖", "包邮", "限时特惠", "仅售29元", "正品保障"),
}
"""Texts that a text is replaced with."""

_MARKS = ("watermark", "logo overlay")
_TEXTS = ("text", "price", "label", "badge", "slogan")
_PRODUCT = ("product", "商品")

_Item = TypeVar("_Item")


def rule_request(
    task: str, auxiliary: Auxiliary, rng: np.random.Generator
) -> tuple[EditRequest, Facts]:
    """Writes the request for one task.

    Args:
      task: an id in `TASKS`.
      auxiliary: what is known about the photo.
      rng: draws what is new, and the phrasing.

    Returns:
      The request, with an instruction in each language, and the facts it states.

    Raises:
      CannotEdit: there is no rule, or the photo's information does not support it.
    """
    if task not in TASKS:
        raise CannotEdit(f"there is no rule for task {task!r}")
    facts, regions = _completed(task, auxiliary, rng)
    # What is known of a position is the product's; the edit is where its box is.
    position = auxiliary.position_of(regions[0]) if len(regions) == 1 else None
    facts = replace(facts, position=position)
    lacking = missing(task, facts)
    if lacking is not None:
        raise CannotEdit(f"task {task!r} needs the fact {lacking!r} of the photo")
    if task in PLACED and len(regions) != 1:
        raise CannotEdit(
            f"task {task!r} needs one box that is meant; {len(regions)} could be"
        )
    texts = {}
    for language in ("en", "zh"):
        found = phrases(task, facts, language)
        if not found:
            raise CannotEdit(f"the facts fill no {language} phrase of task {task!r}")
        texts[language] = _drawn(found, rng).text
    request = EditRequest(
        task=task,
        instruction_en=texts["en"],
        instruction_zh=texts["zh"],
        regions=regions,
        parameters=parameters_of(facts),
        mask=None,
    )
    return request, facts


def _completed(
    task: str, auxiliary: Auxiliary, rng: np.random.Generator
) -> tuple[Facts, tuple[Region, ...]]:
    """The photo's facts with what the edit makes of them, and where."""
    facts = auxiliary.facts
    product = _named_product(facts)
    match task:
        case "bg_white" | "bg_scene":
            setting = _drawn([one for one in SETTINGS if one.id != "white"], rng)
            tone = _drawn(setting.tones, rng)
            words = (
                setting.noun_en.format(tone=tone.name_en),
                setting.noun_zh.format(tone=tone.name_zh),
            )
            if task == "bg_white":
                words = ("white", "白色")
            product = replace(product, new_background_en=words[0])
            return replace(product, new_background_zh=words[1]), _product_box(auxiliary)
        case "recolor":
            _require_one(auxiliary)
            others = [one for one in COLORS if one.name_en != facts.color_en]
            color = _drawn(others, rng)
            product = replace(product, new_color_en=color.name_en)
            return replace(product, new_color_zh=color.name_zh), _product_box(auxiliary)
        case "light_shadow":
            english, chinese = _drawn(tuple(LIGHTS.values()), rng)
            return replace(product, new_light_en=english, new_light_zh=chinese), ()
        case "watermark_remove":
            mark = facts if facts.text_kind_en in _MARKS else _without_text(facts)
            return mark, auxiliary.regions_like(*_MARKS)
        case "object_remove":
            return _removed(auxiliary, rng)
    facts = _without_text(facts) if facts.text_kind_en in _MARKS else facts
    new = _new_text(task, facts, rng) if task != "text_remove" else None
    return replace(facts, new_text=new), auxiliary.regions_like(*_TEXTS)


def _named_product(facts: Facts) -> Facts:
    """A product without a name is called just that, in both languages."""
    if facts.object_en is not None and facts.object_zh is not None:
        return facts
    return replace(facts, object_en=_PRODUCT[0], object_zh=_PRODUCT[1])


def _without_text(facts: Facts) -> Facts:
    """Without the words of a text that is not the one meant."""
    facts = replace(facts, text=None, text_language=None)
    return replace(facts, text_kind_en=None, text_kind_zh=None)


def _require_one(auxiliary: Auxiliary) -> None:
    name = auxiliary.facts.object_en
    if name is not None and auxiliary.num_of(name) > 1:
        raise CannotEdit(
            f"there are {auxiliary.num_of(name)} of {name!r}; one must be meant"
        )


def _product_box(auxiliary: Auxiliary) -> tuple[Region, ...]:
    """The one box of the product; none where there are several, or no name."""
    name = auxiliary.facts.object_en
    found = auxiliary.regions_like(*([name] if name else []), "product")
    return found if len(found) == 1 else ()


def _removed(
    auxiliary: Auxiliary, rng: np.random.Generator
) -> tuple[Facts, tuple[Region, ...]]:
    """One thing beside the product, whose name both languages know."""
    nouns = {one.name_en: one.name_zh for one in FAMILIES}
    nouns |= {one.name_en: one.name_zh for one in PROPS}
    name = auxiliary.facts.object_en
    things = [
        region
        for region in auxiliary.regions
        if region.label in nouns and region.label != name
    ]
    unique = [
        one for one in things if sum(one.label == two.label for two in things) == 1
    ]
    if not unique:
        raise CannotEdit("no box is of a thing beside the product that has a name")
    region = _drawn(unique, rng)
    facts = Facts(object_en=region.label, object_zh=nouns[region.label])
    if name is not None and auxiliary.facts.object_zh is not None:
        facts = replace(facts, other_object_en=name)
        facts = replace(facts, other_object_zh=auxiliary.facts.object_zh)
    return facts, (region,)


def _new_text(task: str, facts: Facts, rng: np.random.Generator) -> str:
    language: Language = "zh" if task == "text_replace_zh" else "en"
    return _drawn([text for text in NEW_TEXTS[language] if text != facts.text], rng)


def _drawn(items: Sequence[_Item], rng: np.random.Generator) -> _Item:
    return items[int(rng.integers(len(items)))]
