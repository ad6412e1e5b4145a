"""Planted defects in photographs are caught, and clean pairs are left alone."""

import numpy as np
import pytest

from tbstar_jax.data_engine.filter.defects import DEFECTS
from tbstar_jax.data_engine.filter.edits import EDITS, PAD, crop_of
from tbstar_jax.data_engine.filter.rules import STAGE_1
from tbstar_jax.data_engine.filter.trial import (
    false_alarm_rate,
    run_trial,
    table,
)
from tests.data_engine.filter.photographs import photographs

SIDE = 160


@pytest.fixture(scope="module")
def rows():
    photos = photographs()[:5] + photographs()[7:8]
    return run_trial(photos, num_pairs=6, side=SIDE, seed=0, profile=STAGE_1)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_defects_are_caught_for_the_right_reason(rows, defect):
    (row,) = (row for row in rows if row.name == defect.name)
    # Measured at 256 px: all are caught, 92 % or more for a right reason.
    assert row.num_caught == row.num_pairs == 6
    assert row.num_named >= 5


def test_clean_pairs_are_kept(rows):
    assert false_alarm_rate(rows) <= 0.05
    assert sum(row.is_clean for row in rows) == len(EDITS) + 3


def test_shifts_are_estimated_to_a_tenth_of_a_pixel(rows):
    errors = [row.shift_error_p95 for row in rows if row.name.startswith("shift")]
    assert len(errors) == 3
    assert max(errors) <= 0.1


def test_the_table_has_a_row_of_each(rows):
    lines = table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert "| no change | 6 | 100.0 % | 100.0 % |  | rejected:no_change 6 |" in lines


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_where_its_mask_says(name):
    rng = np.random.default_rng(3)
    pair = EDITS[name](crop_of(photographs()[0], 96, rng), rng)
    differs = (pair.source != pair.target).any(axis=2)
    assert pair.source.shape == (96 + 2 * PAD, 96 + 2 * PAD, 3)
    assert differs.any()
    assert not differs[~pair.mask].any()


def test_the_same_seed_plants_the_same_pairs():
    photos = photographs()[:2]
    first, second = (
        run_trial(photos, num_pairs=1, side=64, seed=5, profile=STAGE_1)
        for _ in range(2)
    )
    assert table(first) == table(second)
