"""Composition and chains: what they make equals the edits made one after the other."""

import dataclasses
import itertools

import numpy as np
import pytest

from tbstar_jax.data_engine.augment.chain import Chain, chain
from tbstar_jax.data_engine.augment.compose import Compose
from tbstar_jax.data_engine.augment.edits import are_disjoint, decode_edits
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.rendered_pairs import (
    arrays,
    edited,
    is_exact,
    picture,
    rendered,
    scene_with_everything,
)

COMPOSE = Compose(max_edits=2, max_per_photo=4, margin=0, num_texts=3, max_bytes=200)
TASK_PAIRS = (
    ("object_remove", "text_replace_en"),
    ("recolor", "text_replace_en"),
    ("object_remove", "watermark_remove"),
    ("text_replace_en", "watermark_remove"),
)
NUM_SCENES = 12


def rng():
    return np.random.default_rng(0)


def pairs_of(first, second):
    """Scenes on which two edits do not meet, with the decoded edits."""
    for index in range(NUM_SCENES):
        scene = scene_with_everything(index, watermark="watermark" in second)
        records = [rendered(scene, task, index) for task in (first, second)]
        edits = decode_edits(records, margin=0)
        if are_disjoint(edits):
            yield index, scene, edits


@pytest.mark.parametrize(("first", "second"), TASK_PAIRS)
def test_a_composition_is_the_scene_with_both_edits_drawn_anew(first, second):
    num_pairs = 0
    for index, scene, edits in pairs_of(first, second):
        made = COMPOSE.compose(edits, rng())
        source, target, _ = arrays(made)
        both = edited(edited(scene, first, index), second, index)
        assert np.array_equal(source, picture(scene))
        assert np.array_equal(target, picture(both))
        assert is_exact(made)
        assert made.provenance["tasks"] == [first, second]
        num_pairs += 1
    assert num_pairs >= (1 if second == "watermark_remove" else NUM_SCENES)


@pytest.mark.parametrize(("first", "second"), TASK_PAIRS[:2])
def test_the_last_turn_of_a_chain_shows_the_composition(first, second):
    for index, scene, edits in itertools.islice(pairs_of(first, second), 6):
        turns = chain(edits[::-1])
        assert [one.task for one in turns] == [second, first]
        assert [one.provenance["turn"] for one in turns] == [0, 1]
        assert len({one.provenance["chain_id"] for one in turns}) == 1
        assert turns[1].source_images == (turns[0].target_image,)
        assert all(is_exact(one) for one in turns)
        between = edited(scene, second, index)
        _, target, _ = arrays(turns[0])
        assert np.array_equal(target, picture(between))
        _, target, _ = arrays(turns[1])
        assert np.array_equal(target, picture(edited(between, first, index)))


def flat(value, box=None, color=(200, 0, 0)):
    image = np.full((16, 16, 3), value, np.uint8)
    if box is not None:
        image[box] = color
    return encode_png(image)


def toy(key, task, box, english, chinese=(), facts=None, color=(200, 0, 0)):
    """A pair that paints a box on a grey photo."""
    return dataclasses.replace(
        rendered(scene_with_everything(0), "recolor", with_facts=False),
        key=key,
        source_images=(flat(90),),
        target_image=flat(90, box, color),
        change_mask=b"",
        instructions_en=english,
        instructions_zh=chinese,
        task=task,
        provenance={"facts": facts} if facts else {},
    )


LEFT, RIGHT = np.s_[2:6, 2:6], np.s_[2:6, 9:14]
BLUE = toy(
    "a",
    "recolor",
    LEFT,
    ("make the red mug blue", "keep the lamp, make the mug blue", "mug in blue?"),
    ("把红色马克杯改成蓝色",),
    {"object_en": "mug", "color_en": "red", "color_zh": "红色"},
)
GONE = toy(
    "b",
    "object_remove",
    RIGHT,
    ("remove the ball", "remove the ball next to the red mug"),
    ("去掉红马克杯旁边的小球", "去掉小球"),
    {"object_en": "ball", "object_zh": "小球", "other_object_en": "mug"},
)


def test_requests_are_joined_and_those_about_the_rest_are_not():
    (made,) = COMPOSE.combine([BLUE, GONE], rng())
    assert made.task == "object_remove"  # 20 pixels against 16
    assert "facts" not in made.provenance
    assert {part for text in made.instructions_en for part in parts(text)} == {
        "make the red mug blue",
        "remove the ball",
        "remove the ball next to the red mug",
    }
    assert {part for text in made.instructions_zh for part in parts(text)} == {
        "把红色马克杯改成蓝色",
        "去掉红马克杯旁边的小球",
        "去掉小球",
    }


def parts(text):
    for between in (", and ", ", then ", "; ", "，并", "，再", "；"):
        if between in text:
            return text.split(between)
    raise AssertionError(text)


def test_sentences_are_joined_into_one():
    first = dataclasses.replace(BLUE, instructions_en=("Make the mug blue.",))
    second = dataclasses.replace(GONE, instructions_en=("Remove the Acme ball.",))
    (made,) = COMPOSE.combine([first, second], rng())
    (text,) = made.instructions_en
    assert {part.lower() for part in parts(text)} == {
        "make the mug blue",
        "remove the acme ball",
    }
    assert "Acme" in text
    assert text[0].isupper()
    assert sum(letter.isupper() for letter in text) == 2


def test_joined_requests_keep_to_the_length():
    short = dataclasses.replace(COMPOSE, max_bytes=45)
    (made,) = short.combine([BLUE, GONE], rng())
    texts = made.instructions_en + made.instructions_zh
    assert texts
    assert max(len(text.encode()) for text in texts) <= 45
    assert not list(
        dataclasses.replace(COMPOSE, max_bytes=10).combine([BLUE, GONE], rng())
    )


def test_edits_that_meet_or_come_closer_than_the_margin_are_not_combined():
    near = toy("c", "object_remove", np.s_[2:6, 7:9], ("remove the cube",))
    over = toy("d", "object_remove", np.s_[2:6, 5:9], ("remove the cube",))
    assert len(list(COMPOSE.combine([BLUE, near], rng()))) == 1
    assert not list(COMPOSE.combine([BLUE, over], rng()))
    # One column lies between them: 1 pixel of margin fits, 2 reach across.
    for margin, count in ((1, 1), (2, 0)):
        apart = dataclasses.replace(COMPOSE, margin=margin)
        assert len(list(apart.combine([BLUE, near], rng()))) == count


def test_three_edits_make_one_pair_with_the_union_of_their_masks():
    third = toy("e", "object_remove", np.s_[10:14, 2:6], ("remove the cube",))
    three = dataclasses.replace(COMPOSE, max_edits=3, max_per_photo=9)
    made = list(three.combine([BLUE, GONE, third], rng()))
    sizes = sorted(len(one.provenance["parents"]) for one in made)
    assert sizes == [2, 2, 2, 3]
    largest = max(made, key=lambda one: len(one.provenance["parents"]))
    _, target, mask = arrays(largest)
    expected = np.zeros((16, 16), np.uint8)
    for box in (LEFT, RIGHT, np.s_[10:14, 2:6]):
        expected[box] = 255
    assert np.array_equal(mask, expected)
    assert np.array_equal(np.any(target != 90, axis=2), expected == 255)
    assert (
        len(
            list(
                dataclasses.replace(three, max_per_photo=2).combine(
                    [BLUE, GONE, third], rng()
                )
            )
        )
        == 2
    )


def test_a_later_turn_names_nothing_that_is_gone():
    edits = decode_edits([BLUE, GONE], margin=0)
    first, second = chain(edits)
    assert first.instructions_en == BLUE.instructions_en
    assert second.instructions_en == ("remove the ball",)
    assert second.instructions_zh == ("去掉小球",)
    third = dataclasses.replace(
        BLUE,
        key="f",
        instructions_en=("make the mug next to the ball blue",),
        instructions_zh=(),
    )
    assert chain(decode_edits([GONE, third], margin=0)) == ()


def test_a_turn_after_an_edit_that_does_not_tell_what_is_gone_is_not_made():
    unknown = dataclasses.replace(GONE, provenance={})
    assert chain(decode_edits([unknown, BLUE], margin=0)) == ()
    assert len(chain(decode_edits([BLUE, unknown], margin=0))) == 2


def test_facts_that_an_earlier_turn_made_untrue_are_dropped():
    facts = {"text": "COPY", "object_en": "mug", "color_en": "red"}
    mark = toy("g", "watermark_remove", RIGHT, ("remove the watermark",), (), facts)
    first, second = chain(decode_edits([BLUE, mark], margin=0))
    assert first.provenance["facts"] == BLUE.provenance["facts"]
    assert "facts" not in second.provenance
    first, second = chain(decode_edits([BLUE, GONE], margin=0))
    assert second.provenance["facts"] == GONE.provenance["facts"]


def test_chains_have_names_of_their_own_and_keep_to_their_number():
    method = Chain(max_turns=2, max_per_photo=1, margin=0)
    turns = list(method.combine([BLUE, GONE], rng()))
    assert len(turns) == 2
    assert len({one.key for one in turns} | {BLUE.key, GONE.key}) == 4


def test_what_is_combined_rejected_or_unchanged_is_left_out():
    def noted(**notes):
        return dataclasses.replace(GONE, provenance=GONE.provenance | notes)

    unchanged = dataclasses.replace(GONE, target_image=GONE.source_images[0])
    for other in (
        unchanged,
        noted(transform="compose"),
        noted(transform="identity"),
        noted(status="rejected:blur"),
        dataclasses.replace(
            GONE, target_image=encode_png(np.zeros((8, 8, 3), np.uint8))
        ),
    ):
        assert not list(COMPOSE.combine([BLUE, other], rng()))
    assert list(COMPOSE.combine([BLUE, noted(status="flagged:shift")], rng()))


def test_only_edits_of_one_file_are_combined():
    other = dataclasses.replace(GONE, source_images=(flat(91),))
    with pytest.raises(UserError, match="another photo"):
        list(COMPOSE.combine([BLUE, other], rng()))


def test_too_small_numbers_are_refused():
    with pytest.raises(UserError, match="max_edits of compose is 1"):
        dataclasses.replace(COMPOSE, max_edits=1)
    with pytest.raises(UserError, match="max_turns of chain is 1"):
        Chain(max_turns=1, max_per_photo=1, margin=0)
