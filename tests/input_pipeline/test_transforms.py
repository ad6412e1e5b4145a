"""One record to arrays: what is drawn, how often, and what is refused."""

import dataclasses
import io
import time

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import decode_image, encode_png
from tbstar_jax.input_pipeline.transforms import (
    TransformConfig,
    choose_instruction,
    draw_instruction,
    make_example,
)
from tests.input_pipeline.samples import make_record, tokenize

CONFIG = TransformConfig(max_tokens=40, pixel_budget=128 * 128, is_mask_required=False)


def example_of(record, config=CONFIG, latents=None):
    instruction = choose_instruction(record, "en")
    return make_example(record, instruction, config, tokenize, latents)


def test_an_example_holds_the_record():
    record = make_record(1, (48, 16), num_sources=2)
    example = example_of(record)
    assert {name: (a.dtype.name, a.shape) for name, a in example.items()} == {
        "target_image": ("uint8", (48, 16, 3)),
        "source_image_1": ("uint8", (48, 16, 3)),
        "source_image_2": ("uint8", (48, 16, 3)),
        "change_mask": ("bool", (48, 16)),
        "instruction_tokens": ("int32", (40,)),
        "num_instruction_tokens": ("int32", ()),
        "is_instruction_dropped": ("bool", ()),
    }
    np.testing.assert_array_equal(
        example["source_image_2"], decode_image(record.source_images[1])
    )
    assert example["num_instruction_tokens"] == 8
    assert bytes(example["instruction_tokens"][1:7].astype(np.uint8)) == b"edit 1"
    assert not example["instruction_tokens"][8:].any()


def test_odd_sizes_are_padded_to_tokens_by_the_geometry_contract():
    record = make_record(1, (37, 50))
    example = example_of(record)
    assert example["target_image"].shape == example["source_image_1"].shape
    assert example["target_image"].shape == (48, 64, 3)
    assert example["change_mask"].shape == (48, 64)
    np.testing.assert_array_equal(
        example["target_image"][:37, :50], decode_image(record.target_image)
    )


def test_language_paraphrase_and_dropout_are_drawn_at_their_rates():
    record = make_record(0)
    rng = np.random.default_rng(0)
    drawn = [draw_instruction(record, CONFIG, rng) for _ in range(2_000)]
    kept = [one for one in drawn if not one.is_dropped]
    # Three standard deviations of a binomial: 0.020, 0.034 and 0.046.
    assert abs(1 - len(kept) / len(drawn) - 0.1) < 0.021
    is_zh = [one.text in record.instructions_zh for one in kept]
    assert abs(np.mean(is_zh) - 0.5) < 0.036
    english = [one.text for one in kept if one.text in record.instructions_en]
    assert abs(english.count("edit 0") / len(english) - 0.5) < 0.05
    assert all(one.text == "" for one in drawn if one.is_dropped)


@pytest.mark.parametrize("given", ["instructions_en", "instructions_zh"])
def test_the_only_language_is_always_taken(given):
    others = {"instructions_en", "instructions_zh"} - {given}
    record = dataclasses.replace(make_record(0), **dict.fromkeys(others, ()))
    config = dataclasses.replace(CONFIG, instruction_dropout=0.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert draw_instruction(record, config, rng).text in getattr(record, given)


def test_a_missing_mask_means_changed_everywhere_unless_one_is_required():
    record = dataclasses.replace(make_record(0), change_mask=b"")
    assert example_of(record)["change_mask"].all()
    strict = dataclasses.replace(CONFIG, is_mask_required=True)
    with pytest.raises(UserError, match="record 'record-0' has no change mask"):
        example_of(record, strict)


def bomb():
    buffer = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_image": b"nonsense"}, "target_image of record 'record-0' is not"),
        ({"target_image": bomb()}, "target_image of record 'record-0' has more than"),
        ({"source_images": (encode_png(np.zeros((256, 128, 3), np.uint8)),)}, "budget"),
        ({"source_images": (encode_png(np.zeros((96, 16, 3), np.uint8)),)}, "ratio"),
        ({"change_mask": encode_png(np.zeros((16, 32), np.uint8))}, "same size"),
        ({"instructions_en": ("long " * 20,)}, "of record 'record-0' has 102 tokens"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_about_its_record(change, message):
    record = dataclasses.replace(make_record(0), **change)
    with pytest.raises(UserError, match=message) as caught:
        example_of(record)
    assert "record 'record-0'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_too_long_says_how_its_mixture_leaves_it_out():
    record = dataclasses.replace(make_record(0), instructions_en=("long " * 20,))

    def refuse(text):
        raise UserError(f"it has {len(text)} bytes, at most 94 fit; shorten it")

    instruction = choose_instruction(record, "en")
    for takes in (tokenize, refuse):
        with pytest.raises(UserError, match=r"shorten it, or .*mix\.max_instruction_b"):
            make_example(record, instruction, CONFIG, takes)


@pytest.mark.parametrize(
    "change", [{"zh_share": 1.5}, {"instruction_dropout": -0.1}, {"max_tokens": 0}]
)
def test_shares_and_lengths_are_checked(change):
    with pytest.raises(UserError, match=next(iter(change))):
        dataclasses.replace(CONFIG, **change)


def test_a_pair_of_256_pixels_decodes_within_its_budget():
    # 300 JPEG pairs per CPU-second are usual; 60 keep a slow machine green.
    def jpeg(seed):
        rng = np.random.default_rng(seed)
        small = rng.integers(0, 256, (16, 16, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(small).resize((256, 256)).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    record = dataclasses.replace(
        make_record(0), source_images=(jpeg(0),), target_image=jpeg(1), change_mask=b""
    )
    config = dataclasses.replace(CONFIG, pixel_budget=256 * 256)
    start = time.process_time()
    for _ in range(30):
        example_of(record, config)
    assert 30 / (time.process_time() - start) > 60
