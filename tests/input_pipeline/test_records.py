"""Record sets: round trip, openness to TFDS, atomicity, refusals."""

import dataclasses
import io
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import image_size
from tbstar_jax.input_pipeline.records import (
    RecordSource,
    decode_image,
    encode_png,
    write_records,
)
from tests.input_pipeline.samples import make_record

ROOT = pathlib.Path(__file__).parents[2]


def png_of(image):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_records_come_back_byte_for_byte(tmp_path):
    records = [make_record(k, num_sources=k % 3) for k in range(7)]
    assert write_records(tmp_path / "set", "stage1", "train", records, 3) == 7
    source = RecordSource(tmp_path / "set", "train")
    assert len(source) == 7
    assert [source[k] for k in range(7)] == records
    assert len(list((tmp_path / "set").glob("*.array_record-*-of-00003"))) == 3


def test_a_set_opens_with_tfds_and_never_imports_tensorflow(tmp_path):
    record = make_record(3, (48, 16), 2)
    write_records(tmp_path / "set", "stage1", "train", [record], 3)
    code = f"""
import sys
import numpy as np
import tensorflow_datasets as tfds
from tbstar_jax.input_pipeline.records import RecordSource
builder = tfds.builder_from_directory({str(tmp_path / "set")!r})
example = builder.as_data_source(split="train")[0]
assert example["key"] == b"record-3", example["key"]
assert [image.shape for image in example["source_images"]] == [(48, 16, 3)] * 2
assert example["change_mask"].shape == (48, 16, 1)
assert RecordSource({str(tmp_path / "set")!r}, "train")[0].key == "record-3"
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_killed_writer_leaves_nothing_that_opens(tmp_path):
    code = f"""
import os, signal
from tests.input_pipeline.samples import make_record
from tbstar_jax.input_pipeline.records import write_records
def records():
    for k in range(10):
        if k == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        yield make_record(k)
write_records({str(tmp_path / "set")!r}, "stage1", "train", records(), 3)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(UserError, match=r"data\.build --preset=tiny"):
        RecordSource(tmp_path / "set", "train")
    # The next attempt starts over and succeeds.
    write_records(tmp_path / "set", "stage1", "train", [make_record(0)], 3)
    assert len(RecordSource(tmp_path / "set", "train")) == 1


def test_a_finished_set_is_not_overwritten(tmp_path):
    write_records(tmp_path / "set", "stage1", "train", [make_record(0)], 3)
    with pytest.raises(UserError, match="not empty"):
        write_records(tmp_path / "set", "stage1", "train", [make_record(1)], 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ""}, "empty or used twice"),
        ({"instructions_en": (), "instructions_zh": ()}, "no instruction"),
        ({"instructions_zh": ("", "编辑")}, "an empty one among 4"),
        ({"change_mask": encode_png(np.zeros((16, 32), np.uint8))}, r"\(16, 32\)"),
        ({"target_image": b"GIF89a"}, "target_image of record 'record-0'"),
    ],
)
def test_an_unusable_record_is_refused_by_the_writer(tmp_path, change, message):
    record = dataclasses.replace(make_record(0), **change)
    with pytest.raises(UserError, match=message):
        write_records(tmp_path / "set", "stage1", "train", [record], 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "records_per_shard", "records", "message"),
    [
        ("Stage 1", 3, [make_record(0)], "not a valid set or split name"),
        ("stage1", 0, [make_record(0)], "records_per_shard is 0"),
        ("stage1", 3, [], "there is no record"),
    ],
)
def test_a_set_needs_a_name_a_shard_size_and_records(
    tmp_path, name, records_per_shard, records, message
):
    with pytest.raises(UserError, match=message):
        write_records(tmp_path / "set", name, "train", records, records_per_shard)


def test_keys_are_unique_within_a_set(tmp_path):
    with pytest.raises(UserError, match="used twice"):
        write_records(tmp_path / "set", "stage1", "train", [make_record(0)] * 2, 3)


def test_a_lost_or_damaged_file_is_named(tmp_path):
    write_records(tmp_path / "set", "s", "train", map(make_record, range(4)), 2)
    with pytest.raises(UserError, match=r"no split 'test', only train"):
        RecordSource(tmp_path / "set", "test")
    shard = next((tmp_path / "set").glob("*00001-of-00002"))
    data = shard.read_bytes()
    shard.unlink()
    with pytest.raises(UserError, match="misses 1 of 2 shards"):
        RecordSource(tmp_path / "set", "train")
    shard.write_bytes(data[:100])
    with pytest.raises(UserError, match="damaged"):
        RecordSource(tmp_path / "set", "train")
    (tmp_path / "set" / "features.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        RecordSource(tmp_path / "set", "train")


def test_png_holds_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (17, 5, 3), np.uint8)
    np.testing.assert_array_equal(decode_image(encode_png(image)), image)


def test_orientation_is_applied_and_alpha_lies_on_white():
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = 200
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", exif=exif)
    turned = decode_image(buffer.getvalue())
    np.testing.assert_array_equal(turned, np.rot90(pixels, -1))
    assert image_size(buffer.getvalue()) == (4, 2)
    clear = decode_image(png_of(Image.new("RGBA", (3, 2), (9, 9, 9, 0))))
    np.testing.assert_array_equal(clear, np.full((2, 3, 3), 255, np.uint8))


def test_a_truncated_jpeg_is_named():
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, format="JPEG")
    with pytest.raises(UserError, match="photo 7 is damaged or truncated"):
        decode_image(buffer.getvalue()[:-500], "photo 7")


def test_the_size_is_known_from_a_file_cut_behind_its_header():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    assert image_size(encode_png(pixels)[:200]) == (64, 48)


@pytest.mark.parametrize("side", [8_100, 10_000, 20_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side):
    header = png_of(Image.new("1", (side, side)))
    with pytest.raises(UserError, match="photo 7 has more than 64 million pixels"):
        decode_image(header, "photo 7")


@pytest.mark.parametrize("mode", ["I;16", "CMYK"])
def test_deep_and_print_colours_are_refused(mode):
    buffer = io.BytesIO()
    image = Image.new(mode, (4, 4))
    image.save(buffer, format="JPEG" if mode == "CMYK" else "PNG")
    with pytest.raises(UserError, match=f"photo 7 has mode {mode}"):
        decode_image(buffer.getvalue(), "photo 7")
