"""Four colours, pixel by pixel."""

import numpy as np

from tbstar_jax.evaluation.report.error_map import (
    CHANGED,
    CORRECT,
    KEPT,
    LEGEND,
    WRONG,
    error_map,
)

GREY, RED, DARK = (200, 200, 200), (200, 20, 20), (20, 20, 20)
EDIT = np.array([[True, True, False, False]])


def rgb(*names):
    return [[list(bytes.fromhex(name[1:])) for name in names]]


def row(*colors):
    return np.array([colors], np.uint8)


def test_each_pixel_has_the_colour_of_what_it_is():
    reference = row(RED, RED, GREY, GREY)
    answer = row(RED, GREY, GREY, DARK)
    found = error_map(reference, answer, EDIT)
    assert found.dtype == np.uint8
    assert found.tolist() == rgb(CORRECT, WRONG, KEPT, CHANGED)


def test_the_threshold_is_what_may_differ():
    reference = row(RED, RED, GREY, GREY)
    # Two levels of grey are about 0.6 apart, ten about 3, forty about 12.
    answer = row(RED, RED, (202, 202, 202), (240, 240, 240))
    found = error_map(reference, answer, EDIT, threshold=5.0)
    assert found.tolist() == rgb(CORRECT, CORRECT, KEPT, CHANGED)
    strict = error_map(reference, answer, EDIT, threshold=0.1)
    assert strict.tolist() == rgb(CORRECT, CORRECT, CHANGED, CHANGED)
    lenient = error_map(reference, answer, EDIT, threshold=20.0)
    assert lenient.tolist() == rgb(CORRECT, CORRECT, KEPT, KEPT)


def test_the_legend_names_four_colours_of_other_lightness():
    colors = [color for color, _ in LEGEND]
    assert colors == [CORRECT, WRONG, KEPT, CHANGED]
    weights = (0.299, 0.587, 0.114)
    lightness = sorted(
        sum(w * v for w, v in zip(weights, bytes.fromhex(color[1:]), strict=True))
        for color in colors
    )
    assert min(np.diff(lightness)) > 30  # of 255
