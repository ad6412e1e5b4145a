"""Colour: the published CIEDE2000 pairs, scikit-image, and numpy equal to jax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import color as skimage_color

from tbstar_jax.metrics import color

# L1 a1 b1 L2 a2 b2 and the difference: Sharma, Wu, Dalal (2005), table 1.
PAIRS = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def published_pairs():
    table = np.array([line.split() for line in PAIRS.split("\n") if line], float)
    return table[:, :3], table[:, 3:6], table[:, 6]


def colors(count=4000, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3), np.uint8)


def test_ciede2000_gives_the_34_published_differences():
    first, second, expected = published_pairs()
    assert len(expected) == 34
    np.testing.assert_allclose(color.ciede2000(first, second), expected, atol=5e-5)
    np.testing.assert_allclose(color.ciede2000(second, first), expected, atol=5e-5)


def test_ciede2000_equals_scikit_image_on_random_colours():
    rng = np.random.default_rng(1)
    low, high = (0, -100, -100), (100, 100, 100)
    first, second = rng.uniform(low, high, (2, 5000, 3))
    expected = skimage_color.deltaE_ciede2000(first, second)
    np.testing.assert_allclose(color.ciede2000(first, second), expected, atol=1e-9)


def test_lab_agrees_with_scikit_image_up_to_its_rounded_white():
    expected = skimage_color.rgb2lab(colors())
    np.testing.assert_allclose(color.srgb_to_lab(colors()), expected, atol=0.02)


def test_lab_of_known_colours():
    known = np.array([[0, 0, 0], [255, 255, 255], [119, 119, 119]], np.uint8)
    lab = color.srgb_to_lab(known)
    np.testing.assert_allclose(lab[:2], [[0, 0, 0], [100, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(lab[2], [50.03, 0, 0], atol=0.01)  # middle grey


def test_uint8_and_unit_floats_are_the_same_image():
    np.testing.assert_array_equal(
        color.srgb_to_lab(colors()), color.srgb_to_lab(colors() / 255)
    )


def test_a_colour_does_not_differ_from_itself():
    lab = color.srgb_to_lab(colors())
    assert (color.ciede2000(lab, lab) == 0).all()


def test_jax_equals_numpy():
    first, second = colors(seed=2), colors(seed=3)
    expected = color.ciede2000(color.srgb_to_lab(first), color.srgb_to_lab(second))
    both = jax.jit(
        lambda a, b: color.ciede2000(color.srgb_to_lab(a), color.srgb_to_lab(b))
    )
    result = both(jnp.asarray(first), jnp.asarray(second))
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-3)


def test_lab_drift_is_the_signed_shift_inside_the_mask():
    source = np.full((1, 4, 4, 3), 40.0)
    edited = source.copy()
    edited[0, :2] += (7, -1, 2)
    top = np.zeros((1, 4, 4), bool)
    top[0, :2] = True
    np.testing.assert_allclose(color.lab_drift(source, edited, top), [[7, -1, 2]])
    np.testing.assert_allclose(color.lab_drift(source, edited, ~top), [[0, 0, 0]])
    np.testing.assert_allclose(color.lab_drift(edited, source, top), [[-7, 1, -2]])
    assert np.isnan(color.lab_drift(source, edited, top & ~top)).all()
    twin = jax.jit(color.lab_drift)(*map(jnp.asarray, (source, edited, top)))
    np.testing.assert_allclose(twin, [[7, -1, 2]], atol=1e-3)


@pytest.mark.parametrize("level", [0.0, 0.02, 0.04045, 0.5, 1.0])
def test_the_transfer_curve_is_iec_61966(level):
    below, above = level / 12.92, ((level + 0.055) / 1.055) ** 2.4
    expected = below if level <= 0.04045 else above
    assert color.srgb_to_linear(np.full(3, level))[0] == pytest.approx(expected)
