import functools

import numpy as np
import pytest
import skimage.data

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout.card import Placed, Product, Text
from tbstar_jax.data_engine.layout.drawing import draw
from tbstar_jax.data_engine.layout.edits import (
    CARD_TASKS,
    PHOTO_TASKS,
    sample_card_edit,
    sample_photo_edit,
)
from tbstar_jax.data_engine.layout.pairs import draw_edit
from tbstar_jax.data_engine.layout.placement import contrast
from tbstar_jax.data_engine.layout.text_boxes import text_boxes
from tbstar_jax.data_engine.stage import record_generator
from tbstar_jax.tasks import TASK_IDS

NUM_CARDS = 60 * len(CARD_TASKS) // 2
NUM_PHOTOS = 1000 - NUM_CARDS


@functools.cache
def pictures():
    return skimage.data.coffee(), skimage.data.chelsea()


def photo_of(index):
    picture = pictures()[index % 2]
    rng = np.random.default_rng(index)
    top, left = rng.integers(picture.shape[0] - 64), rng.integers(380)
    return picture[top : top + 64, left : left + 64]


def drawn_card(index, size=(64, 64)):
    task = CARD_TASKS[index % len(CARD_TASKS)]
    rng = record_generator(0, "tests", f"card {index}")
    sample = functools.partial(sample_card_edit, task=task, size=size)
    return task, draw_edit(rng, sample), None


def drawn_photo(index):
    task = PHOTO_TASKS[index % len(PHOTO_TASKS)]
    rng = record_generator(0, "tests", f"photo {index}")
    photo = photo_of(index)
    sample = functools.partial(sample_photo_edit, task=task, photo=photo)
    return task, draw_edit(rng, sample, photo), photo


def test_the_tasks_are_known_and_many():
    assert set(CARD_TASKS) <= set(TASK_IDS)
    assert set(PHOTO_TASKS) < set(CARD_TASKS)
    assert len(CARD_TASKS) == len(set(CARD_TASKS)) == 17


def check(index, task, drawn, photo):
    assert drawn is not None, f"no room for {task}, draw {index}"
    edit, pair = drawn.edit, drawn.pair
    assert edit.task == task
    changed = pair.change_mask == 255
    assert set(np.unique(pair.change_mask)) <= {0, 255}
    assert np.array_equal(pair.source[~changed], pair.target[~changed])
    assert np.all(np.any(pair.source[changed] != pair.target[changed], axis=1))
    assert changed.any() == (task != "identity")
    if index % 10 == 0:
        # Drawn from nothing, without anything shared, the pictures are the same.
        again = draw(edit.after, photo).picture()
        assert np.array_equal(pair.target, again)
    for card in (edit.before, edit.after):
        check_card(card)


def check_card(card):
    rects = [part.rect for part in card.parts if isinstance(part, Placed)]
    for k, rect in enumerate(rects):
        assert rect.top >= 0.0
        assert rect.left >= 0.0
        assert rect.top + rect.height <= 1.0
        assert rect.left + rect.width <= 1.0
        assert not any(rect.overlaps(other) for other in rects[k + 1 :])
    for part in card.parts:
        if isinstance(part, Text):
            ground = part.plate.rgb if part.plate else part.outline
            if ground is not None:
                assert contrast(part.ink.rgb, ground) >= 3.0


def test_nothing_changes_outside_the_mask_of_a_thousand_pictures():
    assert NUM_CARDS + NUM_PHOTOS == 1000
    for index in range(NUM_CARDS):
        check(index, *drawn_card(index))
    for index in range(NUM_PHOTOS):
        check(index, *drawn_photo(index))


def test_upright_and_wide_cards_have_room_for_every_task():
    for index in range(2 * len(CARD_TASKS)):
        size = (96, 64) if index < len(CARD_TASKS) else (64, 128)
        check(index, *drawn_card(index, size))


@pytest.mark.parametrize(
    "size", [(64, 64), (200, 320)], ids=lambda size: "x".join(map(str, size))
)
def test_outpainting_keeps_what_is_shown_and_fills_the_grey(size):
    for index in range(6):
        rng = record_generator(0, "tests", f"outpaint {index}")
        sample = functools.partial(sample_card_edit, task="outpaint", size=size)
        drawn = draw_edit(rng, sample)
        box = drawn.edit.window.photo
        shown = drawn.pair.source[box.slices]
        assert np.array_equal(shown, drawn.pair.target[box.slices])
        hidden = np.ones(size, dtype=bool)
        hidden[box.slices] = False
        assert np.all(drawn.pair.source[hidden] == 128)
        grew = {
            "up": (box.top, True),
            "left": (box.left, True),
            "down": (size[0] - box.top - box.height, True),
            "right": (size[1] - box.left - box.width, True),
        }
        sides = {side for side, (rows, _) in grew.items() if rows > 0}
        direction = drawn.edit.facts.direction
        assert sides == (set(grew) if direction == "all sides" else {direction})


def test_facts_say_what_the_cards_say():
    for index in range(3 * len(CARD_TASKS)):
        task, drawn, _ = drawn_card(index)
        before, after, facts = drawn.edit.before, drawn.edit.after, drawn.edit.facts
        assert Facts.from_json(facts.to_json()) == facts
        old = {part.id: part for part in before.parts}
        new = {part.id: part for part in after.parts}
        match task:
            case "object_remove" | "text_remove":
                (gone,) = set(old) - set(new)
                assert facts.position == old[gone].place
                assert facts.new_text is None
            case "object_add" | "text_add":
                (added,) = set(new) - set(old)
                assert facts.position == new[added].place
            case "move" if facts.direction is None:
                (moved,) = (id for id in old if old[id] != new[id])
                assert facts.position == old[moved].place
                assert facts.new_position == new[moved].place != facts.position
            case "layout":
                moved = [id for id in old if old[id] != new[id]]
                places = [{one[id].place for id in moved} for one in (old, new)]
                assert len(moved) == 2
                assert places[0] == places[1]
            case "text_replace_en" | "text_replace_zh":
                (changed,) = (id for id in old if old[id] != new[id])
                assert facts.text == old[changed].text
                assert facts.new_text == new[changed].text != facts.text
                assert facts.new_text_language in (None, task[-2:])
            case "recolor":
                (changed,) = (id for id in old if old[id] != new[id])
                assert facts.color_en != facts.new_color_en
                if isinstance(new[changed], Product):
                    assert facts.new_color_en == new[changed].scene.color.name_en
            case "bg_white":
                assert facts.new_background_zh == "纯白背景"
                assert before.backdrop.__class__ != after.backdrop or before != after
            case "identity":
                assert before == after


def test_kept_texts_are_kept_and_new_ones_are_where_the_pixels_changed():
    num_kept = 0
    for index in range(4 * len(CARD_TASKS)):
        task, drawn, _ = drawn_card(index)
        pair = drawn.pair
        notes = text_boxes(drawn.source, drawn.target, drawn.edit.window)
        for note in notes:
            assert set(note) <= {"text", "language", "box", "part", "kept", "image"}
            top, left, bottom, right = note["box"]
            window = (slice(top, bottom), slice(left, right))
            assert 0 <= top < bottom <= 64
            assert 0 <= left < right <= 64
            assert note["kept"] == (note["image"] == "both")
            if not note["kept"]:
                assert pair.change_mask[window].any()
            elif task not in (
                "watermark_remove",
                "repair_zoom",
                "bg_white",
                "bg_scene",
                "recolor",
            ):
                num_kept += 1
                assert not pair.change_mask[window].any() or task == "light_shadow"
        if task.startswith("text_replace"):
            texts = {note["image"]: note["text"] for note in notes if not note["kept"]}
            assert texts == {
                "source": drawn.edit.facts.text,
                "target": drawn.edit.facts.new_text,
            }
    assert num_kept > 40
