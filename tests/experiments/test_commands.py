"""`python -m experiments.stage1|stage2` as a user runs them, in a directory of his."""

import functools
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.tiny import build_tiny
from experiments import stage1 as stage1_command
from experiments import stage2 as stage2_command
from experiments.command import build_missing_data, parse_flags
from tbstar_jax.checkpoint import read_metadata, saved_steps
from tbstar_jax.errors import run_command
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.model.presets import tiny
from tbstar_jax.training.logging import read_events
from tests.support import reduced

ACCUMULATED = ("data.num_microbatches=2",)


def run_in(place, command, **variables):
    return subprocess.run(
        command,
        cwd=place.root,
        env=reduced.environment(**variables),
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="session")
def finished1(place):
    """50 steps of stage 1 on 4x2 virtual devices."""
    command = reduced.command(
        "stage1", place, "--mesh=4x2", "--steps=50", settings=ACCUMULATED
    )
    done = run_in(place, command)
    assert done.returncode == 0, done.stderr
    return place.root / "runs" / "tiny" / "stage1"


@pytest.fixture(scope="session")
def finished2(place, finished1):
    """Stage 2 from it."""
    done = run_in(place, reduced.command("stage2", place, "--steps=3"))
    assert done.returncode == 0, done.stderr
    return place.root / "runs" / "tiny" / "stage2"


def assert_same_losses(actual, expected, num_steps):
    assert set(range(1, num_steps + 1)) <= actual.keys()
    for step in range(1, num_steps + 1):
        assert actual[step] == pytest.approx(expected[step], rel=1e-5), step


def test_fifty_steps_on_4x2_virtual_devices_finish(finished1):
    assert saved_steps(finished1 / "checkpoints") == [50]
    assert read_events(finished1 / "metrics.jsonl")[-1]["is_complete"] is True
    values = reduced.losses(finished1)
    assert list(values) == list(range(1, 51))
    assert np.mean([values[s] for s in range(41, 51)]) < 0.9 * values[1]


def test_a_run_writes_its_scores_and_previews(finished1, finished2):
    for workdir, step, has_gate in ((finished1, 50, False), (finished2, 53, True)):
        (scores,) = [
            event
            for event in read_events(workdir / "metrics.jsonl")
            if event["event"] == "evaluate"
        ]
        assert scores["heldout/num_images"] == 3
        assert {
            "heldout/psnr_outside_num_exact",
            "heldout/psnr_inside",
            "heldout/ciede2000_outside",
        } <= scores.keys()
        assert ("heldout/gate_iou" in scores) == has_gate
        preview = workdir / "previews" / f"{step:07d}_heldout.png"
        with Image.open(preview) as image:
            assert image.width > 4 * reduced.SIZE[1]


def test_stage2_goes_on_from_stage1_and_its_step(finished1, finished2):
    assert saved_steps(finished2 / "checkpoints") == [53]
    metadata = read_metadata(finished2 / "checkpoints")
    assert metadata["first_step"] == 50
    assert metadata["stage"] == "stage2"
    before = read_metadata(finished1 / "checkpoints")
    assert metadata["base_identity"] == before["base_identity"]
    assert metadata["previous_identity"]
    events = read_events(finished2 / "metrics.jsonl")
    losses = [event for event in events if event["event"] == "train"]
    assert [event["step"] for event in losses] == [51, 52, 53]
    assert {"loss/flow", "loss/blend", "loss/gate"} <= losses[0].keys()


def test_one_device_and_4x2_have_the_same_losses(finished1, stage1):
    on_one = reduced.losses(stage1.config.workdir)
    assert_same_losses(reduced.losses(finished1), on_one, 10)


def test_two_processes_have_the_losses_of_one(place, stage1):
    workdir = place.root / "two_processes"
    sets = place.data
    flags = reduced.command(
        "stage1",
        place,
        "--mesh=2x1",
        "--steps=4",
        f"--workdir={workdir}",
        settings=(
            *ACCUMULATED,
            f'data.mixture=[{{"path": "{sets / "stage1"}", "weight": 1.0}}]',
            f"evaluation.path={sets / 'heldout'}",
        ),
    )[3:]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    done = run_in(
        place,
        [str(reduced.REPOSITORY / "launch" / "local.sh"), "stage1", *flags],
        NUM_PROCESSES="2",
        COORDINATOR_PORT=str(port),
        PATH=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stderr
    on_one = reduced.losses(stage1.config.workdir)
    assert_same_losses(reduced.losses(workdir), on_one, 4)


def test_a_process_that_must_stop_stops_all_after_the_same_step(place):
    workdir = place.root / "preempted"
    sets = place.data
    command = reduced.command(
        "stage1",
        place,
        "--mesh=2x1",
        "--steps=1000000",
        f"--workdir={workdir}",
        settings=(
            f'data.mixture=[{{"path": "{sets / "stage1"}", "weight": 1.0}}]',
            f"evaluation.path={sets / 'heldout'}",
        ),
    )
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    launched = {
        "TBSTAR_COORDINATOR": f"127.0.0.1:{port}",
        "TBSTAR_NUM_PROCESSES": "2",
    }
    processes = [
        subprocess.Popen(
            command,
            cwd=place.root,
            env=reduced.environment(**launched, TBSTAR_PROCESS_ID=str(index)),
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        path = workdir / "metrics.jsonl"
        while not (path.exists() and reduced.losses(workdir)):
            assert all(process.poll() is None for process in processes)
            time.sleep(0.1)
        # The scheduler takes one host: not the one that writes.
        processes[1].send_signal(signal.SIGTERM)
        errors = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    last = read_events(path)[-1]
    assert (last["event"], last["is_complete"]) == ("stop", False)
    assert saved_steps(workdir / "checkpoints") == [last["step"]]


@pytest.fixture
def refuse(place, monkeypatch, capsys):
    """Runs a command that must fail: returns its one sentence on stderr."""
    monkeypatch.chdir(place.root)
    # A command asks for virtual devices there, which is too late in this process; the
    # number would reach later tests' child processes and change how they round.
    monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS"])
    # A command sends its log to stderr, for the whole process.
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)

    def run(module, *flags, settings=()):
        sets = [f"--set={text}" for text in reduced.overrides(place, *settings)]
        status = run_command(module.main, [*flags, *sets])
        output = capsys.readouterr()
        assert status == 2
        assert output.out == ""
        assert "Traceback" not in output.err
        *log, line = output.err.splitlines()
        assert not any("error" in earlier for earlier in log)
        return line

    return run


def test_a_wrong_command_prints_one_sentence_and_exits_with_2(place):
    command = reduced.command("stage1", place, settings=("optimizer.clip_nrm=1",))
    done = run_in(place, command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: there is no setting optimizer.clip_nrm; the nearest is "
        "optimizer.clip_norm"
    ]


def test_an_unknown_flag_is_refused_with_the_nearest(refuse):
    line = refuse(stage1_command, "--meshes=4x2")
    assert line == "error: there is no option --meshes=4x2; did you mean --mesh"


def test_a_flag_value_that_is_no_number_is_refused(refuse):
    line = refuse(stage1_command, "--steps=many")
    assert line == "error: argument --steps: invalid int value: 'many'; see --help"


def test_a_batch_that_does_not_divide_over_the_mesh_is_refused(refuse):
    line = refuse(stage1_command, "--mesh=8x1", settings=("data.global_batch=12",))
    assert "data.global_batch=12" in line
    assert "multiple of 8" in line


def test_a_model_axis_that_does_not_divide_the_heads_is_refused(refuse):
    line = refuse(stage1_command, "--mesh=1x4")
    assert "the 2 attention heads do not divide over the 4 model devices" in line


def test_a_mesh_that_cannot_be_read_is_refused(refuse):
    assert "cannot read the mesh 'four'" in refuse(stage1_command, "--mesh=four")


def test_a_mesh_larger_than_the_devices_is_refused(refuse):
    # This process has 8 virtual devices already; a command would make more.
    line = refuse(stage1_command, "--mesh=16x1")
    assert "mesh 16x1 needs 16 devices, but there are 8" in line


def test_stage2_refuses_the_stage1_of_another_base(refuse, place, finished1):
    other = place.root / "other_base"
    if not other.exists():
        reduced.write_base(other, seed=1)
    line = refuse(stage2_command, "--workdir=other2", settings=(f"base={other}",))
    assert "base_identity" in line
    assert "runs/tiny/stage1/checkpoints" in line


def test_stage2_without_stage1_is_refused(refuse):
    settings = ("previous=nowhere",)
    line = refuse(stage2_command, "--workdir=other3", settings=settings)
    assert "no complete checkpoint in nowhere/checkpoints" in line


def test_a_truncated_base_is_refused(refuse, place):
    cut = place.root / "cut_base"
    shutil.copytree(place.base, cut, dirs_exist_ok=True)
    weights = cut / "transformer" / "diffusion_pytorch_model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)
    line = refuse(stage1_command, settings=(f"base={cut}",))
    assert f"{weights} cannot be read" in line


def test_an_unknown_preset_is_refused(refuse):
    line = refuse(stage1_command, "--preset=tinny")
    sentence = "error: there is no preset tinny; did you mean tiny (of tiny, small, "
    assert line.startswith(sentence)


def test_a_preset_without_shipped_base_is_refused(refuse):
    line = refuse(stage1_command, "--preset=small", settings=("base=shipped",))
    assert "no base is shipped for the preset small" in line


def test_missing_tiny_sets_are_built_where_the_stages_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = {"base": 1, "stage1": 2, "stage2": 1, "heldout": 1}
    smaller = functools.partial(build_tiny, counts=counts, workers=1)
    monkeypatch.setattr("experiments.command.build_tiny", smaller)
    flags = parse_flags("", [])
    for name, config in (
        ("stage1", stage1_command.stage1_config(flags, tiny())),
        ("stage2", stage2_command.stage2_config(flags, tiny())),
    ):
        build_missing_data(config)
        (entry,) = config.data.mixture
        assert len(RecordSource(Path(entry.path), "train")) == counts[name]
        assert len(RecordSource(config.evaluation.path, "test")) == 1


def test_missing_data_of_another_preset_is_refused(refuse):
    line = refuse(stage1_command, "--preset=small")
    assert line.startswith("error: there is no data in data/built/small/stage1;")
    assert "--set data.mixture=" in line
