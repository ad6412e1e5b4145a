"""The stage over shards, and several methods as one: same bytes in every process."""

import contextlib
import dataclasses
import hashlib
import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import annotated
from tbstar_jax.data_engine.augment.augment_stage import AugmentStage
from tbstar_jax.data_engine.augment.chain import Chain
from tbstar_jax.data_engine.augment.compose import Compose
from tbstar_jax.data_engine.augment.identity import Identity
from tbstar_jax.data_engine.augment.invert import Invert
from tbstar_jax.data_engine.augment.paraphrase.rewrite import Paraphrase
from tbstar_jax.data_engine.augment.paste_back import PasteBack
from tbstar_jax.data_engine.augment.together import Augment
from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.data_engine.stage import Method, Reject, Stage
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import encode_png
from tbstar_jax.input_pipeline.records import RecordSource, write_records
from tests.support.rendered_pairs import (
    arrays,
    is_exact,
    rendered,
    scene_with_everything,
)

TASKS = ("object_remove", "text_replace_en", "recolor")
COMPOSE = Compose(max_edits=2, max_per_photo=2, margin=0, num_texts=3, max_bytes=94)
CHAIN = Chain(max_turns=2, max_per_photo=1, margin=0)
JUST_COPY = Augment(methods=())
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


def stage_over(directory, each=JUST_COPY, groups=(COMPOSE, CHAIN), **settings):
    return AugmentStage(
        each=each,
        groups=groups,
        directory=directory,
        split="train",
        **{"seed": 0, **settings},
    )


def made_by(stage):
    with stage.open() as worker:
        return {unit.name: list(worker(unit)) for unit in stage.units()}


def test_each_record_is_copied_and_its_photo_combined(directory):
    made = made_by(stage_over(directory))
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


def test_photos_that_share_a_shard_are_kept_apart(directory, tmp_path):
    source = RecordSource(directory, "train")
    records = [source[k] for k in range(len(source))]
    write_records(tmp_path / "pairs", "pairs", "train", records, records_per_shard=9)
    (together,) = made_by(stage_over(tmp_path / "pairs")).values()
    assert together == [
        one for unit in made_by(stage_over(directory)).values() for one in unit
    ]


def test_what_is_pasted_back_is_combined_in_the_same_pass(tmp_path):
    """Noise over the whole target hides that two edits are disjoint."""
    rng = np.random.default_rng(0)
    records = []
    for task in TASKS[:2]:
        record = rendered(scene_with_everything(0), task)
        _, target, _ = arrays(record)
        noisy = np.clip(target + rng.integers(-1, 2, target.shape), 0, 255)
        target_image = encode_png(noisy.astype(np.uint8))
        records.append(dataclasses.replace(record, target_image=target_image))
    write_records(tmp_path / "pairs", "pairs", "train", records, records_per_shard=9)
    (made,) = made_by(stage_over(tmp_path / "pairs")).values()
    assert made == records
    pasting = Augment(methods=(PasteBack(feather=0),))
    (made,) = made_by(stage_over(tmp_path / "pairs", each=pasting)).values()
    transforms = [one.provenance.get("transform") for one in made]
    pasted = [None, "paste_back"] * 2
    assert transforms == [*pasted, "compose", "chain", "chain"]
    parents = {f"{one.key}-pasted" for one in records}
    assert set(made[4].provenance["parents"]) == parents
    assert is_exact(made[4])


def test_rejected_edits_are_copied_and_not_combined(directory, tmp_path):
    source = RecordSource(directory, "train")
    first, second, third = (source[k] for k in range(3))
    second = annotated(second, status="rejected:shift")
    records = [first, second, third]
    write_records(tmp_path / "pairs", "pairs", "train", records, records_per_shard=9)
    (made,) = made_by(stage_over(tmp_path / "pairs")).values()
    assert made == records


def test_units_do_not_depend_on_each_other_and_the_seed_matters(directory):
    stage = stage_over(directory)
    assert isinstance(stage, Stage)
    whole = made_by(stage)
    again = ForkingPickler.loads(ForkingPickler.dumps(stage))
    assert again.fingerprint == stage.fingerprint
    assert again.units() == stage.units()
    with again.open() as worker:
        for unit in reversed(stage.units()):
            assert list(worker(unit)) == whole[unit.name]
    others = [
        stage_over(directory, seed=1),
        stage_over(directory, groups=(COMPOSE,)),
        stage_over(directory, each=AUGMENT),
    ]
    assert len({one.fingerprint for one in (stage, *others)}) == 4


def test_edits_without_readable_facts_are_named(tmp_path):
    records = [rendered(scene_with_everything(0), task) for task in TASKS]
    broken = [annotated(one, facts=[]) for one in records]
    write_records(tmp_path / "pairs", "pairs", "train", broken, records_per_shard=9)
    (made,) = made_by(stage_over(tmp_path / "pairs", groups=(CHAIN,))).values()
    assert made[:3] == broken
    assert made[3:]
    assert all(isinstance(one, Reject) for one in made[3:])
    assert "facts" in made[3].reason


def test_the_engine_writes_what_the_stage_makes(directory, tmp_path):
    stage = stage_over(directory, each=AUGMENT)
    report = run_stage(
        stage,
        tmp_path / "out",
        "augmented",
        "train",
        engine=EmbeddedEngine(workers=1),
        show_progress=False,
    )
    expected = [one for unit in made_by(stage).values() for one in unit]
    source = RecordSource(tmp_path / "out", "train")
    assert [source[k].key for k in range(len(source))] == [one.key for one in expected]
    assert report.num_rejects == 0
    chained = next(one for one in expected if one.provenance.get("turn") == 1)
    assert chained == source[[one.key for one in expected].index(chained.key)]


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
    """A method that uses random numbers and makes nothing."""

    name: str = "draws"
    fingerprint: str = "draws"
    num_threads: int = 1

    @contextlib.contextmanager
    def open(self):
        def transform(record, rng):
            rng.random(3)
            return [record]

        yield transform


def test_another_method_moves_no_random_numbers():
    record = rendered(scene_with_everything(0), "object_remove")
    more = dataclasses.replace(AUGMENT, methods=(Draws(), *AUGMENT.methods))
    counts = set()
    for seed in range(8):
        made = run(AUGMENT, record, seed)
        assert run(more, record, seed) == made
        counts.add(len(made))
    assert counts == {2, 3}
    assert more.fingerprint != AUGMENT.fingerprint


def test_a_method_named_twice_is_refused():
    with pytest.raises(UserError, match="twice"):
        Augment(methods=(Identity(share=0.1),) * 2, finish=AUGMENT.finish)


def digest_of_everything(directory):
    """SHA-256 over all that the stage makes of a set."""
    digest = hashlib.sha256()
    for records in made_by(stage_over(Path(directory), each=AUGMENT)).values():
        for one in records:
            digest.update(repr(one).encode())
    return digest.hexdigest()


PROGRAM = """
import sys
from tests.data_engine.augment.test_augment_stage import digest_of_everything
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
