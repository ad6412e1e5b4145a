"""What every case promises: something to do, something to keep, and words for it."""

import dataclasses
import os
import re
import subprocess
import sys
from collections import Counter
from typing import get_args

import numpy as np
import pytest

from tbstar_jax.data_engine.layout.card import PromoKind
from tbstar_jax.data_engine.render.scene import SETTINGS as CARD_SETTINGS
from tbstar_jax.data_engine.studio.scene import BackdropKind
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Case
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.kept import MIN_KEPT_SHARE
from tbstar_jax.evaluation.cases.make import (
    GLOBAL_WORDINGS,
    make_case,
    style_of,
)
from tbstar_jax.evaluation.cases.manifest import read_manifest
from tbstar_jax.evaluation.cases.splits import SPLITS, case_names, size_of
from tbstar_jax.evaluation.cases.tags import BACKGROUND_CLASSES, background_class
from tbstar_jax.evaluation.cases.turns import GENERATORS
from tbstar_jax.evaluation.cases.wording import STYLES
from tbstar_jax.evaluation.scores.preservation import preservation
from tbstar_jax.geometry import OUTPAINT_FILL, Box

Smoke = tuple[Case, ...]

_DIGESTS = """
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.make import make_case
for task in BENCHMARK_TASKS:
    print(case_digest(make_case("smoke", task, 0)))
"""


def _is_inside(box: Box | None, size: tuple[int, int]) -> bool:
    return box is None or (
        min(box.top, box.left) >= 0
        and min(box.height, box.width) >= 1
        and box.top + box.height <= size[0]
        and box.left + box.width <= size[1]
    )


def test_smoke_has_one_case_of_every_task_and_four_of_every_style(smoke: Smoke) -> None:
    assert tuple(case.task for case in smoke) == BENCHMARK_TASKS
    assert Counter(case.style for case in smoke) == dict.fromkeys(STYLES, 4)
    assert {case.generator for case in smoke} >= {"studio", "overlay"}
    assert all(case.size == (128, 128) for case in smoke)


def test_splits_have_the_agreed_sizes() -> None:
    counts = {split: len(case_names(split)) for split in SPLITS}
    assert counts == {
        "smoke": 16,
        "mini": 80,
        "dev": 240,
        "test": 640,
        "fresh": 640,
        "hard": 160,
    }
    assert [size_of("test", index) for index in (0, 3, 4)] == [
        (1024, 1024),
        (1024, 768),
        (768, 1024),
    ]


def test_pixels_differ_inside_the_edit_alone(smoke: Smoke) -> None:
    for case in smoke:
        differs = np.any(case.source != case.reference, axis=2)
        assert differs.any(), case.id
        assert not (differs & ~case.masks.edit).any(), case.id


def test_every_case_has_something_to_keep(smoke: Smoke) -> None:
    for case in smoke:
        share = float(case.masks.edit.mean())
        is_global = case.tags["kind"] in GLOBAL_WORDINGS and share == 1.0
        assert is_global or 0.002 < share < 0.995, case.id
        kept = preservation(
            case.source, case.reference, case.reference, case.masks.edit
        )
        assert is_global or kept.kept_share >= MIN_KEPT_SHARE, case.id
        assert kept.score == 1.0, case.id


def test_kept_texts_lie_on_the_canvas_and_outside_the_edit(smoke: Smoke) -> None:
    assert sum(len(case.kept_texts) for case in smoke) >= 5
    for case in smoke:
        for kept in case.kept_texts:
            assert _is_inside(kept.box, case.size), case.id
            assert not case.masks.edit[kept.box.slices].any(), case.id
            shown = case.source[kept.box.slices].reshape(-1, 3)
            assert np.ptp(shown, axis=0).max() > 40, f"nothing is written in {case.id}"


def test_targets_lie_where_the_pictures_change(smoke: Smoke) -> None:
    for case in smoke:
        differs = np.any(case.source != case.reference, axis=2)
        for text in case.target_texts:
            assert _is_inside(text.box, case.size), case.id
            assert differs[text.box.slices].any(), case.id
            assert text.old != text.new, case.id
        for thing in case.target_objects:
            assert _is_inside(thing.before, case.size), case.id
            assert _is_inside(thing.after, case.size), case.id
            assert thing.before or thing.after, case.id


@pytest.mark.parametrize(
    ("task", "has_before", "has_after"),
    [("object_add", False, True), ("object_remove", True, False)],
)
def test_objects_come_and_go(
    smoke: Smoke, task: str, has_before: bool, has_after: bool
) -> None:
    (case,) = (one for one in smoke if one.task == task)
    (thing,) = case.target_objects
    assert (thing.before is not None, thing.after is not None) == (
        has_before,
        has_after,
    )
    assert case.masks.product.any() == has_before
    assert case.masks.product_after.any() == has_after
    assert case.masks.shadow.any()


def test_texts_have_ink_where_the_masks_say(smoke: Smoke) -> None:
    for case in smoke:
        assert case.masks.text.any() == bool(case.target_texts), case.id
        for text in case.target_texts:
            assert case.masks.text[text.box.slices].sum() == case.masks.text.sum()


def test_instructions_say_all_that_is_quoted_in_both_languages(smoke: Smoke) -> None:
    for case in smoke:
        assert set(case.instructions) == {"en", "zh"}
        english, chinese = case.instructions["en"], case.instructions["zh"]
        assert re.search(r"[A-Za-z]{3}", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        for text in case.target_texts:
            if text.new is not None and case.task != "object_add":
                assert text.new in english, case.id
                assert text.new in chinese, case.id
        numbers = [re.findall(r"\d[\d.]*", said) for said in (english, chinese)]
        assert sorted(numbers[0]) == sorted(numbers[1]), case.id
        assert "{" not in english + chinese, case.id
        assert "  " not in english, case.id


def test_questions_have_both_answers(smoke: Smoke) -> None:
    for case in smoke:
        assert 2 <= len(case.questions) <= 5
        assert {question.answer for question in case.questions} == {True, False}
        assert all("{" not in question.en + question.zh for question in case.questions)


def test_outpainting_shows_the_photo_on_grey(smoke: Smoke) -> None:
    (case,) = (one for one in smoke if one.task == "outpaint")
    assert case.photo_box is not None
    assert np.array_equal(case.photo, case.reference[case.photo_box.slices])
    assert np.all(case.source[case.masks.edit] == OUTPAINT_FILL)
    outside = np.ones(case.size, bool)
    outside[case.photo_box.slices] = False
    assert np.array_equal(case.masks.edit, outside)


def test_styles_are_balanced_in_every_task_and_generator() -> None:
    for task in BENCHMARK_TASKS:
        styles = Counter(style_of(task, index) for index in range(40))
        assert styles == dict.fromkeys(STYLES, 10), task
        drawn = Counter(
            (GENERATORS[task][index % len(GENERATORS[task])], style_of(task, index))
            for index in range(40)
        )
        for generator in set(GENERATORS[task]):
            counts = [drawn[generator, style] for style in STYLES]
            assert max(counts) - min(counts) <= 2, (task, generator, counts)


def test_photos_are_spoiled_in_turn() -> None:
    damages = [_small_case("repair_zoom", index).tags["damage"] for index in (2, 5, 8)]
    assert damages == ["blur", "noise", "cast"]


def test_every_third_recolouring_names_the_colour_in_hexadecimal() -> None:
    for index in range(3):
        case = _small_case("recolor", index)
        assert case.target_color is not None
        red, green, blue = case.target_color.rgb
        code, name = f"#{red:02x}{green:02x}{blue:02x}", case.target_color.name
        for said in case.instructions.values():
            assert (code in said) == (index == 2)
        assert (name in case.instructions["en"]) == (index != 2)
        # Slices and questions go by names.
        assert case.tags["color"] == name
        assert not any("#" in question.en for question in case.questions)


def _small_case(task: str, index: int) -> Case:
    return make_case("mini" if index < 5 else "dev", task, index)


def test_tags_are_the_same_for_all(smoke: Smoke) -> None:
    names = {tuple(sorted(case.tags)) for case in smoke}
    assert len(names) == 1
    assert {"family", "background", "script", "edit_share", "style"} <= set(*names)


def test_every_kind_of_background_is_of_one_class() -> None:
    kinds = {
        *get_args(BackdropKind),
        *get_args(PromoKind),
        *(setting.id for setting in CARD_SETTINGS),
        "photo",
    }
    classed = [kind for found in BACKGROUND_CLASSES.values() for kind in found]
    assert sorted(classed) == sorted(kinds)
    assert background_class("brick") == "stone"


def test_damage_has_a_level(smoke: Smoke) -> None:
    levels = {case.task: case.tags["damage_level"] for case in smoke}
    assert levels["recolor"] == "none"
    assert levels["watermark_remove"] != "none"
    blur, dust, specks = (_small_case("repair_zoom", index) for index in (2, 1, 4))
    assert [one.tags["damage_level"] for one in (blur, dust, specks)] == [
        "light",
        "heavy",
        "middle",
    ]


def test_other_processes_draw_the_same_cases() -> None:
    manifest = read_manifest("smoke")["cases"]
    expected = [manifest[f"smoke/{task}/000"] for task in BENCHMARK_TASKS]
    # The second one as on a processor without AVX2.
    for seed, absent in (("1", ""), ("2", "AVX512_ICL X86_V4 X86_V3 AVX2")):
        changes = {"PYTHONHASHSEED": seed, "NPY_DISABLE_CPU_FEATURES": absent}
        done = subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            env={**os.environ, **changes},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == expected


def test_the_digest_sees_one_pixel_one_mask_and_one_word(smoke: Smoke) -> None:
    case = smoke[0]
    picture = case.reference.copy()
    picture[0, 0, 0] ^= 1
    mask = case.masks.shadow.copy()
    mask[0, 0] ^= True
    others = (
        dataclasses.replace(case, reference=picture),
        dataclasses.replace(case, masks=dataclasses.replace(case.masks, shadow=mask)),
        dataclasses.replace(case, instructions={**case.instructions, "en": "no"}),
    )
    digests = {case_digest(one) for one in (case, *others)}
    assert len(digests) == 4


def test_fresh_cases_follow_their_seed() -> None:
    first, again, other = (
        make_case("fresh", "bg_white", 1, seed=seed) for seed in (5, 5, 6)
    )
    assert case_digest(first) == case_digest(again) != case_digest(other)
    assert first.id == other.id == "fresh/bg_white/001"


@pytest.mark.parametrize(
    ("split", "task", "index", "seed", "said"),
    [
        ("fresh", "recolor", 0, None, "needs a seed"),
        ("mini", "recolor", 0, 3, "all others have none"),
        ("mini", "recolor", 5, None, "indices are 0 to 4"),
        ("mini", "move", 0, None, "no task 'move'"),
    ],
)
def test_what_is_no_case_is_refused(
    split: str, task: str, index: int, seed: int | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        make_case(split, task, index, seed)  # type: ignore[arg-type]
