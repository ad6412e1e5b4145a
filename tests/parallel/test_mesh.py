"""Mesh shapes, virtual devices and device layout."""

import os
import subprocess
import sys
from unittest import mock

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from tbstar_jax.errors import UserError
from tbstar_jax.parallel.mesh import (
    MeshShape,
    ensure_virtual_devices,
    make_mesh,
    parse_mesh,
)

LAUNCH_VARIABLES = [
    "JAX_PLATFORMS",
    "XLA_FLAGS",
    "TBSTAR_COORDINATOR",
    "TBSTAR_NUM_PROCESSES",
    "TBSTAR_PROCESS_ID",
    "SLURM_JOB_ID",
]


@pytest.fixture
def cpu_environment(monkeypatch):
    for name in LAUNCH_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    return monkeypatch


def accelerators(count):
    """Stand-ins for devices this machine lacks; only their attributes are read."""
    return [
        mock.Mock(spec=jax.Device, platform="gpu", process_index=0, id=index)
        for index in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "axis_sizes"),
    [
        ("4x2", {"data": 4, "model": 2}),
        ("1x1", {"data": 1, "model": 1}),
        ("data:4,model:2", {"data": 4, "model": 2}),
        ("model:2, data:4", {"data": 4, "model": 2}),
        ("data:8", {"data": 8, "model": 1}),
        ("data:4,model:2,context:2", {"data": 4, "model": 2, "context": 2}),
        ("data:4,model:2,context:1", {"data": 4, "model": 2}),
    ],
)
def test_a_mesh_is_read_in_both_forms(text, axis_sizes):
    assert parse_mesh(text).axis_sizes == axis_sizes


@pytest.mark.parametrize(
    "text", ["", "4", "4x", "x2", "4x2x2", "4X2", "4x2.5", "rows:4", "data:4,data:2"]
)
def test_a_malformed_mesh_is_refused_with_the_forms(text):
    with pytest.raises(UserError, match=f"cannot read the mesh '{text}'.*4x2"):
        parse_mesh(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0x2", "mesh axis data has size 0, at least 1"),
        ("4x-2", "mesh axis model has size -2, at least 1"),
        ("data:4,context:0", "mesh axis context has size 0, at least 1"),
    ],
)
def test_an_axis_below_one_is_refused_by_name(text, sentence):
    with pytest.raises(UserError, match=sentence):
        parse_mesh(text)


def test_a_shape_counts_its_devices_and_prints_as_typed():
    assert MeshShape(data=4, model=2, context=3).num_devices == 24
    assert str(MeshShape(data=4, model=2)) == "4x2"


def test_a_mesh_has_automatic_axes_over_all_devices():
    mesh = make_mesh(parse_mesh("4x2"))
    assert mesh.axis_names == ("data", "model")
    assert dict(mesh.shape) == {"data": 4, "model": 2}
    assert mesh.axis_types == (AxisType.Auto, AxisType.Auto)


def test_a_context_axis_comes_last():
    mesh = make_mesh(parse_mesh("context:2,data:2,model:2"))
    assert mesh.axis_names == ("data", "model", "context")
    assert mesh.devices.shape == (2, 2, 2)


def test_spare_virtual_devices_are_left_out():
    mesh = make_mesh(parse_mesh("2x1"))
    np.testing.assert_array_equal(mesh.device_ids, [[0], [1]])


def test_too_few_virtual_devices_are_an_error_with_both_numbers():
    with pytest.raises(UserError, match=r"mesh 4x4 needs 16 devices, but there are 8"):
        make_mesh(parse_mesh("4x4"))


@pytest.mark.parametrize("text", ["4x2", "1x1"])
def test_accelerators_must_fit_exactly(text):
    with pytest.raises(UserError, match=r"there are 4 \(gpu\): pass a mesh of 4 dev"):
        make_mesh(parse_mesh(text), accelerators(4))


def test_virtual_devices_are_asked_for_when_there_are_too_few(cpu_environment):
    cpu_environment.setenv(
        "XLA_FLAGS", "--xla_force_host_platform_device_count=2 --xla_cpu_enable_xprof=1"
    )
    ensure_virtual_devices(8)
    assert os.environ["XLA_FLAGS"].split() == [
        "--xla_cpu_enable_xprof=1",
        "--xla_force_host_platform_device_count=8",
    ]


def test_a_larger_number_of_virtual_devices_is_left_alone(cpu_environment):
    flags = "--xla_force_host_platform_device_count=8"
    cpu_environment.setenv("XLA_FLAGS", flags)
    ensure_virtual_devices(2)
    assert os.environ["XLA_FLAGS"] == flags


def test_processes_share_the_virtual_devices(cpu_environment):
    cpu_environment.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
    cpu_environment.setenv("TBSTAR_COORDINATOR", "127.0.0.1:8476")
    cpu_environment.setenv("TBSTAR_NUM_PROCESSES", "2")
    cpu_environment.setenv("TBSTAR_PROCESS_ID", "1")
    ensure_virtual_devices(8)
    assert os.environ["XLA_FLAGS"] == "--xla_force_host_platform_device_count=4"


def test_processes_that_cannot_share_evenly_are_refused(cpu_environment):
    cpu_environment.setenv("TBSTAR_COORDINATOR", "127.0.0.1:8476")
    cpu_environment.setenv("TBSTAR_NUM_PROCESSES", "3")
    cpu_environment.setenv("TBSTAR_PROCESS_ID", "0")
    with pytest.raises(UserError, match="3 processes cannot share a mesh of 8"):
        ensure_virtual_devices(8)


@pytest.mark.parametrize("platforms", ["cuda", "tpu,cpu", "rocm"])
def test_a_requested_accelerator_gets_no_virtual_devices(cpu_environment, platforms):
    cpu_environment.setenv("JAX_PLATFORMS", platforms)
    ensure_virtual_devices(8)
    assert "XLA_FLAGS" not in os.environ


@pytest.mark.parametrize("package", ["libtpu", "jax_plugins"])
def test_an_installed_accelerator_gets_no_virtual_devices(
    cpu_environment, tmp_path, package
):
    (tmp_path / package).mkdir()
    cpu_environment.delenv("JAX_PLATFORMS")
    cpu_environment.syspath_prepend(tmp_path)
    ensure_virtual_devices(8)
    assert "XLA_FLAGS" not in os.environ


def test_a_fresh_process_without_accelerators_gets_the_whole_mesh(cpu_environment):
    script = (
        "from tbstar_jax.parallel import mesh\n"
        "shape = mesh.parse_mesh('3x2')\n"
        "mesh.ensure_virtual_devices(shape.num_devices)\n"
        "print(mesh.make_mesh(shape).devices.shape)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "(3, 2)\n"
