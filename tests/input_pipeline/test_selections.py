"""Selections: chosen rows train, others never; part of what a resume checks."""

import json

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.buckets import read_headers
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, open_mixture
from tbstar_jax.input_pipeline.pipeline import PipelineConfig, build_pipeline
from tbstar_jax.input_pipeline.records import RecordSource, write_records
from tbstar_jax.input_pipeline.selections import open_selection, write_selection
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tests.input_pipeline.samples import make_record, tokenize


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "set"
    write_records(path, "stage1", "train", map(make_record, range(9)), 4)
    return path


def choose(directory, path, rows):
    write_selection(path, RecordSource(directory, "train").fingerprint, np.array(rows))
    return MixtureEntry(path=str(directory), selection=str(path))


def pipeline_of(*entries):
    transform = TransformConfig(
        max_tokens=40, pixel_budget=128 * 128, is_mask_required=True
    )
    config = PipelineConfig(
        mixture=entries, transform=transform, seed=1, global_batch=1
    )
    return build_pipeline(
        config,
        open_mixture(entries, "train"),
        tokenize,
        process_index=0,
        process_count=1,
    )


def test_only_chosen_records_are_trained_on_and_all_of_them(directory, tmp_path):
    rows = [0, 3, 4, 8]
    seen = set()
    with pipeline_of(choose(directory, tmp_path / "s.json", rows)) as steps:
        # Two passes over four records, one per step.
        for _ in range(8):
            seen.add(next(steps)["target_image"].tobytes())
    source = RecordSource(directory, "train")
    chosen = {decode_image(source[row].target_image).tobytes() for row in rows}
    assert seen == chosen


def test_another_selection_is_other_data_and_the_same_one_elsewhere_is_not(
    directory, tmp_path
):
    names = {}
    for name, rows in (("a", [1, 2, 5]), ("b", [1, 2, 6]), ("c", [1, 2, 5])):
        with pipeline_of(choose(directory, tmp_path / name, rows)) as steps:
            names[name] = steps.identity
            state = steps.get_state()
    assert names["a"] == names["c"] != names["b"]
    with (
        pipeline_of(MixtureEntry(path=str(directory))) as steps,
        pytest.raises(UserError, match="trained on other data"),
    ):
        steps.set_state(state)


def test_headers_of_a_selection_are_those_of_its_rows(directory, tmp_path):
    entry = choose(directory, tmp_path / "s.json", [2, 7])
    (source,) = open_mixture([entry], "train")
    headers = read_headers(source)
    assert headers.keys == ("record-2", "record-7")
    assert headers.sizes.tolist() == [[[32, 32], [32, 32]]] * 2
    assert headers.has_mask.tolist() == [True, True]
    assert [source[k].key for k in range(len(source))] == ["record-2", "record-7"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a selection"),
        ("[]", "is not a selection"),
        ('{"of": "F", "rows": "12"}', "is not a selection"),
        ('{"of": "F", "rows": [true]}', "is not a selection"),
        ('{"of": "F", "rows": [99999999999999999999]}', "is not a selection"),
        ('{"of": "F", "rows": []}', "chooses no record"),
        ('{"of": "F", "rows": [3, 3]}', "ascending row numbers below 9"),
        ('{"of": "F", "rows": [-1, 3]}', "ascending row numbers below 9"),
        ('{"of": "F", "rows": [9]}', "ascending row numbers below 9"),
        ('{"of": "else", "rows": [1]}', "another version"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(directory, tmp_path, text, message):
    source = RecordSource(directory, "train")
    path = tmp_path / "s.json"
    path.write_text(text.replace('"F"', json.dumps(source.fingerprint)))
    with pytest.raises(UserError, match=message):
        open_selection(source, path)


def test_one_set_may_be_named_twice_with_different_rows_only(directory, tmp_path):
    first = choose(directory, tmp_path / "a", [0, 1])
    second = choose(directory, tmp_path / "b", [2, 3])
    assert [len(one) for one in open_mixture([first, second], "train")] == [2, 2]
    with pytest.raises(UserError, match="twice"):
        open_mixture([first, first], "train")


def test_rows_are_kept_as_plain_numbers(tmp_path):
    write_selection(tmp_path / "s", "x", np.arange(2, 5))
    assert json.loads((tmp_path / "s").read_text()) == {"of": "x", "rows": [2, 3, 4]}
