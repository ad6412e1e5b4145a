import concurrent.futures
import json
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from data import build, tiny
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.model.presets import tiny as tiny_model

TINY = ["--num-base=6", "--num-stage1=8", "--num-stage2=8", "--num-heldout=5"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "tiny"
    command = [sys.executable, "-m", "data.build", "--preset=tiny", f"--out={out}"]
    run = subprocess.run(
        [*command, *TINY, "--workers=1"], capture_output=True, text=True, check=True
    )
    return out, run.stdout


def test_the_command_writes_four_sets_that_open(built):
    out, _ = built
    for name, split, count in (
        ("base", "train", 6),
        ("stage1", "train", 8),
        ("stage2", "train", 8),
        ("heldout", "test", 5),
    ):
        source = RecordSource(out / name, split)
        assert len(source) == count
        assert source[count - 1].key == f"{name}-0-{count - 1:06d}"


@pytest.mark.parametrize("name", ["base", "stage1", "stage2", "heldout"])
def test_the_shipped_model_takes_every_instruction(built, name):
    out, _ = built
    lengths = read_index(out / name)["instruction_bytes"].to_pylist()
    assert 0 < max(lengths) <= tiny_model().byte_conditioner.max_tokens - 2


def test_a_set_opens_with_tensorflow_datasets_without_tensorflow(built):
    out, _ = built
    builder = tfds.builder_from_directory(out / "stage1")
    assert builder.info.splits["train"].num_examples == 8
    assert "tensorflow" not in sys.modules


def test_the_command_prints_a_table_of_tasks(built):
    _, printed = built
    assert "images/s" in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("recolor")]
    assert row.split()[-3:] == ["2", "2", "1"]


def test_the_manifest_says_how_the_set_was_made(built):
    out, _ = built
    manifest = json.loads((out / "stage1" / "manifest.json").read_text())
    assert manifest["stage"] == "stage1"
    assert manifest["kind"] == "pairs"
    assert manifest["num_records"] == 8
    assert manifest["num_rejects"] == 0
    assert manifest["shards"][0]["records"] == 8


def test_a_complete_set_is_kept_and_said_so(built, capsys):
    out, _ = built
    build.main(["--preset=tiny", f"--out={out}", *TINY])
    assert f"{out / 'base'} is complete and was kept." in capsys.readouterr().out


def test_a_complete_set_of_another_seed_is_not_overwritten(built):
    out, _ = built
    with pytest.raises(UserError, match="the stage has other settings"):
        tiny.build_tiny(out, {"stage1": 8}, seed=1)


def test_a_set_without_a_shard_is_built_again(tmp_path):
    tiny.build_tiny(tmp_path, {"heldout": 2})
    manifest = (tmp_path / "heldout" / "manifest.json").read_bytes()
    (shard,) = (tmp_path / "heldout").glob("*.array_record-*")
    shard.unlink()
    (again,) = tiny.build_tiny(tmp_path, {"heldout": 2})
    assert not again.is_kept
    assert (tmp_path / "heldout" / "manifest.json").read_bytes() == manifest


def test_the_bytes_do_not_depend_on_the_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "RECORDS_PER_SHARD", 4)
    counts = {"stage2": 8}
    tiny.build_tiny(tmp_path / "one", counts, workers=1)
    tiny.build_tiny(tmp_path / "two", counts, workers=2)
    one, two = (tmp_path / name / "stage2/manifest.json" for name in ("one", "two"))
    assert len(json.loads(one.read_bytes())["shards"]) == 2
    assert one.read_bytes() == two.read_bytes()


def test_two_builders_of_one_directory_do_not_disturb_each_other(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(tiny.build_tiny, tmp_path, {"heldout": 5}) for _ in range(2)
        ]
        kept = [job.result()[0].is_kept for job in jobs]
    assert sorted(kept) == [False, True]
    assert len(RecordSource(tmp_path / "heldout", "test")) == 5


def test_foreign_files_are_never_removed(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no set of the data engine"):
        tiny.build_tiny(tmp_path, {"base": 1})
    assert (tmp_path / "base" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--preset=huge"], "--preset is 'huge'"),
        (["--preset=tiny", "--seed=soon"], "invalid int value: 'soon'"),
        (["--preset=tiny", "--seed=-1"], "the seed is -1"),
        (["--preset=tiny", "--num-base=0"], "set 'base' has 0 records"),
        (["--preset=tiny", "--workers=0"], "number of workers is 0"),
        (["--preset=tiny", "--num-bases=3"], "did you mean --num-base?"),
        ([], "say what to build: --stage=all"),
        (["--stage=all", "--preset=tiny"], "say what to build"),
        (["--stage=mix", "--licence=MIT"], "are about --source, which is missing"),
        (["--stage=mix", "--num-gpus=1"], "--num-gpus is about --engine=ray"),
        (["--stage=mix", "--set", "mix.test_sare=1"], "nearest is mix.test_share"),
        (["--stage=collect"], "there is nothing to collect"),
        (["--stage=collect", "--source=nowhere"], "there is no file or folder nowhere"),
        (["--stage=construct"], "run --stage=collect --source=FOLDER first"),
        (["--stage=filter"], "there are no pairs below"),
        (["--stage=augment"], "there are no filtered pairs below"),
        (["--stage=mix"], "there are no filtered pairs below"),
        (
            ["--stage=construct", "--set", "construct.methods=in_context"],
            "--set construct.drawing_model=FOLDER",
        ),
        (
            ["--stage=filter", "--set", "filter.is_judged=true"],
            "name one with --set vlm=",
        ),
    ],
)
def test_a_bad_flag_is_one_sentence_and_status_two(
    flags, sentence, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert run_command(build.main, flags) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
