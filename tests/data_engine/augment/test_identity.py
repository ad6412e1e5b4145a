"""Identity pairs: the answer is the picture itself, and the request holds."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.augment.identity import Identity, identity_pair
from tbstar_jax.data_engine.facts import Facts, with_facts
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tests.support.rendered_pairs import EDITS, arrays, rendered, scene_with_everything

PAIR = rendered(scene_with_everything(0), "recolor")
RECOLOR = dataclasses.replace(
    with_facts(PAIR, Facts(color_en="red", color_zh="红色", new_color_en="blue")),
    instructions_en=("make the red mug blue", "I want the mug in blue"),
    instructions_zh=("红色变蓝色", "马克杯改为蓝色", "红马克杯要蓝色"),
)


@pytest.mark.parametrize("task", EDITS)
def test_source_and_target_are_one_file_and_the_mask_is_empty(task):
    record = rendered(scene_with_everything(0, watermark=True), task)
    same = identity_pair(record)
    assert same.source_images == (same.target_image,) == (record.target_image,)
    _, target, mask = arrays(same)
    assert mask.shape == target.shape[:2]
    assert not mask.any()
    assert same.task == "identity"
    assert same.scene == record.scene
    assert same.provenance["transform"] == "identity"
    assert same.provenance["parents"] == [record.key]
    assert "facts" not in same.provenance
    assert same.instructions_en == record.instructions_en


def test_a_request_that_presupposes_the_old_state_is_left_out():
    same = identity_pair(RECOLOR)
    assert same.instructions_en == ("I want the mug in blue",)
    assert same.instructions_zh == ("马克杯改为蓝色",)


def test_without_facts_two_colours_are_one_too_many():
    same = identity_pair(with_facts(RECOLOR, Facts()))
    assert same.instructions_en == ("I want the mug in blue",)
    assert same.instructions_zh == ("马克杯改为蓝色",)


def test_what_could_be_done_twice_is_asked_to_stay():
    for task in ("object_add", "text_add", "move", "outpaint", "light_shadow"):
        same = identity_pair(dataclasses.replace(RECOLOR, task=task))
        assert "keep the photo as it is" in same.instructions_en
        assert "保持图片不变" in same.instructions_zh
        assert not any("blue" in text for text in same.instructions_en)


def test_where_others_may_be_left_a_removal_is_not_asked_again():
    record = rendered(scene_with_everything(0), "object_remove")
    some = Facts(object_en="ball", count=3, new_count=1)
    for facts in (some, Facts()):
        assert "no change" in identity_pair(with_facts(record, facts)).instructions_en
    text = dataclasses.replace(record, task="text_remove")
    assert "no change" in identity_pair(with_facts(text, Facts())).instructions_en
    known = identity_pair(with_facts(text, Facts(text="SALE")))
    assert known.instructions_en == record.instructions_en


def test_a_photo_is_asked_to_stay():
    photo = dataclasses.replace(
        PAIR, target_image=b"", change_mask=b"", instructions_en=(), instructions_zh=()
    )
    same = identity_pair(photo)
    assert same.target_image == photo.source_images[0]
    assert "leave everything unchanged" in same.instructions_en


def run(record, share, seed=0):
    with Identity(share=share).open() as transform:
        return list(transform(record, np.random.default_rng(seed)))


def test_the_share_is_drawn_per_record():
    counts = [len(run(PAIR, 0.25, seed)) - 1 for seed in range(400)]
    assert 70 <= sum(counts) <= 130
    assert run(PAIR, 0.0) == [PAIR]
    assert run(PAIR, 1.0) == [PAIR, identity_pair(PAIR)]
    with pytest.raises(UserError, match=r"is 1\.5, not 0 to 1"):
        Identity(share=1.5)


def test_identity_rejected_and_broken_pairs_get_none():
    already = dataclasses.replace(PAIR, task="identity")
    assert run(already, 1.0) == [already]
    rejected = dataclasses.replace(PAIR, provenance={"status": "rejected:blur"})
    assert run(rejected, 1.0) == [rejected]
    broken = dataclasses.replace(PAIR, target_image=b"no image")
    first, reject = run(broken, 1.0)
    assert first is broken
    assert isinstance(reject, Reject)
