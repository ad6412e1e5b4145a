"""What the house style promises of every file, checked on the files themselves."""

import ast
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import tbstar_jax

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ["tbstar_jax", "experiments", "data"]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "built" not in path.relative_to(ROOT).parts
)


@functools.cache
def parse(name):
    return ast.parse((ROOT / name).read_text(), name)


def imported_packages(name):
    """Top-level packages that a file imports anywhere, functions included."""
    packages = set()
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            packages.add(node.module.split(".")[0])
    return packages


def files_that_import(package):
    return [name for name in FILES if package in imported_packages(name)]


def test_the_version_is_a_release_number():
    assert re.fullmatch(r"\d+\.\d+\.\d+", tbstar_jax.__version__)


def test_a_file_stays_under_400_lines():
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in FILES}
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_a_function_stays_under_60_lines():
    lengths = {
        f"{name}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for name in FILES
        for node in ast.walk(parse(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length >= 60} == {}


def test_every_package_folder_has_a_table_of_contents():
    folders = {str(pathlib.PurePosixPath(name).parent) for name in FILES}
    missing = [folder for folder in folders if f"{folder}/__init__.py" not in FILES]
    assert missing == []


def test_no_file_is_called_utils():
    assert [name for name in FILES if name.endswith("/utils.py")] == []


def test_nothing_unpickles():
    assert files_that_import("pickle") == []


def test_torch_is_a_test_dependency_only():
    assert files_that_import("torch") + files_that_import("diffusers") == []


def test_transformers_is_imported_in_one_file_at_most():
    assert len(files_that_import("transformers")) <= 1


def test_onnxruntime_is_imported_in_one_file():
    assert files_that_import("onnxruntime") == ["tbstar_jax/metrics/onnx_file.py"]


def test_tests_mirror_the_package():
    """A test folder has the name of a package folder, so tests are easy to find."""
    special = {"golden", "parity"}
    folders = {
        path.parent.relative_to(ROOT / "tests").parts[0]
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.parent != ROOT / "tests"
    }
    present = {path.name for path in (ROOT / "tbstar_jax").iterdir() if path.is_dir()}
    assert folders - special - present - {"experiments", "data"} == set()


IMPORT_EVERYTHING = """
import importlib, os, pkgutil, sys
before = dict(os.environ)
import jax
config = dict(jax.config.values)
import tbstar_jax
for module in pkgutil.walk_packages(tbstar_jax.__path__, "tbstar_jax."):
    importlib.import_module(module.name)
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a backend was initialised"
assert dict(jax.config.values) == config, "jax.config was changed"
ours = {name: value for name, value in os.environ.items()
        if name.startswith(("JAX_", "XLA_", "TBSTAR_")) and before.get(name) != value}
assert not ours, f"the environment was changed: {ours}"
heavy = {"torch", "diffusers", "tensorflow"} & set(sys.modules)
assert not heavy, f"{heavy} came along"
"""


def test_importing_every_module_does_no_work():
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def run_with_stand_in(tmp_path, command, name, script):
    """Runs a command beside copies of the Makefile and `.ci`, one program replaced."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / name).chmod(0o755)
    return subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("failing", "status"), [("none", 0), ("lint", 2), ("test", 2)])
def test_ci_runs_lint_then_tests_and_fails_if_either_does(tmp_path, failing, status):
    script = f'echo "$2"; if [ "$2" = {failing} ]; then exit 2; fi'
    result = run_with_stand_in(tmp_path, [".ci/run"], "make", script)
    assert result.stdout.split() == ["lint", "test"]
    assert result.returncode == status


def test_make_refuses_an_old_python_in_one_sentence(tmp_path):
    script = 'if [ "$1" = -V ]; then echo Python 3.10.1; else exit 1; fi'
    command = ["make", "test", "PYTHON=python3.10"]
    result = run_with_stand_in(tmp_path, command, "python3.10", script)
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == (
        "error: python3.10 is Python 3.10.1, Python 3.11 to 3.13 is needed: "
        "install one and name it, for example: make test PYTHON=python3.12"
    )


@pytest.mark.parametrize(
    "name", [".ci/run", "launch/local.sh", "launch/slurm.sh", "launch/tpu_pod.sh"]
)
def test_a_script_can_be_executed(name):
    assert os.access(ROOT / name, os.X_OK)


def test_every_dependency_is_pinned_once_in_the_constraints():
    pins = re.findall(
        r"^([\w.-]+)==", (ROOT / "launch/constraints.txt").read_text(), re.MULTILINE
    )
    names = [re.sub(r"[-_.]+", "-", name).lower() for name in pins]
    required = re.findall(
        r"^    ([\w.-]+)>=", (ROOT / "setup.cfg").read_text(), re.MULTILINE
    )
    wanted = {re.sub(r"[-_.]+", "-", name).lower() for name in required}
    assert wanted - set(names) == set()
    assert len(names) == len(set(names))
