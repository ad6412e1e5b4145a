"""Embeddings of texts, token by token, and every way a file is refused."""

import hashlib

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tbstar_jax.errors import UserError
from tbstar_jax.metrics import onnx_text
from tbstar_jax.metrics.onnx_file import NoAnswerError, OnnxFile
from tbstar_jax.metrics.onnx_text import OnnxTextModel
from tests.support import onnx_files

TABLE = onnx_files.COLOURS


@pytest.fixture
def tokenizer(tmp_path):
    return onnx_files.write_tokenizer(tmp_path / "tokenizer.json")


def ask(path, tokenizer, text, **settings):
    model = OnnxTextModel(file=OnnxFile(path=path), tokenizer=tokenizer, **settings)
    with model.open() as embed:
        return embed(text)


def test_a_text_is_the_unit_vector_of_its_tokens(tmp_path, tokenizer):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", TABLE)
    np.testing.assert_allclose(ask(path, tokenizer, "red"), [1, 0, 0])
    np.testing.assert_allclose(
        ask(path, tokenizer, "red red red blue"), np.array([3, 0, 1]) / 10**0.5
    )
    np.testing.assert_allclose(ask(path, tokenizer, "grey"), np.full(3, 3**-0.5))


def test_a_stated_length_is_filled_up_with_the_padding(tmp_path, tokenizer):
    """The table counts 0s as blue, so what is filled up shows."""
    table = [(0, 0, 1), *TABLE[1:]]
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", table, shape=("n", 4))
    np.testing.assert_allclose(
        ask(path, tokenizer, "red red"), np.array([2, 0, 2]) / 8**0.5
    )
    masked = onnx_files.sum_of_words(
        tmp_path / "masked.onnx", table, shape=("n", 4), mask="attention_mask"
    )
    np.testing.assert_allclose(ask(masked, tokenizer, "red red"), [1, 0, 0])
    np.testing.assert_allclose(ask(path, tokenizer, "red red red red"), [1, 0, 0])


def test_a_text_that_does_not_fit_is_told_not_cut(tmp_path, tokenizer):
    fixed = onnx_files.sum_of_words(tmp_path / "fixed.onnx", TABLE, shape=("n", 4))
    free = onnx_files.sum_of_words(tmp_path / "free.onnx", TABLE)
    short = onnx_files.write_tokenizer(tmp_path / "short.json", max_length=3)
    for path, read, limit in ((fixed, tokenizer, 4), (free, short, 3)):
        np.testing.assert_allclose(ask(path, read, "red " * limit), [1, 0, 0])
        with pytest.raises(NoAnswerError, match=f"takes 1 to {limit}"):
            ask(path, read, "red " * (limit + 1))
    np.testing.assert_allclose(ask(free, tokenizer, "red " * 77), [1, 0, 0])
    with pytest.raises(NoAnswerError, match="has 78 tokens"):
        ask(free, tokenizer, "red " * 78)
    with pytest.raises(NoAnswerError, match="has 0 tokens"):
        ask(free, tokenizer, "")


def test_words_without_a_meaning_have_no_vector(tmp_path, tokenizer):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", [*TABLE[:5], (0, 0, 0)])
    with pytest.raises(NoAnswerError, match="vector of zeros"):
        ask(path, tokenizer, "grey grey")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{}", "no tokenizer.json"),
        (b"\xff\xfe", "no tokenizer.json"),
        (None, "there is"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, content, sentence):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", TABLE)
    broken = tmp_path / "broken.json"
    if content is not None:
        broken.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        ask(path, broken, "red")


def test_large_and_other_tokenizers_are_refused(tmp_path, tokenizer, monkeypatch):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", TABLE)
    digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    assert len(ask(path, tokenizer, "red", tokenizer_sha256=digest.upper())) == 3
    with pytest.raises(UserError, match="is another file"):
        ask(path, tokenizer, "red", tokenizer_sha256="0" * 64)
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        ask(path, tokenizer, "red", tokenizer_sha256="abc")
    monkeypatch.setattr(onnx_text, "MAX_TOKENIZER_BYTES", 100)
    with pytest.raises(UserError, match="of at most 100 is read"):
        ask(path, tokenizer, "red")


def test_other_inputs_and_outputs_are_refused(tmp_path, tokenizer):
    picture = onnx_files.mean_colour(tmp_path / "picture.onnx")
    with pytest.raises(UserError, match="export the part for texts alone"):
        ask(picture, tokenizer, "red")
    joint = onnx_files.sum_of_words(tmp_path / "joint.onnx", TABLE, mask="pixels")
    with pytest.raises(UserError, match="alone or with attention_mask"):
        ask(joint, tokenizer, "red")
    short = onnx_files.sum_of_words(tmp_path / "s.onnx", TABLE, shape=("n", 1))
    with pytest.raises(UserError, match="from 2 to 4096"):
        ask(short, tokenizer, "red")
    one = onnx_files.sum_of_words(tmp_path / "one.onnx", [(1,)] * 6)
    with pytest.raises(UserError, match=r"an embedding is \[1, numbers"):
        ask(one, tokenizer, "red")


def test_both_files_name_the_numbers_and_their_places_do_not(tmp_path, tokenizer):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", TABLE)
    other = onnx_files.write_tokenizer(tmp_path / "other.json", max_length=5)
    moved = tmp_path / "moved.json"
    moved.write_bytes(tokenizer.read_bytes())

    def fingerprint(read):
        return OnnxTextModel(file=OnnxFile(path=path), tokenizer=read).fingerprint

    assert fingerprint(tokenizer) == fingerprint(moved) != fingerprint(other)


def test_a_tokenizer_that_fails_on_a_text_is_named(tmp_path):
    path = onnx_files.sum_of_words(tmp_path / "text.onnx", TABLE)
    bare = Tokenizer(WordLevel({"red": 2}, unk_token="[UNK]"))
    bare.save(str(tmp_path / "bare.json"))
    with pytest.raises(UserError, match=r"bare.json cannot split 'a photo'"):
        ask(path, tmp_path / "bare.json", "red")
    cut = onnx_files.write_tokenizer(tmp_path / "cut.json", max_length=1)
    with pytest.raises(UserError, match="cuts texts to 1 tokens"):
        ask(path, cut, "red")
