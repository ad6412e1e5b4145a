"""PaintBench's measures on pictures of a few pixels, counted by hand."""

import numpy as np
import pytest
from skimage.color import deltaE_cie76, rgb2lab

from tbstar_jax.evaluation.public.pixels import (
    THRESHOLDS,
    cie76,
    fitted,
    pixel_scores,
)

WHITE, RED, GREY, BLUE = (255,) * 3, (255, 0, 0), (250,) * 3, (0, 0, 255)


def row(*colors):
    return np.array([colors], np.uint8)


def test_the_right_answer_is_one_everywhere():
    photo, right = row(WHITE, WHITE, WHITE), row(RED, WHITE, WHITE)
    scores = pixel_scores(photo, right, right)
    assert (scores.num_edit, scores.num_kept) == (1, 2)
    for found in (scores.edit_accuracy, scores.preservation_accuracy, scores.iou):
        assert found.tolist() == [1.0] * 11


def test_a_copy_of_the_photo_keeps_all_and_scores_nothing():
    photo, right = row(WHITE, WHITE, WHITE), row(RED, WHITE, WHITE)
    scores = pixel_scores(photo, right, photo)
    assert scores.edit_accuracy.tolist() == [0.0] * 11
    assert scores.preservation_accuracy.tolist() == [1.0] * 11
    assert scores.iou.tolist() == [0.0] * 11


def test_what_is_changed_needlessly_enters_the_union():
    photo = row(WHITE, WHITE, WHITE, WHITE)
    right = row(RED, RED, WHITE, WHITE)
    answer = row(RED, BLUE, BLUE, WHITE)
    scores = pixel_scores(photo, right, answer)
    assert scores.edit_accuracy.tolist() == [0.5] * 11
    assert scores.preservation_accuracy.tolist() == [0.5] * 11
    # One right of two asked for and one spoiled.
    assert scores.iou.tolist() == pytest.approx([1 / 3] * 11)


def test_thresholds_count_the_difference_itself():
    """Grey 250 against white is 1.73 in L* and nothing else: wrong at 0 and 1."""
    assert THRESHOLDS == tuple(range(11))
    assert cie76(row(GREY), row(WHITE))[0, 0] == pytest.approx(1.73, abs=0.005)
    photo, right = row(RED, WHITE), row(WHITE, WHITE)
    scores = pixel_scores(photo, right, row(GREY, GREY))
    assert scores.edit_accuracy.tolist() == [0.0] * 2 + [1.0] * 9
    assert scores.preservation_accuracy.tolist() == [0.0] * 2 + [1.0] * 9
    assert scores.iou.tolist() == [0.0] * 2 + [1.0] * 9


def test_an_empty_region_is_one():
    photo = row(WHITE, RED)
    nothing = pixel_scores(photo, photo, photo)
    assert nothing.edit_accuracy.tolist() == [1.0] * 11
    assert nothing.iou.tolist() == [1.0] * 11
    everything = pixel_scores(photo, row(RED, WHITE), row(RED, WHITE))
    assert everything.preservation_accuracy.tolist() == [1.0] * 11
    spoiled = pixel_scores(photo, photo, row(WHITE, WHITE))
    assert spoiled.iou.tolist() == [0.0] * 11


def test_the_difference_is_that_of_scikit_image():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    expected = deltaE_cie76(rgb2lab(first), rgb2lab(second))
    # scikit-image's white point has fewer digits.
    np.testing.assert_allclose(cie76(first, second), expected, atol=0.01)


def test_an_answer_of_another_shape_covers_the_size_and_is_cut_in_the_middle():
    answer = np.arange(2 * 6, dtype=np.uint8).reshape(2, 6, 1).repeat(3, axis=2)
    assert fitted(answer, (2, 6)) is answer
    # Twice as high: 4 x 12, of which columns 3 to 8 remain.
    found = fitted(answer, (4, 6))[..., 0]
    assert found.tolist() == [
        [1, 2, 2, 3, 3, 4],
        [1, 2, 2, 3, 3, 4],
        [7, 8, 8, 9, 9, 10],
        [7, 8, 8, 9, 9, 10],
    ]
    assert fitted(answer, (5, 7)).shape == (5, 7, 3)
