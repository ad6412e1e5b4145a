"""Rectangles around prints, straight and turned."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.draft import box_of
from tbstar_jax.evaluation.cases.quads import box_quad, quad_at, smallest_quad
from tbstar_jax.geometry import Box


def _bar(turn: float) -> np.ndarray:
    """A bar of 60 x 16 pixels about (50, 50), turned counter-clockwise."""
    drawn = Image.new("L", (400, 400))
    ImageDraw.Draw(drawn).rectangle((80, 168, 319, 231), fill=255)
    turned = drawn.rotate(turn, Image.Resampling.BICUBIC).reduce(4)
    return np.asarray(turned) > 127


def test_a_straight_print_has_the_corners_of_its_box() -> None:
    ink = np.zeros((20, 30), bool)
    ink[5:9, 7:22:2] = True
    corners = ((5.0, 7.0), (5.0, 22.0), (9.0, 22.0), (9.0, 7.0))
    assert quad_at(ink, 0.0) == smallest_quad(ink) == corners
    assert box_quad(Box(top=5, left=7, height=4, width=15)) == corners


@pytest.mark.parametrize("turn", [-40.0, -8.0, 12.0, 30.0])
def test_a_turned_print_has_a_turned_rectangle(turn: float) -> None:
    angle = np.radians(turn)
    along = np.array([-np.sin(angle), np.cos(angle)])
    down = np.array([np.cos(angle), np.sin(angle)])
    expected = [
        np.array([50.0, 50.0]) + 30 * x * along + 8 * y * down
        for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    for quad in (quad_at(_bar(turn), turn), smallest_quad(_bar(turn))):
        # The corners of pixels stick out of the outline by up to 0.7.
        assert np.abs(np.subtract(quad, expected)).max() < 1.6


def test_one_pixel_has_a_rectangle() -> None:
    ink = np.zeros((4, 4), bool)
    ink[2, 1] = True
    assert smallest_quad(ink) == ((2.0, 1.0), (2.0, 2.0), (3.0, 2.0), (3.0, 1.0))


def test_quads_of_cases_hold_their_ink(smoke: tuple[Case, ...]) -> None:
    found = [(case, text) for case in smoke for text in case.target_texts]
    assert len(found) >= 4
    for case, text in found:
        assert text.quad is not None, case.id
        rows, columns = np.nonzero(case.masks.text)
        points = np.stack([rows + 0.5, columns + 0.5], axis=1)
        corners = np.array(text.quad)
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            side = end - start
            # Clockwise on the screen, where rows go down: inside is to the right.
            inner = np.array([side[1], -side[0]]) / np.linalg.norm(side)
            assert ((points - start) @ inner > -0.1).all(), case.id
        box = box_of(case.masks.text)
        assert box is not None
