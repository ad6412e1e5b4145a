"""The hard split: several edits at once, tiny, faint, or among many things.

Cases take turns by index:

    two, three, four
              a studio edit, and one to three edits of overlays on top of it, in one
              instruction (`stack`). Tasks of the studio bring the first, tasks of
              overlays one of the others; light of another colour, which leaves nothing
              to be kept, is not among them.
    tiny      texts and badges of half the size; things seen from further away
    contrast  ink, marks and damage close to their ground; a backdrop close to the
              product (`dense` for backgrounds and outpainting, where it means nothing)
    dense     as many other overlays as find room, none of which may change

All edits are exact: the reference shows the overlays after their edits on the render
after its own, and pixels differ only where one of them reaches. The pictures that lack
exactly one of them are drawn as well: it is to be seen that it is missing.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.layout.card import Rect
from tbstar_jax.data_engine.layout.edit import Edit as LayoutEdit
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.sampling import NO_WISHES, Wishes
from tbstar_jax.data_engine.studio.scene import Scene, color_of
from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.from_layout import Alter, Photo, draw_overlay
from tbstar_jax.evaluation.cases.from_studio import (
    sample_shot_edit,
    shoot,
    studio_draft,
    zoomed,
)
from tbstar_jax.evaluation.cases.harder import crowded, faint, outside, shrunk
from tbstar_jax.evaluation.cases.overlaid import (
    overlay_draft,
    plain_shot,
    taken_by,
)
from tbstar_jax.evaluation.cases.stack import Stack, begin

Kind: TypeAlias = Literal["two", "three", "four", "tiny", "contrast", "dense"]

KINDS: tuple[Kind, ...] = (
    *("two", "tiny", "three", "contrast", "four"),
    *("dense", "two", "four", "three", "tiny"),
)
"""Kinds of hard cases, in turn."""

NUM_EDITS: Mapping[str, int] = {"two": 2, "three": 3, "four": 4}
"""Kinds that ask for several edits, and for how many."""

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What every kind begins with.

    Attributes:
      size: rows and columns, pixels.
      wishes: what it is to show.
    """

    size: tuple[int, int]
    wishes: Wishes


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
    rng: np.random.Generator,
    task: str,
    index: int,
    size: tuple[int, int],
    wishes: Wishes = NO_WISHES,
) -> Draft | None:
    """Draws a hard case; None where this draw gives none, draw again.

    Args:
      rng: source of random numbers.
      task: of the benchmark.
      index: decides the kind.
      size: rows and columns, pixels.
      wishes: what the photo is to show, but for the background of `contrast`.
    """
    wanted = _Wanted(size=size, wishes=wishes)
    kind = hard_kind(task, index)
    is_studio = task in STUDIO_TASKS
    if kind in NUM_EDITS:
        draft = _several(rng, task, wanted, NUM_EDITS[kind])
    elif kind == "dense":
        draft = (_dense_studio if is_studio else _dense_overlay)(rng, task, wanted)
    elif is_studio:
        draft = _plain_studio(rng, task, wanted, kind)
    else:
        draft = _plain_overlay(rng, task, wanted, kind)
    if draft is None:
        return None
    return dataclasses.replace(draft, tags={**draft.tags, "difficulty": kind})


def _several(
    rng: np.random.Generator, task: str, wanted: _Wanted, count: int
) -> Draft | None:
    """So many edits in one instruction, the task's first."""
    is_studio = task in STUDIO_TASKS
    under = _under(rng, task)
    stack = _bottom(rng, under, wanted)
    if stack is None:
        return None
    second = [
        _SECOND[int(k)]
        for k in rng.permutation(len(_SECOND))
        if _SECOND[int(k)] not in (task, under)
    ]
    others = second[: count - 1] if is_studio else [*second[: count - 2], task]
    for number, over in enumerate(others):
        is_last = number == len(others) - 1
        alter = _fitting(stack.taken) if is_last else _bare
        drawn = draw_overlay(rng, over, stack.source, stack.taken, alter)
        if drawn is None or not stack.add(drawn, over):
            return None
    last = len(others)
    return stack.draft(
        (*range(count),) if is_studio else (last, *range(last)),
    )


def _bare(rng: np.random.Generator, edit: LayoutEdit) -> LayoutEdit:
    """The edit without the parts that it leaves alone: room for more edits."""
    kept = [part.id for part in edit.before.parts if edit.after.part(part.id) == part]
    return dataclasses.replace(
        edit, before=edit.before.without(*kept), after=edit.after.without(*kept)
    )


def _fitting(taken: Sequence[Rect]) -> Alter:
    """Lets an outpainting pass that shows all that is edited below it."""

    def alter(rng: np.random.Generator, edit: LayoutEdit) -> LayoutEdit | None:
        strips = outside(edit)
        is_cut = any(strip.overlaps(rect) for strip in strips for rect in taken)
        return None if is_cut else edit

    return alter


def _under(rng: np.random.Generator, task: str) -> str:
    """The task of the studio edit below the overlays."""
    if task in STUDIO_TASKS:
        return task
    # A thing beside the product may lie where an outpainting's photo does not reach.
    return "recolor" if task == "outpaint" else choose(rng, _UNDER)


def _dense_studio(rng: np.random.Generator, task: str, wanted: _Wanted) -> Draft | None:
    stack = _bottom(rng, task, wanted)
    if stack is None:
        return None
    crowd = _crowd(stack.source, stack.taken)
    drawn = draw_overlay(rng, "identity", stack.source, stack.taken, crowd)
    if drawn is None or not stack.add(drawn, None):
        return None
    return stack.draft((0,))


def _bottom(rng: np.random.Generator, task: str, wanted: _Wanted) -> Stack | None:
    """A stack with a studio edit that has room for overlays around the things."""
    edit = sample_shot_edit(rng, task, wanted.size, wanted.wishes)
    if edit.before.light.warmth != edit.after.light.warmth:
        return None
    shot = shoot(zoomed(edit, _ROOM))
    return begin(shot, task) if shot else None


def _dense_overlay(
    rng: np.random.Generator, task: str, wanted: _Wanted
) -> Draft | None:
    shot = plain_shot(rng, wanted.size, wanted.wishes)
    taken = taken_by(shot)
    drawn = draw_overlay(
        rng, task, shot.pair.source, taken, _crowd(shot.pair.source, taken)
    )
    return overlay_draft(drawn, shot) if drawn else None


def _crowd(photo: Photo, taken: Sequence[Rect]) -> Alter:
    return lambda rng, edit: crowded(rng, edit, photo, taken)


def _plain_studio(
    rng: np.random.Generator, task: str, wanted: _Wanted, kind: Kind
) -> Draft | None:
    edit = sample_shot_edit(rng, task, wanted.size, wanted.wishes)
    edit = zoomed(edit, _FAR) if kind == "tiny" else _camouflaged(edit)
    shot = shoot(edit)
    return studio_draft(shot, task) if shot else None


def _plain_overlay(
    rng: np.random.Generator, task: str, wanted: _Wanted, kind: Kind
) -> Draft | None:
    shot = plain_shot(rng, wanted.size, wanted.wishes)
    source = shot.pair.source

    def alter(rng: np.random.Generator, edit: LayoutEdit) -> LayoutEdit | None:
        return shrunk(edit) if kind == "tiny" else faint(edit, source)

    drawn = draw_overlay(rng, task, source, taken_by(shot), alter)
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
