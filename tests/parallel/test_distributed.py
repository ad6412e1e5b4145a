"""Processes find each other from the environment the launchers leave behind."""

import os
import socket
import subprocess
import sys

import jax
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.parallel.distributed import (
    initialise_distributed,
    launched_process_count,
)

SUM_OVER_PROCESSES = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from tbstar_jax.parallel.distributed import initialise_distributed
from tbstar_jax.parallel.mesh import ensure_virtual_devices, make_mesh, parse_mesh

shape = parse_mesh("2x2")
ensure_virtual_devices(shape.num_devices)
index, count = initialise_distributed()
assert (index, count) == initialise_distributed()
mesh = make_mesh(shape)
local = np.full((1,), 10.0 + index, np.float32)
numbers = jax.make_array_from_process_local_data(
    NamedSharding(mesh, PartitionSpec("data")), local
)
total = jax.jit(lambda x: x.sum(), out_shardings=NamedSharding(mesh, PartitionSpec()))
print(index, count, len(jax.local_devices()), float(total(numbers)))
"""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def set_launch(monkeypatch, coordinator, num_processes, process_id):
    monkeypatch.setenv("TBSTAR_COORDINATOR", coordinator)
    monkeypatch.setenv("TBSTAR_NUM_PROCESSES", num_processes)
    monkeypatch.setenv("TBSTAR_PROCESS_ID", process_id)


def test_two_processes_sum_a_number_over_one_mesh():
    shared = {
        "JAX_PLATFORMS": "cpu",
        "TBSTAR_COORDINATOR": f"127.0.0.1:{free_port()}",
        "TBSTAR_NUM_PROCESSES": "2",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SUM_OVER_PROCESSES],
            env={**os.environ, **shared, "TBSTAR_PROCESS_ID": str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        results = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
    # The collectives' library writes lines of its own on the same stream.
    for index, (output, errors) in enumerate(results):
        assert f"{index} 2 2 21.0" in output.splitlines(), errors


def test_a_process_alone_is_the_first_of_one():
    assert initialise_distributed() == (0, 1)
    assert launched_process_count() == 1


@pytest.fixture
def initialisations(monkeypatch):
    """Arguments jax would have been started with."""
    calls = []
    monkeypatch.setattr(
        jax.distributed, "initialize", lambda **options: calls.append(options)
    )
    return calls


@pytest.fixture
def slurm_step(monkeypatch):
    for name, value in {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_NODELIST": "node[1-4]",
        "SLURM_STEP_NUM_NODES": "4",
        "SLURM_NTASKS": "4",
        "SLURM_PROCID": "1",
        "SLURM_LOCALID": "0",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_slurm_announces_its_number_of_tasks(slurm_step):
    assert launched_process_count() == 4


def test_a_slurm_task_alone_on_its_node_takes_all_devices(slurm_step, initialisations):
    initialise_distributed()
    assert initialisations == [{"local_device_ids": []}]


def test_slurm_tasks_that_share_a_node_share_its_devices(slurm_step, initialisations):
    slurm_step.setenv("SLURM_NTASKS", "16")
    initialise_distributed()
    assert initialisations == [{"local_device_ids": None}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TBSTAR_CLUSTER", "tpu"),
        ("TPU_WORKER_HOSTNAMES", "worker-0,worker-1"),
        ("MEGASCALE_COORDINATOR_ADDRESS", "worker-0:8080"),
    ],
)
def test_tpu_workers_find_each_other_by_themselves(
    monkeypatch, initialisations, name, value
):
    monkeypatch.setenv(name, value)
    initialise_distributed()
    assert initialisations == [{}]


def test_a_batch_script_outside_a_slurm_step_is_alone(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert launched_process_count() == 1


def test_an_incomplete_launch_names_what_is_missing(monkeypatch):
    monkeypatch.setenv("TBSTAR_COORDINATOR", "10.0.0.1:8476")
    missing = "TBSTAR_NUM_PROCESSES and TBSTAR_PROCESS_ID not set"
    with pytest.raises(UserError, match=missing):
        initialise_distributed()


@pytest.mark.parametrize(
    ("coordinator", "num_processes", "process_id", "sentence"),
    [
        ("10.0.0.1", "2", "0", "TBSTAR_COORDINATOR is '10.0.0.1': write host:port"),
        ("10.0.0.1:8476", "two", "0", "TBSTAR_NUM_PROCESSES is 'two': write a whole"),
        ("10.0.0.1:8476", "2", "-1", "TBSTAR_PROCESS_ID is '-1': write a whole"),
        ("10.0.0.1:8476", "2", "2", "TBSTAR_PROCESS_ID is 2, but it must be below"),
        ("10.0.0.1:8476", "0", "0", "TBSTAR_PROCESS_ID is 0, but it must be below"),
    ],
)
def test_a_malformed_launch_is_refused(
    monkeypatch, coordinator, num_processes, process_id, sentence
):
    set_launch(monkeypatch, coordinator, num_processes, process_id)
    with pytest.raises(UserError, match=sentence):
        initialise_distributed()
