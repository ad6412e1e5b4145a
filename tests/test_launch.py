"""Launch scripts: the calls they make, recorded by stand-ins for the launchers."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

LAUNCH = pathlib.Path(__file__).parents[1] / "launch"
SCRIPTS = ["local.sh", "slurm.sh", "tpu_pod.sh"]
# Writes its own name and every argument, separated by tabs, as one line. In a single
# write: processes that start together append to the same file.
RECORDER = """#!/bin/sh
set -- "${0##*/}" "$@"
IFS='\t'
printf '%s%s\\n' "$*" "$EXTRA" >> "$CALLS"
"""


class Bench:
    """A copy of `launch/` with stand-ins for every command the scripts call."""

    def __init__(self, root):
        self.root = root
        self.calls_file = root / "calls"
        shutil.copytree(LAUNCH, root / "launch")
        (root / "bin").mkdir()
        for name in ["python", "gcloud", "srun", "sbatch"]:
            self.add_command(name, RECORDER)

    def add_command(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script, *arguments, **environment):
        return subprocess.run(
            [self.root / "launch" / script, *arguments],
            capture_output=True,
            text=True,
            cwd=self.root,
            env={
                "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
                "CALLS": str(self.calls_file),
                "TBSTAR_PLATFORM": "cpu",
                **environment,
            },
            check=False,
        )

    @property
    def calls(self):
        if not self.calls_file.exists():
            return []
        return [line.split("\t") for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_local_runs_the_experiment_with_its_flags(bench):
    assert bench.run("local.sh", "stage1", "--mesh=4x2", "--set", "a b").returncode == 0
    assert bench.calls == [
        ["python", "-m", "experiments.stage1", "--mesh=4x2", "--set", "a b"]
    ]


def test_local_starts_processes_that_know_each_other(bench):
    bench.add_command(
        "python",
        RECORDER.replace(
            '"$EXTRA"',
            '" $JAX_PLATFORMS $TBSTAR_COORDINATOR $TBSTAR_NUM_PROCESSES'
            ' $TBSTAR_PROCESS_ID"',
        ),
    )
    result = bench.run(
        "local.sh", "stage1", NUM_PROCESSES="2", COORDINATOR_PORT="20001"
    )
    assert result.returncode == 0, result.stderr
    assert sorted(bench.calls) == [
        ["python", "-m", "experiments.stage1 cpu 127.0.0.1:20001 2 0"],
        ["python", "-m", "experiments.stage1 cpu 127.0.0.1:20001 2 1"],
    ]


def test_local_ends_all_processes_when_one_fails(bench):
    bench.add_command(
        "python", '#!/bin/sh\n[ "$TBSTAR_PROCESS_ID" = 1 ] && exit 7\nexec sleep 60\n'
    )
    result = bench.run("local.sh", "stage1", NUM_PROCESSES="2")
    assert result.returncode == 7


def test_slurm_submits_itself_outside_a_job(bench):
    result = bench.run("slurm.sh", "stage1", "--mesh=8x4", NODES="4", GPUS_PER_NODE="8")
    assert result.returncode == 0, result.stderr
    assert bench.calls == [
        [
            "sbatch",
            "--job-name=tbstar-stage1",
            "--nodes=4",
            "--ntasks-per-node=1",
            "--exclusive",
            "--gpus-per-node=8",
            "launch/slurm.sh",
            "stage1",
            "--mesh=8x4",
        ]
    ]


def test_slurm_starts_one_process_per_node_inside_a_job(bench):
    # Slurm runs a copy of the script that lies in a directory of its own.
    (bench.root / "spool").mkdir()
    shutil.copy(LAUNCH / "slurm.sh", bench.root / "spool" / "slurm_script")
    result = bench.run(
        "../spool/slurm_script", "stage2", "--mesh=8x4", SLURM_JOB_ID="7"
    )
    assert result.returncode == 0, result.stderr
    assert bench.calls == [
        [
            "srun",
            "--ntasks-per-node=1",
            "--kill-on-bad-exit=1",
            "python",
            "-m",
            "experiments.stage2",
            "--mesh=8x4",
        ]
    ]


def test_tpu_pod_runs_on_every_worker(bench):
    result = bench.run(
        "tpu_pod.sh",
        "stage1",
        "--mesh=16x4",
        "--set",
        "a b",
        TPU_NAME="pod",
        ZONE="us-east5-a",
        PROJECT="shop",
    )
    assert result.returncode == 0, result.stderr
    assert bench.calls == [
        [
            "gcloud",
            "compute",
            "tpus",
            "tpu-vm",
            "ssh",
            "pod",
            "--zone=us-east5-a",
            "--worker=all",
            "--project=shop",
            '--command=cd tbstar_jax && export PATH="$PWD/.venv/bin:$PATH" '
            "TBSTAR_PLATFORM=tpu TBSTAR_CLUSTER=tpu && . launch/xla_flags.sh && "
            "python -m experiments.stage1 --mesh=16x4 --set a\\ b",
        ]
    ]


def test_the_command_of_a_tpu_pod_runs_in_a_shell(bench):
    result = bench.run(
        "tpu_pod.sh", "stage1", "--set", "a b", TPU_NAME="pod", ZONE="z", REMOTE_DIR="."
    )
    assert result.returncode == 0, result.stderr
    command = bench.calls[0][-1].removeprefix("--command=")
    bench.add_command("python", RECORDER.replace("$EXTRA", " $LIBTPU_INIT_ARGS"))
    subprocess.run(
        ["sh", "-c", command],
        cwd=bench.root,
        env={
            "PATH": f"{bench.root / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(bench.calls_file),
        },
        check=True,
    )
    assert bench.calls[1][:4] == ["python", "-m", "experiments.stage1", "--set"]
    assert bench.calls[1][4].startswith("a b  --xla_enable_async_all_gather=true")


@pytest.mark.parametrize(
    ("script", "environment", "printed"),
    [
        ("local.sh", {}, ["python -m experiments.stage1 --mesh=1x1"]),
        (
            "local.sh",
            {"NUM_PROCESSES": "2", "COORDINATOR_PORT": "20001"},
            [
                "env JAX_PLATFORMS=cpu TBSTAR_COORDINATOR=127.0.0.1:20001 "
                f"TBSTAR_NUM_PROCESSES=2 TBSTAR_PROCESS_ID={index} "
                "python -m experiments.stage1 --mesh=1x1"
                for index in range(2)
            ],
        ),
        (
            "slurm.sh",
            {},
            [
                "sbatch --job-name=tbstar-stage1 --nodes=1 --ntasks-per-node=1 "
                "--exclusive launch/slurm.sh stage1 --mesh=1x1"
            ],
        ),
        (
            "slurm.sh",
            {"SLURM_JOB_ID": "7"},
            [
                "srun --ntasks-per-node=1 --kill-on-bad-exit=1 "
                "python -m experiments.stage1 --mesh=1x1"
            ],
        ),
    ],
)
def test_a_dry_run_prints_the_commands_and_calls_nothing(
    bench, script, environment, printed
):
    result = bench.run(script, "--dry-run", "stage1", "--mesh=1x1", **environment)
    assert result.returncode == 0, result.stderr
    assert [line.rstrip() for line in result.stdout.splitlines()] == printed
    assert bench.calls == []


def test_a_dry_run_for_a_tpu_pod_calls_nothing(bench):
    result = bench.run("tpu_pod.sh", "--dry-run", "stage1", TPU_NAME="pod", ZONE="z")
    assert result.stdout.startswith("gcloud compute tpus tpu-vm ssh pod --zone=z ")
    assert bench.calls == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_without_an_experiment_says_how_to_use_it(bench, script):
    result = bench.run(script)
    assert result.returncode == 2
    assert "--dry-run" in result.stderr
    assert bench.calls == []


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("cpu", "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
        ("gpu", "XLA_FLAGS", "--xla_gpu_enable_latency_hiding_scheduler=true"),
        ("tpu", "LIBTPU_INIT_ARGS", "--xla_enable_async_all_gather=true"),
    ],
)
def test_every_platform_gets_its_own_flags_only(platform, variable, expected):
    def flags(name):
        return subprocess.run(
            ["sh", "-c", f'set -eu; . "{LAUNCH}/xla_flags.sh"; echo "${{{name}:-}}"'],
            env={"PATH": os.environ["PATH"], "TBSTAR_PLATFORM": platform},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert expected in flags(variable)
    others = {"GLIBC_TUNABLES", "XLA_FLAGS", "LIBTPU_INIT_ARGS"} - {variable}
    assert [flags(name) for name in sorted(others)] == ["\n", "\n"]


def test_the_installed_jax_knows_the_gpu_flags():
    """XLA aborts on a flag it does not know, on every platform."""
    command = '. "$0/xla_flags.sh" && exec "$1" -c "import jax; jax.devices()"'
    result = subprocess.run(
        ["sh", "-c", command, LAUNCH, sys.executable],
        env={**os.environ, "TBSTAR_PLATFORM": "gpu", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_an_unknown_platform_is_refused(bench):
    result = bench.run("local.sh", "stage1", TBSTAR_PLATFORM="abacus")
    assert result.returncode == 2
    assert "TBSTAR_PLATFORM=abacus is not one of cpu, gpu, tpu" in result.stderr


@pytest.mark.parametrize("script", [*SCRIPTS, "xla_flags.sh"])
def test_a_launch_script_stays_under_forty_lines(script):
    assert len((LAUNCH / script).read_text().splitlines()) < 40
