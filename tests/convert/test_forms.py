"""A part of ours is made of the part of theirs that is read, in every form."""

import ml_dtypes
import numpy as np
import pytest

from tbstar_jax.convert.forms import (
    row_major,
    their_index,
    their_shape,
    to_ours,
    to_theirs,
)

SHAPES = {
    "vector": (6, 4),
    "linear": (6, 4),
    "conv2d": (3, 3, 4, 6),
    "conv3d": (3, 3, 4, 6),
    "patch": (4, 2, 3, 5, 6),
    "gamma3": (6,),
    "gamma2": (6,),
}


@pytest.mark.parametrize("form", SHAPES)
def test_there_and_back_is_the_same(form):
    ours = np.random.default_rng(0).standard_normal(SHAPES[form])
    theirs = to_theirs(ours, form)
    assert theirs.shape == their_shape(ours.shape, form)
    np.testing.assert_array_equal(to_ours(theirs, form), ours)


@pytest.mark.parametrize("form", SHAPES)
def test_a_part_needs_that_part_alone(form):
    rng = np.random.default_rng(1)
    theirs = rng.standard_normal(their_shape(SHAPES[form], form))
    index = tuple(slice(size // 3, size // 3 + size // 2) for size in SHAPES[form])
    part = theirs[their_index(index, form, theirs.shape)]
    np.testing.assert_array_equal(to_ours(part, form), to_ours(theirs, form)[index])
    assert part.size == np.prod([size // 2 for size in SHAPES[form]])


def test_one_frame_reads_the_last_slice_of_a_convolution():
    theirs = np.arange(2 * 4 * 3 * 3 * 3).reshape(2, 4, 3, 3, 3)
    np.testing.assert_array_equal(
        to_ours(theirs, "conv3d"), theirs[:, :, 2].transpose(2, 3, 1, 0)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_transpose_in_stripes_is_the_transpose(dtype):
    array = np.random.default_rng(2).standard_normal((70, 45)).astype(np.float32)
    copied = row_major(array.T, np.dtype(dtype))
    assert copied.flags.c_contiguous
    np.testing.assert_array_equal(copied, array.T.astype(dtype), strict=True)


def test_what_is_row_major_is_not_copied():
    array = np.ones((3, 4), np.float32)
    assert row_major(array, array.dtype) is array
