"""Photos: records without an edit, in sets of their own, never trained on."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, open_mixture
from tbstar_jax.input_pipeline.record_shards import write_shard
from tbstar_jax.input_pipeline.records import (
    RecordCodec,
    RecordSource,
    write_records,
)
from tests.input_pipeline.samples import make_record

ROOT = pathlib.Path(__file__).parents[2]


def make_photo(index):
    return dataclasses.replace(
        make_record(index), target_image=b"", instructions_en=(), instructions_zh=()
    )


def test_photos_come_back_byte_for_byte_and_their_set_says_so(tmp_path):
    photos = [make_photo(k) for k in range(3)]
    write_records(tmp_path / "set", "collect", "train", photos, 2, "photos")
    source = RecordSource(tmp_path / "set", "train", "photos")
    assert [source[k] for k in range(3)] == photos
    assert photos[0].image_sizes() == ((32, 32),)
    assert RecordSource(tmp_path / "set", "train", None).kind == "photos"


def test_training_refuses_photos_and_says_what_to_do(tmp_path):
    path = tmp_path / "set"
    write_records(path, "collect", "train", [make_photo(0)], 2, "photos")
    with pytest.raises(UserError, match=r"holds photos, but pairs are needed here.*"):
        open_mixture([MixtureEntry(path=str(path))], "train")
    with pytest.raises(UserError, match=r"data\.build --stage=construct"):
        RecordSource(path, "train")


def test_a_set_of_pairs_takes_no_photo_and_a_set_of_photos_no_pair(tmp_path):
    with pytest.raises(UserError, match="no target image, but the set is one of pairs"):
        write_records(tmp_path / "a", "s", "train", [make_photo(0)], 2)
    with pytest.raises(UserError, match="holds only photos"):
        write_records(tmp_path / "b", "s", "train", [make_record(0)], 2, "photos")
    bare = dataclasses.replace(make_photo(0), source_images=(), change_mask=b"")
    with pytest.raises(UserError, match="photo 'record-0' has no image"):
        write_records(tmp_path / "c", "s", "train", [bare], 2, "photos")


def test_sets_from_before_there_were_photos_hold_pairs(tmp_path):
    write_records(tmp_path / "set", "s", "train", [make_record(0)], 2)
    path = tmp_path / "set" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest.pop("kind") == "pairs"
    path.write_text(json.dumps(manifest))
    assert RecordSource(tmp_path / "set", "train").kind == "pairs"
    path.write_text(json.dumps({**manifest, "kind": "films"}))
    with pytest.raises(UserError, match="'films', which this version does not know"):
        RecordSource(tmp_path / "set", "train")


def test_a_record_comes_back_from_its_bytes():
    record = dataclasses.replace(make_record(1), provenance={"b": 1, "a": {"d": 2.5}})
    assert RecordCodec().parse(RecordCodec().serialise(record), "it") == record


def test_a_record_is_the_same_bytes_under_every_hash_seed():
    code = """
import hashlib
from tbstar_jax.input_pipeline.records import RecordCodec
from tests.input_pipeline.samples import make_record
example = RecordCodec().serialise(make_record(0, num_sources=2))
print(hashlib.sha256(example).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_a_provenance_that_is_not_json_is_refused(value):
    record = dataclasses.replace(make_record(1), provenance={"scores": {"a": value}})
    with pytest.raises(UserError, match="provenance of record 'record-1' is not JSON"):
        RecordCodec().serialise(record)


def test_a_shard_replaces_one_of_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "shard"
    first = write_shard(path, [b"a", b"b"])
    assert (first.num_records, first.num_bytes) == (2, path.stat().st_size)
    content = path.read_bytes()

    def failing():
        yield b"c"
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write_shard(path, failing())
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["shard"]
