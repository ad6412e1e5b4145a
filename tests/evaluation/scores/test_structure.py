"""What is pale may vanish: structure lost, and what is no loss."""

import numpy as np
import pytest

from tbstar_jax.data_engine.layout.typesetting import text_layer
from tbstar_jax.evaluation.scores.preservation import preservation
from tbstar_jax.evaluation.scores.structure import structure_lost
from tbstar_jax.metrics.color import srgb_to_lab
from tbstar_jax.metrics.resampling import Motion, moved_back
from tests.evaluation.scores.answers import jpeg

SIZE = (192, 256)
EDIT = np.zeros(SIZE, bool)
EDIT[120:180, 20:110] = True


def levels(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def photo(contrast):
    """A lit ground with dark things on it, and a print of so many levels."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.repeat((200 + 0.1 * rows + 0.08 * columns)[..., None], 3, axis=2)
    image[130:170, 150:230] = (90, 60, 50)
    image[60:90, 10:30] = (60, 90, 140)
    place = (24.0, 70.0, 30.0, 150.0)
    layer = text_layer("OAKLINE", (0, 0, 0), box=place, size=SIZE, weight="bold")
    height, width = layer.alpha.shape
    here = np.s_[layer.top : layer.top + height, layer.left : layer.left + width]
    image[here] -= contrast * layer.alpha[..., None]
    return levels(image)


def lost(source, edited, mask=None):
    lights = (srgb_to_lab(one)[..., 0] for one in (source, edited))
    return structure_lost(*lights, np.ones(SIZE, bool) if mask is None else mask, 32)


def kept(source, edited):
    return preservation(source, source, edited, EDIT)


@pytest.mark.parametrize(("contrast", "least"), [(6, 0.3), (12, 0.6), (60, 0.95)])
def test_a_print_that_vanished_is_lost_however_pale(contrast, least):
    share = lost(photo(contrast), photo(0))
    assert least < share <= 1
    assert share > lost(photo(contrast), photo(contrast / 2))


def test_it_costs_p_what_its_colours_do_not():
    result = kept(photo(12), photo(0))
    assert result.area > 0.97
    assert result.worst_tile < 5
    assert result.structure_lost > 0.6
    assert 0.5 <= result.score < 0.8


def test_half_of_p_is_left_where_all_is_lost():
    result = kept(photo(40), photo(0))
    factors = 1 - (result.structure_lost - 0.25) * 0.5 / 0.75
    tiles = min(1.0, (50 - result.worst_tile) / 45)
    assert result.structure_lost > 0.95
    assert result.score == pytest.approx(result.area * tiles * factors)


def test_what_is_the_same_lost_nothing():
    assert lost(photo(12), photo(12)) == 0
    assert kept(photo(12), photo(12)).structure_lost == 0


def test_new_structure_and_another_light_are_no_loss():
    source = photo(12)
    noise = np.random.default_rng(0).normal(0, 3, source.shape)
    assert lost(source, levels(source + noise)) < 0.1
    assert lost(photo(0), photo(60)) < 0.15
    assert lost(source, levels(source - 12.0)) < 0.05


@pytest.mark.parametrize("quality", [95, 75])
def test_a_jpeg_loses_little(quality):
    assert kept(photo(12), jpeg(photo(12), quality)).structure_lost < 0.25


@pytest.mark.parametrize(
    ("rows", "columns", "zoom"), [(0.37, 0.61, 1.0), (2.3, -1.4, 1.0), (0.5, 1, 1.006)]
)
def test_a_motion_that_is_undone_loses_nothing(rows, columns, zoom):
    motion = Motion(zoom=zoom, rows=rows, columns=float(columns)).about_middle(SIZE)
    result = kept(photo(12), moved_back(photo(12), motion))
    assert result.shift > 0.3
    assert result.structure_lost < 0.12


def test_the_edit_and_its_guard_are_not_seen():
    source, answer = photo(12), photo(12)
    answer[EDIT] = 0
    assert kept(source, answer).structure_lost == 0
    mask = np.zeros(SIZE, bool)
    assert np.isnan(lost(source, answer, mask))
