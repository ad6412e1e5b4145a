"""Mixtures: who is in them, with what weight, and that nobody held out is."""

import dataclasses
import json

import numpy as np
import pytest

from tbstar_jax.data_engine.store.codecs import encode_jpeg
from tbstar_jax.data_engine.store.index import replace_statuses
from tbstar_jax.data_engine.store.mix import (
    held_out_scenes,
    mixture_entries,
    write_mixture,
)
from tbstar_jax.data_engine.store.mixtures import STAGE1, STAGE2, Mixture, Part
from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.mixtures import open_mixture
from tbstar_jax.input_pipeline.pipeline import PipelineConfig, build_pipeline
from tbstar_jax.input_pipeline.records import write_records
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tests.data_engine.store.samples import make_pair, write_indexed
from tests.input_pipeline.samples import tokenize


def of(method, index, **changes):
    provenance = {"method": method, **changes.pop("notes", {})}
    return make_pair(index, provenance=provenance, **changes)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    jpeg = encode_jpeg(decode_image(make_pair(0).target_image))
    leak = {"scores": {"filter/leak_share": 0.5}}
    clean = {"scores": {"filter/leak_share": 0.0}}
    first = [
        of("template", 0),
        of("template", 1, target_image=jpeg),
        of("template", 2, change_mask=b""),
        of("template", 3, task="identity"),
        of("template", 4, notes={"status": "flagged:warped"}),
        of("template", 5, notes={"status": "rejected:shift"}),
        of("expert", 6, notes=leak),
        of("expert", 7, notes=clean, instructions_zh=()),
    ]
    second = [of("template", 10), of("template", 11), of("cutout", 12)]
    test = [make_pair(100, scene="scene-11"), make_pair(101, scene="scene-0")]
    write_records(root / "heldout", "h", "test", test, 10)
    return (
        write_indexed(root / "a", first),
        write_indexed(root / "b", second),
        root / "heldout",
    )


def keys_of(entries):
    keys = {}
    for entry, source in zip(entries, open_mixture(entries, "train"), strict=True):
        name = entry.selection.split("/")[-1].split(".")[0]
        keys[name] = [source[row].key for row in range(len(source))]
    return keys


def test_stage_1_is_broad(sets, tmp_path):
    mixed = write_mixture(STAGE1, sets[:2], "train", tmp_path, frozenset())
    entries = mixture_entries(tmp_path / "stage1.json")
    assert keys_of(entries) == {
        "stage1-template-00": [f"record-{k}" for k in range(5)],
        "stage1-template-01": ["record-10", "record-11"],
        "stage1-cutout-01": ["record-12"],
        "stage1-expert-00": ["record-6", "record-7"],
    }
    # Parts that found nothing leave their weight to the others: 35, 15 and 25 remain.
    weights = [35 / 75 * 5 / 7, 35 / 75 * 2 / 7, 15 / 75, 25 / 75]
    assert [entry.weight for entry in entries] == pytest.approx(weights, abs=1e-12)
    assert sum(one.weight for one in mixed.parts) == pytest.approx(1, abs=1e-12)
    assert [(one.num_en, one.num_zh) for one in mixed.parts][-1] == (2, 1)


def test_stage_2_is_strict(sets, tmp_path):
    write_mixture(STAGE2, sets[:2], "train", tmp_path, frozenset())
    assert keys_of(mixture_entries(tmp_path / "stage2.json")) == {
        "stage2-identity-00": ["record-3"],
        "stage2-template-00": ["record-0"],
        "stage2-template-01": ["record-10", "record-11"],
        "stage2-cutout-01": ["record-12"],
        "stage2-proved-00": ["record-7"],
    }
    ours = [part.weight for part in STAGE2.parts if part.name in ("template", "cutout")]
    assert sum(ours) == 0.75 * sum(part.weight for part in STAGE2.parts)


@pytest.mark.parametrize("mixture", [STAGE1, STAGE2])
def test_no_scene_is_shared_with_what_is_held_out(sets, tmp_path, mixture):
    scenes = held_out_scenes([(sets[2], "test")])
    assert scenes == {"scene-11", "scene-0"}
    write_mixture(mixture, sets[:2], "train", tmp_path, scenes)
    entries = mixture_entries(tmp_path / f"{mixture.name}.json")
    trained = {
        source[row].scene
        for source in open_mixture(entries, "train")
        for row in range(len(source))
    }
    assert "scene-10" in trained
    assert not trained & scenes
    description = json.loads((tmp_path / f"{mixture.name}.json").read_text())
    assert description["num_held_out_scenes"] == 2


def test_a_record_is_in_one_part_only(sets, tmp_path):
    mixture = Mixture(
        name="m",
        zh_share=0.5,
        parts=(
            Part(name="a", weight=1.0, query=Query(tasks=("identity",))),
            Part(name="b", weight=1.0, query=Query(statuses=())),
        ),
    )
    mixed = write_mixture(mixture, sets[:2], "train", tmp_path, frozenset())
    assert [(one.part, one.num_records) for one in mixed.parts] == [
        ("a", 1),
        ("b", 7),
        ("b", 3),
    ]


def limited(mixture, limit):
    parts = tuple(
        dataclasses.replace(
            part, query=dataclasses.replace(part.query, max_instruction_bytes=limit)
        )
        for part in mixture.parts
    )
    return dataclasses.replace(mixture, parts=parts)


def test_pairs_with_a_long_instruction_are_left_out_and_counted(tmp_path):
    """One too long phrasing is enough: training draws any of them."""
    long = "换" * 31
    records = [
        of("template", 0, instructions_en=("x" * 94,)),
        of("template", 1, instructions_en=("x", "x" * 95)),
        of("template", 2, instructions_zh=("换", f"{long}成")),
        of("cutout", 3, instructions_en=("x" * 95,)),
        of("template", 4, instructions_en=("x" * 95,), notes={"status": "rejected:a"}),
        of("template", 5, instructions_zh=(long,)),
    ]
    directory = write_indexed(tmp_path / "a", records)
    whole = write_mixture(STAGE1, [directory], "train", tmp_path / "m", frozenset())
    assert (whole.num_too_long, len(whole.parts)) == (0, 2)
    mixture = limited(STAGE1, 94)
    done = write_mixture(mixture, [directory], "train", tmp_path / "m", {"scene-5"})
    assert done.num_too_long == 3
    entries = mixture_entries(tmp_path / "m" / "stage1.json")
    assert keys_of(entries) == {"stage1-template-00": ["record-0"]}
    description = json.loads((tmp_path / "m" / "stage1.json").read_text())
    assert description["num_too_long"] == 3
    with pytest.raises(UserError, match=r"5 have an .* raise mix.max_instruction_b"):
        write_mixture(limited(STAGE1, 5), [directory], "train", tmp_path, frozenset())


def test_a_mixture_trains_and_another_decision_makes_it_another(sets, tmp_path):
    def identity():
        write_mixture(STAGE2, sets[1:2], "train", tmp_path, frozenset())
        entries = mixture_entries(tmp_path / "stage2.json")
        transform = TransformConfig(
            max_tokens=40,
            pixel_budget=128 * 128,
            is_mask_required=True,
            zh_share=STAGE2.zh_share,
        )
        config = PipelineConfig(
            mixture=entries, transform=transform, seed=1, global_batch=2
        )
        with build_pipeline(
            config,
            open_mixture(entries, "train"),
            tokenize,
            process_index=0,
            process_count=1,
        ) as steps:
            assert next(steps)["target_image"].shape == (1, 2, 32, 32, 3)
            return steps.identity

    before = identity()
    replace_statuses(sets[1], {"record-10": "rejected:shift"})
    after = identity()
    replace_statuses(sets[1], {"record-10": "kept"})
    assert after != before == identity()


def test_a_mixture_may_be_moved_with_its_sets(tmp_path):
    write_indexed(tmp_path / "x" / "set", [make_pair(k) for k in range(2)])
    write_mixture(
        STAGE2, [tmp_path / "x" / "set"], "train", tmp_path / "x" / "mix", frozenset()
    )
    (tmp_path / "x").rename(tmp_path / "y")
    entries = mixture_entries(tmp_path / "y" / "mix" / "stage2.json")
    assert keys_of(entries) == {"stage2-template-00": ["record-0", "record-1"]}


def test_what_cannot_be_mixed_is_refused(sets, tmp_path):
    with pytest.raises(UserError, match="named twice"):
        write_mixture(STAGE1, [sets[0]] * 2, "train", tmp_path, frozenset())
    with pytest.raises(UserError, match=r"has no index\.parquet"):
        write_mixture(STAGE1, sets[2:], "test", tmp_path, frozenset())
    scenes = frozenset(f"scene-{k}" for k in range(20))
    with pytest.raises(UserError, match="no record of 2 sets is in the mixture stage1"):
        write_mixture(STAGE1, sets[:2], "train", tmp_path, scenes)
    (tmp_path / "m.json").write_text('{"entries": 3}')
    with pytest.raises(UserError, match="is not a mixture"):
        mixture_entries(tmp_path / "m.json")
    with pytest.raises(UserError, match="weight of part x is nan"):
        Part(name="x", weight=np.nan, query=Query())
