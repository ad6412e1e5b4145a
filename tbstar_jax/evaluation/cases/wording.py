"""Instructions in both languages that say the same, in four styles.

Phrases are the benchmark's own, not those that training pairs are asked with. A core
clause names everything the reference depends on: which thing, which text, which colour,
where, how much. `terse` has a form of its own; `merchant` and `verbose` wrap the core.
Slots are those of `data_engine.layout.requests.slots`, with some more, see `_slots`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout.requests import slots
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.cases.draft import Ask
from tbstar_jax.evaluation.cases.phrases import PHRASES

Style: TypeAlias = Literal["imperative", "merchant", "terse", "verbose"]

STYLES: tuple[Style, ...] = ("imperative", "merchant", "terse", "verbose")

_MERCHANT: tuple[tuple[str, str], ...] = (
    ("For our shop listing, please {core}.", "店铺上新用图，麻烦{core}。"),
    (
        "Hi, for the product page please {core}, thanks!",
        "您好，详情页要用，请{core}，谢谢！",
    ),
    ("We are updating our store: please {core}.", "我们在更新店铺，请{core}。"),
)

_VERBOSE: tuple[tuple[str, str], ...] = (
    (
        "This is a product picture. Please {core}. Everything that this does not "
        "concern should stay exactly as it is: same place, same size, same details.",
        "这是一张商品图片。请{core}。与此无关的内容都要保持原样：位置、大小和细节都不变。",
    ),
    (
        "I would like you to {core}. Take care that nothing else in the picture is "
        "moved, resized or redrawn.",
        "我想请你{core}。注意不要移动、缩放或重画画面中的其他内容。",
    ),
)

_VERBOSE_CLOSEUP: tuple[tuple[str, str], ...] = (
    (
        "This is a product picture. Please {core}. Nothing in it should be redrawn: "
        "same things, same colors, same details, in a picture of the same size.",
        "这是一张商品图片。请{core}。不要重画其中的任何内容：物品、颜色和细节都不变，图片尺寸也不变。",
    ),
    (
        "I would like you to {core}. Take care that all that is shown looks as it "
        "does now, only sharper, and that the picture keeps its size.",
        "我想请你{core}。注意所见内容要和现在一样，只是更清晰，图片尺寸保持不变。",
    ),
)
"""Of an edit that leaves nothing in its place."""


def instructions(
    asks: Sequence[Ask], style: Style, rng: np.random.Generator
) -> dict[Language, str]:
    """Words an edit, or several in one sentence.

    Args:
      asks: what is asked for, at least one.
      style: how.
      rng: chooses among phrasings.

    Returns:
      One instruction per language.
    """
    if style == "terse":
        terse = [fill(PHRASES[ask.wording].terse, ask) for ask in asks]
        return {
            "en": "; ".join(english for english, _ in terse),
            "zh": "；".join(chinese for _, chinese in terse),
        }
    cores = [fill(choose(rng, PHRASES[ask.wording].cores), ask) for ask in asks]
    english, chinese = _joined(cores)
    match style:
        case "merchant":
            frame = choose(rng, _MERCHANT)
        case "verbose":
            is_closeup = any(ask.wording == "closeup" for ask in asks)
            frame = choose(rng, _VERBOSE_CLOSEUP if is_closeup else _VERBOSE)
        case _:
            frame = ("{core}.", "{core}。")
    # Texts may hold braces, so the frames are not format strings of what they carry.
    said = frame[0].replace("{core}", english), frame[1].replace("{core}", chinese)
    return {"en": said[0][0].upper() + said[0][1:], "zh": said[1]}


def _joined(cores: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Clauses as one: with a comma between two, which may hold some themselves."""
    marks = (", ", "，") if len(cores) == 2 else ("; ", "；")
    said = []
    for language, mark in enumerate(marks):
        clauses = [core[language] for core in cores]
        last = mark + ("and ", "并")[language] if len(cores) > 1 else ""
        said.append(mark.join(clauses[:-1]) + last + clauses[-1])
    return said[0], said[1]


def fill(phrase: tuple[str, str], ask: Ask) -> tuple[str, str]:
    """Fills the slots of a phrase.

    Args:
      phrase: English and Chinese, with slots.
      ask: what they are filled from.
    """
    english, chinese = phrase
    return (
        " ".join(english.format_map(_slots(ask, "en")).split()),
        chinese.format_map(_slots(ask, "zh")),
    )


def _slots(ask: Ask, language: Language) -> Mapping[str, str]:
    """What phrases can say of an edit.

    Beside the facts: `thing`, `new_thing` with their colours, `a_thing`, `a_new_thing`
    with article or measure word, `place` (where, or on which thing), `saying` and
    `lettering` (its text, its look), `counted`, `new_counted`. What is not known is
    empty.
    """
    facts = ask.facts
    filled = slots(facts, language)
    is_en = language == "en"
    noun = filled.get("object", "product" if is_en else "商品")
    new_noun = filled.get("new_object", noun)
    joint = " " if is_en else ""
    thing = joint.join(part for part in (filled.get("color"), noun) if part)
    new_thing = joint.join(part for part in (filled.get("new_color"), new_noun) if part)
    more = {
        "object": noun,
        "thing": thing,
        "new_thing": new_thing,
        "a_thing": _one(thing, language, ask.measure_zh),
        # All that may take another thing's place is counted with the general measure.
        "a_new_thing": _one(new_thing, language, "个"),
        "place": _place(facts, filled, thing, language),
        "saying": _saying(filled, language),
        "lettering": _lettering(filled, language),
        "over": _over(filled, language),
        "measure": ask.measure_zh,
        "new_size": facts.new_size or "",
        "size_word": {"larger": "更大", "smaller": "更小"}.get(
            facts.new_size or "", ""
        ),
        "counted": _counted(facts.count, noun, ask, language),
        "new_counted": _counted(facts.new_count, noun, ask, language),
    }
    return _Known(filled | more)


class _Known(dict[str, str]):
    """Slots by name; one that is not known is a mistake of the phrase."""

    def __missing__(self, name: str) -> str:
        raise AssertionError(f"a phrase needs {name!r}, which the facts do not have")


def _one(thing: str, language: Language, measure: str) -> str:
    if language == "zh":
        return f"一{measure}{thing}"
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def _place(
    facts: Facts, filled: Mapping[str, str], thing: str, language: Language
) -> str:
    if "at" in filled:
        return filled["at"] if language == "en" else f"{filled['at']}的"
    if facts.text_kind_en == "label text":
        return f"on the {thing}" if language == "en" else f"{thing}上的"
    return ""


def _saying(filled: Mapping[str, str], language: Language) -> str:
    if "new_quoted" not in filled:
        return ""
    quoted = filled["new_quoted"]
    return f"with the text {quoted}" if language == "en" else f"写着{quoted}的"


def _lettering(filled: Mapping[str, str], language: Language) -> str:
    color, plate = filled.get("color"), filled.get("new_background")
    if language == "en":
        return f"in {color} letters" + (f" on a {plate}" if plate else "")
    return f"{color}字" + (f"加{plate}" if plate else "")


def _over(filled: Mapping[str, str], language: Language) -> str:
    if "object" not in filled:
        return ""
    noun = filled["object"]
    return f"over the picture of the {noun}" if language == "en" else f"{noun}图上的"


def _counted(count: int | None, noun: str, ask: Ask, language: Language) -> str:
    if count is None:
        return ""
    if language == "zh":
        return f"{count}{ask.measure_zh}{noun}"
    plural = f"{noun}es" if noun.endswith(("x", "ch")) else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
