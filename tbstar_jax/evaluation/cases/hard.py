"""The hard split: two edits at once, tiny, faint, or among many things.

Cases take turns by index:

    two       a studio edit, and an edit of overlays on top of it, in one instruction.
              Tasks of the studio bring the first, tasks of overlays the second; light
              of another colour, which leaves nothing to be kept, is not among them.
    tiny      texts and badges of half the size; things seen from further away
    contrast  ink, marks and damage close to their ground; a backdrop close to the
              product (`dense` for backgrounds and outpainting, where it means nothing)
    dense     as many other overlays as find room, none of which may change

Both edits are exact: the reference shows the overlays after their edit on the render
after its own, and pixels differ only where one of the two reaches. The pictures in
which only one of them was made are drawn as well: each is to be seen alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.layout.card import Rect
from tbstar_jax.data_engine.layout.drawing import draw
from tbstar_jax.data_engine.layout.edit import Edit as LayoutEdit
from tbstar_jax.data_engine.layout.pairs import Drawn
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.scene import Scene, color_of, scene_digest
from tbstar_jax.evaluation.cases.case import AskedEdit, Masks
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.from_layout import (
    Alter,
    Photo,
    draw_overlay,
    layout_draft,
)
from tbstar_jax.evaluation.cases.from_studio import (
    Shot,
    kept_texts,
    sample_shot_edit,
    shoot,
    studio_draft,
    zoomed,
)
from tbstar_jax.evaluation.cases.harder import crowded, faint, shrunk
from tbstar_jax.evaluation.cases.overlaid import (
    covered,
    overlay_draft,
    plain_scene,
    plain_shot,
    taken_by,
)
from tbstar_jax.geometry import place_on_canvas

Kind: TypeAlias = Literal["two", "tiny", "contrast", "dense"]

KINDS: tuple[Kind, ...] = ("two", "tiny", "two", "contrast", "dense")
"""Kinds of hard cases, in turn."""

STUDIO_TASKS = (
    "bg_white",
    "bg_scene",
    "recolor",
    "material",
    "object_add",
    "object_remove",
    "object_replace",
    "light_shadow",
    "layout",
)
"""Tasks whose edit is one of the scene; all others edit overlays."""

_SECOND = ("text_remove", "text_replace_en", "text_replace_zh", "object_remove")
_UNDER = ("recolor", "object_remove")
_ROOM = 1.35
_FAR = 1.7
_BLEND = 0.7
_SEEN, _LEAST_SEEN = 16, 0.001
"""Levels, and share of the canvas, by which each of two edits changes the reference."""


def hard_kind(task: str, index: int) -> Kind:
    """What makes a case hard."""
    kind = KINDS[index % len(KINDS)]
    if kind == "contrast" and task in ("bg_white", "bg_scene", "outpaint"):
        return "dense"
    if kind == "contrast" and task == "layout":
        return "tiny"
    if kind == "tiny" and task in ("watermark_remove", "outpaint", "repair_zoom"):
        return "dense"
    return kind


def hard_draft(
    rng: np.random.Generator, task: str, index: int, size: tuple[int, int]
) -> Draft | None:
    """Draws a hard case; None where this draw gives none, draw again.

    Args:
      rng: source of random numbers.
      task: of the benchmark.
      index: decides the kind.
      size: rows and columns, pixels.
    """
    kind = hard_kind(task, index)
    is_studio = task in STUDIO_TASKS
    if kind == "two":
        draft = _two(rng, task, size)
    elif kind == "dense":
        draft = (_dense_studio if is_studio else _dense_overlay)(rng, task, size)
    elif is_studio:
        draft = _plain_studio(rng, task, size, kind)
    else:
        draft = _plain_overlay(rng, task, size, kind)
    if draft is None:
        return None
    return dataclasses.replace(draft, tags={**draft.tags, "difficulty": kind})


def hard_digests(
    rng: np.random.Generator, task: str, index: int, size: tuple[int, int]
) -> tuple[str, ...]:
    """Digests of the scenes that `hard_draft` draws first; arguments as there."""
    if hard_kind(task, index) == "two" or task in STUDIO_TASKS:
        edit = sample_shot_edit(rng, _under(rng, task), size)
        return scene_digest(edit.before), scene_digest(edit.after)
    return (scene_digest(plain_scene(rng, size)),)


def _two(rng: np.random.Generator, task: str, size: tuple[int, int]) -> Draft | None:
    is_studio = task in STUDIO_TASKS
    under_task = _under(rng, task)
    shot = _shot(rng, under_task, size)
    if shot is None:
        return None
    over_task = choose(rng, _SECOND) if is_studio else task
    photo = shot.pair.source
    drawn = draw_overlay(rng, over_task, photo, taken_by(shot))
    below = studio_draft(shot, under_task)
    above = layout_draft(drawn, below.masks.product) if drawn and below else None
    if drawn is None or below is None or above is None:
        return None
    draft = _stacked(drawn, shot, above, below)
    over = _asked_above(drawn, shot, above, over_task)
    under = AskedEdit(
        task=under_task,
        undone=drawn.pair.target,
        masks=_in_the_open(drawn, below.masks),
        target_texts=below.target_texts,
        target_objects=below.target_objects,
    )
    if not all(_is_seen(one.undone, draft.reference) for one in (over, under)):
        return None
    first, second = (below, above) if is_studio else (above, below)
    return dataclasses.replace(
        draft,
        asks=(*first.asks, *second.asks),
        asked=(under, over) if is_studio else (over, under),
        masks=dataclasses.replace(
            draft.masks,
            product=first.masks.product,
            product_after=first.masks.product_after,
        ),
    )


def _asked_above(drawn: Drawn, shot: Shot, above: Draft, task: str) -> AskedEdit:
    """The edit of the overlays; undone, they lie unedited on the edited render."""
    undone = draw(drawn.edit.before, shot.pair.target).picture()
    window = drawn.edit.window
    if window is not None:
        undone = place_on_canvas(undone[window.photo.slices], window)
    return AskedEdit(
        task=task,
        undone=undone,
        masks=above.masks,
        target_texts=above.target_texts,
        target_objects=above.target_objects,
    )


def _in_the_open(drawn: Drawn, masks: Masks) -> Masks:
    """Regions of an edit of the render, as far as its overlays let them change."""
    # What an opaque overlay hides does not change, whatever happens below it.
    is_open = drawn.source.shows_backdrop() | drawn.target.shows_backdrop()
    return dataclasses.replace(
        masks, edit=masks.edit & is_open, shadow=masks.shadow & is_open
    )


def _is_seen(undone: Photo, reference: Photo) -> bool:
    """Whether a picture without one of the edits shows that it is missing."""
    change = np.abs(undone.astype(np.int16) - reference).max(axis=2)
    return float(np.mean(change >= _SEEN)) >= _LEAST_SEEN


def _under(rng: np.random.Generator, task: str) -> str:
    """The task of the studio edit below the overlays."""
    if task in STUDIO_TASKS:
        return task
    # A thing beside the product may lie where an outpainting's photo does not reach.
    return "recolor" if task == "outpaint" else choose(rng, _UNDER)


def _dense_studio(
    rng: np.random.Generator, task: str, size: tuple[int, int]
) -> Draft | None:
    shot = _shot(rng, task, size)
    if shot is None:
        return None
    taken = taken_by(shot)
    drawn = draw_overlay(
        rng, "identity", shot.pair.source, taken, _crowd(shot.pair.source, taken)
    )
    below = studio_draft(shot, task)
    above = layout_draft(drawn, below.masks.product) if drawn and below else None
    if drawn is None or below is None or above is None:
        return None
    draft = _stacked(drawn, shot, above, below)
    return dataclasses.replace(
        draft,
        asks=below.asks,
        masks=dataclasses.replace(
            draft.masks,
            product=below.masks.product,
            product_after=below.masks.product_after,
        ),
    )


def _shot(rng: np.random.Generator, task: str, size: tuple[int, int]) -> Shot | None:
    """A studio edit with room for overlays around the things."""
    edit = sample_shot_edit(rng, task, size)
    if edit.before.light.warmth != edit.after.light.warmth:
        return None
    return shoot(zoomed(edit, _ROOM))


def _dense_overlay(
    rng: np.random.Generator, task: str, size: tuple[int, int]
) -> Draft | None:
    shot = plain_shot(rng, size)
    taken = taken_by(shot)
    drawn = draw_overlay(
        rng, task, shot.pair.source, taken, _crowd(shot.pair.source, taken)
    )
    return overlay_draft(drawn, shot) if drawn else None


def _crowd(photo: Photo, taken: Sequence[Rect]) -> Alter:
    return lambda rng, edit: crowded(rng, edit, photo, taken)


def _plain_studio(
    rng: np.random.Generator, task: str, size: tuple[int, int], kind: Kind
) -> Draft | None:
    edit = sample_shot_edit(rng, task, size)
    edit = zoomed(edit, _FAR) if kind == "tiny" else _camouflaged(edit)
    shot = shoot(edit)
    return studio_draft(shot, task) if shot else None


def _plain_overlay(
    rng: np.random.Generator, task: str, size: tuple[int, int], kind: Kind
) -> Draft | None:
    shot = plain_shot(rng, size)
    photo = shot.pair.source

    def alter(rng: np.random.Generator, edit: LayoutEdit) -> LayoutEdit | None:
        return shrunk(edit) if kind == "tiny" else faint(edit, photo)

    drawn = draw_overlay(rng, task, photo, taken_by(shot), alter)
    return overlay_draft(drawn, shot) if drawn else None


def _camouflaged(edit: Edit) -> Edit:
    """The edit before a plain backdrop of nearly the product's colour."""

    def hide(scene: Scene) -> Scene:
        product = color_of(edit.before.items[0].color).rgb
        red, green, blue = (
            round(_BLEND * one + (1 - _BLEND) * other)
            for one, other in zip(product, scene.backdrop.tone, strict=True)
        )
        backdrop = dataclasses.replace(
            scene.backdrop, kind="plain", tone=(red, green, blue)
        )
        return dataclasses.replace(scene, backdrop=backdrop)

    return dataclasses.replace(edit, before=hide(edit.before), after=hide(edit.after))


def _stacked(drawn: Drawn, shot: Shot, above: Draft, below: Draft) -> Draft:
    """Overlays over a render, both edited."""
    reference = draw(drawn.edit.after, shot.pair.target).picture()
    under = _in_the_open(drawn, below.masks)
    edited = above.masks.edit | under.edit
    kept = [one for one in above.kept_texts if not edited[one.box.slices].any()]
    masks = dataclasses.replace(
        above.masks,
        edit=edited,
        shadow=above.masks.shadow | under.shadow,
        text=above.masks.text | under.text,
    )
    return dataclasses.replace(
        above,
        reference=reference,
        masks=masks,
        kept_texts=(*kept_texts(shot, edited | covered(drawn)), *kept),
        target_texts=(*above.target_texts, *below.target_texts),
        target_objects=(*below.target_objects, *above.target_objects),
        tags={**above.tags, **below.tags},
        digests=(*below.digests, *above.digests),
    )
