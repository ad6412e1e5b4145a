"""A run's folder: what may be written over, and what is damaged."""

import dataclasses
import json
import re

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.run_folder import Run, read_run, write_run


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


def test_a_folder_that_cannot_be_made_is_said_to_be(run):
    run.folder.write_text("a file")
    with pytest.raises(UserError, match=re.escape("choose another folder with --out")):
        write_run(run)
