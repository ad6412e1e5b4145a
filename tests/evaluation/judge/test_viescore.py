"""The arithmetic of scores, against published totals and by hand."""

import math

import pytest

from tbstar_jax.evaluation.judge import viescore

# Table of ImgEdit-Bench as published: add, adjust, extract, replace, remove,
# background, style, hybrid, action; total.
IMGEDIT = {
    "MagicBrush": ((2.84, 1.58, 1.51, 1.97, 1.58, 1.75, 2.38, 1.62, 1.22), 1.83),
    "InstructPix2Pix": ((2.45, 1.83, 1.44, 2.01, 1.50, 1.44, 3.55, 1.20, 1.46), 1.88),
    "AnyEdit": ((3.18, 2.95, 1.88, 2.47, 2.23, 2.24, 2.85, 1.56, 2.65), 2.45),
    "UltraEdit": ((3.44, 2.81, 2.13, 2.96, 1.45, 2.83, 3.76, 1.91, 2.98), 2.70),
    "ICEdit": ((3.58, 3.39, 1.73, 3.15, 2.93, 3.08, 3.84, 2.04, 3.68), 3.05),
    "Step1X-Edit": ((3.88, 3.14, 1.76, 3.40, 2.41, 3.16, 4.63, 2.64, 2.52), 3.06),
    "BAGEL": ((3.56, 3.31, 1.70, 3.30, 2.62, 3.24, 4.49, 2.38, 4.17), 3.20),
    "UniWorld-V1": ((3.82, 3.64, 2.27, 3.47, 3.24, 2.99, 4.21, 2.96, 2.74), 3.26),
    "OmniGen2": ((3.57, 3.06, 1.77, 3.74, 3.20, 3.57, 4.81, 2.52, 4.68), 3.44),
}
COUNTS = (95, 94, 117, 92, 86, 94, 100, 23, 36)


@pytest.mark.parametrize("system", IMGEDIT)
def test_nine_published_imgedit_totals_are_means_over_types(system):
    marks, total = IMGEDIT[system]
    by_type = {str(k): [mark] for k, mark in enumerate(marks)}
    assert round(viescore.macro_mean(by_type), 2) == total


def test_a_tenth_published_total_is_neither_macro_nor_micro():
    marks = (4.61, 4.33, 2.90, 4.35, 3.66, 4.57, 4.93, 3.96, 4.89)
    by_type = {
        str(k): [mark] * count
        for k, (mark, count) in enumerate(zip(marks, COUNTS, strict=True))
    }
    assert round(viescore.macro_mean(by_type), 2) == 4.24
    assert round(viescore.micro_mean(by_type), 2) == 4.19


def test_a_score_is_the_smallest_and_the_whole_their_geometric_mean():
    assert viescore.reduced([7.0, 9.0]) == 7
    assert viescore.overall([7.0, 9.0], [4.0, 8.0]) == math.sqrt(7 * 4)
    assert viescore.overall([10.0, 10.0], [10.0, 10.0]) == 10
    assert viescore.overall([0.0, 10.0], [10.0, 10.0]) == 0


def test_the_mean_of_roots_is_not_the_root_of_means():
    pictures = [((9.0,), (1.0,)), ((1.0,), (9.0,)), ((0.0,), (10.0,))]
    mean_of_roots = sum(viescore.overall(*one) for one in pictures) / 3
    semantic = sum(min(one[0]) for one in pictures) / 3
    quality = sum(min(one[1]) for one in pictures) / 3
    assert mean_of_roots == 2
    assert math.sqrt(semantic * quality) == pytest.approx(4.714, abs=1e-3)


def test_macro_and_micro_differ_where_tasks_differ_in_size():
    counts = (40, 40, 40, 40, 70, 60, 60, 57, 60, 99, 40)
    by_task = {str(k): [float(k)] * count for k, count in enumerate(counts)}
    assert viescore.macro_mean(by_task) == 5
    assert viescore.micro_mean(by_task) == pytest.approx(
        sum(k * count for k, count in enumerate(counts)) / 606
    )


def test_imgedit_rounds_items_and_types_to_two_decimals():
    assert viescore.imgedit_item([4.0, 4.0, 5.0]) == 4.33
    assert viescore.imgedit_type([4.33, 4.33, 4.67]) == 4.44


def test_caps_are_seen_and_not_enforced():
    assert viescore.exceeds_cap([2.0, 3.0, 1.0])
    assert not viescore.exceeds_cap([3.0, 3.0, 1.0])
