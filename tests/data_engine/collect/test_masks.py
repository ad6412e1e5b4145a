"""Foreign masks: COCO's run-length code, black and white, painted copies."""

import numpy as np
import pytest

from tbstar_jax.data_engine.collect.masks import change_mask, mask_from_rle
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_mask
from tests.support.foreign_sets import encoded, photo


def compressed(runs):
    """COCO's text for runs, written anew from its description."""
    text = ""
    for k, run in enumerate(runs):
        value = run - runs[k - 2] if k > 2 else run
        while True:
            code = value & 0x1F
            value >>= 5
            more = value != (-1 if code & 0x10 else 0)
            text += chr(48 + (code | 0x20 * more))
            if not more:
                break
    return text


def runs_of(mask):
    flat = mask.T.ravel() > 0
    edges = (
        np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0)) if flat.size else []
    )
    return np.diff([0, *edges, flat.size]).tolist()


def test_a_known_code_of_coco():
    # Columns first: of 2 x 3 pixels, the second column is set.
    code = {"size": [2, 3], "counts": [2, 2, 2]}
    expected = [[0, 255, 0], [0, 255, 0]]
    np.testing.assert_array_equal(decode_mask(mask_from_rle(code)), expected)
    text = {"size": [2, 3], "counts": "222"}
    np.testing.assert_array_equal(decode_mask(mask_from_rle(text)), expected)


@pytest.mark.parametrize("seed", range(4))
def test_lists_and_texts_give_the_same_mask(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 70), np.uint8)
    for _ in range(4):
        r, c = rng.integers(0, 30, 2)
        mask[r : r + rng.integers(1, 20), c : c + rng.integers(1, 40)] = 255
    runs = runs_of(mask)
    for counts in (runs, compressed(runs), compressed(runs).encode()):
        code = {"size": [40, 70], "counts": counts}
        np.testing.assert_array_equal(decode_mask(mask_from_rle(code)), mask)


@pytest.mark.parametrize(
    "code",
    [
        None,
        [1, 2],
        {"size": [2, 3]},
        {"size": [2, 3], "counts": [2, 2]},
        {"size": [2, 3], "counts": [-2, 8]},
        {"size": [2, 3], "counts": [True, 5]},
        {"size": [2, 3], "counts": "~~"},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [0, 3], "counts": []},
        {"size": "23", "counts": [6]},
    ],
)
def test_a_broken_code_is_refused(code):
    with pytest.raises(UserError):
        mask_from_rle(code)


def test_white_and_black_mean_the_opposite():
    grey = np.array([[0, 100, 200], [255, 127, 128]], np.uint8)
    source = encoded(photo(0, (2, 3)))
    white = decode_mask(change_mask(encoded(grey), "white", source))
    np.testing.assert_array_equal(white, [[0, 0, 255], [255, 0, 255]])
    black = decode_mask(change_mask(encoded(grey), "black", source))
    np.testing.assert_array_equal(black, 255 - white)


def test_white_paint_counts_where_the_source_was_not_white():
    source = photo(0, (8, 8)) // 2
    source[0, :4] = 255
    painted = source.copy()
    painted[4:6, 2:5] = 255
    mask = decode_mask(change_mask(encoded(painted), "painted", encoded(source)))
    expected = np.zeros((8, 8), np.uint8)
    expected[4:6, 2:5] = 255
    np.testing.assert_array_equal(mask, expected)
    with pytest.raises(UserError, match="rows and columns"):
        change_mask(encoded(photo(1, (4, 4))), "painted", encoded(source))
