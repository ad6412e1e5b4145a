"""Short English captions of a case's two pictures, from what is known of the edit.

CLIP compares pictures with sentences, so both must be true: they name what the facts of
the edit say and nothing else, and what is not in a picture is not named, rather than
denied. Where nothing true tells the two pictures apart, there are none.
"""

import dataclasses

from tbstar_jax.data_engine.augment.paraphrase.slots import WHERE
from tbstar_jax.data_engine.facts import Facts, Language, Position
from tbstar_jax.evaluation.cases.case import Case

_FIRST_CJK = "\u2e80"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Captions:
    """Two captions that differ.

    Attributes:
      source: true of the source.
      reference: true of the reference; of something that was taken away it says
        nothing, so that it may be true of the source, too.
    """

    source: str
    reference: str


def captions_of(case: Case) -> Captions | None:
    """The captions of a case.

        bg_white, bg_scene   a product picture of a grey mug, wooden table
        recolor              a product picture of a grey mug
        material             a product picture of a grey mug made of glass
        watermark_remove,    a product picture with the headline "Slow Living" at the
        text_*               top; with a headline at the top, where it is Chinese
        object_*             a product picture of a jar with a red vase on the right
        light_shadow         a product picture of a grey mug, warm light
        layout               where things stand, how many there are
        repair_zoom          a product picture of a grey mug, dust spots

    Returns:
      The captions, or None: of an instruction that asks for several edits, of
      outpaintings, of things that become larger or move by a distance, of a Chinese
      text that replaces another, and where the facts are too few.
    """
    if case.asked:
        return None
    facts = case.facts
    noun = "a picture" if case.generator == "photo" else "a product picture"
    match case.task:
        case "bg_white" | "bg_scene":
            pair = _listed(facts, facts.background_en, facts.new_background_en)
        case "light_shadow":
            pair = _listed(facts, facts.light_en, facts.new_light_en)
        case "recolor":
            pair = _recolored(facts)
        case "material":
            pair = _of_material(facts)
        case "object_add" | "object_remove" | "object_replace":
            pair = _things(facts, case.task)
        case "layout":
            pair = _arranged(facts)
        case "repair_zoom":
            pair = _repaired(facts)
        case "outpaint":
            pair = None
        case _:
            pair = _written(facts)
    if pair is None or pair[0] == pair[1]:
        return None
    source, reference = (f"{noun}{rest}" for rest in pair)
    return Captions(source=source, reference=reference)


def _a(*words: str | None) -> str:
    thing = " ".join(word for word in words if word)
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def _of(facts: Facts) -> str:
    """` of a grey mug`; empty where no thing is known."""
    return f" of {_a(facts.color_en, facts.object_en)}" if facts.object_en else ""


def _at(position: Position | None) -> str:
    return f" {WHERE['en'][position]}" if position else ""


def _listed(facts: Facts, old: str | None, new: str | None) -> tuple[str, str] | None:
    if old is None or new is None:
        return None
    return f"{_of(facts)}, {old}", f"{_of(facts)}, {new}"


def _recolored(facts: Facts) -> tuple[str, str] | None:
    thing, old, new = facts.object_en, facts.color_en, facts.new_color_en
    if thing is None or old is None or new is None:
        return None
    # What has a place is a part of the picture; what has none is the product.
    join = " with" if facts.position else " of"
    at = _at(facts.position)
    return f"{join} {_a(old, thing)}{at}", f"{join} {_a(new, thing)}{at}"


def _of_material(facts: Facts) -> tuple[str, str] | None:
    old, new = facts.material_en, facts.new_material_en
    if facts.object_en is None or old is None or new is None:
        return None
    return f"{_of(facts)} made of {old}", f"{_of(facts)} made of {new}"


def _things(facts: Facts, task: str) -> tuple[str, str] | None:
    if facts.object_en is None:
        return None
    rest = f" of {_a(facts.other_object_en)}" if facts.other_object_en else ""
    thing = f"{rest} with {_a(facts.color_en, facts.object_en)}{_at(facts.position)}"
    if task == "object_add":
        return rest, thing
    if task == "object_remove":
        return thing, rest
    if facts.new_object_en is None:
        return None
    new = _a(facts.new_color_en, facts.new_object_en)
    return thing, f"{rest} with {new}{_at(facts.position)}"


def _arranged(facts: Facts) -> tuple[str, str] | None:
    if facts.count is not None and facts.new_count is not None and facts.object_en:
        return f" of {_counted(facts.count, facts)}", (
            f" of {_counted(facts.new_count, facts)}"
        )
    if facts.layout_en is not None and facts.new_layout_en is not None:
        return f" of {facts.layout_en}", f" of {facts.new_layout_en}"
    # A distance, or a change of size, says nothing of one picture alone.
    if facts.direction or facts.new_layout_en or facts.object_en is None:
        return None
    if facts.position is None or facts.new_position is None:
        return None
    thing = f" with {_a(facts.color_en, facts.object_en)}"
    return f"{thing}{_at(facts.position)}", f"{thing}{_at(facts.new_position)}"


def _counted(count: int, facts: Facts) -> str:
    thing = f"{facts.color_en} {facts.object_en}" if facts.color_en else facts.object_en
    if count == 1:
        return _a(thing)
    return f"{count} {thing}{'es' if str(thing).endswith('x') else 's'}"


def _repaired(facts: Facts) -> tuple[str, str] | None:
    if facts.defect_en is None:
        return None
    return f"{_of(facts)}, {facts.defect_en}", _of(facts)


def _written(facts: Facts) -> tuple[str, str] | None:
    if facts.text_kind_en is None:
        return None
    old = _lettered(facts, facts.text, facts.text_language)
    new = _lettered(facts, facts.new_text, facts.new_text_language)
    return _of(facts) + old, _of(facts) + new


def _lettered(facts: Facts, text: str | None, language: Language | None) -> str:
    """` with the headline "Slow Living" at the top`; empty without a text.

    A Chinese text is not quoted: CLIP's captions are English.
    """
    if text is None:
        return ""
    kind = str(facts.text_kind_en)
    at = _at(facts.position)
    # Without a thing, the colour is that of the letters.
    color = None if facts.object_en else facts.color_en
    if language == "zh":
        return f" with {_a(color, 'Chinese', kind)}{at}"
    if any(character >= _FIRST_CJK for character in text):
        return f" with {_a(color, kind)}{at}"
    return f' with the {f"{color} " if color else ""}{kind} "{text}"{at}'
