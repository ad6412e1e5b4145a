"""Exports of the real architectures, with random weights, give what torch gives."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from tbstar_jax.data_engine.local_models import EmbeddingModel
from tbstar_jax.metrics.onnx_file import OnnxFile
from tbstar_jax.metrics.onnx_model import OnnxImageModel
from tbstar_jax.metrics.onnx_pair import OnnxPairModel
from tbstar_jax.metrics.onnx_text import OnnxTextModel

WIDTHS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
WORDS = ("!", "<start>", "a", "red", "mug", "<end>")
"""By their ids; 0 fills up, as in CLIP."""


class Only(torch.nn.Module):
    """One of a model's outputs."""

    def __init__(self, model, output):
        super().__init__()
        self.model, self.output = model, output

    def forward(self, values):
        return getattr(self.model(values), self.output)


class Lpips(torch.nn.Module):
    """LPIPS as published, on two layers: unit features, squares, weights, means."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            [torch.nn.Conv2d(3, 8, 5, 2), torch.nn.Conv2d(8, 16, 3, 2)]
        )
        self.lins = torch.nn.ParameterList(
            [torch.rand(1, 8, 1, 1), torch.rand(16, 1, 1)]
        )

    def forward(self, one, other):
        total = 0
        for layer, lin in zip(self.layers, self.lins, strict=True):
            one, other = torch.relu(layer(one)), torch.relu(layer(other))
            units = (
                x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for x in (one, other)
            )
            square = (next(units) - next(units)).pow(2)
            total = total + (lin * square).sum(1, keepdim=True).mean(
                (2, 3), keepdim=True
            )
        return total


@pytest.fixture
def export(tmp_path):
    """Returns a function: a module and its inputs to the path of its file."""

    def write(module, *inputs, **options):
        path = tmp_path / "model.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about itself
            torch.onnx.export(module.eval(), inputs, path, dynamo=False, **options)
        return path

    torch.manual_seed(0)
    return write


def picture(side):
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


def tensor(image, mean, std):
    values = (image / 255 - np.array(mean)) / np.array(std)
    return torch.tensor(values.transpose(2, 0, 1)[None], dtype=torch.float32)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_the_picture_part_of_clip(export):
    config = CLIPVisionConfig(**WIDTHS, image_size=32, patch_size=8, projection_dim=24)
    module = Only(CLIPVisionModelWithProjection(config), "image_embeds")
    path = export(module, torch.zeros(1, 3, 32, 32))
    image = picture(32)
    values = tensor(
        image,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    )
    with torch.no_grad():
        expected = module(values)[0].numpy()
    model = EmbeddingModel(model=OnnxImageModel(path=path, normalisation="clip"))
    with model.open() as embed:
        np.testing.assert_allclose(embed(image), unit(expected), atol=1e-4)


def test_the_class_token_of_dinov2(export):
    config = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    module = Only(Dinov2Model(config), "last_hidden_state")
    path = export(module, torch.zeros(1, 3, 28, 28))
    # Wide and fine: the shorter side is scaled by bicubic, the middle is what is seen.
    image = np.concatenate([picture(56), picture(56)[::-1]], axis=1)
    small = np.asarray(
        Image.fromarray(image).resize((56, 28), Image.Resampling.BICUBIC)
    )
    values = tensor(small[:, 14:42], (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        expected = module(values)[0, 0].numpy()
    model = EmbeddingModel(model=OnnxImageModel(path=path, normalisation="imagenet"))
    with model.open() as embed:
        np.testing.assert_allclose(embed(image), unit(expected), atol=1e-4)


def test_the_text_part_of_clip(export, tmp_path):
    config = CLIPTextConfig(
        **WIDTHS,
        vocab_size=len(WORDS),
        max_position_embeddings=8,
        projection_dim=24,
        bos_token_id=1,
        eos_token_id=5,
        pad_token_id=0,
    )
    module = Only(CLIPTextModelWithProjection(config), "text_embeds")
    path = export(module, torch.ones(1, 8, dtype=torch.long))
    ids = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="!"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 5)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with torch.no_grad():
        written = torch.tensor([[1, 2, 3, 4, 5, 0, 0, 0]])
        expected = module(written)[0].numpy()
    model = OnnxTextModel(
        file=OnnxFile(path=path), tokenizer=tmp_path / "tokenizer.json"
    )
    with model.open() as embed:
        np.testing.assert_allclose(embed("a red mug"), unit(expected), atol=1e-4)
        assert np.abs(embed("a red") - embed("a red mug")).max() > 1e-3


def test_lpips(export):
    module = Lpips()
    names = ("one", "other")
    path = export(
        module,
        torch.zeros(1, 3, 64, 64),
        torch.zeros(1, 3, 64, 64),
        input_names=list(names),
        dynamic_axes={name: {2: "h", 3: "w"} for name in names},
    )
    one, other = picture(80), picture(80)[:, ::-1].copy()
    half = ((0.5,) * 3, (0.5,) * 3)
    with torch.no_grad():
        expected = module(tensor(one, *half), tensor(other, *half)).item()
    with OnnxPairModel(path=path).open() as distance:
        assert distance(one, other) == pytest.approx(expected, rel=1e-4)
        assert distance(one, one) == 0.0
    assert expected > 0.01
