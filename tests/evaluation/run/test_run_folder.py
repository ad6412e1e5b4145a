"""A run's folder: what may be written over, and what is damaged."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.run_folder import (
    Run,
    common_cases,
    read_run,
    same_cases,
    write_run,
)


@pytest.fixture
def run(tmp_path):
    return Run(
        folder=tmp_path / "run",
        name="ours",
        prompts=("smoke/recolor/000/en",),
        cases=tmp_path / "cases",
        outputs=tmp_path / "outputs",
        provenance={
            "system": {"outputs": "a"},
            "cases_sha256": "0",
            "tools": {"ocr": ""},
            "cases_not_as_shipped": [],
        },
    )


def test_a_run_that_answered_nothing_gives_its_folder_to_another(run):
    other = dataclasses.replace(run, name="theirs")
    write_run(run)
    write_run(other)
    assert read_run(run.folder) == other
    (run.folder / "records.jsonl").write_text("")
    with pytest.raises(UserError, match="holds another run"):
        write_run(run)
    assert read_run(run.folder) == other


def test_the_autoencoder_of_an_anchor_stays_named_and_is_not_exchanged(run):
    def encoded(weights):
        told = {"directory": weights, "weights_sha256": weights}
        return dataclasses.replace(
            run, provenance={**run.provenance, "autoencoder": told}
        )

    write_run(run)
    (run.folder / "records.jsonl").write_text("")
    write_run(encoded("a"))  # an anchor may be added
    write_run(run)
    assert read_run(run.folder) == encoded("a")
    with pytest.raises(UserError, match=r"holds another run \(autoencoder differ"):
        write_run(encoded("b"))


@pytest.mark.parametrize(
    "missing", ["system", "cases_sha256", "tools", "cases_not_as_shipped"]
)
def test_a_run_without_what_reports_need_is_damaged(run, missing):
    write_run(run)
    path = run.folder / "run.json"
    content = json.loads(path.read_text())
    del content["provenance"][missing]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"is damaged .*{missing}"):
        read_run(run.folder)


def test_the_number_of_samples_is_one_or_more_and_one_where_it_is_absent(run):
    write_run(dataclasses.replace(run, num_samples=3))
    assert read_run(run.folder).num_samples == 3
    path = run.folder / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "num_samples": 0}))
    with pytest.raises(UserError, match=r"is damaged .*num_samples is 0"):
        read_run(run.folder)
    del content["num_samples"]
    path.write_text(json.dumps(content))
    assert read_run(run.folder).num_samples == 1


def test_runs_of_other_cases_or_other_scores_do_not_stand_in_one_table(run):
    def other(**changes):
        return dataclasses.replace(run, provenance={**run.provenance, **changes})

    same_cases([run, run])
    same_cases([other(scores_version=4), other(scores_version=4)])
    with pytest.raises(UserError, match="are of different cases"):
        same_cases([run, other(cases_sha256="1")])
    with pytest.raises(UserError, match=r"\(versions 4 and 3 or lower\)"):
        same_cases([other(scores_version=4), run])


def of_cases(run, folder, digests):
    told = {"cases_sha256": str(sorted(digests.items())), "case_digests": digests}
    return dataclasses.replace(
        run, folder=Path(folder), provenance={**run.provenance, **told}
    )


def test_runs_of_some_of_the_same_cases_have_these_in_common(run):
    first = of_cases(run, "a", {"mini/recolor/000": "1", "mini/layout/000": "2"})
    second = of_cases(run, "b", {"mini/layout/000": "2", "mini/layout/001": "3"})
    assert common_cases(first, second) == {"mini/layout/000"}
    with pytest.raises(UserError, match=r"with 1 in common.* with `compare`"):
        same_cases([first, second])
    third = of_cases(run, "c", {"mini/layout/001": "3"})
    with pytest.raises(UserError, match="a and c are of different cases, so"):
        common_cases(first, third)
    changed = of_cases(run, "d", {"mini/layout/000": "4", "mini/recolor/000": "1"})
    told = "different pictures or words in 1 of the 2 cases .* mini/layout/000"
    for check in (common_cases, lambda *runs: same_cases(runs)):
        with pytest.raises(UserError, match=told):
            check(first, changed)


def test_runs_of_before_cases_had_digests_are_of_the_same_cases_or_not(run):
    assert common_cases(run, run) == {"smoke/recolor/000"}
    other = of_cases(run, "b", {"smoke/recolor/000": "1"})
    with pytest.raises(UserError, match="between two splits with `gap`"):
        common_cases(run, other)


@pytest.mark.parametrize("digests", [[], "x", 7, None])
def test_digests_that_are_none_are_damage(run, digests):
    write_run(
        dataclasses.replace(run, provenance={**run.provenance, "case_digests": digests})
    )
    with pytest.raises(UserError, match="is damaged"):
        read_run(run.folder)


def test_a_folder_that_cannot_be_made_is_said_to_be(run):
    run.folder.write_text("a file")
    with pytest.raises(UserError, match=re.escape("cannot be written (File exists)")):
        write_run(run)


def test_a_file_in_the_place_of_a_run_is_said_to_be_none(run):
    run.folder.write_text("a file")
    with pytest.raises(UserError, match=r"cannot be read .*name the folder of a run"):
        read_run(run.folder)


@pytest.fixture
def tree(run, tmp_path):
    """A run with its cases and outputs beside it."""
    for folder in (run.cases, run.outputs):
        folder.mkdir()
    write_run(run)
    return run


def test_a_run_is_read_from_any_folder(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = dataclasses.replace(
        tree, folder=Path("again"), cases=Path("cases"), outputs=Path("outputs")
    )
    write_run(relative)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read_run(tmp_path / "again")
    assert (found.cases, found.outputs) == (tree.cases, tree.outputs)
    assert read_run(Path("../run")).outputs == tree.outputs


def test_a_tree_with_the_run_and_its_pictures_may_be_moved(tree, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("run", "cases", "outputs"):
        (tmp_path / name).rename(moved / name)
    found = read_run(moved / "run")
    assert (found.cases, found.outputs) == (moved / "cases", moved / "outputs")


def test_a_copied_tree_has_pictures_of_its_own(tree, tmp_path):
    copy = tmp_path / "copy"
    for name in ("run", "cases", "outputs"):
        shutil.copytree(tmp_path / name, copy / name)
    assert read_run(copy / "run").outputs == copy / "outputs"
    assert read_run(tree.folder).outputs == tree.outputs


def test_a_run_that_is_moved_alone_finds_what_stayed(tree, tmp_path):
    deep = tmp_path / "far" / "away" / "run"
    deep.parent.mkdir(parents=True)
    tree.folder.rename(deep)
    found = read_run(deep)
    assert (found.cases, found.outputs) == (tree.cases, tree.outputs)


def test_a_run_of_an_earlier_version_names_folders_as_they_were_given(tree):
    path = tree.folder / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "cases": "runs/cases", "outputs": "/out"}))
    found = read_run(tree.folder)
    assert (found.cases, found.outputs) == (Path("runs/cases"), Path("/out"))


@pytest.mark.parametrize("place", [None, 7, {}, {"absolute": 1}, {"from_run": ".."}])
def test_a_place_that_is_none_is_damage(tree, place):
    path = tree.folder / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "outputs": place}))
    with pytest.raises(UserError, match="is damaged"):
        read_run(tree.folder)
