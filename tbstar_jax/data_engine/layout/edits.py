"""A card before and after an edit, with the facts of the edit, by task.

Every edit changes a field, a part or the backdrop and nothing else. Requests that
leave open how the result looks (`text_add`, `object_add`, `object_replace`,
`bg_scene`) name all that words can name: text, colour, form and place.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.bases import (
    card_base,
    photo_base,
    sample_card,
)
from tbstar_jax.data_engine.layout.card import (
    Backdrop,
    Badge,
    Card,
    Form,
    Logo,
    Placed,
    Price,
    Rect,
    Text,
)
from tbstar_jax.data_engine.layout.edit import Edit
from tbstar_jax.data_engine.layout.films import MARK_CORNER
from tbstar_jax.data_engine.layout.naming import (
    color_of,
    kind_facts,
    named_color,
    noun_of,
    object_facts,
    text_facts,
    worded,
)
from tbstar_jax.data_engine.layout.placement import LEGIBLE, legible_inks
from tbstar_jax.data_engine.layout.product_edits import (
    recolor_product,
    replace_backdrop,
)
from tbstar_jax.data_engine.layout.rearranging import (
    light_shadow,
    move_part,
    move_product,
    outpaint,
    swap_parts,
)
from tbstar_jax.data_engine.layout.retexting import replace_text
from tbstar_jax.data_engine.layout.sampling import (
    Base,
    PartId,
    fill_card,
    other_fill,
    sample_badge,
    sample_damage,
    sample_logo,
    sample_watermark,
)
from tbstar_jax.data_engine.render.sampling import choose, stands_out
from tbstar_jax.data_engine.render.scene import Size

PHOTO_TASKS: tuple[str, ...] = (
    "recolor",
    "watermark_remove",
    "text_remove",
    "text_replace_en",
    "text_replace_zh",
    "text_add",
    "object_add",
    "object_remove",
    "object_replace",
    "light_shadow",
    "outpaint",
    "layout",
    "repair_zoom",
    "move",
    "identity",
)
"""Tasks that overlays on any photo have an exact target for."""

CARD_TASKS: tuple[str, ...] = ("bg_white", "bg_scene", *PHOTO_TASKS)
"""Tasks that cards drawn from nothing have an exact target for."""

_OBJECTS: tuple[PartId, ...] = ("badge", "badge", "logo", "code", "price")
_SQUARE_FORMS: tuple[Form, ...] = ("circle", "burst", "hexagon", "shield")
_WIDE_FORMS: tuple[Form, ...] = ("pill", "plate", "ribbon", "tag")
_TEXTS: tuple[PartId, ...] = ("headline", "headline", "note")


def sample_card_edit(
    rng: np.random.Generator, task: str, size: Size, backdrop: Backdrop | None = None
) -> Edit | None:
    """Draws a card with a product, and the card after an edit.

    Args:
      rng: source of random numbers.
      task: one of `CARD_TASKS`.
      size: rows and columns, pixels.
      backdrop: of the card before, if it is not to be drawn.

    Returns:
      The edit, or None where this draw has no room for it; draw again.
    """
    card = sample_card(rng, size, backdrop)
    match task:
        case "bg_white" | "bg_scene":
            return replace_backdrop(rng, card, task)
        case "recolor" if rng.random() < 0.4:
            return recolor_product(rng, card)
        case "move" if rng.random() < 0.5:
            return move_product(rng, card)
        case "outpaint":
            return outpaint(rng, card)
        case _:
            return _edit_parts(rng, task, card_base(rng, card))


def sample_photo_edit(
    rng: np.random.Generator,
    task: str,
    photo: UInt8[np.ndarray, "h w 3"],
    taken: Sequence[Rect] = (),
) -> Edit | None:
    """Draws overlays on a photo, and the overlays after an edit.

    Args:
      rng: source of random numbers.
      task: one of `PHOTO_TASKS`.
      photo: its pixels.
      taken: where no part may lie.

    Returns:
      The edit, or None where this draw has no room for it; draw again.
    """
    base = photo_base(rng, photo, taken)
    if task == "outpaint":
        return outpaint(rng, base.card, base)
    return _edit_parts(rng, task, base)


def _edit_parts(rng: np.random.Generator, task: str, base: Base) -> Edit | None:
    match task:
        case "recolor":
            return _recolor_part(rng, base)
        case "watermark_remove":
            return _remove_watermark(rng, base)
        case "text_remove" | "text_add":
            return _text_edit(rng, base, task)
        case "text_replace_en":
            return replace_text(rng, base, "en")
        case "text_replace_zh":
            return replace_text(rng, base, "zh")
        case "object_add" | "object_remove":
            return _object_edit(rng, base, task)
        case "object_replace":
            return _replace_object(rng, base)
        case "light_shadow":
            return light_shadow(rng, base)
        case "layout":
            return swap_parts(rng, base)
        case "repair_zoom":
            return _repair(rng, base)
        case "move":
            return move_part(rng, base)
        case "identity":
            return _identity(rng, base)
        case _:
            raise AssertionError(f"no layout edit for task {task!r}")


def _recolor_part(rng: np.random.Generator, base: Base) -> Edit | None:
    id: PartId = choose(rng, ("badge", "badge", "price", "headline"))
    before = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    part = before.part(id) if before else None
    if before is None or part is None:
        return None
    if isinstance(part, Text):
        ground = [part.plate.rgb] if part.plate else base.grounds.tones(part.rect)
        ground = [part.outline] if part.outline else ground
        inks = [
            ink
            for ink in legible_inks(ground, LEGIBLE if part.plate else 3.0)
            if stands_out(ink.rgb, part.ink.rgb, 90.0)
        ]
        if not inks:
            return None
        changed: Placed = dataclasses.replace(part, ink=choose(rng, inks))
    else:
        assert isinstance(part, (Badge, Price)), "nothing else is recoloured"
        fill = other_fill(rng, base, part)
        if fill is None:
            return None
        if isinstance(part, Badge):
            changed = dataclasses.replace(part, fill=fill)
        else:
            changed = dataclasses.replace(part, plate=fill)
    color = color_of(changed)
    assert color is not None, "what is recoloured has a colour"
    return Edit(
        task="recolor",
        before=before,
        after=before.plus(changed),
        wording="recolor",
        facts=Facts(**(object_facts(part) | named_color("new_color", color))),
    )


def _remove_watermark(rng: np.random.Generator, base: Base) -> Edit | None:
    mark = sample_watermark(rng, base)
    if mark.pattern == "corner":
        # Lies alone in its corner; the other patterns lie over everything.
        base = dataclasses.replace(base, taken=(*base.taken, MARK_CORNER))
    clean = fill_card(rng, base, (), int(rng.integers(0, 3)))
    if clean is None:
        return None
    over = worded("object", base.noun) if base.noun else {}
    return Edit(
        task="watermark_remove",
        before=clean.plus(mark),
        after=clean,
        wording="watermark_remove",
        facts=Facts(**kind_facts(mark), **text_facts(mark), **over),
    )


def _text_edit(rng: np.random.Generator, base: Base, task: str) -> Edit | None:
    id = choose(rng, _TEXTS)
    card = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    part = card.part(id) if card else None
    if card is None or part is None:
        return None
    assert isinstance(part, Text), "headlines and notes are texts"
    facts = kind_facts(part) | {"position": part.place}
    bare = card.without(id)
    if task == "text_remove":
        return Edit(
            task=task,
            before=card,
            after=bare,
            wording="text_remove",
            facts=Facts(**facts, **text_facts(part)),
        )
    on_plate = {}
    if part.plate is not None:
        noun = vocabulary.TEXT_PLATE.colored(part.plate)
        on_plate = worded("new_background", noun)
    return Edit(
        task=task,
        before=bare,
        after=card,
        wording="text_add",
        facts=Facts(
            **facts,
            **text_facts(part, "new_"),
            **named_color("color", part.ink),
            **on_plate,
        ),
    )


def _object_edit(rng: np.random.Generator, base: Base, task: str) -> Edit | None:
    id = choose(rng, _OBJECTS)
    card = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    part = card.part(id) if card else None
    if card is None or part is None:
        return None
    assert isinstance(part, Placed), "objects are placed"
    beside = worded("other_object", base.noun) if base.noun else {}
    named = object_facts(part) | beside
    bare = card.without(id)
    if task == "object_remove":
        return Edit(
            task=task,
            before=card,
            after=bare,
            wording="object_remove",
            facts=Facts(**named, **text_facts(part)),
        )
    return Edit(
        task=task,
        before=bare,
        after=card,
        wording="object_add",
        facts=Facts(**named, **text_facts(part, "new_")),
    )


def _replace_object(rng: np.random.Generator, base: Base) -> Edit | None:
    id: PartId = choose(rng, ("badge", "logo", "code"))
    before = fill_card(rng, base, (id,), int(rng.integers(1, 3)))
    part = before.part(id) if before else None
    if before is None or part is None:
        return None
    assert isinstance(part, Placed), "objects are placed"
    new = _successor(rng, base, part, before.without(id))
    if new is None:
        return None
    new = dataclasses.replace(new, id="replacement")
    old_noun, noun, color = noun_of(part), noun_of(new), color_of(new)
    if old_noun == noun:
        return None
    assert color is not None, "badges and logos have a colour"
    facts = (
        object_facts(part) | named_color("new_color", color) | text_facts(new, "new_")
    )
    return Edit(
        task="object_replace",
        before=before,
        after=before.without(id).plus(new),
        wording="object_replace",
        facts=Facts(**facts, **worded("new_object", noun)),
    )


def _successor(
    rng: np.random.Generator, base: Base, part: Placed, rest: Card
) -> Badge | Logo | None:
    """A badge or logo that suits a part's place and is the only one in the card."""
    rows, columns = base.card.size
    aspect = part.rect.width * columns / (part.rect.height * rows)
    if aspect > 2.2 and rng.random() < 0.5 and not rest.part("logo"):
        return sample_logo(rng, base, part.place, part.rect)
    if rest.part("badge"):
        return None
    forms = _WIDE_FORMS if aspect > 1.5 else _SQUARE_FORMS
    return sample_badge(rng, base, choose(rng, forms), part.place, part.rect)


def _repair(rng: np.random.Generator, base: Base) -> Edit | None:
    clean = fill_card(rng, base, (), int(rng.integers(0, 2)))
    if clean is None:
        return None
    damage = sample_damage(rng, base)
    noun = vocabulary.DAMAGE_NOUNS[damage.kind]
    return Edit(
        task="repair_zoom",
        before=clean.plus(damage),
        after=clean,
        wording="repair",
        facts=Facts(**worded("defect", noun)),
    )


def _identity(rng: np.random.Generator, base: Base) -> Edit | None:
    card = fill_card(rng, base, (), int(rng.integers(1, 4)))
    if card is None:
        return None
    named = worded("object", base.noun) if base.noun else {}
    return Edit(
        task="identity",
        before=card,
        after=card,
        wording="identity",
        facts=Facts(**named),
    )
