"""Slices of a split: what takes turns is as frequent as everything else that does."""

from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest

from tbstar_jax.data_engine.studio.sampling import product_families
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS, Split
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.manifest import read_manifest
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.cases.tags import BACKGROUND_CLASSES
from tbstar_jax.evaluation.cases.turns import (
    CARD_CLASSES,
    GENERATORS,
    RENDER_CLASSES,
    Turn,
    family_in_turn,
    turn_of,
)
from tbstar_jax.evaluation.cases.wording import STYLES

SPLITS: tuple[Split, ...] = ("mini", "dev", "test", "hard")


@pytest.fixture(scope="module")
def turns() -> dict[Split, dict[tuple[str, int], Turn]]:
    return {
        split: {name: turn_of(split, 0, *name) for name in case_names(split)}
        for split in SPLITS
    }


def spread(counts: Counter, options) -> int:
    """The largest count less the least, of options that may not occur."""
    assert set(counts) <= set(options)
    return max(counts.values()) - min(counts[one] for one in options)


def test_families_are_balanced_over_a_split_and_in_a_task():
    families = product_families(has_plate=False)
    assert len(families) == 12
    allowed = {"mini": 5, "dev": 5, "test": 10, "hard": 2}
    for split in SPLITS:
        drawn = Counter(
            family_in_turn(split, task, index)
            for task, index in case_names(split)
            if split == "hard"
            or GENERATORS[task][index % len(GENERATORS[task])] != "layout"
        )
        assert spread(drawn, families) <= allowed[split]
    own = Counter(family_in_turn("test", "material", index) for index in range(36))
    assert own == dict.fromkeys(families, 3)


def test_families_are_balanced_in_every_way_of_drawing_a_task():
    for task in BENCHMARK_TASKS:
        ways = GENERATORS[task]
        for way in set(ways) - {"layout"}:
            indices = [i for i in range(40) if ways[i % len(ways)] == way]
            is_labelled = way == "studio" and task.startswith("text_")
            families = product_families(has_plate=is_labelled)
            drawn = Counter(family_in_turn("test", task, index) for index in indices)
            assert drawn.total() == len(indices), (task, way)
            assert spread(drawn, families) <= 1, (task, way)


@pytest.mark.parametrize("split", SPLITS)
def test_backgrounds_are_balanced_in_every_way_of_drawing(turns, split):
    drawn = defaultdict(Counter)
    for (task, _), turn in turns[split].items():
        drawn[turn.way, task == "bg_white"][turn.background_class] += 1
    for (way, is_white), counts in drawn.items():
        options = CARD_CLASSES if way == "layout" else RENDER_CLASSES
        if is_white and way != "layout":
            options = [one for one in options if one != "white"]
            # A white background is not asked for where there is one.
            assert "white" not in counts
        if way == "layout":
            counts = drawn[way, False] + drawn[way, True]
        assert spread(counts, options) <= 1, (way, counts)
    assert set(BACKGROUND_CLASSES) == {*RENDER_CLASSES, "photo"}


@pytest.mark.parametrize("split", ["mini", "dev", "test"])
def test_numbers_of_things_are_balanced(turns, split):
    drawn = defaultdict(Counter)
    for (task, _), turn in turns[split].items():
        if turn.way in ("studio", "overlay"):
            drawn[turn.way, task][turn.num_items] += 1
    assert set(drawn["studio", "layout"]) == {None}
    for task, options in (
        ("object_add", (1, 2)),
        ("object_remove", (2, 3)),
        ("object_replace", (2, 3)),
    ):
        assert set(drawn["studio", task]) == set(options)
    total = sum(
        (counts for key, counts in drawn.items() if key[0] == "overlay"), Counter()
    )
    assert spread(total, (1, 2, 3)) <= 1
    if split == "test":
        for task in ("recolor", "material", "light_shadow", "text_remove"):
            assert spread(drawn["studio", task], (1, 2, 3)) <= 2


def test_languages_are_balanced_in_every_way_of_drawing_a_task(turns):
    drawn = defaultdict(Counter)
    for (task, _), turn in turns["test"].items():
        drawn[task, turn.way][turn.language] += 1
    for (task, way), counts in drawn.items():
        if task in ("text_remove", "text_add", "watermark_remove"):
            assert spread(counts, ("en", "zh")) <= 2, (task, way)
        else:
            assert set(counts) == {None}


def test_no_turn_runs_in_step_with_another(turns):
    """Backgrounds against families, counts and languages: as if drawn by lot."""
    renders = [turn for turn in turns["test"].values() if turn.way != "layout"]
    for trait in ("family", "num_items", "language"):
        table = Counter(
            (turn.background_class, getattr(turn, trait))
            for turn in renders
            if getattr(turn, trait) is not None
        )
        rows = {row for row, _ in table}
        columns = {column for _, column in table}
        total = table.total()
        of_row = {row: sum(table[row, c] for c in columns) for row in rows}
        of_column = {c: sum(table[row, c] for row in rows) for c in columns}
        chi_square = sum(
            (table[row, c] - of_row[row] * of_column[c] / total) ** 2
            / (of_row[row] * of_column[c] / total)
            for row, c in product(rows, columns)
        )
        freedom = (len(rows) - 1) * (len(columns) - 1)
        # Three standard deviations of a chi-square above its mean.
        assert chi_square < freedom + 3 * np.sqrt(2 * freedom), trait


def test_a_fresh_split_has_an_order_of_its_own():
    names = case_names("fresh")[:40]
    first, again, other = (
        [turn_of("fresh", seed, *name) for name in names] for seed in (3, 3, 4)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("split", "task", "index"),
    [
        ("mini", "material", 1),
        ("mini", "bg_white", 0),
        ("mini", "bg_scene", 1),
        ("mini", "object_add", 0),
        ("mini", "object_remove", 2),
        ("mini", "text_remove", 1),
        ("mini", "text_add", 2),
        ("mini", "watermark_remove", 2),
        ("mini", "watermark_remove", 3),
        ("mini", "outpaint", 2),
        ("mini", "repair_zoom", 2),
        ("mini", "repair_zoom", 3),
        ("hard", "recolor", 1),
        ("hard", "watermark_remove", 5),
    ],
)
def test_a_case_shows_what_it_is_its_turn_to_show(split, task, index):
    case, turn = make_case(split, task, index), turn_of(split, 0, task, index)
    assert case.tags["background_class"] == turn.background_class
    if turn.family is not None:
        assert case.tags["family"] == turn.family
    if turn.num_items is not None:
        assert case.tags["num_objects"] == {1: "1", 2: "2", 3: "3+"}[turn.num_items]
    if turn.language is not None:
        assert case.tags["script"] == turn.language


@pytest.mark.parametrize("split", ["dev", "test"])
def test_slices_are_large_enough_to_be_looked_at(split):
    slices = read_manifest(split)["slices"]
    total = len(case_names(split))
    for name, counts in slices.items():
        assert sum(counts.values()) == total, name
    least = {
        "background_class": (0.06, RENDER_CLASSES),
        "family": (0.05, product_families(has_plate=False)),
        "num_objects": (0.20, ("1", "2", "3+")),
        "script": (0.40, ("en", "zh")),
        "text_height": (0.25, ("<7%", "7-10%", ">=10%")),
        "edit_share": (0.20, ("<5%", "5-15%", "15-40%", ">=40%")),
        "contrast": (0.25, ("low", "middle", "high")),
        "damage_level": (0.25, ("light", "middle", "heavy")),
        "condition": (0.08, ("clean", "noise", "jpeg")),
        "style": (0.20, STYLES),
    }
    assert set(least) == set(slices)
    for name, (share, values) in least.items():
        assert set(slices[name]) <= {*values, "none", "number"}
        found = {value: slices[name].get(value, 0) for value in values}
        # Of the cases that have one.
        assert min(found.values()) >= share * sum(found.values()), (name, found)


def test_the_slices_of_a_manifest_are_those_of_its_cases(smoke):
    told = read_manifest("smoke")["slices"]
    for name, counts in told.items():
        assert counts == dict(Counter(case.tags[name] for case in smoke))
