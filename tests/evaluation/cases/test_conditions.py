"""How pictures were taken: what grain and a JPEG do, and what they never do."""

import collections
import dataclasses

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.conditions import (
    GRAIN,
    as_jpeg,
    condition_of,
    grained,
    taken,
)
from tbstar_jax.evaluation.cases.draft import Ask, Draft
from tbstar_jax.evaluation.cases.hard import hard_draft
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.cases.turns import GENERATORS
from tbstar_jax.geometry import Box

SIZE = (48, 40)


def pictures(seed):
    """A source, and a reference that differs from it in a square."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 255, SIZE[1]).astype(np.uint8)
    source = np.repeat(np.tile(ramp, (SIZE[0], 1))[:, :, None], 3, axis=2)
    source = source.copy()
    source[30:] = rng.integers(0, 256, source[30:].shape)
    reference = source.copy()
    reference[8:20, 8:20] = (200, 30, 40)
    return source, reference


@pytest.fixture(scope="module")
def draft():
    case = make_case("smoke", "object_remove", 0)
    source, reference = pictures(0)
    return Draft(
        generator="studio",
        asks=(Ask(wording="object_remove", facts=case.facts),),
        source=source,
        reference=reference,
        masks=case.masks,
        kept_texts=(),
        target_texts=(),
        target_objects=(),
        tags={},
    )


def rng():
    return np.random.default_rng(5)


def test_a_clean_case_has_the_pictures_as_they_were_drawn(draft):
    made = taken(draft, "clean", rng())
    np.testing.assert_array_equal(made.source, draft.source)
    np.testing.assert_array_equal(made.reference, draft.reference)
    assert made.tags["condition"] == "clean"


@pytest.mark.parametrize("condition", ["noise", "jpeg"])
def test_pictures_differ_where_the_clean_ones_do_and_nowhere_else(draft, condition):
    made = taken(draft, condition, rng())
    assert (made.source != draft.source).any()
    np.testing.assert_array_equal(
        (made.source != made.reference).any(axis=2),
        (draft.source != draft.reference).any(axis=2),
    )


def test_grain_is_strongest_at_middle_grey_and_absent_at_both_ends():
    grain = np.random.default_rng(1).standard_normal((100, 300, 3)) * 2.0
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200], picture[:, 200:] = 128, 255
    noisy = grained(picture, grain)
    assert (noisy[:, :100] == 0).all()
    assert (noisy[:, 200:] == 255).all()
    # Rounding to levels adds a twelfth to the variance.
    assert noisy[:, 100:200].std() == pytest.approx(np.sqrt(4 + 1 / 12), rel=0.02)


def test_grain_is_of_the_stated_size(draft):
    flat = np.full((*SIZE, 3), 128, np.uint8)
    flat = dataclasses.replace(draft, source=flat, reference=flat)
    for seed in range(8):
        made = taken(flat, "noise", np.random.default_rng(seed))
        assert GRAIN[0] * 0.95 < made.source.std() < GRAIN[1] * 1.05


def test_the_reference_is_fresh_where_the_edit_drew_and_the_jpeg_s_elsewhere(draft):
    made = taken(draft, "jpeg", rng())
    quality = int(rng().integers(88, 96))
    np.testing.assert_array_equal(made.source, as_jpeg(draft.source, quality))
    assert (made.reference[8:20, 8:20] == (200, 30, 40)).all()


def test_what_lies_around_the_photo_of_an_outpainting_is_no_jpeg(draft):
    source, reference = pictures(1)
    box = Box(top=16, left=8, height=24, width=24)
    canvas = np.full_like(source, 128)
    canvas[box.slices] = source[box.slices]
    wide = dataclasses.replace(draft, source=canvas, reference=reference, photo_box=box)
    made = taken(wide, "jpeg", rng())
    outside = np.ones(SIZE, bool)
    outside[box.slices] = False
    assert (made.source[outside] == 128).all()
    assert (made.source[box.slices] != canvas[box.slices]).any()


@pytest.mark.parametrize("condition", ["noise", "jpeg"])
def test_half_way_pictures_are_taken_by_the_same_camera(condition):
    made = None
    for seed in range(60):
        made = hard_draft(np.random.default_rng(seed), "recolor", 0, (160, 160))
        if made is not None and made.asked:
            break
    again = taken(made, condition, rng())
    for clean, one in zip(made.asked, again.asked, strict=True):
        for name in ("source", "reference"):
            was_alike = (clean.undone == getattr(made, name)).all(axis=2)
            is_alike = (one.undone == getattr(again, name)).all(axis=2)
            assert 0.1 < was_alike.mean() < 1
            assert is_alike[was_alike].all()


def test_what_the_camera_did_is_not_done_twice(draft):
    for wording in ("sharpen", "closeup"):
        spoiled = dataclasses.replace(
            draft, asks=(Ask(wording=wording, facts=draft.asks[0].facts),)
        )
        found = {condition_of(spoiled, "repair_zoom", n, 9) for n in range(40)}
        assert found == {"clean"}


@pytest.mark.parametrize("split", ["mini", "dev", "test"])
def test_every_task_has_about_as_many_clean_cases_as_others(draft, split):
    count = collections.defaultdict(collections.Counter)
    for task, index in case_names(split):
        ways = GENERATORS[task]
        way = ways[index % len(ways)]
        drawn = dataclasses.replace(
            draft, generator="studio" if way == "closeup" else way
        )
        count[task][condition_of(drawn, task, index, len(ways))] += 1
    total = sum(count.values(), collections.Counter())
    share = total["clean"] / total.total()
    assert 0.4 < share < 0.6
    assert total["noise"] > 0.1 * total.total()
    assert total["jpeg"] > 0.15 * total.total()
    assert set(count) == set(BENCHMARK_TASKS)
