"""Batches: exact resume, the same for any number of processes, nothing lost."""

import dataclasses
import json

import ml_dtypes
import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.buckets import assign_buckets, read_headers
from tbstar_jax.input_pipeline.latents import LatentSource, write_latents
from tbstar_jax.input_pipeline.mixtures import MixtureEntry
from tbstar_jax.input_pipeline.pipeline import (
    PipelineConfig,
    build_pipeline,
    iterate_in_order,
)
from tbstar_jax.input_pipeline.records import RecordSource, write_records
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tests.input_pipeline.samples import make_record, tokenize

TRANSFORM = TransformConfig(
    max_tokens=40, pixel_budget=128 * 128, is_mask_required=True
)


def records():
    square = [make_record(k) for k in range(11)]
    tall = [make_record(k, (48, 16)) for k in range(11, 16)]
    return [*tall[:2], *square, *tall[2:]]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "set"
    write_records(path, "stage1", "train", records(), 7)
    return RecordSource(path, "train")


def config_for(*sources, **changes):
    return PipelineConfig(
        mixture=tuple(MixtureEntry(path=str(one.directory)) for one in sources),
        transform=TRANSFORM,
        **{"seed": 7, "global_batch": 4, "num_microbatches": 2} | changes,
    )


def build(config, *sources, p=0, count=1, start=0, latents=None):
    return build_pipeline(
        config,
        sources,
        tokenize,
        process_index=p,
        process_count=count,
        start_step=start,
        latents=latents,
    )


def take(pipeline, count):
    with pipeline:
        return [next(pipeline) for _ in range(count)]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
            assert a[name].dtype == b[name].dtype


def test_elements_have_micro_batches_in_front(source):
    (element,) = take(build(config_for(source), source), 1)
    assert element["target_image"].shape in [(2, 2, 32, 32, 3), (2, 2, 48, 16, 3)]
    assert element["change_mask"].shape == element["target_image"].shape[:-1]
    assert element["instruction_tokens"].shape == (2, 2, 40)
    assert element["is_instruction_dropped"].shape == (2, 2)
    assert element["target_image"].dtype == np.uint8
    assert element["change_mask"].dtype == np.bool_


@pytest.mark.parametrize("num_microbatches", [1, 2])
def test_1_2_and_4_processes_share_the_same_global_batches(source, num_microbatches):
    config = config_for(source, global_batch=8, num_microbatches=num_microbatches)
    whole = take(build(config, source), 6)
    shapes = {element["target_image"].shape[2:4] for element in whole}
    assert shapes == {(32, 32), (48, 16)}
    for count in (2, 4):
        parts = [take(build(config, source, p=p, count=count), 6) for p in range(count)]
        joined = [
            {name: np.concatenate([e[name] for e in step], axis=1) for name in step[0]}
            for step in zip(*parts, strict=True)
        ]
        assert_equal(whole, joined)


def test_resuming_at_a_step_continues_the_uninterrupted_run(source):
    config = config_for(source)
    whole = take(build(config, source), 14)
    for step in (1, 6, 13):
        assert_equal(whole[step:], take(build(config, source, start=step), 14 - step))


def test_the_number_of_readers_does_not_change_the_data(source):
    one = config_for(source, num_threads=1, num_prefetched=1)
    assert_equal(
        take(build(one, source), 5), take(build(config_for(source), source), 5)
    )


def test_grain_state_and_step_agree(source):
    config = config_for(source)
    whole = take(build(config, source), 9)
    first = build(config, source, start=2)
    next(first), next(first), next(first)
    state = json.loads(json.dumps(first.get_state()))
    assert first.step == 5
    first.close()
    by_step = build(config, source, start=5)
    by_step.check_state(state)
    by_state = build(config, source)
    by_state.set_state(state)
    assert by_state.step == 5
    assert by_state.wait_seconds == 0
    assert_equal(whole[5:], take(by_step, 4))
    assert_equal(whole[5:], take(by_state, 4))
    assert by_state.wait_seconds > 0


def test_a_state_of_other_data_or_another_step_is_refused(source):
    with build(config_for(source), source, start=3) as pipeline:
        state = pipeline.get_state()
    with build(config_for(source, seed=8), source, start=3) as other:
        with pytest.raises(UserError, match="other data or other input settings"):
            other.check_state(state)
        with pytest.raises(UserError, match="other data or other input settings"):
            other.set_state(state)
    with build(config_for(source), source, start=4) as later:
        with pytest.raises(UserError, match=r"stands at step 3, .* step 4"):
            later.check_state(state)


def test_the_identity_does_not_depend_on_processes_readers_or_places(source):
    config = config_for(source)
    moved = dataclasses.replace(
        config, mixture=(MixtureEntry(path="elsewhere"),), num_threads=1
    )
    with build(config, source) as a, build(moved, source, p=1, count=2) as b:
        assert a.identity == b.identity


def test_each_epoch_of_a_bucket_shows_each_record_once_and_in_another_order(
    tmp_path,
):
    write_records(tmp_path / "set", "s", "train", map(make_record, range(8)), 8)
    source = RecordSource(tmp_path / "set", "train")
    config = config_for(source, global_batch=8, num_microbatches=1)
    epochs = [
        [image.tobytes() for image in element["target_image"][0]]
        for element in take(build(config, source), 3)
    ]
    assert len(set(epochs[0])) == 8
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2]


def test_buckets_and_sets_come_by_their_weights(tmp_path, source):
    write_records(
        tmp_path / "b", "s", "train", [make_record(90, (16, 16)), make_record(91)], 8
    )
    other = RecordSource(tmp_path / "b", "train")
    config = dataclasses.replace(
        config_for(source, other, global_batch=2, num_microbatches=1),
        mixture=(
            MixtureEntry(path="a", weight=3.0),
            MixtureEntry(path="b", weight=1.0),
        ),
    )
    elements = take(build(config, source, other), 64)
    shapes = [element["target_image"].shape[2:4] for element in elements]
    # 3/4 of the steps for the first set (11 of 16 records square), 1/4 for the second.
    assert abs(shapes.count((48, 16)) - 64 * 3 / 4 * 5 / 16) <= 1
    assert abs(shapes.count((16, 16)) - 64 / 8) <= 1


def test_counts_that_do_not_divide_are_refused(source):
    with pytest.raises(UserError, match=r"global_batch=4 .* multiple of 6"):
        build(config_for(source), source, count=3)
    with pytest.raises(UserError, match="num_prefetched is 2"):
        config_for(source, num_prefetched=2)
    with pytest.raises(UserError, match="seed is -1"):
        config_for(source, seed=-1)


def test_a_set_without_masks_is_refused_before_the_first_step(tmp_path):
    bare = dataclasses.replace(make_record(3), change_mask=b"")
    write_records(tmp_path / "set", "s", "train", [make_record(0), bare], 8)
    source = RecordSource(tmp_path / "set", "train")
    with pytest.raises(UserError, match=r"1 of 2 records .* e\.g\. 'record-3'"):
        build(config_for(source), source)


def test_a_damaged_image_stops_with_one_sentence(tmp_path):
    record = make_record(0)
    cut = dataclasses.replace(record, target_image=record.target_image[:-900])
    write_records(tmp_path / "set", "s", "train", [cut], 8)
    source = RecordSource(tmp_path / "set", "train")
    with build(config_for(source), source) as pipeline:
        with pytest.raises(UserError, match="record 'record-0' is damaged or truncat"):
            next(pipeline)


def test_headers_are_read_once_and_again_when_the_content_changed(source, monkeypatch):
    headers = read_headers(source)
    (cache,) = source.directory.glob("headers-*.npz")
    monkeypatch.setattr(RecordSource, "__getitem__", lambda self, index: 1 / 0)
    again = read_headers(source)
    assert again.keys == headers.keys
    np.testing.assert_array_equal(again.sizes, headers.sizes)
    monkeypatch.undo()
    cache.write_bytes(b"damaged")
    np.testing.assert_array_equal(read_headers(source).sizes, headers.sizes)
    monkeypatch.setattr(RecordSource, "fingerprint", "other")
    assert read_headers(source).keys == headers.keys
    assert len(list(source.directory.glob("headers-*.npz"))) == 2


def test_buckets_are_keyed_on_all_grids(tmp_path):
    pairs = [
        make_record(0),
        make_record(1, num_sources=2),
        make_record(2, num_sources=0),
        make_record(3, (31, 17)),
        dataclasses.replace(
            make_record(4), target_image=make_record(4, (48, 32)).target_image
        ),
    ]
    write_records(tmp_path / "set", "s", "train", pairs, 8)
    source = RecordSource(tmp_path / "set", "train")
    buckets = assign_buckets(read_headers(source), 128 * 128, "set")
    assert {bucket.grids: bucket.rows.tolist() for bucket in buckets} == {
        ((2, 2),): [2],
        ((2, 2), (2, 2)): [0, 3],
        ((2, 2), (2, 2), (2, 2)): [1],
        ((3, 2), (2, 2)): [4],
    }
    elements = take(build(config_for(source), source), 12)
    assert {
        len([name for name in element if name.startswith("source_image")])
        for element in elements
    } == {0, 1, 2}


def test_going_through_in_order_yields_each_record_once(source):
    batches = list(iterate_in_order(source, TRANSFORM, tokenize, 4))
    keys = [record.key for batch in batches for record in batch.records]
    assert sorted(keys) == sorted(record.key for record in records())
    assert [int(batch.is_valid.sum()) for batch in batches] == [4, 4, 3, 4, 1]
    for batch in batches:
        assert {array.shape[0] for array in batch.arrays.values()} == {4}
        for k, record in enumerate(batch.records):
            text = batch.arrays["instruction_tokens"][k]
            count = batch.arrays["num_instruction_tokens"][k]
            decoded = bytes(text[1 : count - 1].astype(np.uint8)).decode()
            assert decoded == record.instructions_en[0]
    (first, *_) = iterate_in_order(source, TRANSFORM, tokenize, 1, language="zh")
    assert first.arrays["num_instruction_tokens"][0] == len(
        tokenize(first.records[0].instructions_zh[0])
    )


def latents_of(record, has_context):
    rng = np.random.default_rng(int(record.key.split("-")[1]))
    rows, columns = record.image_sizes()[0]
    shape = (rows // 8, columns // 8, 16)
    arrays = {
        name: rng.normal(size=shape).astype(ml_dtypes.bfloat16)
        for name in ("target_latent", "source_latent_1")
    }
    if has_context:
        for name, m in [("en_0", 3), ("en_1", 4), ("zh_0", 5), ("dropped", 1)]:
            arrays[f"context_{name}"] = np.full((m, 6), m, np.float16)
    return arrays


def open_latents(path, pairs, has_context=False):
    examples = ((record.key, latents_of(record, has_context)) for record in pairs)
    write_latents(path, "latents", "train", examples, 5, "vae-1")
    return LatentSource(path, "train", "vae-1")


def test_latents_take_the_place_of_images(tmp_path, source):
    latents = open_latents(tmp_path / "latents", reversed(records()))
    config = config_for(source)
    with_images = take(build(config, source), 4)
    with_latents = take(build(config, source, latents=[latents]), 4)
    by_image = {
        decoded["target_image"][0].tobytes(): latents_of(record, False)
        for batch in iterate_in_order(source, TRANSFORM, tokenize, 1)
        for decoded, record in [(batch.arrays, batch.records[0])]
    }
    for images, encoded in zip(with_images, with_latents, strict=True):
        assert "target_image" not in encoded
        # The conditioner still looks at the source.
        np.testing.assert_array_equal(
            images["source_image_1"], encoded["source_image_1"]
        )
        assert encoded["target_latent"].dtype == ml_dtypes.bfloat16
        for index in np.ndindex(2, 2):
            expected = by_image[images["target_image"][index].tobytes()]
            for name in ("target_latent", "source_latent_1"):
                np.testing.assert_array_equal(encoded[name][index], expected[name])


def test_embeddings_follow_the_drawn_instruction(tmp_path, source):
    latents = open_latents(tmp_path / "latents", records(), has_context=True)
    config = config_for(source)
    lengths = set()
    for element in take(build(config, source, latents=[latents]), 16):
        assert not [name for name in element if "image" in name]
        assert element["context"].shape == (2, 2, 5, 6)
        assert "instruction_tokens" not in element
        counts = element["num_context_tokens"]
        np.testing.assert_array_equal(counts == 1, element["is_instruction_dropped"])
        np.testing.assert_array_equal(
            element["context"].astype(np.float32).sum((-2, -1)), 6 * counts**2
        )
        lengths |= set(counts.ravel().tolist())
    assert lengths == {1, 3, 4, 5}


def test_latents_of_other_weights_or_other_records_are_refused(tmp_path, source):
    latents = open_latents(tmp_path / "latents", records()[2:])
    with pytest.raises(UserError, match="'vae-1', but this run expects 'vae-2'"):
        LatentSource(tmp_path / "latents", "train", "vae-2")
    with pytest.raises(UserError, match=r"latents for 2 of 16 .*'record-11'"):
        build(config_for(source), source, latents=[latents])
    with pytest.raises(UserError, match="not a set of latents"):
        LatentSource(source.directory, "train", "vae-1")


def test_latents_of_another_shape_or_dtype_are_refused(tmp_path, source):
    wrong = {"target_latent": np.zeros((4, 5, 16), np.float32)}
    keys = [record.key for record in records()]
    pairs = ((key, wrong) for key in keys)
    write_latents(tmp_path / "latents", "s", "train", pairs, 9, "vae-1")
    latents = LatentSource(tmp_path / "latents", "train", "vae-1")
    with build(config_for(source), source, latents=[latents]) as pipeline:
        with pytest.raises(UserError, match=r"target_latent of record .* compute"):
            next(pipeline)
    pairs = [("a", {"target_latent": np.zeros((4, 4, 16))})]
    with pytest.raises(UserError, match="is float64"):
        write_latents(tmp_path / "other", "s", "train", pairs, 9, "vae-1")
