"""One case of the benchmark: a pure function of split, task, index and seed.

Generators take turns by index, so that every task is drawn in several ways:

    studio      a product in three dimensions, the edit a change of the scene
    layout      a promotional card, the edit a change of its layers
    overlay     layers on a studio render, the edit a change of the layers
    closeup     a studio render, and one of a detail of the same scene
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from tbstar_jax.data_engine.render.sampling import choose
from tbstar_jax.data_engine.studio.sampling import product_families
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case, Split
from tbstar_jax.evaluation.cases.closeup import closeup_draft
from tbstar_jax.evaluation.cases.conditions import condition_of, taken
from tbstar_jax.evaluation.cases.draft import Ask, Draft
from tbstar_jax.evaluation.cases.from_layout import (
    draw_card,
    draw_overlay,
    layout_draft,
)
from tbstar_jax.evaluation.cases.from_studio import (
    TEXT_TASKS,
    Shot,
    sample_shot_edit,
    shoot,
    studio_draft,
)
from tbstar_jax.evaluation.cases.hard import hard_draft
from tbstar_jax.evaluation.cases.kept import kept_region
from tbstar_jax.evaluation.cases.overlaid import overlay_draft, plain_shot, taken_by
from tbstar_jax.evaluation.cases.questions import questions
from tbstar_jax.evaluation.cases.seeds import case_generator
from tbstar_jax.evaluation.cases.shown import with_object
from tbstar_jax.evaluation.cases.splits import size_of, split_plan
from tbstar_jax.evaluation.cases.spoiled import SPOILS, spoiled_draft
from tbstar_jax.evaluation.cases.tags import case_tags
from tbstar_jax.evaluation.cases.wording import STYLES, Style, instructions

Generator: TypeAlias = Literal["studio", "layout", "overlay", "closeup"]

GENERATORS: Mapping[str, tuple[Generator, ...]] = {
    "bg_white": ("studio", "layout"),
    "bg_scene": ("studio", "layout"),
    "recolor": ("studio", "layout", "studio", "overlay"),
    "material": ("studio",),
    "watermark_remove": ("overlay", "layout"),
    "text_remove": ("overlay", "studio", "layout"),
    "text_replace_en": ("studio", "overlay", "layout"),
    "text_replace_zh": ("overlay", "studio", "layout"),
    "text_add": ("overlay", "studio", "layout"),
    "object_add": ("studio", "overlay"),
    "object_remove": ("studio", "overlay"),
    "object_replace": ("studio", "overlay"),
    "light_shadow": ("studio", "studio", "layout"),
    "outpaint": ("overlay", "layout"),
    "layout": ("studio", "layout", "studio", "overlay"),
    "repair_zoom": (
        *("overlay", "layout", "studio"),
        *("closeup", "layout", "studio"),
        *("overlay", "layout", "studio"),
    ),
}
"""What draws a task, in turn."""

LEAST_SHARE, LARGEST_SHARE = 0.002, 0.995
"""Bounds of the edit's share of the canvas, but for `GLOBAL_WORDINGS`."""

GLOBAL_WORDINGS = ("relight", "sharpen", "closeup")
"""Light of another colour, noise, casts and another lens reach every pixel: nothing is
left to be kept, and `masks.edit` is all. What such an answer preserves cannot be told
from pixels alone; half of the cases of light and a third of the spoiled photos are
local, too."""

LEAST_SEEN, LEAST_SEEN_LIGHT = 0.002, 0.02
"""Least share of the canvas that changes by 16 levels or more; the second for light and
materials, whose changes are spread thinly."""

_SPOILED_EVERY = 3
"""Every such repair is one of a spoiled photo."""
_FAMILY_ROUND = 5
"""Cases of a task in the smallest split that is to have all families alike."""
_HEX_EVERY = 3
"""Every such recolouring names its colour by six hexadecimal digits."""
_SHOWN_ROUND = 8
_SHOWN_TURNS = {"object_add": (0, 2, 5, 7), "object_replace": (1, 3, 4, 6)}
"""Of so many renders of a task, those whose thing a second picture shows: with all
styles of instructions and, over two rounds, nearly all families."""
_SUBTLE = ("relight", "light_turn", "material")
_SEEN = 16
_ATTEMPTS = 60


def make_case(split: Split, task: str, index: int, seed: int | None = None) -> Case:
    """Draws a case.

    Args:
      split: one of `splits.SPLITS`.
      task: one of `BENCHMARK_TASKS`.
      index: from 0, in its task.
      seed: for `fresh`, which needs one; None for all others.

    Returns:
      The case, the same to the last bit whoever asks.

    Raises:
      UserError: an unknown split or task, an index beyond the split, or a seed where
        none belongs.
    """
    plan = split_plan(split)
    if task not in BENCHMARK_TASKS:
        raise UserError(
            f"the benchmark has no task {task!r}; its tasks are "
            f"{', '.join(BENCHMARK_TASKS)}"
        )
    if not 0 <= index < plan.num_per_task:
        raise UserError(
            f"the split {split!r} has no case {index} of {task}; indices are 0 to "
            f"{plan.num_per_task - 1}"
        )
    if (seed is None) == (split == "fresh") or (seed is not None and seed < 0):
        raise UserError(
            f"the seed is {seed} for the split {split!r}; the split 'fresh' needs a "
            "seed of at least 0, and all others have none"
        )
    key = seed or 0
    size = size_of(split, index)
    for attempt in range(_ATTEMPTS):
        rng = case_generator(split, key, task, index, f"scene-{attempt}")
        draft = _draft(rng, split, task, index, size)
        if draft is not None and is_sound(draft):
            condition = condition_of(draft, task, index, _num_generators(split, task))
            camera = case_generator(split, key, task, index, "camera")
            words = case_generator(split, key, task, index, "words")
            return finish(taken(draft, condition, camera), split, task, index, words)
    raise AssertionError(f"no case {split}/{task}/{index} in {_ATTEMPTS} attempts")


def is_sound(draft: Draft) -> bool:
    """Whether a draft is a fair case: something to do, and something to keep."""
    edit = draft.masks.edit
    differs = np.any(draft.source != draft.reference, axis=2)
    assert not np.any(differs & ~edit), "a pixel differs outside the edit"
    change = np.abs(draft.source.astype(np.int16) - draft.reference).max(axis=2)
    least = LEAST_SEEN_LIGHT if draft.asks[0].wording in _SUBTLE else LEAST_SEEN
    if float(np.mean(change >= _SEEN)) < least:
        return False
    if draft.asks[0].wording in GLOBAL_WORDINGS and edit.all():
        return True
    share = float(edit.mean())
    return LEAST_SHARE < share < LARGEST_SHARE and bool(kept_region(edit).any())


def style_of(task: str, index: int) -> Style:
    """The style of a case's instruction: all four in turn, in every generator."""
    num_generators = len(GENERATORS[task])
    turn = index // num_generators if math.gcd(num_generators, 4) > 1 else 0
    return STYLES[(index + turn + BENCHMARK_TASKS.index(task)) % len(STYLES)]


def finish(
    draft: Draft, split: Split, task: str, index: int, rng: np.random.Generator
) -> Case:
    """Gives a draft its name, words and tags.

    Args:
      draft: what was drawn.
      split: of the case.
      task: of the benchmark.
      index: in its task.
      rng: chooses among phrasings.
    """
    style = style_of(task, index)
    return Case(
        id=f"{split}/{task}/{index:03d}",
        task=task,
        split=split,
        index=index,
        generator=draft.generator,
        instructions=instructions(_said(draft, task, index), style, rng),
        style=style,
        source=draft.source,
        reference=draft.reference,
        masks=draft.masks,
        photo_box=draft.photo_box,
        object_photo=draft.object_photo,
        facts=draft.asks[0].facts,
        kept_texts=draft.kept_texts,
        target_texts=draft.target_texts,
        target_objects=draft.target_objects,
        target_color=draft.target_color,
        target_light=draft.target_light,
        questions=questions(draft.asks, draft.kept_texts),
        tags=case_tags(draft, style),
        licence=draft.licence,
        asked=draft.asked,
    )


def _said(draft: Draft, task: str, index: int) -> tuple[Ask, ...]:
    """What instructions say: some name a colour as designers do, `#cc2224`."""
    color = draft.target_color
    is_hex = task == "recolor" and index % _HEX_EVERY == _HEX_EVERY - 1
    if color is None or not is_hex or len(draft.asks) > 1:
        return draft.asks
    (ask,) = draft.asks
    name = "#{:02x}{:02x}{:02x}".format(*color.rgb)
    facts = dataclasses.replace(ask.facts, new_color_en=name, new_color_zh=name)
    return (dataclasses.replace(ask, facts=facts),)


def _num_generators(split: Split, task: str) -> int:
    """How many ways of drawing take turns; the hard split stacks edits on renders."""
    return 1 if split == "hard" else len(GENERATORS[task])


def _draft(
    rng: np.random.Generator, split: Split, task: str, index: int, size: tuple[int, int]
) -> Draft | None:
    if split == "hard":
        return hard_draft(rng, task, index, size)
    family = family_in_turn(task, index)
    match _way(task, index):
        case "studio" if task == "repair_zoom":
            kind = SPOILS[index // _SPOILED_EVERY % len(SPOILS)]
            return spoiled_draft(rng, size, family, kind)
        case "studio":
            shot = shoot(sample_shot_edit(rng, task, size, family))
            draft = studio_draft(shot, task) if shot else None
            if shot and draft and is_shown(task, index):
                return with_object(draft, shot)
            return draft
        case "layout":
            card = draw_card(rng, task, size)
            return layout_draft(card, None) if card else None
        case "overlay":
            return _overlay(rng, task, plain_shot(rng, size, family))
        case "closeup":
            assert task == "repair_zoom", "no other task has close-ups"
            return closeup_draft(rng, size, family)


def family_in_turn(task: str, index: int) -> str:
    """The product's family of a case: in turn, over those of its task drawn as it is.

    Each way of drawing a task has a turn of its own, else families would go with ways.
    The hard split draws families at random, and cards have none.
    """
    way = _way(task, index)
    is_labelled = task in TEXT_TASKS and way == "studio"
    families = product_families(has_plate=is_labelled)
    turn = _first_turn(task, way) + _num_drawn(task, way, index)
    return families[turn % len(families)]


def _first_turn(task: str, way: Generator) -> int:
    """Turns go on from one another's first cases, so that small splits have all."""
    turn = 0
    for one in BENCHMARK_TASKS:
        for other in dict.fromkeys(GENERATORS[one]):
            if (one, other) == (task, way):
                return turn
            turn += 0 if other == "layout" else _num_drawn(one, other, _FAMILY_ROUND)
    raise AssertionError(f"{task} is never drawn by {way}")


def _num_drawn(task: str, way: Generator, count: int) -> int:
    """How many of a task's first cases are drawn in a way."""
    return sum(_way(task, index) == way for index in range(count))


def _way(task: str, index: int) -> Generator:
    return GENERATORS[task][index % len(GENERATORS[task])]


def is_shown(task: str, index: int) -> bool:
    """Whether a second picture shows the thing to add or to put in another's place.

    So it is in half of the renders of these tasks; elsewhere the words alone tell.
    """
    if task not in _SHOWN_TURNS or _way(task, index) != "studio":
        return False
    turn = _num_drawn(task, "studio", index) % _SHOWN_ROUND
    return turn in _SHOWN_TURNS[task]


def _overlay(rng: np.random.Generator, task: str, under: Shot) -> Draft | None:
    kinds = ("layout", "move") if task == "layout" else (task,)
    drawn = draw_overlay(rng, choose(rng, kinds), under.pair.source, taken_by(under))
    return overlay_draft(drawn, under) if drawn else None
