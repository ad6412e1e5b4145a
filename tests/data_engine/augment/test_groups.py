"""The stage over shards, and several methods as one: same bytes in every process."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from tbstar_jax.data_engine.augment.chain import Chain
from tbstar_jax.data_engine.augment.compose import Compose
from tbstar_jax.data_engine.augment.groups import GroupStage
from tbstar_jax.data_engine.augment.identity import Identity
from tbstar_jax.data_engine.augment.invert import Invert
from tbstar_jax.data_engine.augment.paraphrase.rewrite import Paraphrase
from tbstar_jax.data_engine.augment.paste_back import PasteBack
from tbstar_jax.data_engine.augment.together import Augment
from tbstar_jax.data_engine.stage import Method, Reject, Stage
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import RecordSource, write_records
from tests.support.rendered_pairs import is_exact, rendered, scene_with_everything

TASKS = ("object_remove", "text_replace_en", "recolor")
COMPOSE = Compose(max_edits=2, max_per_photo=2, margin=0, num_texts=3, max_bytes=94)
CHAIN = Chain(max_turns=2, max_per_photo=1, margin=0)
AUGMENT = Augment(
    methods=(PasteBack(feather=0), Invert(max_bytes=94), Identity(share=0.5)),
    finish=Paraphrase(num_texts=4, max_bytes=94),
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Two photos with three edits each, one photo per shard."""
    path = tmp_path_factory.mktemp("groups") / "pairs"
    records = [
        rendered(scene_with_everything(index), task, index)
        for index in range(2)
        for task in TASKS
    ]
    write_records(path, "pairs", "train", records, records_per_shard=3)
    return path


def stage_over(directory, *methods, seed=0):
    return GroupStage(
        name="combine",
        directory=os.fspath(directory),
        split="train",
        methods=methods,
        seed=seed,
    )


def made_by(stage):
    with stage.open() as worker:
        return {unit.name: list(worker(unit)) for unit in stage.units()}


def test_each_shard_is_copied_and_its_photo_combined(directory):
    stage = stage_over(directory, COMPOSE, CHAIN)
    made = made_by(stage)
    assert list(made) == ["00000", "00001"]
    source = RecordSource(directory, "train")
    for index, records in enumerate(made.values()):
        assert records[:3] == [source[3 * index + k] for k in range(3)]
        transforms = [one.provenance.get("transform") for one in records[3:]]
        # The two disjoint pairs of edits, and one chain of two turns.
        assert transforms == ["compose", "compose", "chain", "chain"]
        assert all(is_exact(one) for one in records)
        assert len({one.key for one in records}) == len(records)
        parents = {key for one in records[3:] for key in one.provenance["parents"]}
        assert parents <= {one.key for one in records[:3]}


def test_units_do_not_depend_on_each_other_and_the_seed_matters(directory):
    stage = stage_over(directory, COMPOSE, CHAIN)
    assert isinstance(stage, Stage)
    whole = made_by(stage)
    again = ForkingPickler.loads(ForkingPickler.dumps(stage))
    assert again.fingerprint == stage.fingerprint
    assert again.units() == stage.units()
    with again.open() as worker:
        for unit in reversed(stage.units()):
            assert list(worker(unit)) == whole[unit.name]
    assert (
        stage_over(directory, COMPOSE, CHAIN, seed=1).fingerprint != stage.fingerprint
    )
    assert stage_over(directory, COMPOSE).fingerprint != stage.fingerprint


def test_edits_without_readable_facts_are_named(tmp_path):
    records = [rendered(scene_with_everything(0), task) for task in TASKS]
    broken = [dataclasses.replace(one, provenance={"facts": []}) for one in records]
    write_records(tmp_path / "pairs", "pairs", "train", broken, records_per_shard=9)
    (made,) = made_by(stage_over(tmp_path / "pairs", CHAIN)).values()
    assert made[:3] == broken
    assert made[3:]
    assert all(isinstance(one, Reject) for one in made[3:])
    assert "facts" in made[3].reason


def test_a_manifest_without_shards_is_refused(tmp_path):
    record = rendered(scene_with_everything(0), "recolor")
    write_records(tmp_path / "pairs", "pairs", "train", [record], records_per_shard=9)
    (tmp_path / "pairs" / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="no readable manifest"):
        stage_over(tmp_path / "pairs", CHAIN).units()


def run(method, record, seed=0):
    with method.open() as transform:
        return list(transform(record, np.random.default_rng(seed)))


def test_all_methods_see_the_record_and_the_last_one_sees_everything():
    record = rendered(scene_with_everything(0), "object_remove")
    always = dataclasses.replace(
        AUGMENT, methods=(Invert(max_bytes=94), Identity(share=1.0))
    )
    assert isinstance(always, Method)
    made = run(always, record)
    transforms = [one.provenance.get("transform") for one in made]
    assert transforms == [None, "inverse", "identity"]
    assert made[0].key == record.key
    assert all("paraphrase" in one.provenance for one in made)
    assert len(made[0].instructions_en) == 4


def test_another_method_moves_no_random_numbers():
    record = rendered(scene_with_everything(0), "object_remove")
    fewer = dataclasses.replace(AUGMENT, methods=AUGMENT.methods[1:])
    for seed in range(4):
        assert run(AUGMENT, record, seed) == run(fewer, record, seed)
    assert fewer.fingerprint != AUGMENT.fingerprint


def test_a_method_named_twice_is_refused():
    with pytest.raises(UserError, match="twice"):
        Augment(methods=(Identity(share=0.1),) * 2, finish=AUGMENT.finish)


def digest_of_everything(directory):
    """SHA-256 over all that stage and methods make of a set."""
    digest = hashlib.sha256()
    for records in made_by(stage_over(directory, COMPOSE, CHAIN)).values():
        for record in records:
            for one in run(AUGMENT, record):
                digest.update(repr(one).encode())
    return digest.hexdigest()


PROGRAM = """
import sys
from tests.data_engine.augment.test_groups import digest_of_everything
print(digest_of_everything(sys.argv[1]))
"""


def test_bytes_do_not_depend_on_the_process_or_its_hash_seed(directory):
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, os.fspath(directory)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest_of_everything(directory)
