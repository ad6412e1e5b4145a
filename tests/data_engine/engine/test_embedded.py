"""Processes: killed anywhere they lose nothing; a failure stops them with its name."""

import dataclasses
import pathlib
import signal
import subprocess
import sys

import pytest

from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.errors import UserError
from tests.data_engine.engine.killed_run import toy_stage
from tests.data_engine.engine.toy import ToyStage, content, started

ROOT = pathlib.Path(__file__).parents[3]
HERE, TWO = EmbeddedEngine(workers=1), EmbeddedEngine(workers=2)


def run(stage, out, engine):
    return run_stage(stage, out, "toy", "train", engine=engine, show_progress=False)


def drive(out, log, engine):
    command = [sys.executable, "-m", "tests.data_engine.engine.killed_run"]
    return subprocess.run(
        [*command, str(out), str(log), engine],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("engine", ["one", "two"])
def test_a_killed_run_continues_and_every_record_is_there_once(tmp_path, engine):
    log = tmp_path / "log"
    log.mkdir()
    stage = toy_stage(log, engine)
    assert drive(tmp_path / "set", log, engine).returncode == -signal.SIGKILL
    assert not (tmp_path / "set").exists()
    before = started(stage)
    # The second worker may still be starting when the first goes on.
    assert "unit 00" in before
    assert "unit 05" not in before
    # In this process, at once: workers of the killed run may still be there.
    report = run(stage, tmp_path / "set", HERE)
    again = started(stage)
    assert len(again) == report.num_made < 6
    assert "unit 03" in again
    # Only what was in work is made twice, one unit per worker.
    assert len(set(before) & set(again)) <= (1 if engine == "one" else 2)
    run(stage, tmp_path / "whole", HERE)
    assert content(tmp_path / "set") == content(tmp_path / "whole")
    assert (report.num_records, report.num_rejects) == (12, 6)


def test_a_failure_stops_the_run_after_the_others_finished(tmp_path):
    stage = ToyStage(log=tmp_path, sizes=(9, 2, 2, 2), fails_at="unit 01", seconds=0.05)
    with pytest.raises(
        RuntimeError, match=r"unit 'unit 01': ZeroDivisionError"
    ) as error:
        run(stage, tmp_path / "set", TWO)
    assert "in _misbehave" in str(error.value)
    begun = set(started(stage))
    # On a busy machine one worker may go on while the other is still starting.
    assert begun >= {"unit 00", "unit 01"}
    run(dataclasses.replace(stage, fails_at=""), tmp_path / "set", HERE)
    rest = {f"unit {number:02d}" for number in range(4)} - begun
    assert set(started(stage)) == {"unit 01", *rest}


def test_a_worker_that_dies_is_reported_with_its_unit(tmp_path):
    stage = ToyStage(log=tmp_path, sizes=(1, 2), killed="unit 01")
    with pytest.raises(
        RuntimeError, match="unit 'unit 01': its process died with exit c"
    ):
        run(stage, tmp_path / "set", TWO)
    assert run(stage, tmp_path / "set", HERE).num_made == 1


def test_an_engine_needs_a_worker():
    with pytest.raises(UserError, match="workers is 0"):
        EmbeddedEngine(workers=0)
