"""Tiny ONNX models, written node by node: what each computes can be done by hand."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

IMAGE = ("batch", 3, 4, 4)
"""Shape of the input of the image models."""


def constant(name, values):
    return numpy_helper.from_array(np.array(values), name)


def write(
    path,
    nodes,
    *,
    constants=(),
    shape=IMAGE,
    inputs=("x",),
    outputs=("y",),
    kind=TensorProto.FLOAT,
):
    """Writes a graph; its inputs are of one shape and kind, its outputs float32."""
    infos = [helper.make_tensor_value_info(name, kind, shape) for name in inputs]
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs
    ]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **dict(node[3:])) for node in nodes],
        "tiny",
        infos,
        results,
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


MEAN_COLOUR = (
    "ReduceMean",
    ["x"],
    ["colour"],
    ("axes", [2, 3]),
    ("keepdims", 0),
)


def mean_colour(path, **changes):
    """[1 3 h w] -> [1 3]: means of red, green and blue."""
    nodes = [MEAN_COLOUR, ("Identity", ["colour"], ["y"])]
    return write(path, nodes, **changes)


def brightness(path):
    """[1 3 h w] -> [1 1]: ten times the mean of all values."""
    nodes = [
        ("ReduceMean", ["x"], ["mean"], ("axes", [1, 2, 3]), ("keepdims", 1)),
        ("Mul", ["mean", "ten"], ["scaled"]),
        ("Flatten", ["scaled"], ["y"]),
    ]
    return write(path, nodes, constants=[constant("ten", np.float32(10))])


def reddish(path, side=16):
    """[1 3 h w] -> [1 1 h w]: 0.5 where red is above green by a half, else -0.5."""
    nodes = [
        ("Split", ["x", "parts"], ["red", "green", "blue"], ("axis", 1)),
        ("Sub", ["red", "green"], ["difference"]),
        ("Greater", ["difference", "half"], ["is_red"]),
        ("Cast", ["is_red"], ["one"], ("to", TensorProto.FLOAT)),
        ("Sub", ["one", "half"], ["y"]),
    ]
    constants = [
        constant("half", np.float32(0.5)),
        constant("parts", np.array([1, 1, 1], np.int64)),
    ]
    return write(path, nodes, constants=constants, shape=("n", 3, side, side))


def weighted(path, weights):
    """[1 d] -> [1 1]: a weighted sum, as a head has it."""
    column = np.array(weights, np.float32)[:, None]
    nodes = [("MatMul", ["x", "w"], ["y"])]
    return write(
        path, nodes, constants=[constant("w", column)], shape=("n", len(weights))
    )


def mean_square(path, shape=("n", 3, "h", "w")):
    """[1 3 h w], [1 3 h w] -> [1 1 1 1]: the mean squared difference, a distance."""
    nodes = [
        ("Sub", ["x0", "x1"], ["difference"]),
        ("Mul", ["difference", "difference"], ["square"]),
        ("ReduceMean", ["square"], ["y"], ("axes", [1, 2, 3]), ("keepdims", 1)),
    ]
    return write(path, nodes, shape=shape, inputs=("x0", "x1"))


def sum_of_words(path, table, shape=("n", "tokens"), mask=None):
    """[1 n] of token ids -> [1 d]: the sum of a row of a table per token.

    With `mask`, the name of a second input that counts tokens or leaves them out.
    """
    inputs = ("ids",) if mask is None else ("ids", mask)
    nodes = [("Gather", ["table", "ids"], ["rows"], ("axis", 0))]
    last = "rows"
    if mask is not None:
        nodes += [
            ("Cast", [mask], ["counted"], ("to", TensorProto.FLOAT)),
            ("Unsqueeze", ["counted", "two"], ["column"]),
            ("Mul", ["rows", "column"], ["masked"]),
        ]
        last = "masked"
    nodes.append(("ReduceSum", [last, "one"], ["y"], ("keepdims", 0)))
    constants = [
        constant("table", np.array(table, np.float32)),
        constant("one", np.array([1], np.int64)),
        constant("two", np.array([2], np.int64)),
    ]
    return write(
        path,
        nodes,
        constants=constants,
        shape=shape,
        inputs=inputs,
        kind=TensorProto.INT64,
    )


WORDS = ("[PAD]", "[UNK]", "red", "green", "blue", "grey")
"""Of the tokenizer that `write_tokenizer` writes."""

COLOURS = (
    (0, 0, 0),
    (0.1, 0.1, 0.1),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0.5, 0.5, 0.5),
)
"""What `sum_of_words` may say of them."""


def write_tokenizer(path, *, max_length=None):
    """A `tokenizer.json` with a word per token."""
    ids = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    tokenizer.save(str(path))
    return path
