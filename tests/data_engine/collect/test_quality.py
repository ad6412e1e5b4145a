"""Columns about a photo, on real photographs."""

import contextlib
import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.collect.quality import Quality, quality_scores
from tbstar_jax.data_engine.stage import Reject
from tests.input_pipeline.samples import make_record
from tests.support import foreign_sets as sets


@pytest.fixture(scope="module")
def coffee():
    return data.coffee()


def test_a_flat_photo_has_known_columns():
    photo = np.full((20, 50, 3), 255, np.uint8)
    photo[:5] = 0
    assert quality_scores(photo) == {
        "rows": 20.0,
        "columns": 50.0,
        "aspect": 2.5,
        # Two rows in twenty have a Laplacian of 255, one up and one down.
        "sharpness": pytest.approx(2 / 20 * 255**2),
        "mean_luma": pytest.approx(0.75 * 255),
        "clipped_dark": 0.25,
        "clipped_bright": 0.75,
    }


def test_sharpness_falls_with_blur_and_not_with_size(coffee):
    def sharpness(image):
        return quality_scores(np.asarray(image))["sharpness"]

    image = Image.fromarray(coffee)
    blurred = [
        sharpness(image.filter(ImageFilter.GaussianBlur(radius)))
        for radius in (0, 1, 2, 4)
    ]
    assert blurred[0] > 3 * blurred[1] > 6 * blurred[2] > 9 * blurred[3]
    half = image.resize(
        (512, round(512 * image.height / image.width)), Image.Resampling.BOX
    )
    assert sharpness(half) == pytest.approx(sharpness(image), rel=0.02)


def test_exposure_follows_the_light(coffee):
    dark = quality_scores((coffee * 0.1).astype(np.uint8))
    bright = quality_scores(np.clip(coffee * 4.0, 0, 255).astype(np.uint8))
    middle = quality_scores(coffee)
    assert dark["mean_luma"] < middle["mean_luma"] / 8
    assert bright["clipped_bright"] > 0.3 > middle["clipped_bright"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanRed:
    """A stand-in for a model: how red a photo is; NaN for the first picture."""

    name: str = "aesthetic"
    fingerprint: str = "f"

    @contextlib.contextmanager
    def open(self):
        yield lambda photo: float(photo[..., 0].mean())


def test_a_method_adds_them_to_the_scores():
    method = Quality(scorers=(MeanRed(),))
    record = make_record(0)
    with method.open() as transform:
        (made,) = transform(record, np.random.default_rng(0))
    scores = scores_of(made)
    assert scores["a"] == 0.5
    assert scores["rows"] == 32.0
    assert scores["aesthetic"] > 0
    assert made.source_images == record.source_images
    assert method.fingerprint != Quality().fingerprint
    assert Quality().fingerprint == Quality().fingerprint


def test_a_photo_that_cannot_be_decoded_is_named():
    record = dataclasses.replace(make_record(0), source_images=(sets.png(0)[:200],))
    with Quality().open() as transform:
        (made,) = transform(record, np.random.default_rng(0))
    assert isinstance(made, Reject)
    assert made.row == record.key
