"""`validate`: what is said of good and of damaged cases and answers."""

import shutil

import numpy as np
import pytest

from experiments import benchmark
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.store import write_cases, write_split
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.benchmark_cases import case


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The cases of one task, as published."""
    folder = tmp_path_factory.mktemp("drawn")
    write_split("smoke", folder, tasks=["recolor"])
    return folder


def told(capsys, *options):
    benchmark.main(["validate", *map(str, options)])
    return capsys.readouterr().out.splitlines()


def test_published_cases_are_told_from_others(drawn, tmp_path, capsys):
    assert told(capsys, drawn) == [
        "1 cases, twice as many prompts: all as their records say",
        "their pixels, masks and words are the published ones",
    ]
    write_cases([case("recolor", 0), case("recolor", 1)], tmp_path / "own")
    differ = told(capsys, tmp_path / "own")[1]
    assert differ.startswith(
        "2 differ from the published ones, smoke/recolor/000, smok"
    )
    write_cases([case("recolor", 0, split="fresh")], tmp_path / "fresh")
    none = "the split 'fresh' has no published cases to compare with"
    assert told(capsys, tmp_path / "fresh")[1] == none


def test_a_damaged_case_is_named(drawn, tmp_path):
    folder = tmp_path / "cases"
    shutil.copytree(drawn, folder)
    path = next(folder.rglob("reference.png"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="is not the picture that its record names"):
        benchmark.main(["validate", str(folder)])


def test_answers_are_counted_without_being_scored(tmp_path, capsys):
    write_cases([case("recolor", index) for index in range(3)], tmp_path / "cases")
    answers = tmp_path / "answers"
    pictures = {
        "smoke/recolor/000/en.png": encode_png(np.zeros((64, 64, 3), np.uint8)),
        "smoke/recolor/000/zh.png": encode_png(np.zeros((32, 64, 3), np.uint8)),
        "smoke/recolor/001/en.png": b"no picture",
        "smoke/recolor/009/en.png": encode_png(np.zeros((64, 64, 3), np.uint8)),
    }
    for name, data in pictures.items():
        path = answers / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    count, missing, damaged, resized, unknown = told(
        capsys, tmp_path / "cases", f"--outputs={answers}"
    )[2:]
    assert count == f"3 of 6 answers have a picture in {answers}"
    assert missing.endswith(
        ": smoke/recolor/001/zh, smoke/recolor/002/en, smoke/recolor/002/zh"
    )
    assert damaged.startswith("1 cannot be read: ")
    assert "001/en.png" in damaged
    assert resized.startswith("1 have another size, smoke/recolor/000/zh: an answer of")
    assert unknown == "of no prompt: smoke/recolor/009/en.png"
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(UserError, match="--samples is 0"):
        benchmark.main(["validate", str(tmp_path / "cases"), "--samples=0"])
