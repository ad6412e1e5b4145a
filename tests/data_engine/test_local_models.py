"""Scores, embeddings and masks by ONNX files whose answers are known by hand."""

import math
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.collect.quality import Quality, Scorer
from tbstar_jax.data_engine.construct.classical.segmented import SegmentedExpert
from tbstar_jax.data_engine.construct.protocol import CannotEdit, Expert
from tbstar_jax.data_engine.filter.method import MeasurePairs, Opener
from tbstar_jax.data_engine.local_models import (
    AestheticModel,
    EmbeddingModel,
    SegmentationModel,
)
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_model import (
    OnnxImageModel,
    OnnxVectorModel,
)
from tests.data_engine.construct.classical_photos import ask
from tests.data_engine.filter.measured_pairs import record
from tests.support import onnx_files


def flat(*colour, size=(8, 8)):
    return np.full((*size, 3), colour, np.uint8)


def plain(path):
    """A model that sees levels in [0, 1]."""
    return OnnxImageModel(path=path, normalisation="unit")


@pytest.fixture
def colour(tmp_path):
    return plain(onnx_files.mean_colour(tmp_path / "colour.onnx"))


@pytest.fixture
def brightness(tmp_path):
    return plain(onnx_files.brightness(tmp_path / "brightness.onnx"))


@pytest.fixture
def reddish(tmp_path):
    return plain(onnx_files.reddish(tmp_path / "reddish.onnx"))


def test_a_model_with_one_value_scores_photos(brightness):
    scorer = AestheticModel(model=brightness)
    assert isinstance(scorer, Scorer)
    photo = record(source_images=(encode_png(flat(255, 0, 51)),), target_image=b"")
    method = Quality(scorers=(scorer,))
    with method.open() as transform:
        (made,) = transform(photo, np.random.default_rng(0))
    assert scores_of(made)["aesthetic"] == pytest.approx(10 * (1 + 0 + 0.2) / 3)
    assert method.fingerprint != Quality().fingerprint


def test_a_head_scores_the_embedding_of_length_one(tmp_path, colour):
    """Mean colour (0.6, 0, 0.8) has length 1; of half the light it is the same."""
    head = OnnxVectorModel(path=onnx_files.weighted(tmp_path / "h.onnx", [1, 10, 100]))
    scorer = AestheticModel(model=colour, head=head)
    with scorer.open() as score:
        assert score(flat(153, 0, 204)) == pytest.approx(80.6, rel=1e-6)
        assert score(flat(75, 0, 100)) == pytest.approx(80.6, rel=1e-6)
        # Black has no direction.
        assert math.isnan(score(flat(0, 0, 0)))
    assert scorer.fingerprint != AestheticModel(model=colour).fingerprint
    ForkingPickler.dumps(scorer)


@pytest.mark.parametrize("width", [2, 3])
def test_a_score_of_another_shape_ends_the_run_when_it_is_opened(
    tmp_path, colour, width
):
    head = onnx_files.weighted(tmp_path / "h.onnx", [1] * width)
    cases = {
        2: (AestheticModel(model=colour, head=OnnxVectorModel(path=head)), "cannot be"),
        3: (AestheticModel(model=colour), "a score is one value"),
    }
    scorer, sentence = cases[width]
    with pytest.raises(UserError, match=sentence), scorer.open():
        pass


def test_the_first_token_is_the_embedding(tmp_path):
    """Rows as tokens: `[1 n d]` from red alone, the first row is the top one."""
    nodes = [
        ("Split", ["x", "parts"], ["red", "rest"], ("axis", 1)),
        ("Squeeze", ["red", "one"], ["y"]),
    ]
    constants = [
        onnx_files.constant("parts", np.array([1, 2], np.int64)),
        onnx_files.constant("one", np.array([1], np.int64)),
    ]
    path = onnx_files.write(tmp_path / "t.onnx", nodes, constants=constants)
    photo = flat(0, 0, 0, size=(4, 4))
    photo[0, :, 0] = [51, 0, 0, 68]
    photo[1:, :, 0] = 255
    with EmbeddingModel(model=plain(path)).open() as embed:
        np.testing.assert_allclose(embed(photo), [0.6, 0, 0, 0.8], rtol=1e-6)


def test_what_was_pooled_over_pixels_is_an_embedding(tmp_path):
    nodes = [("GlobalAveragePool", ["x"], ["y"])]
    path = onnx_files.write(tmp_path / "pooled.onnx", nodes)
    with EmbeddingModel(model=plain(path)).open() as embed:
        np.testing.assert_allclose(embed(flat(153, 0, 204)), [0.6, 0, 0.8], rtol=1e-6)


def test_an_embedding_is_a_vector(tmp_path, brightness, reddish):
    for model in (brightness, reddish):
        with (
            pytest.raises(UserError, match="but an embedding is"),
            EmbeddingModel(model=model).open(),
        ):
            pass


def test_pairs_get_the_cosine_of_their_embeddings(colour):
    """Of red and of red and green alike: cos 45 degrees."""
    tool = EmbeddingModel(model=colour)
    assert isinstance(tool, Opener)
    method = MeasurePairs(embedder=tool)
    red, yellow, black = flat(200, 0, 0), flat(100, 100, 0), flat(0, 0, 0)
    found = []
    with method.open() as transform:
        for target in (red, yellow, black):
            pair = record(red, target, change_mask=b"")
            found += transform(pair, np.random.default_rng(0))
    cosines = [scores_of(one)["filter/embedding_similarity"] for one in found[:2]]
    np.testing.assert_allclose(cosines, [1, math.sqrt(0.5)], rtol=1e-6)
    assert isinstance(found[2], Reject)
    assert "a vector of zeros" in found[2].reason


def half_red():
    """Red on the right, grey on the left."""
    photo = flat(100, 100, 100, size=(32, 48))
    photo[:, 24:] = (255, 0, 0)
    return photo


@pytest.mark.parametrize(
    ("values", "left", "right"),
    [
        ("min_max", 0.0, 1.0),
        ("sigmoid", 1 / (1 + math.exp(0.5)), 1 / (1 + math.exp(-0.5))),
    ],
)
def test_a_mask_comes_back_at_the_photo_s_size(reddish, values, left, right):
    with SegmentationModel(model=reddish, values=values).open() as segment:
        alpha = segment(half_red())
    assert alpha.shape == (32, 48)
    np.testing.assert_allclose(alpha[:, :21], left, rtol=1e-6)
    np.testing.assert_allclose(alpha[:, 27:], right, rtol=1e-6)
    assert 0 <= alpha.min() <= alpha.max() <= 1


def test_an_even_map_is_no_product_unless_the_model_says_how_much(reddish):
    with (
        SegmentationModel(model=reddish).open() as segment,
        pytest.raises(NoAnswerError, match="nothing stand out"),
    ):
        segment(flat(90, 90, 90))
    with SegmentationModel(model=reddish, values="sigmoid").open() as segment:
        expected = 1 / (1 + math.exp(0.5))
        np.testing.assert_allclose(segment(flat(90, 90, 90)), expected, rtol=1e-6)


def test_a_map_of_another_shape_and_a_crop_are_refused(tmp_path, colour, reddish):
    with (
        pytest.raises(UserError, match="but a mask is"),
        SegmentationModel(model=colour).open(),
    ):
        pass
    three = onnx_files.write(tmp_path / "three.onnx", [("Identity", ["x"], ["y"])])
    with (
        pytest.raises(UserError, match="but a mask is"),
        SegmentationModel(model=plain(three)).open(),
    ):
        pass
    cropped = OnnxImageModel(path=reddish.path, resize="crop")
    with pytest.raises(UserError, match="is crop, but a mask is of the whole"):
        SegmentationModel(model=cropped)


def test_the_classical_expert_keeps_what_the_model_calls_the_product(reddish):
    expert = SegmentedExpert(segmenter=SegmentationModel(model=reddish))
    assert isinstance(expert, Expert)
    ForkingPickler.dumps(expert)
    photo = half_red()
    with expert.open() as edit:
        made = edit(photo, ask("bg_white"), np.random.default_rng(0))
        with pytest.raises(CannotEdit, match="nothing stand out"):
            edit(flat(9, 9, 9), ask("bg_white"), np.random.default_rng(0))
    np.testing.assert_array_equal(made.image[:, 28:], photo[:, 28:])
    assert (made.image[0, :12] == 255).all()
    other = SegmentationModel(model=reddish, values="sigmoid")
    assert SegmentedExpert(segmenter=other).fingerprint != expert.fingerprint
