"""Cases from layers: promotional cards, and overlays on a photo.

The photo is a studio render (`overlay`) or a user's (`photo`); it may itself be edited
underneath, which is how the hard split asks for several things at once. Pictures before
and after share every layer the edit does not touch, so both differ only where the
changed layers reach.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.layout.bases import kind_of, sample_backdrop
from tbstar_jax.data_engine.layout.card import (
    Backdrop,
    Badge,
    Damage,
    Price,
    Product,
    Rect,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.drawing import Drawing, reach
from tbstar_jax.data_engine.layout.edit import Edit
from tbstar_jax.data_engine.layout.edits import sample_card_edit, sample_photo_edit
from tbstar_jax.data_engine.layout.naming import noun_of
from tbstar_jax.data_engine.layout.pairs import Drawn, draw_edit
from tbstar_jax.data_engine.layout.text_boxes import text_boxes
from tbstar_jax.data_engine.render.layers import Layer, support
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.evaluation.cases.case import (
    KeptText,
    Language,
    Masks,
    Quad,
    TargetObject,
    TargetText,
)
from tbstar_jax.evaluation.cases.draft import (
    Ask,
    Draft,
    Wording,
    box_from_edges,
    box_of,
    ink_color,
    is_in,
    is_readable,
    no_mask,
)
from tbstar_jax.evaluation.cases.parts import (
    WORDLESS,
    Parts,
    covered_by,
    part_support,
    parts_of,
    print_layers,
)
from tbstar_jax.evaluation.cases.quads import quad_at
from tbstar_jax.evaluation.cases.regions import around, without, zone
from tbstar_jax.evaluation.cases.retext import draw_renaming, retext_layout
from tbstar_jax.evaluation.cases.targets import card_color, card_light, part_kind
from tbstar_jax.geometry import Box

Photo = UInt8[np.ndarray, "h w 3"]
Alter = Callable[[np.random.Generator, Edit], Edit | None]
"""Changes an edit before it is drawn; None draws another one."""

_SEEN = 0.5
_LEAST_TEXT = 6
_TEXT_REPLACE = ("text_replace_en", "text_replace_zh")
_OPEN_TASKS = (*_TEXT_REPLACE, "text_add", "object_add", "object_replace")


def draw_card(
    rng: np.random.Generator,
    task: str,
    size: tuple[int, int],
    backgrounds: Sequence[str] | None = None,
    language: Language | None = None,
) -> Drawn | None:
    """Draws a card of a task with the benchmark's words; None where none has room.

    Args:
      rng: source of random numbers.
      task: of the benchmark.
      size: rows and columns, pixels.
      backgrounds: kinds of background to choose from; None for as it falls.
      language: of the text that the edit is about; None for as it falls.
    """

    def sample(rng: np.random.Generator) -> Edit | None:
        backdrop = sample_backdrop(rng, kinds=backgrounds)
        edit = _sample_card(rng, task, size, backdrop)
        return edit if edit and is_in(edit.facts, language) else None

    return draw_edit(rng, sample)


def draw_overlay(
    rng: np.random.Generator,
    task: str,
    photo: Photo,
    taken: tuple[Rect, ...],
    alter: Alter | None = None,
    language: Language | None = None,
) -> Drawn | None:
    """Draws overlays of a task on a photo; None where none has room.

    Args:
      rng: source of random numbers.
      task: of the benchmark, or `move`.
      photo: its pixels.
      taken: where no part may lie: the product.
      alter: what is done to an edit before it has the benchmark's words.
      language: of the text that the edit is about; None for as it falls.
    """

    def sample(rng: np.random.Generator) -> Edit | None:
        edit = sample_photo_edit(rng, task, photo, taken)
        if edit is None or not is_in(edit.facts, language):
            return None
        return _retexted(rng, alter(rng, edit) if alter else edit)

    return draw_edit(rng, sample, photo)


def layout_draft(drawn: Drawn, product: Bool[np.ndarray, "h w"] | None) -> Draft | None:
    """All that is known of a drawn edit.

    Args:
      drawn: the edit, and its pictures.
      product: where the photo shows the product; None for cards, which have one.

    Returns:
      The draft, or None where a text of the edit is too small to be read.
    """
    edit = drawn.edit
    parts = parts_of(drawn)
    targets = _target_texts(drawn, parts)
    is_about_text = edit.task.startswith(("text_", "watermark_"))
    if is_about_text and not all(is_readable(one, edit.before.size) for one in targets):
        return None
    if edit.window is not None:
        changed = np.ones(edit.before.size, bool)
        changed[edit.window.photo.slices] = False
    else:
        changed = reach(drawn.source, drawn.target)
    of_photo = product if product is not None else _product(drawn.source)
    permitted = changed
    if edit.task in _OPEN_TASKS:
        permitted = changed | _open_to(drawn, parts, changed, of_photo)
    masks = Masks(
        edit=permitted,
        product=_about(edit, parts.before, of_photo),
        product_after=_about(
            edit,
            parts.after,
            product if product is not None else _product(drawn.target),
        ),
        shadow=_shadow(drawn),
        text=parts.ink,
    )
    return Draft(
        generator="layout" if product is None else "overlay",
        asks=_asks(edit),
        source=drawn.pair.source,
        reference=drawn.pair.target,
        masks=masks,
        photo_box=edit.window.photo if edit.window else None,
        kept_texts=_kept_texts(drawn, permitted),
        target_texts=targets,
        target_objects=_target_objects(drawn, parts),
        target_color=card_color(edit),
        target_light=card_light(edit),
        tags=_tags(edit),
    )


def _asks(edit: Edit) -> tuple[Ask, ...]:
    """The edit in words; none where nothing is edited."""
    if edit.wording == "identity":
        return ()
    is_removal = edit.wording == "object_remove"
    wording: Wording = "part_remove" if is_removal else edit.wording
    return (Ask(wording=wording, facts=edit.facts),)


def _sample_card(
    rng: np.random.Generator, task: str, size: tuple[int, int], backdrop: Backdrop
) -> Edit | None:
    kinds = ("layout", "move") if task == "layout" else (task,)
    sampled = sample_card_edit(rng, choose(rng, kinds), size, backdrop)
    edit = _retexted(rng, sampled)
    if edit is None or edit.wording == "shift":
        # "To the left" does not say how far, and a card is right in every pixel.
        return None
    return edit


def _retexted(rng: np.random.Generator, edit: Edit | None) -> Edit | None:
    renaming = draw_renaming(rng)
    return retext_layout(edit, renaming) if edit else None


def _product(drawing: Drawing) -> Bool[np.ndarray, "h w"]:
    return covered_by(drawing, ("product",))


def _about(
    edit: Edit, parts: Bool[np.ndarray, "h w"], product: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Parts recoloured, added, removed, replaced or moved; else the product."""
    is_parts = edit.task in ("recolor", "layout", "move") or edit.task.startswith(
        "object_"
    )
    return parts if is_parts else product


def _shadow(drawn: Drawn) -> Bool[np.ndarray, "h w"]:
    marked = no_mask(drawn.edit.before.size)
    if drawn.edit.wording not in ("shadow_add", "shadow_remove", "light_turn"):
        return marked
    for drawing in (drawn.source, drawn.target):
        part = drawing.card.part("product")
        if isinstance(part, Product) and part.has_shadow:
            marked |= support(drawing.layers["product"][:1], drawing.card.size)
    return marked & ~_product(drawn.source) & (drawn.pair.change_mask > 0)


def _open_to(
    drawn: Drawn,
    parts: Parts,
    changed: Bool[np.ndarray, "h w"],
    product: Bool[np.ndarray, "h w"],
) -> Bool[np.ndarray, "h w"]:
    """All that the instruction leaves open, without what is certainly kept."""
    edit = drawn.edit
    kept = [
        part.id for part in edit.after.parts if part.id not in (*parts.ids, "product")
    ]
    if edit.task in _TEXT_REPLACE:
        # Another good font has its ink elsewhere in the same line.
        region = around(changed, share=0.05)
    elif edit.task == "object_replace":
        region = around(changed)
    else:
        region = zone(edit.facts.position, edit.before.size)
    return without(region, part_support(drawn.target, *kept) | product)


def _kept_texts(
    drawn: Drawn, edit_mask: Bool[np.ndarray, "h w"]
) -> tuple[KeptText, ...]:
    found = []
    for note in text_boxes(drawn.source, drawn.target, drawn.edit.window):
        box = box_from_edges(note["box"])
        is_kept = note["kept"] and not edit_mask[box.slices].any()
        if is_kept and box.height >= _LEAST_TEXT:
            found.append(KeptText(text=note["text"], language=_language(note), box=box))
    return tuple(found)


def _language(note: dict[str, Any]) -> Language | None:
    text = note["text"]
    if not any(character.isalpha() for character in text):
        return None
    language: Language | None = note.get("language")
    return language


def _target_texts(drawn: Drawn, parts: Parts) -> tuple[TargetText, ...]:
    """Pairs what a changed part says before with what it says after."""
    if drawn.edit.task in WORDLESS:
        return ()
    notes = [
        note
        for note in text_boxes(drawn.source, drawn.target)
        if not note["kept"]
        and (note["part"] in parts.ids and note["part"] != "product")
    ]
    old = [note for note in notes if note["image"] == "source"]
    new = [note for note in notes if note["image"] == "target"]
    found = []
    for was, now in zip_longest(old, new):
        shown = now or was
        boxes = [box_from_edges(note["box"]) for note in (was, now) if note]
        prints = [
            (drawing, note)
            for drawing, note in ((drawn.source, was), (drawn.target, now))
            if note
        ]
        picture = drawn.pair.target if now else drawn.pair.source
        found.append(
            TargetText(
                old=was["text"] if was else None,
                new=now["text"] if now else None,
                language=_language(shown),
                box=_union(boxes),
                ink=_ink_of(drawn.target if now else drawn.source, shown, picture),
                quad=_quad_of(prints),
            )
        )
    return tuple(found)


def _ink_of(
    drawing: Drawing, note: dict[str, Any], picture: Photo
) -> tuple[int, int, int]:
    layer = _layer_of(drawing, note)
    part = drawing.card.part(note["part"])
    rows, columns = layer.alpha.shape
    window = picture[layer.top : layer.top + rows, layer.left : layer.left + columns]
    if isinstance(part, Text) and part.outline is not None:
        return part.ink.rgb
    return ink_color(window, layer.alpha)


def _layer_of(drawing: Drawing, note: dict[str, Any]) -> Layer:
    """The layer with a text."""
    layers = print_layers(drawing, note["part"])
    part = drawing.card.part(note["part"])
    is_old = isinstance(part, Price) and part.old_text == note["text"]
    return layers[0] if is_old else layers[-1]


def _quad_of(prints: list[tuple[Drawing, dict[str, Any]]]) -> Quad:
    """The rectangle around the same line of text in one or both pictures."""
    layers = [_layer_of(drawing, note) for drawing, note in prints]
    drawing, note = prints[-1]
    part = drawing.card.part(note["part"])
    turn = part.turn if isinstance(part, Badge) else 0.0
    if isinstance(part, Watermark) and part.pattern == "diagonal":
        # Tiled words are turned too, but fill the picture together.
        turn = part.turn
    return quad_at(support(layers, drawing.card.size), turn)


def _union(boxes: list[Box]) -> Box:
    top, left = min(box.top for box in boxes), min(box.left for box in boxes)
    bottom = max(box.top + box.height for box in boxes)
    right = max(box.left + box.width for box in boxes)
    return box_from_edges((top, left, bottom, right))


def _target_objects(drawn: Drawn, parts: Parts) -> tuple[TargetObject, ...]:
    edit = drawn.edit
    is_about_objects = edit.task in ("layout", "move") or (
        edit.task.startswith("object_")
    )
    if not is_about_objects:
        return ()
    found = []
    for id in parts.ids:
        part = edit.before.part(id) or edit.after.part(id)
        assert part is not None, "a changed part is in one of the cards"
        found.append(
            TargetObject(
                id=id,
                kind=part_kind(part),
                name=noun_of(part).en,
                before=box_of(covered_by(drawn.source, (id,))),
                after=box_of(covered_by(drawn.target, (id,))),
            )
        )
    return tuple(found)


def _tags(edit: Edit) -> dict[str, str]:
    tags = {"num_objects": str(len(edit.before.parts))}
    background = kind_of(edit.before.backdrop)
    if background is not None:
        tags["background"] = background
    for part in edit.before.parts:
        match part:
            case Product():
                tags["family"] = part.scene.family.id
            case Damage():
                tags["damage"] = part.kind
            case Watermark():
                tags["damage"] = f"watermark_{part.pattern}"
            case _:
                pass
    return tags
