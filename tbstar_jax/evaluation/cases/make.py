"""One case of the benchmark: a pure function of split, task, index and seed.

Generators take turns by index, so that every task is drawn in several ways:

    studio      a product in three dimensions, the edit a change of the scene
    layout      a promotional card, the edit a change of its layers
    overlay     layers on a studio render, the edit a change of the layers
    closeup     a studio render, and one of a detail of the same scene
"""

import dataclasses
import math

import numpy as np

from tbstar_jax.data_engine.render.sampling import choose
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
from tbstar_jax.evaluation.cases.turns import GENERATORS, Turn, num_ways, turn_of
from tbstar_jax.evaluation.cases.wording import STYLES, Style, instructions

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
    size, turn = size_of(split, index), turn_of(split, key, task, index)
    for attempt in range(_ATTEMPTS):
        rng = case_generator(split, key, task, index, f"scene-{attempt}")
        draft = _draft(rng, turn, task, index, size)
        if draft is not None and is_sound(draft) and turn.is_shown_by(draft):
            condition = condition_of(draft, task, index, num_ways(split, task))
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
        scene=draft.scene,
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


def _draft(
    rng: np.random.Generator,
    turn: Turn,
    task: str,
    index: int,
    size: tuple[int, int],
) -> Draft | None:
    match turn.way:
        case "hard":
            return hard_draft(rng, task, index, size, turn.wishes)
        case "studio" if task == "repair_zoom":
            kind = SPOILS[index // _SPOILED_EVERY % len(SPOILS)]
            return spoiled_draft(rng, size, turn.wishes, kind)
        case "studio":
            edit = sample_shot_edit(rng, task, size, turn.wishes, turn.language)
            shot = shoot(edit)
            draft = studio_draft(shot, task) if shot else None
            if shot and draft and is_shown(task, index):
                return with_object(draft, shot)
            return draft
        case "layout":
            card = draw_card(rng, task, size, turn.backgrounds, turn.language)
            return layout_draft(card, None) if card else None
        case "overlay":
            return _overlay(rng, task, plain_shot(rng, size, turn.wishes), turn)
        case "closeup":
            assert task == "repair_zoom", "no other task has close-ups"
            return closeup_draft(rng, size, turn.wishes)


def is_shown(task: str, index: int) -> bool:
    """Whether a second picture shows the thing to add or to put in another's place.

    So it is in half of the renders of these tasks; elsewhere the words alone tell.
    """
    ways = GENERATORS[task]
    if task not in _SHOWN_TURNS or ways[index % len(ways)] != "studio":
        return False
    turn = index // len(ways) % _SHOWN_ROUND
    return turn in _SHOWN_TURNS[task]


def _overlay(
    rng: np.random.Generator, task: str, under: Shot, turn: Turn
) -> Draft | None:
    kinds = ("layout", "move") if task == "layout" else (task,)
    drawn = draw_overlay(
        rng,
        choose(rng, kinds),
        under.pair.source,
        taken_by(under),
        language=turn.language,
    )
    return overlay_draft(drawn, under) if drawn else None
