"""Distances of two pictures: what goes in, and every way a file is refused."""

import builtins

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import NoAnswerError
from tbstar_jax.metrics.onnx_pair import OnnxPairModel
from tests.support import onnx_files

BLACK, WHITE = (np.full((64, 96, 3), level, np.uint8) for level in (0, 255))
SQUARE = [("Mul", ["x", "x"], ["y"])]


def distance(path, one=BLACK, other=WHITE, **settings):
    with OnnxPairModel(path=path, **settings).open() as measure:
        return measure(one, other)


def test_values_go_in_from_minus_one_to_one(tmp_path):
    path = onnx_files.mean_square(tmp_path / "pair.onnx")
    assert distance(path) == 4.0
    assert distance(path, values="unit") == 1.0
    assert distance(path, WHITE, WHITE) == 0.0
    half = BLACK.copy()
    half[:, :48, 0] = 255
    assert distance(path, BLACK, half) == pytest.approx(4 / 6)


def test_both_pictures_go_in_in_their_order_and_place(tmp_path):
    """The model gives the red of the first picture's top left, less the second's."""
    shape = ("n", 3, "h", "w")
    nodes = [
        ("Sub", ["x0", "x1"], ["difference"]),
        ("Slice", ["difference", "start", "stop", "axes"], ["y"]),
    ]
    constants = [
        onnx_files.constant("start", np.zeros(4, np.int64)),
        onnx_files.constant("stop", np.ones(4, np.int64)),
        onnx_files.constant("axes", np.arange(4)),
    ]
    path = onnx_files.write(
        tmp_path / "corner.onnx",
        nodes,
        constants=constants,
        shape=shape,
        inputs=("x0", "x1"),
    )
    marked = BLACK.copy()
    marked[0, 0, 0] = 255
    assert distance(path, marked, BLACK) == 2.0
    assert distance(path, BLACK, marked) == -2.0


def test_a_stated_size_is_filled_and_a_side_is_the_longest(tmp_path):
    fine = np.zeros((128, 256, 3), np.uint8)
    fine[::2] = 255
    fixed = onnx_files.mean_square(tmp_path / "fixed.onnx", shape=("n", 3, 32, 32))
    free = onnx_files.mean_square(tmp_path / "free.onnx")
    black = np.zeros_like(fine)
    assert distance(free, fine, black) == pytest.approx(2.0)
    # Stripes become grey where pictures are made smaller: (128 / 255 * 2) ** 2.
    assert distance(fixed, fine, black) == pytest.approx(1.0, abs=0.05)
    assert distance(free, fine, black, side=64) == pytest.approx(1.0, abs=0.05)
    assert distance(free, fine, black, side=256) == pytest.approx(2.0)
    with pytest.raises(UserError, match=r"their size, \[32, 32\]; leave it"):
        distance(fixed, side=64)
    with pytest.raises(UserError, match="is 8; it must be from 64"):
        distance(free, side=8)


@pytest.mark.parametrize(
    ("nodes", "changes", "sentence"),
    [
        (SQUARE, {}, "must be two of float"),
        ([("Add", ["a", "b"], ["y"])], {"inputs": ("a", "b")}, "is one value"),
        (
            [("Mul", ["a", "b"], ["p"]), ("ReduceMean", ["p"], ["y"])],
            {"inputs": ("a", "b")},
            "for a picture and itself, but a distance is 0",
        ),
        (
            [("Add", ["a", "b"], ["y"])],
            {"inputs": ("a", "b"), "shape": ("n", 3, 32, "w")},
            "state one size, or none",
        ),
        (
            [("Add", ["a", "b"], ["y"])],
            {"inputs": ("a", "b"), "shape": ("n", 1, 32, 32)},
            "must be two of float",
        ),
        (
            [("Add", ["a", "b"], ["y"])],
            {"inputs": ("a", "b"), "shape": ("n", 3, 9000, 9000)},
            "at most 4096 rows",
        ),
    ],
)
def test_what_is_no_distance_is_refused(tmp_path, nodes, changes, sentence):
    path = onnx_files.write(tmp_path / "other.onnx", nodes, **changes)
    with pytest.raises(UserError, match=sentence):
        distance(path)


def test_a_distance_that_is_not_finite_is_no_number(tmp_path):
    """0 / 0 for a picture and itself opens; what it says of two others does not."""
    nodes = [
        ("Sub", ["a", "b"], ["d"]),
        ("Div", ["d", "d"], ["q"]),
        ("ReduceMean", ["q"], ["y"]),
    ]
    path = onnx_files.write(
        tmp_path / "nan.onnx", nodes, inputs=("a", "b"), shape=("n", 3, "h", "w")
    )
    with pytest.raises(NoAnswerError, match="NaN or infinity"):
        distance(path, BLACK, BLACK)
    assert distance(path) == 1.0


def test_the_file_and_its_settings_name_the_numbers(tmp_path):
    path = onnx_files.mean_square(tmp_path / "pair.onnx")
    plain = OnnxPairModel(path=path)
    assert (
        plain.fingerprint == OnnxPairModel(path=path, sha256=plain.digest).fingerprint
    )
    assert plain.fingerprint != OnnxPairModel(path=path, values="unit").fingerprint
    with pytest.raises(UserError, match="is another file"):
        distance(path, sha256="0" * 64)


def test_without_onnxruntime_the_extra_is_named(tmp_path, monkeypatch):
    path = onnx_files.mean_square(tmp_path / "pair.onnx")
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"pip install 'tbstar-jax\[onnx\]'"):
        distance(path)
