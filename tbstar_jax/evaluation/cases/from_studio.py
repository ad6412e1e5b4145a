"""Cases from the studio: products in three dimensions.

What may change is what the renderer says that can: the things edited, what their
shadows and reflected light reach, all that is seen of the backdrop. Texts change on
their plate alone, where it has neither logo nor frame. A lamp that moves changes the
things and their shadows; one of another colour changes every pixel, and nothing is left
to be kept (`light_shadow` has both kinds).
"""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Bool, Float32

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.edits import Edit, sample_edit
from tbstar_jax.data_engine.studio.families import family_of
from tbstar_jax.data_engine.studio.pairs import Pair, pair_of
from tbstar_jax.data_engine.studio.renderer import Frame, render, render_all
from tbstar_jax.data_engine.studio.sampling import (
    NO_WISHES,
    Wishes,
    has_tiny_plate,
    without_logo,
)
from tbstar_jax.data_engine.studio.scene import Scene
from tbstar_jax.data_engine.studio.stage import is_visible, text_boxes
from tbstar_jax.evaluation.cases.case import (
    KeptText,
    Language,
    Masks,
    TargetObject,
    TargetText,
)
from tbstar_jax.evaluation.cases.draft import (
    Draft,
    box_from_edges,
    box_of,
    ink_color,
    is_in,
    is_readable,
    no_mask,
)
from tbstar_jax.evaluation.cases.quads import smallest_quad
from tbstar_jax.evaluation.cases.regions import around, beside, without
from tbstar_jax.evaluation.cases.retext import draw_renaming, retext_studio
from tbstar_jax.evaluation.cases.scene_maps import scene_maps
from tbstar_jax.evaluation.cases.studio_words import ask_of
from tbstar_jax.evaluation.cases.targets import scene_color, scene_light

TEXT_TASKS = ("text_remove", "text_replace_en", "text_replace_zh", "text_add")

_CLOSE = 0.88
_SEEN = 0.5
_INKED = 0.3
_PRINTED = 0.05
_LEAST_TEXT = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shot:
    """A studio edit with its renders; where nothing is edited, both are the same.

    Attributes:
      edit: the scenes.
      pair: the pictures.
      region: what the edit may change, exactly.
    """

    edit: Edit
    pair: Pair
    region: Bool[np.ndarray, "h w"]


def sample_shot_edit(
    rng: np.random.Generator,
    task: str,
    size: tuple[int, int],
    wishes: Wishes = NO_WISHES,
    language: Language | None = None,
) -> Edit:
    """Draws a studio edit of a task of the benchmark, with the benchmark's words.

    Args:
      rng: source of random numbers.
      task: of the benchmark.
      size: rows and columns, pixels.
      wishes: what the source is to show.
      language: of the text that the edit is about; None for as it falls.
    """
    kinds = ("layout", "layout", "move") if task == "layout" else (task,)
    if task == "light_shadow" and rng.random() < 0.5:
        edit = _local_light(rng, size, wishes)
    else:
        edit = sample_edit(rng, choose(rng, kinds), size, wishes=wishes)
    while not is_in(edit.facts, language):
        edit = sample_edit(rng, task, size, wishes=wishes)
    edit = retext_studio(edit, draw_renaming(rng))
    # A label is a small part of its picture: come as close as the things allow.
    return zoomed(edit, _CLOSE) if task in TEXT_TASKS else edit


def _local_light(
    rng: np.random.Generator, size: tuple[int, int], wishes: Wishes
) -> Edit:
    """An edit of light that leaves most of the picture alone."""
    while True:
        edit = sample_edit(rng, "light_shadow", size, wishes=wishes)
        if edit.before.light.warmth == edit.after.light.warmth:
            return edit


def zoomed(edit: Edit, factor: float) -> Edit:
    """The edit seen at a field of view `factor` times as wide.

    Where that makes the plate too small for a logo, there is none.
    """
    camera = edit.before.camera
    wide = round(camera.field_of_view * factor, 3)
    camera = dataclasses.replace(camera, field_of_view=wide)
    scenes = [
        dataclasses.replace(scene, camera=camera) for scene in (edit.before, edit.after)
    ]
    if any(has_tiny_plate(scene) for scene in scenes):
        scenes = [without_logo(scene) for scene in scenes]
    return dataclasses.replace(edit, before=scenes[0], after=scenes[1])


def shoot(edit: Edit) -> Shot | None:
    """Renders an edit.

    Returns:
      The pictures, or None where nobody would see the difference.
    """
    before, after = render_all([edit.before, edit.after], NumpyBackend())
    pair = pair_of(edit, before, after, is_strict=True)
    if not is_visible(pair):
        return None
    return Shot(edit=edit, pair=pair, region=_region(edit, pair))


def still(scene: Scene) -> Shot:
    """Renders one scene, which nothing edits."""
    frame = render(scene)
    unedited = Edit(
        task="identity",
        before=scene,
        after=scene,
        extent="items",
        facts=Facts(),
    )
    empty = no_mask(scene.size)
    pair = Pair(
        source=frame.image,
        target=frame.image,
        change_mask=np.zeros(scene.size, np.uint8),
        region=empty,
        before=frame,
        after=frame,
    )
    return Shot(edit=unedited, pair=pair, region=empty)


def studio_draft(shot: Shot, task: str) -> Draft | None:
    """All that is known of a rendered edit.

    Args:
      shot: the edit.
      task: of the benchmark.

    Returns:
      The draft, or None where its text is too small to be read.
    """
    edit, pair = shot.edit, shot.pair
    targets = target_texts(shot)
    if not all(is_readable(one, edit.before.size) for one in targets):
        return None
    permitted = _permitted(shot, task)
    return Draft(
        generator="studio",
        asks=(ask_of(shot.edit, pair),),
        source=pair.source,
        reference=pair.target,
        masks=Masks(
            edit=permitted,
            product=_about(shot, task, is_source=True),
            product_after=_about(shot, task, is_source=False),
            shadow=_shadow(shot, task),
            text=_text_mask(shot),
        ),
        kept_texts=kept_texts(shot, permitted),
        target_texts=targets,
        target_objects=_objects(shot),
        target_color=scene_color(edit),
        target_light=scene_light(edit),
        tags=scene_tags(edit),
        scene=scene_maps(pair.before),
    )


def scene_tags(edit: Edit) -> dict[str, str]:
    """What slices can be made by: family, background and number of things."""
    scene = edit.before
    return {
        "family": scene.items[0].family,
        "background": scene.backdrop.kind,
        "num_objects": str(len(scene.items)),
    }


def things(frame: Frame) -> Bool[np.ndarray, "h w"]:
    """Marks every pixel in which a thing is seen, however little."""
    return frame.coverage.sum(axis=0) > 0


def _differs(pair: Pair) -> Bool[np.ndarray, "h w"]:
    return pair.change_mask > 0


def _region(edit: Edit, pair: Pair) -> Bool[np.ndarray, "h w"]:
    """What the edit may change; holds every pixel that differs."""
    if edit.task in TEXT_TASKS:
        return (pair.before.room[0] > 0) | _differs(pair)
    if edit.task == "light_shadow" and edit.before.light.warmth == (
        edit.after.light.warmth
    ):
        reached = (pair.before.influence | pair.after.influence).any(axis=0)
        if edit.before.light.azimuth != edit.after.light.azimuth:
            reached |= things(pair.before)
        return reached | _differs(pair)
    return pair.region


def _permitted(shot: Shot, task: str) -> Bool[np.ndarray, "h w"]:
    """`masks.edit`: the region itself, or all that the instruction leaves open."""
    edit, pair = shot.edit, shot.pair
    if task not in ("object_add", "object_replace"):
        return shot.region
    number = edit.touched_after[0]
    kept = [k for k in range(len(edit.after.items)) if k not in edit.touched_after]
    others = np.any(pair.after.coverage[kept] > 0, axis=0)
    if task == "object_add":
        open_to = beside(pair.after.coverage[number] > _SEEN, others)
    else:
        open_to = around(shot.region)
    return shot.region | without(open_to, others)


def _about(shot: Shot, task: str, *, is_source: bool) -> Bool[np.ndarray, "h w"]:
    """The things edited; in tasks about none of them, all.

    Through glass a new background is seen: there it is no part of what is kept.
    """
    edit, pair = shot.edit, shot.pair
    frame = pair.before if is_source else pair.after
    touched = edit.touched_before if is_source else edit.touched_after
    if task in ("bg_white", "bg_scene", "light_shadow"):
        touched = tuple(range(len(frame.coverage)))
    seen = np.any(frame.coverage[list(touched)] > _SEEN, axis=0)
    return seen & ~shot.region if task in ("bg_white", "bg_scene") else seen


def _shadow(shot: Shot, task: str) -> Bool[np.ndarray, "h w"]:
    edit, pair = shot.edit, shot.pair
    if edit.extent != "items" and task != "light_shadow":
        return no_mask(edit.before.size)
    cast = no_mask(edit.before.size)
    for frame, touched in (
        (pair.before, edit.touched_before),
        (pair.after, edit.touched_after),
    ):
        numbers = list(touched) or (
            list(range(len(frame.coverage))) if task == "light_shadow" else []
        )
        cast |= frame.influence[numbers].any(axis=0) & (
            frame.coverage[numbers] == 0
        ).all(axis=0)
    return cast & _differs(pair)


def _letters(shot: Shot) -> Float32[np.ndarray, "h w"]:
    """Ink of the text on the product in both pictures, without logo and frame."""
    return np.maximum(shot.pair.before.text[0], shot.pair.after.text[0])


def _text_mask(shot: Shot) -> Bool[np.ndarray, "h w"]:
    """Ink of both texts; what is beside them on the plate, which both have, is out."""
    if shot.edit.task not in TEXT_TASKS:
        return no_mask(shot.edit.before.size)
    return _letters(shot) > _INKED


def target_texts(shot: Shot) -> tuple[TargetText, ...]:
    """The text that the edit is about, if it is about one."""
    edit, pair = shot.edit, shot.pair
    shown = _letters(shot) > _PRINTED
    box = box_of(shown) if edit.task in TEXT_TASKS else None
    if box is None:
        return ()
    facts = edit.facts
    frame = pair.after if facts.new_text else pair.before
    return (
        TargetText(
            old=facts.text,
            new=facts.new_text,
            language=language_of(facts.new_text or facts.text or ""),
            box=box,
            ink=ink_color(frame.image, frame.text[0]),
            quad=smallest_quad(shown),
        ),
    )


def language_of(text: str) -> Language | None:
    """The language of a text; None where it has no letters."""
    if not any(character.isalpha() for character in text):
        return None
    return "en" if text.isascii() else "zh"


def kept_texts(shot: Shot, edit_mask: Bool[np.ndarray, "h w"]) -> tuple[KeptText, ...]:
    """The texts on plates that say the same in both pictures, outside the edit.

    Args:
      shot: the pictures.
      edit_mask: what may change.
    """
    found = []
    for note in text_boxes(shot.edit, shot.pair):
        box = box_from_edges(note["box"])
        is_kept = note["kept"] and not edit_mask[box.slices].any()
        if is_kept and box.height >= _LEAST_TEXT:
            text = str(note["text"])
            found.append(KeptText(text=text, language=language_of(text), box=box))
    return tuple(found)


def _objects(shot: Shot) -> tuple[TargetObject, ...]:
    edit, pair = shot.edit, shot.pair
    if edit.task not in ("object_add", "object_remove", "object_replace") and (
        edit.task not in ("layout", "move")
    ):
        return ()
    before = [_thing(edit.before, pair.before, k) for k in edit.touched_before]
    after = [_thing(edit.after, pair.after, k) for k in edit.touched_after]
    if edit.task == "object_replace":
        gone = dataclasses.replace(before[0], after=None)
        return gone, dataclasses.replace(after[0], before=None)
    return tuple(
        dataclasses.replace(
            old or new, before=old and old.before, after=new and new.after
        )
        for old, new in itertools.zip_longest(before, after)
    )


def _thing(scene: Scene, frame: Frame, number: int) -> TargetObject:
    """A thing, as if it were in both pictures where it is in one."""
    family = family_of(scene.items[number].family)
    box = box_of(frame.coverage[number] > _SEEN)
    return TargetObject(
        id=f"item-{number}", kind=family.id, name=family.name_en, before=box, after=box
    )
