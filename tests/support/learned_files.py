"""Weights of learned metrics that can be done by hand, and the file that names them."""

import dataclasses

import yaml

from tbstar_jax.evaluation.learned.config import (
    DistanceConfig,
    EncoderConfig,
    LearnedConfig,
    TextConfig,
)
from tests.support import onnx_files

SIDE = 20
"""Of what the encoders take."""

UNKNOWN = [(0, 0, 0), (0, 0, 0), *onnx_files.COLOURS[2:]]
"""Words that are no colours say nothing."""


def write_weights(folder):
    """LPIPS is the mean squared difference, vectors are mean colours."""
    folder.mkdir(exist_ok=True)
    shape = ("n", 3, SIDE, SIDE)
    return LearnedConfig(
        lpips=DistanceConfig(
            name="squares", path=onnx_files.mean_square(folder / "lpips.onnx")
        ),
        dino=EncoderConfig(
            name="DINO of colours",
            path=onnx_files.mean_colour(folder / "dino.onnx", shape=shape),
            normalisation="unit",
        ),
        clip_image=EncoderConfig(
            name="CLIP of colours",
            path=onnx_files.mean_colour(folder / "image.onnx", shape=shape),
            normalisation="unit",
        ),
        clip_text=TextConfig(
            name="CLIP of colours",
            path=onnx_files.sum_of_words(folder / "text.onnx", UNKNOWN),
            tokenizer=onnx_files.write_tokenizer(folder / "tokenizer.json"),
        ),
    )


def write_settings(path, config):
    """Writes `learned.yaml`, without what is not set."""
    sections = {
        name: {
            key: str(value)
            for key, value in dataclasses.asdict(found).items()
            if value is not None
        }
        for name, found in config.sections().items()
    }
    path.write_text(yaml.safe_dump(sections))
    return path
