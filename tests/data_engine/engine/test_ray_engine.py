"""Ray: the driver killed and started again, a failure, too small a cluster.

Ray runs in processes of its own; the driver is one too, so that it can be killed.
"""

import pathlib
import signal
import subprocess
import sys

import pytest

from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tests.data_engine.engine.killed_run import toy_stage
from tests.data_engine.engine.toy import content, started

ROOT = pathlib.Path(__file__).parents[3]


def drive(out, log):
    command = [sys.executable, "-m", "tests.data_engine.engine.killed_run"]
    return subprocess.run(
        [*command, str(out), str(log), "ray"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_killed_driver_continues_and_every_record_is_there_once(tmp_path):
    pytest.importorskip("ray")
    log = tmp_path / "log"
    log.mkdir()
    stage = toy_stage(log, "ray")
    assert drive(tmp_path / "set", log).returncode == -signal.SIGKILL
    assert not (tmp_path / "set").exists()
    before = started(stage)
    # At once: actors of the killed run may still be there.
    done = drive(tmp_path / "set", log)
    assert done.returncode == 0, done.stderr[-2000:]
    first, failure, refusal = done.stdout.splitlines()
    # With what actors of the killed run may have started after it.
    again = started(stage)
    assert set(before) | set(again) == {f"unit {k:02d}" for k in range(6)}
    assert "unit 03" in again
    # What was in work is made twice, one unit per actor.
    num_made = int(first.removeprefix("made "))
    assert 1 <= num_made <= 6 - len(set(before)) + 2
    assert failure.startswith("stage toy stopped at unit 'unit 01': ZeroDivisionError")
    # Instead of waiting forever for CPUs that are not there.
    assert refusal.startswith("99 actors need 100 CPUs of Ray")
    # What two actors made, in any order, is what one process makes.
    engine = EmbeddedEngine(workers=1)
    run_stage(stage, tmp_path / "a", "toy", "train", engine=engine, show_progress=False)
    assert content(tmp_path / "set") == content(tmp_path / "a")
