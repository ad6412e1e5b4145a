"""Importers: image folders and foreign sets of TensorFlow Datasets."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.folder import FolderSource
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, open_mixture, open_source
from tbstar_jax.input_pipeline.records import write_records
from tbstar_jax.input_pipeline.sources import TfdsFields, TfdsSource, open_tfds
from tests.input_pipeline.samples import make_record

LINE = {"image": "out.png", "edit_image": "in.png", "prompt": "make it red"}


def make_folder(path, *lines):
    record = make_record(0)
    path.mkdir()
    (path / "in.png").write_bytes(record.source_images[0])
    (path / "out.png").write_bytes(record.target_image)
    (path / "mask.png").write_bytes(record.change_mask)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (path / "metadata.jsonl").write_text("\n".join(texts), encoding="utf-8")
    return record


def test_a_folder_passes_image_bytes_on(tmp_path):
    full = {
        "target_image": "out.png",
        "source_images": ["in.png", "out.png"],
        "instruction": ["make it red", "paint it red"],
        "instruction_cn": "改成红色",
        "mask": "mask.png",
        "task": "recolor",
        "key": "a",
    }
    record = make_folder(tmp_path / "f", LINE, "", full)
    source = FolderSource(tmp_path / "f")
    assert len(source) == 2
    assert source[0].source_images == record.source_images
    assert source[0].target_image == record.target_image
    assert source[0].change_mask == b""
    assert source[0].instructions_en == ("make it red",)
    assert source[1].source_images == (record.source_images[0], record.target_image)
    assert source[1].change_mask == record.change_mask
    assert source[1].instructions_en == ("make it red", "paint it red")
    assert source[1].instructions_zh == ("改成红色",)
    assert source[1].task == "recolor"
    assert source[0].scene == source[1].scene == "in.png"


def test_a_folder_becomes_a_record_set(tmp_path):
    make_folder(tmp_path / "f", LINE)
    source = open_source(tmp_path / "f", "train")
    write_records(tmp_path / "set", "s", "train", [source[0]], 1)
    assert open_source(tmp_path / "set", "train")[0] == source[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "expected a JSON object"),
        ({**LINE, "image": None}, "'target_image' or 'image'"),
        ({**LINE, "image": ["out.png"]}, "must be a text, not empty"),
        ({**LINE, "prompt": " "}, "must be a text or a list of texts"),
        ({**LINE, "prompt": 3}, "'prompt' must be a text"),
        ({"image": "out.png", "edit_image": "in.png"}, "'instruction'"),
        ({**LINE, "target_image": "out.png"}, "mean the same"),
        ({**LINE, "task": "recolour"}, "did you mean 'recolor'"),
        ({**LINE, "edit_image": "gone.png"}, "there is no file 'gone.png'"),
        ({**LINE, "edit_image": "../f/in.png"}, "stay inside the folder"),
        ({**LINE, "edit_image": "a\0b"}, "stay inside the folder"),
        ({**LINE, "edit_image": "/etc/hostname"}, "stay inside the folder"),
        ({**LINE, "key": "b", "mask": "link.png"}, "link that leaves the folder"),
        ({**LINE, "key": "b", "mask": "."}, "there is no file"),
        (LINE, "was used before, in .*:1"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    (tmp_path / "secret.png").write_bytes(b"x")
    make_folder(tmp_path / "f", LINE, line)
    (tmp_path / "f" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match=rf"metadata\.jsonl:2: .*{message}") as caught:
        FolderSource(tmp_path / "f")
    assert "\n" not in str(caught.value)


def test_a_folder_without_metadata_or_text_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*metadata\.jsonl"):
        FolderSource(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not readable UTF-8"):
        FolderSource(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes(b"\n")
    with pytest.raises(UserError, match="holds no line"):
        FolderSource(tmp_path)


def test_a_file_swapped_for_a_link_is_not_followed(tmp_path):
    make_folder(tmp_path / "f", LINE)
    source = FolderSource(tmp_path / "f")
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "f" / "in.png").unlink()
    (tmp_path / "f" / "in.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match="link that leaves the folder"):
        source[0]


BUILDER = """
import sys
import tensorflow_datasets as tfds
from tests.input_pipeline.samples import make_record

class Pairs(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    def _info(self):
        image = tfds.features.Image()
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "before": image, "after": image, "extra": tfds.features.Sequence(image),
            "captions": tfds.features.Sequence(tfds.features.Text()),
            "caption": tfds.features.Text(), "id": tfds.features.Text()}))
    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}
    def _generate_examples(self):
        for k in range(3):
            record = make_record(k)
            yield k, {"before": record.source_images[0], "after": record.target_image,
                "extra": list(record.source_images) * (k % 3),
                "captions": list(record.instructions_en),
                "caption": record.instructions_zh[0], "id": record.key}

Pairs(data_dir=sys.argv[1], file_format="array_record").download_and_prepare()
assert "tensorflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def tfds_directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    subprocess.run([sys.executable, "-c", BUILDER, path], check=True, timeout=60)
    return path / "pairs" / "1.0.0"


FIELDS = TfdsFields(
    target_image="after",
    source_images=("before", "extra"),
    instructions_en=("captions",),
    instructions_zh=("caption",),
    key="id",
)


def test_a_foreign_tfds_set_is_read_by_a_mapping(tfds_directory):
    source = open_tfds(tfds_directory, "train", FIELDS)
    read = {record.key: record for record in (source[k] for k in range(len(source)))}
    for k in range(3):
        expected = make_record(k)
        record = read[f"record-{k}"]
        assert record.target_image == expected.target_image
        assert record.source_images == expected.source_images * (1 + k)
        assert record.instructions_en == expected.instructions_en
        assert record.instructions_zh == expected.instructions_zh
        assert record.change_mask == b""
        assert record.scene == record.key


def test_a_decoded_data_source_is_read_by_the_same_mapping(tfds_directory):
    import tensorflow_datasets as tfds

    decoded = tfds.builder_from_directory(tfds_directory).as_data_source(split="train")
    encoded = open_tfds(tfds_directory, "train", FIELDS)
    source = TfdsSource(decoded, FIELDS, tfds_directory, "decoded")
    for k in range(3):
        assert source[k].instructions_en == encoded[k].instructions_en
        pairs = zip(source[k].source_images, encoded[k].source_images, strict=True)
        for a, b in pairs:
            np.testing.assert_array_equal(decode_image(a), decode_image(b))


def test_a_field_that_is_not_there_is_named(tfds_directory):
    fields = TfdsFields(
        target_image="later", source_images=("before",), instructions_en=("caption",)
    )
    with pytest.raises(UserError, match="has no field later; it has after, before"):
        open_tfds(tfds_directory, "train", fields)


def test_a_foreign_set_is_not_taken_for_records(tfds_directory):
    with pytest.raises(UserError, match="import it with a field mapping"):
        open_source(tfds_directory, "train")


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_is_a_positive_number(weight):
    with pytest.raises(UserError, match="must be a positive number"):
        MixtureEntry(path="a", weight=weight)


def test_a_mixture_names_each_set_once(tmp_path):
    make_folder(tmp_path / "f", LINE)
    twice = [MixtureEntry(path=str(tmp_path / "f"))] * 2
    with pytest.raises(UserError, match="twice"):
        open_mixture(twice, "train")
    with pytest.raises(UserError, match="at least one set"):
        open_mixture([], "train")
