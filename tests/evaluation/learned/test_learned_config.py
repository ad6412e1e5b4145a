"""`learned.yaml`: what it may say, and what the numbers are named by."""

import dataclasses
from pathlib import Path

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.learned.config import EncoderConfig, read_learned
from tbstar_jax.evaluation.learned.models import open_learned
from tests.support import onnx_files
from tests.support.learned_files import write_settings, write_weights

DINO = "dino: {name: D, path: d.onnx, normalisation: imagenet}"


@pytest.fixture
def config(tmp_path):
    return write_weights(tmp_path / "weights")


def test_a_file_is_read_with_its_defaults(tmp_path, config):
    assert read_learned(write_settings(tmp_path / "learned.yaml", config)) == config
    path = tmp_path / "short.yaml"
    path.write_text(DINO)
    read = read_learned(path)
    assert list(read.sections()) == ["dino"]
    assert read.dino is not None
    assert (read.dino.side, read.dino.sha256) == (None, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "name at least one of lpips, dino, clip_image, clip_text"),
        ("dyno: {}", "has no setting 'dyno'; the nearest are dino"),
        ("dino: {nam: D}", "dino has no setting 'nam'; the nearest are name"),
        ("dino: {name: D, path: d.onnx}", "dino lacks normalisation"),
        ("dino: {path: d.onnx, normalisation: clip}", "dino lacks name"),
        (
            "dino: {name: D, path: d.onnx, normalisation: none}",
            "one of imagenet, clip, half, unit",
        ),
        ("dino: {name: ' ', path: d.onnx, normalisation: clip}", "must be one line"),
        (
            "dino: {name: D, path: d, normalisation: clip, side: 0}",
            "side of d is 0",
        ),
        (
            "lpips: {name: L, path: d, sha256: abc}",
            "must have 64 hexadecimal digits",
        ),
        (
            f"{DINO}\nclip_text: {{name: T, path: t, tokenizer: t.json}}",
            "clip_text has no effect without clip_image",
        ),
        ("clip_text: {name: T, path: t, side: 3}", "has no setting 'side'"),
        ("[]", "is no mapping"),
        ("a: b: c", "is no YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, sentence):
    path = tmp_path / "learned.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_learned(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_bytes_and_settings_name_the_numbers_but_not_names_and_places(config, tmp_path):
    dino = config.dino
    named = dataclasses.replace(config, dino=dataclasses.replace(dino, name="other"))
    assert config.fingerprint() == named.fingerprint() == config.pinned().fingerprint()
    moved = write_weights(tmp_path / "elsewhere")
    assert config.fingerprint() == moved.fingerprint()
    clip = EncoderConfig(name="D", path=dino.path, normalisation="clip")
    assert config.fingerprint() != dataclasses.replace(config, dino=clip).fingerprint()
    fewer = dataclasses.replace(config, lpips=None)
    assert config.fingerprint() != fewer.fingerprint()
    before = config.fingerprint()
    onnx_files.write_tokenizer(config.clip_text.tokenizer, max_length=50)
    assert config.fingerprint() != before


def test_pinned_weights_are_not_exchanged(config):
    pinned = config.pinned()
    told = pinned.provenance()
    assert list(told) == ["lpips", "dino", "clip_image", "clip_text"]
    assert told["dino"]["name"] == "DINO of colours"
    assert told["dino"]["sha256"] == pinned.dino.sha256
    assert told["clip_text"]["tokenizer_sha256"] == pinned.clip_text.tokenizer_sha256
    onnx_files.mean_colour(config.dino.path, shape=("n", 3, 8, 8))
    with pytest.raises(UserError, match="is another file"), open_learned(pinned):
        pass
    with open_learned(config) as models:
        assert models.dino is not None


def test_towers_of_two_models_are_refused(config):
    onnx_files.sum_of_words(config.clip_text.path, [(1, 2)] * 6)
    with pytest.raises(UserError, match="must be parts of one CLIP"):
        with open_learned(config):
            pass


def test_a_file_that_is_not_there_is_named(config):
    config.lpips.path.unlink()
    with pytest.raises(UserError, match="there is no ONNX file"):
        config.fingerprint()
    with pytest.raises(UserError, match="there is no ONNX file"):
        with open_learned(config):
            pass


def test_the_example_of_the_guide_is_read(tmp_path):
    guide = Path(__file__).parents[3] / "docs/benchmark.md"
    _, _, rest = guide.read_text(encoding="utf-8").partition("--learned=learned.yaml")
    path = tmp_path / "learned.yaml"
    path.write_text(rest.partition("```yaml\n")[2].partition("```")[0])
    found = read_learned(path)
    assert list(found.sections()) == ["lpips", "dino", "clip_image", "clip_text"]
    assert found.dino is not None
    assert found.dino.side == 224
