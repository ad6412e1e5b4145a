"""ONNX files: what a picture becomes on its way in, and every way a file is refused."""

import builtins
import hashlib
import os
import shutil
from multiprocessing.reduction import ForkingPickler

import numpy as np
import onnx
import pytest
from PIL import Image

from tbstar_jax.config import from_json, to_json
from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_model import (
    OnnxImageModel,
    OnnxVectorModel,
)
from tests.support import onnx_files

RED = np.full((8, 8, 3), (255, 0, 51), np.uint8)


def ask(model, image, use="crop"):
    with model.open(use) as run:
        return run(image)


@pytest.fixture
def colour(tmp_path):
    """A model that gives the mean of what comes in, per channel."""
    return onnx_files.mean_colour(tmp_path / "colour.onnx")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"normalisation": "unit"}, [1.0, 0.0, 0.2]),
        ({"normalisation": "half"}, [1.0, -1.0, -0.6]),
        ({}, [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]),
        (
            {"normalisation": "clip"},
            [
                (1 - 0.48145466) / 0.26862954,
                -0.4578275 / 0.26130258,
                (0.2 - 0.40821073) / 0.27577711,
            ],
        ),
        ({"normalisation": "unit", "mean": (0.5, 0.25, 0.2)}, [0.5, -0.25, 0.0]),
        ({"normalisation": "half", "std": (1.0, 1.0, 2.0)}, [0.5, -0.5, -0.15]),
    ],
)
def test_a_picture_is_normalised_channel_by_channel(colour, settings, expected):
    answer = ask(OnnxImageModel(path=colour, **settings), RED)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, [expected], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("use", "resize", "red"),
    [("crop", None, 1.0), ("stretch", None, 0.5), ("crop", "stretch", 0.5)],
)
def test_the_middle_is_cropped_or_the_whole_is_stretched(colour, use, resize, red):
    """A wide picture, red in its middle and a little beyond the middle square."""
    wide = np.zeros((8, 32, 3), np.uint8)
    wide[:, 8:24, 0] = 255
    model = OnnxImageModel(path=colour, normalisation="unit", resize=resize)
    assert ask(model, wide, use)[0, 0] == pytest.approx(red, abs=0.005)
    assert ask(model, np.swapaxes(wide, 0, 1).copy(), use)[0, 0] == pytest.approx(
        red, abs=0.005
    )


def test_the_model_sees_rows_columns_and_channels_in_their_places(tmp_path):
    path = onnx_files.write(
        tmp_path / "same.onnx", [("Identity", ["x"], ["y"])], shape=("n", 3, 4, 6)
    )
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    answer = ask(OnnxImageModel(path=path, normalisation="unit"), picture)
    expected = picture.transpose(2, 0, 1)[None] / np.float32(255)
    np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize(
    ("use", "by", "columns"), [("crop", "BICUBIC", 12), ("stretch", "LANCZOS", 4)]
)
def test_pictures_are_scaled_as_pillow_does(tmp_path, use, by, columns):
    """The crop is that of the whole scaled picture, its border included."""
    path = onnx_files.write(tmp_path / "same.onnx", [("Identity", ["x"], ["y"])])
    noise = np.random.default_rng(0).integers(0, 256, (40, 120, 3), np.uint8)
    how = Image.Resampling[by]
    small = np.asarray(Image.fromarray(noise).resize((columns, 4), how))
    start = (columns - 4) // 2
    expected = small[:, start : start + 4].transpose(2, 0, 1)[None] / np.float32(255)
    answer = ask(OnnxImageModel(path=path, normalisation="unit"), noise, use)
    np.testing.assert_array_equal(answer, expected)


def test_a_sliver_is_no_large_picture(colour):
    sliver = np.full((1, 60_000, 3), 255, np.uint8)
    answer = ask(OnnxImageModel(path=colour, normalisation="unit"), sliver)
    np.testing.assert_allclose(answer, [[1, 1, 1]], rtol=1e-6)


def test_the_side_is_the_file_s_or_the_setting_s(tmp_path):
    free = onnx_files.write(
        tmp_path / "free.onnx", [("Identity", ["x"], ["y"])], shape=("n", 3, "h", "w")
    )
    assert ask(OnnxImageModel(path=free, side=6), RED).shape == (1, 3, 6, 6)
    with pytest.raises(UserError, match="states no size; set `side`"):
        ask(OnnxImageModel(path=free), RED)
    fixed = onnx_files.mean_colour(tmp_path / "fixed.onnx")
    assert ask(OnnxImageModel(path=fixed, side=4), RED).shape == (1, 3)
    with pytest.raises(UserError, match="which is not side=6"):
        ask(OnnxImageModel(path=fixed, side=6), RED)


def test_one_of_two_outputs_is_read(tmp_path):
    nodes = [onnx_files.MEAN_COLOUR, ("Neg", ["colour"], ["minus"])]
    path = onnx_files.write(tmp_path / "two.onnx", nodes, outputs=("colour", "minus"))
    first = ask(OnnxImageModel(path=path, normalisation="unit"), RED)
    second = ask(OnnxImageModel(path=path, normalisation="unit", output="minus"), RED)
    np.testing.assert_array_equal(first, -second)
    with pytest.raises(UserError, match="no output 'plus'; it has colour, minus"):
        ask(OnnxImageModel(path=path, output="plus"), RED)


def test_the_same_bits_every_time_and_a_vector_goes_in_whole(tmp_path, colour):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (90, 70, 3), np.uint8)
    model = OnnxImageModel(path=colour)
    np.testing.assert_array_equal(ask(model, noise), ask(model, noise))
    head = OnnxVectorModel(path=onnx_files.weighted(tmp_path / "h.onnx", [1, 10, 100]))
    with head.open() as run:
        np.testing.assert_array_equal(run(np.array([1.0, 2.0, 3.0])), [[321]])
        with pytest.raises(UserError, match=r"cannot be run on an input .*\(1, 2\)"):
            run(np.array([1.0, 2.0]))


def test_a_file_is_named_by_its_bytes_and_settings_wherever_it_lies(tmp_path, colour):
    elsewhere = shutil.copy(colour, tmp_path / "copy.onnx")
    plain = OnnxImageModel(path=colour)
    assert OnnxImageModel(path=elsewhere).fingerprint == plain.fingerprint
    digest = hashlib.sha256(colour.read_bytes()).hexdigest()
    named = OnnxImageModel(path=colour, sha256=digest.upper())
    assert named.fingerprint == plain.fingerprint
    assert ask(named, RED).shape == (1, 3)
    others = [
        OnnxImageModel(path=colour, side=4),
        OnnxImageModel(path=colour, normalisation="half"),
        OnnxImageModel(path=colour, resize="crop"),
        OnnxImageModel(path=colour, output="y"),
        OnnxVectorModel(path=colour),
    ]
    assert len({one.fingerprint for one in (plain, *others)}) == 6
    onnx_files.brightness(elsewhere)
    assert OnnxImageModel(path=elsewhere).fingerprint != plain.fingerprint


def test_settings_are_stored_and_sent_to_processes(colour):
    model = OnnxImageModel(path=colour, side=4, mean=(0.1, 0.2, 0.3), resize="crop")
    assert from_json(OnnxImageModel, to_json(model)) == model
    assert ForkingPickler.loads(ForkingPickler.dumps(model)) == model


def test_another_file_than_the_settings_name_is_refused(colour):
    model = OnnxImageModel(path=colour, sha256="0" * 64)
    with pytest.raises(UserError, match="but the settings ask for 0000"):
        ask(model, RED)
    with pytest.raises(UserError, match="but the settings ask for 0000"):
        _ = model.fingerprint


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"threads": 0}, "threads is 0"),
        ({"max_bytes": 0}, "max_bytes is 0"),
        ({"side": 5000}, "side of .* is 5000; it must be from 1 to 4096"),
        ({"std": (1.0, 0.0, 1.0)}, "std of .* must be above 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(colour, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        OnnxImageModel(path=colour, **settings)


def test_a_missing_large_or_foreign_file_is_refused(tmp_path, colour):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(UserError, match="there is no ONNX file"):
            ask(OnnxImageModel(path=path), RED)
    with pytest.raises(UserError, match="max_bytes allows 10"):
        ask(OnnxImageModel(path=colour, max_bytes=10), RED)
    foreign = tmp_path / "foreign.onnx"
    for content in (b"", b"\x80\x04.", b"\x89PNG" * 9, colour.read_bytes()[:-9]):
        foreign.write_bytes(content)
        with pytest.raises(UserError, match="is no ONNX file that onnxruntime can"):
            ask(OnnxImageModel(path=foreign), RED)


IDENTITY = ("Identity", ["x"], ["y"])


@pytest.mark.parametrize(
    ("node", "changes", "sentence"),
    [
        (
            ("Add", ["x", "text"], ["y"]),
            {"inputs": ("x", "text")},
            r"has 2 inputs \(x, text\)",
        ),
        (IDENTITY, {"shape": (2, 3, 4, 4)}, "must be float .1, 3, rows, columns"),
        (IDENTITY, {"shape": (1, 3, 4)}, "must be float .1, 3, rows, columns"),
        (IDENTITY, {"shape": (1, 4, 4, 3)}, "must be .1, 3, rows, columns"),
        (IDENTITY, {"shape": (1, 3, 9000, 9000)}, "not from 1 to 4096"),
    ],
)
def test_a_model_of_another_kind_is_refused(tmp_path, node, changes, sentence):
    path = onnx_files.write(tmp_path / "other.onnx", [node], **changes)
    with pytest.raises(UserError, match=sentence):
        ask(OnnxImageModel(path=path), RED)


def test_whole_numbers_in_are_refused(tmp_path):
    path = onnx_files.mean_colour(tmp_path / "whole.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"is tensor\(double\)"):
        ask(OnnxImageModel(path=path), RED)


def test_half_precision_in_and_out(tmp_path):
    path = onnx_files.mean_colour(tmp_path / "half.onnx")
    model = onnx.load(path)
    for info in (model.graph.input[0], model.graph.output[0]):
        info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, path)
    answer = ask(OnnxImageModel(path=path, normalisation="unit"), RED)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, [[1, 0, 0.2]], atol=1e-3)


@pytest.mark.parametrize("function", ["Log", "Reciprocal"])
def test_a_picture_without_an_answer_is_told_from_a_model_that_is_none(
    tmp_path, function
):
    """Of black: minus infinity, or infinity; of white: numbers."""
    path = onnx_files.write(tmp_path / "log.onnx", [(function, ["x"], ["y"])])
    model = OnnxImageModel(path=path, normalisation="unit")
    assert np.isfinite(ask(model, np.full_like(RED, 255))).all()
    with pytest.raises(NoAnswerError, match="gave NaN or infinity"):
        ask(model, np.zeros_like(RED))


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "absolute"])
def test_weights_in_further_files_are_refused_wherever_they_lie(
    tmp_path, monkeypatch, place
):
    (tmp_path / "models").mkdir()
    for folder in (tmp_path, tmp_path / "models"):
        (folder / "weights.bin").write_bytes(np.ones(3, np.float32).tobytes())
    if place == "absolute":
        place = str(tmp_path / "weights.bin")
    weights = onnx_files.constant("w", np.ones(3, np.float32))
    weights.ClearField("raw_data")
    onnx.external_data_helper.set_external_data(
        onnx_raw(weights), location=place, offset=0, length=12
    )
    weights.ClearField("raw_data")
    nodes = [onnx_files.MEAN_COLOUR, ("Mul", ["colour", "w"], ["y"])]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(*n[:3], **dict(n[3:])) for n in nodes],
        "external",
        [onnx.helper.make_tensor_value_info("x", 1, onnx_files.IMAGE)],
        [onnx.helper.make_tensor_value_info("y", 1, None)],
        [weights],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path = tmp_path / "models" / "external.onnx"
    path.write_bytes(model.SerializeToString())
    # Neither beside the file nor where the command was started.
    monkeypatch.chdir(tmp_path / "models")
    with pytest.raises(UserError, match="weights in further files, which are refused"):
        ask(OnnxImageModel(path=path), RED)


def onnx_raw(tensor):
    """The tensor with an empty `raw_data`, without which none can be external."""
    tensor.raw_data = b""
    return tensor


def test_a_missing_package_is_one_sentence(colour, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'tbstar-jax\[onnx\]'"):
        ask(OnnxImageModel(path=colour), RED)


def test_loading_leaves_nothing_behind(colour, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    ask(OnnxImageModel(path=colour), RED)
    assert os.listdir(tmp_path / "temporary") == []
