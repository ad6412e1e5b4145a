"""In-context pairs from a painter that draws known pairs, well and in bad ways."""

import contextlib
import dataclasses
import functools
import pickle  # noqa: TID251, what workers are sent by

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import status_of
from tbstar_jax.data_engine.construct.diptych import Split, find_seams, split
from tbstar_jax.data_engine.construct.in_context import (
    InContext,
    InContextLimits,
    Painter,
    consistency,
)
from tbstar_jax.data_engine.construct.in_context_prompts import (
    TEMPLATES,
    captions_of,
    sampled_plan,
    sampled_scenes,
)
from tbstar_jax.data_engine.construct.in_context_stage import InContextStage
from tbstar_jax.data_engine.render.renderer import render
from tbstar_jax.data_engine.stage import Method, Reject, Stage, record_generator
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import check_record

SIZE = (64, 64)
NUM_PLANS = 10


def joined(pictures, axis):
    return np.concatenate(pictures, axis=axis)


def well(before, after, axis):
    return joined([before, after], axis)


def shifted(before, after, axis):
    return joined([before, np.roll(after, 4, axis=1)], axis)


def unequal(before, after, axis):
    """The seam lies 10 pixels before the middle."""
    length = before.shape[axis]
    last = np.repeat(after.take([length - 1], axis), 10, axis)
    return joined([before.take(range(length - 10), axis), after, last], axis)


def identical(before, after, axis):
    return joined([before, before], axis)


def tinted(before, after, axis):
    cast = after * np.array([1.0, 0.93, 0.82])
    return joined([before, np.rint(cast).astype(np.uint8)], axis)


def guttered(before, after, axis):
    room = range(before.shape[axis] - 2)
    bar = np.zeros_like(before.take(range(4), axis))
    return joined([before.take(room, axis), bar, after.take(room, axis)], axis)


def too_large(before, after, axis):
    return np.pad(well(before, after, axis), ((0, 16), (0, 0), (0, 0)), mode="edge")


@functools.cache
def plan(index):
    """Captions of a plan, and the pictures that it asks for."""
    _, before, after = sampled_scenes(0, index, SIZE)
    return captions_of(sampled_plan(0, index, SIZE)), render(before), render(after)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderingPainter:
    """Finds the plan that a prompt describes, and draws its scenes."""

    draw: object

    @property
    def fingerprint(self):
        return f"rendering-{self.draw.__name__}"

    @property
    def licence(self):
        return "Apache-2.0"

    def open(self):
        return contextlib.nullcontext(self._paint)

    def _paint(self, prompt, seed, size):
        axis = 1 if size[1] > size[0] else 0
        for index in range(NUM_PLANS):
            shown, before, after = plan(index)
            for language in ("en", "zh"):
                first = prompt.find(shown.before[language])
                last = prompt.rfind(shown.after[language])
                if 0 <= first < last:
                    return self.draw(before, after, axis)
        raise AssertionError(f"no plan is described by {prompt!r}")


def method(draw, **settings):
    return InContext(
        painter=RenderingPainter(draw=draw),
        size=SIZE,
        **{"pairs_per_plan": 1, **settings},
    )


@functools.cache
def drawn(draw, num_plans=NUM_PLANS, **settings):
    made = method(draw, **settings)
    stage = InContextStage(
        method=made, num_plans=num_plans, seed=0, plans_per_unit=num_plans
    )
    with stage.open() as work:
        return list(work(stage.units()[0]))


def test_halves_are_the_two_scenes_bit_for_bit():
    records = drawn(well)
    assert len(records) == NUM_PLANS
    assert {record.provenance["layout"] for record in records} == {
        "left_right",
        "top_bottom",
    }
    for index, record in enumerate(records):
        _, before, after = plan(index)
        assert record.task == sampled_scenes(0, index, SIZE)[0]
        np.testing.assert_array_equal(decode_image(record.source_images[0]), before)
        np.testing.assert_array_equal(decode_image(record.target_image), after)
        assert status_of(record) == "kept"
        check_record(record, "pairs")


DEFECTS = [
    (shifted, {"shift"}, 0.8),
    (unequal, {"split", "shift"}, 0.9),
    (identical, {"unchanged"}, 1.0),
    (too_large, {"size"}, 1.0),
]


@pytest.mark.parametrize(("draw", "rules", "share"), DEFECTS)
def test_a_bad_drawing_is_rejected_by_its_rule(draw, rules, share):
    statuses = [status_of(record) for record in drawn(draw)]
    found = [status in {f"rejected:{rule}" for rule in rules} for status in statuses]
    assert np.mean(found) >= share, statuses


def test_a_cast_is_rejected_where_an_edit_is_local():
    records = drawn(tinted)
    local = [record for record in records if record.task != "bg_white"]
    assert {status_of(record) for record in local} == {"rejected:color"}
    assert all(record.provenance["scores"]["in_context/drift"] > 2 for record in local)


def test_a_gutter_is_taken_out():
    records = drawn(guttered)
    kept = [record for record in records if status_of(record) == "kept"]
    assert len(kept) >= 0.9 * len(records)
    for record in kept:
        lengths = {record.image_sizes()[0][0], record.image_sizes()[0][1]}
        assert lengths <= {62, 64}
    assert any(min(record.image_sizes()[0]) == 62 for record in kept)


def test_rejected_pairs_keep_their_pictures_and_scores():
    for record in drawn(identical):
        assert record.source_images[0] == record.target_image
        scores = record.provenance["scores"]
        assert scores["in_context/changed"] == 0
        assert set(scores) >= {"in_context/unevenness", "in_context/shift"}


def test_other_limits_decide_otherwise():
    loose = InContextLimits(max_shift=50.0, max_drift=1000.0, max_changed=1.0)
    statuses = {status_of(record) for record in drawn(shifted, limits=loose)}
    assert statuses <= {"kept", "rejected:split"}


@pytest.mark.parametrize("layout", ["left_right", "top_bottom"])
@pytest.mark.parametrize("gutter", [0, 5])
def test_splitting_undoes_joining(layout, gutter):
    first = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    second = first.copy()
    second[10:20, 10:20] = 0
    axis = 1 if layout == "left_right" else 0
    bar = np.zeros((40, 40, 3), np.uint8).take(range(gutter), axis)
    halves = split(np.concatenate([first, bar, second], axis), layout)
    np.testing.assert_array_equal(halves.source, first)
    np.testing.assert_array_equal(halves.target, second)
    assert halves.gutter == (40, 40 + gutter)
    assert halves.unevenness == 0


@pytest.mark.parametrize("layout", ["left_right", "top_bottom"])
def test_an_uneven_split_is_found_at_its_seam(layout):
    tiles = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    scene = tiles.repeat(10, axis=0).repeat(10, axis=1)
    axis = 1 if layout == "left_right" else 0
    parts = [scene.take(range(30), axis), scene, scene.take(range(10), axis)]
    halves = split(np.concatenate(parts, axis), layout)
    assert halves.gutter == (30, 30)
    assert halves.unevenness == 10
    np.testing.assert_array_equal(halves.source, scene.take(range(30), axis))
    np.testing.assert_array_equal(halves.target, halves.source)


def test_a_canvas_of_odd_length_loses_its_middle():
    canvas = np.zeros((8, 9, 3), np.uint8)
    canvas[:, 5:] = 1
    halves = split(canvas, "left_right")
    assert halves.source.shape == halves.target.shape == (8, 4, 3)
    assert (halves.target == 1).all()


def test_a_seam_is_a_jump_along_the_whole_canvas():
    canvas = np.full((20, 40, 3), 100, np.uint8)
    canvas[:, 18:] = 120
    assert find_seams(canvas) == (18,)
    canvas[:8, 18:] = 105  # a jump along 60 % only
    assert find_seams(canvas) == ()


def test_a_displacement_is_measured_to_a_tenth_of_a_pixel():
    rng = np.random.default_rng(1)
    wide = np.kron(rng.integers(0, 256, (16, 20, 3)), np.ones((4, 4, 1)))
    wide = wide.astype(np.uint8)
    halves = Split(
        source=wide[:, 3:67], target=wide[:, :64], gutter=(64, 64), unevenness=0.0
    )
    assert consistency(halves, "recolor")["shift"] == pytest.approx(3.0, abs=0.1)


def test_every_prompt_says_before_and_after_in_order():
    for layouts in TEMPLATES.values():
        assert set(layouts) == {"left_right", "top_bottom"}
        for templates in layouts.values():
            assert len(templates) >= 2
            for template in templates:
                prompt = template.format(before="BEFORE", after="AFTER")
                assert prompt.find("BEFORE") < prompt.find("AFTER")


def test_pairs_of_a_plan_differ_in_seed_and_prompt():
    records = drawn(well, num_plans=1, pairs_per_plan=4)
    assert len({record.provenance["seed"] for record in records}) == 4
    assert len({record.provenance["prompt"] for record in records}) > 1
    assert len({record.key for record in records}) == 4
    assert {record.provenance["method"] for record in records} == {"in_context"}
    assert {record.provenance["licence"] for record in records} == {"Apache-2.0"}


def test_how_plans_are_put_into_units_changes_no_pair():
    whole = drawn(well)
    stage = InContextStage(
        method=method(well), num_plans=NUM_PLANS, seed=0, plans_per_unit=4
    )
    units = pickle.loads(pickle.dumps(stage.units()))
    assert [unit.payload for unit in units] == [(0, 4), (4, 8), (8, 10)]
    assert len({unit.digest for unit in units}) == 3
    with stage.open() as work:
        parts = [record for unit in reversed(units) for record in work(unit)]
    assert sorted(parts, key=lambda record: record.key) == whole


def test_a_record_that_is_no_plan_is_rejected():
    bare = dataclasses.replace(sampled_plan(0, 0, SIZE), provenance={"after_en": "x"})
    with method(well).open() as transform:
        (reject,) = transform(bare, record_generator(0, "in_context", bare.key))
    assert isinstance(reject, Reject)
    assert "no plan for in-context pairs" in reject.reason
    assert "before_en" in reject.reason


def test_method_stage_and_painter_follow_their_protocols():
    stage = InContextStage(method=method(well), num_plans=2, seed=0, plans_per_unit=1)
    assert isinstance(stage, Stage)
    assert isinstance(stage.method, Method)
    assert isinstance(stage.method.painter, Painter)
    others = [
        dataclasses.replace(stage, seed=1),
        dataclasses.replace(stage, method=method(shifted)),
        dataclasses.replace(stage, method=method(well, pairs_per_plan=2)),
    ]
    prints = {one.fingerprint for one in [stage, *others]}
    assert len(prints) == 4
    with pytest.raises(UserError, match="num_plans is 0"):
        dataclasses.replace(stage, num_plans=0)
