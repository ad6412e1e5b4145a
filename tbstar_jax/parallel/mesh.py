"""`--mesh=4x2` to a device mesh with the axes `data` x `model` (x `context`).

A batch is split over `data`; parameters are sharded over `data` (FSDP) and `model`
(tensor parallel); long sequences over `context`. On a machine without accelerators the
mesh is made of virtual CPU devices, so a command runs on a laptop as on a pod.
"""

import dataclasses
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Sequence

import jax
from jax.sharding import AxisType, Mesh

from tbstar_jax.errors import UserError
from tbstar_jax.parallel.distributed import launched_process_count

_FORMS = "write it as 4x2 (data x model) or as data:4,model:2,context:2"
_DEVICE_COUNT_FLAG = "--xla_force_host_platform_device_count"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshShape:
    """Number of devices along every mesh axis, each at least 1."""

    data: int
    model: int
    context: int = 1

    def __post_init__(self) -> None:
        for name, size in dataclasses.asdict(self).items():
            if size < 1:
                raise UserError(
                    f"mesh axis {name} has size {size}, at least 1 is needed: {_FORMS}"
                )

    @property
    def axis_sizes(self) -> dict[str, int]:
        """Sizes by axis name, in mesh order; `context` only when it is in use."""
        sizes = {"data": self.data, "model": self.model}
        return sizes if self.context == 1 else {**sizes, "context": self.context}

    @property
    def num_devices(self) -> int:
        """Number of devices of the whole mesh, over all processes."""
        return self.data * self.model * self.context

    def __str__(self) -> str:
        return "x".join(str(size) for size in self.axis_sizes.values())


def parse_mesh(text: str) -> MeshShape:
    """Reads the value of `--mesh`.

    Args:
      text: `4x2` (data x model) or named sizes in any order,
        `data:4,model:2,context:2`; an axis that is not named has size 1.

    Returns:
      The shape.

    Raises:
      UserError: the text has another form, names an axis twice or has a size below 1.
    """
    if match := re.fullmatch(r"(-?\d+)x(-?\d+)", text, re.ASCII):
        return MeshShape(data=int(match[1]), model=int(match[2]))
    sizes = {"data": 1, "model": 1, "context": 1}
    named = set()
    for part in text.split(","):
        match = re.fullmatch(r"(data|model|context):(-?\d+)", part.strip(), re.ASCII)
        if match is None or match[1] in named:
            raise UserError(f"cannot read the mesh {text!r}: {_FORMS}")
        named.add(match[1])
        sizes[match[1]] = int(match[2])
    return MeshShape(**sizes)


def ensure_virtual_devices(num_devices: int) -> None:
    """Lets jax make enough virtual CPU devices on a machine without accelerators.

    Must run before jax is initialised (before the first array or `jax.devices()`); it
    only edits `XLA_FLAGS`. With several processes each makes its share. A larger number
    that the environment of a single process already asks for is left alone.

    Args:
      num_devices: devices of the whole mesh, over all processes.

    Raises:
      UserError: the processes cannot share the devices evenly.
    """
    if not _runs_on_cpu():
        return
    num_processes = launched_process_count()
    if num_devices % num_processes:
        raise UserError(
            f"{num_processes} processes cannot share a mesh of {num_devices} devices "
            f"evenly: choose a mesh whose size is a multiple of {num_processes}"
        )
    needed = num_devices // num_processes
    pattern = rf"{_DEVICE_COUNT_FLAG}=(\d+)"
    flags = os.environ.get("XLA_FLAGS", "")
    present = [int(number) for number in re.findall(pattern, flags)]
    if num_processes == 1 and present and present[-1] >= needed:
        return
    others = re.sub(pattern, "", flags).split()
    os.environ["XLA_FLAGS"] = " ".join([*others, f"{_DEVICE_COUNT_FLAG}={needed}"])


def make_mesh(shape: MeshShape, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Lays devices out as a mesh.

    Args:
      shape: size of every axis.
      devices: devices to use; all devices of all processes when absent. Spare ones
        are left out only on CPU in a single process, where they are virtual.

    Returns:
      A mesh with automatic (GSPMD) axes `data`, `model` and, when its size is above 1,
      `context`.

    Raises:
      UserError: the mesh does not fit the devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    platform = devices[0].platform
    needed, present = shape.num_devices, len(devices)
    is_single_process = len({device.process_index for device in devices}) == 1
    if platform == "cpu" and is_single_process and present > needed:
        devices = devices[:needed]
    elif present != needed:
        raise UserError(
            f"mesh {shape} needs {needed} devices, but there are {present} "
            f"({platform}): {_advice(platform, present)}"
        )
    sizes = shape.axis_sizes
    return jax.make_mesh(
        tuple(sizes.values()),
        tuple(sizes),
        axis_types=(AxisType.Auto,) * len(sizes),
        devices=devices,
    )


def _advice(platform: str, num_devices: int) -> str:
    """What to do about a mesh that does not fit."""
    if platform == "cpu":
        return (
            "set JAX_PLATFORMS=cpu so that virtual devices are made, or pass "
            f"--mesh={num_devices}x1"
        )
    return (
        f"pass a mesh of {num_devices} devices such as --mesh={num_devices}x1, or set "
        "JAX_PLATFORMS=cpu to try it on virtual CPU devices"
    )


def _runs_on_cpu() -> bool:
    """Whether jax will choose the CPU, told without initialising it."""
    requested = os.environ.get("JAX_PLATFORMS", "")
    if requested:
        return requested.split(",")[0] == "cpu"
    if importlib.util.find_spec("jax_plugins") or importlib.util.find_spec("libtpu"):
        return False
    return not importlib.metadata.entry_points(group="jax_plugins")
