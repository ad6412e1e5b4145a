"""Colours and lights that edits ask for, in the numbers pictures are made of."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.draft import Draft
from tbstar_jax.evaluation.cases.from_layout import (
    draw_card,
    draw_overlay,
    layout_draft,
)
from tbstar_jax.evaluation.cases.from_studio import (
    sample_shot_edit,
    shoot,
    studio_draft,
)
from tbstar_jax.evaluation.cases.wording import instructions

_SIZE = (128, 128)


def _cards(task: str, count: int) -> list[Draft]:
    drafts = []
    for seed in range(count):
        drawn = draw_card(np.random.default_rng(seed), task, _SIZE)
        draft = layout_draft(drawn, None) if drawn else None
        if draft is not None:
            drafts.append(draft)
    return drafts


def test_a_flat_part_has_the_color_that_is_told() -> None:
    gray = np.full((*_SIZE, 3), 128, np.uint8)
    drawn = draw_overlay(np.random.default_rng(0), "recolor", gray, ())
    draft = layout_draft(drawn, np.zeros(_SIZE, bool)) if drawn else None
    assert draft is not None
    color = draft.target_color
    assert color is not None
    assert color.part in ("badge", "price", "headline")
    told = np.array(color.rgb)
    shows = [
        int(np.all(picture[draft.masks.edit] == told, axis=1).sum())
        for picture in (draft.source, draft.reference)
    ]
    assert shows[0] == 0
    assert shows[1] > 0.2 * draft.masks.edit.sum()
    said = instructions(draft.asks, "imperative", np.random.default_rng(0))
    assert color.name in said["en"]


def test_a_recolored_thing_is_told_by_its_paint() -> None:
    edit = sample_shot_edit(np.random.default_rng(3), "recolor", _SIZE)
    shot = shoot(edit)
    draft = studio_draft(shot, "recolor") if shot else None
    assert draft is not None
    color = draft.target_color
    assert color is not None
    assert (color.part, color.name) == ("item-0", edit.facts.new_color_en)
    assert draft.target_light is None


@pytest.mark.parametrize(
    ("wording", "change", "differ"),
    [
        ("light_add", "falloff", {"falloff", "strength"}),
        ("light_remove", "falloff", {"falloff", "strength"}),
        ("light_turn", "direction", {"side"}),
        ("shadow_add", "shadow", {"shadow"}),
        ("shadow_remove", "shadow", {"shadow"}),
    ],
)
def test_lights_of_cards_differ_in_what_is_asked(
    wording: str, change: str, differ: set[str]
) -> None:
    found = [
        draft.target_light
        for draft in _cards("light_shadow", 24)
        if draft.asks[0].wording == wording
    ]
    assert found
    for light in found:
        assert light is not None
        assert light.change == change
        names = {*light.before, *light.after}
        assert {
            name for name in names if light.before.get(name) != light.after.get(name)
        } == differ


def test_the_light_of_a_scene_is_told_before_and_after() -> None:
    changes = set()
    for seed in range(16):
        edit = sample_shot_edit(np.random.default_rng(seed), "light_shadow", (48, 48))
        shot = shoot(edit)
        draft = studio_draft(shot, "light_shadow") if shot else None
        if draft is None:
            continue
        light = draft.target_light
        assert light is not None
        assert light.before == dataclasses.asdict(edit.before.light)
        assert light.after == dataclasses.asdict(edit.after.light)
        changes.add(light.change)
    assert changes == {"direction", "warmth", "shadow", "softness"}
