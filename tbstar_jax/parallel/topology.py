"""What devices can do, and devices that are not there, to compile for, not to run on.

    v5p:2x2x1   any TPU topology by name; needs libtpu, nothing else of a TPU
    h200        one H200; needs the CUDA wheels, `pip install -e '.[cuda]'`

Compiling tells memory, kernels and collectives. No time: there is no device.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from unittest import mock

import jax
import jax.numpy as jnp
from jax.experimental import topologies

from tbstar_jax.errors import UserError
from tbstar_jax.model.attention import AttentionKernel

_TPU = re.compile(r"(v[2-6][ep]?|tpu7x):\d+(x\d+)*")

# What XLA asks about the device, from the data sheet and the programming guide.
_H200 = """
gpu_device_info {
  cuda_compute_capability { major: 9 }
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  memory_bandwidth: 4800000000000
  device_memory_size: 151397597184
  l2_cache_size: 52428800
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  threads_per_warp: 32
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
}
platform_name: "CUDA"
dnn_version_info { major: %d minor: %d patch: %d }
device_description_str: "NVIDIA H200"
"""


@runtime_checkable
class Device(Protocol):
    """What of a `jax.Device` decides how attention is computed."""

    @property
    def platform(self) -> str:
        """`cpu`, `gpu` or `tpu`."""

    @property
    def device_kind(self) -> str:
        """Such as `NVIDIA H200`."""


def fastest_attention(device: Device, head_dim: int, dtype: Any) -> AttentionKernel:
    """Flash attention where there is a kernel for device, head and dtype, else `xla`.

    Args:
      device: of the mesh.
      head_dim: channels of a head.
      dtype: of the computation.
    """
    if device.platform == "tpu" and head_dim % 128 == 0:
        return "splash"
    is_nvidia = device.platform == "gpu" and "NVIDIA" in device.device_kind
    is_half = jnp.dtype(dtype) in (jnp.bfloat16, jnp.float16)
    if is_nvidia and is_half and head_dim % 8 == 0 and head_dim <= 128:
        # Flash attention of cuDNN begins with Ampere.
        capability = getattr(device, "compute_capability", "0.0")
        if float(capability) >= 8:
            return "cudnn"
    return "xla"


def absent_devices(target: str) -> list[jax.Device]:
    """The devices of a target, good for compiling only.

    Args:
      target: `h200`, or a TPU topology such as `v5p:2x2x1`.

    Raises:
      UserError: an unknown target, or its compiler is not installed.
    """
    if target == "h200":
        description = topologies.get_topology_desc(
            platform="cuda",
            topology_name="h200",
            topology="1x1x1",
            target_config=_H200 % cudnn_version(),
        )
    elif _TPU.fullmatch(target):
        _find_libtpu()
        description = topologies.get_topology_desc(platform="tpu", topology_name=target)
    else:
        raise UserError(
            f"cannot compile for {target}: name cpu, h200 or a TPU topology such as "
            "v5p:2x2x1"
        )
    return list(description.devices)


def cudnn_version() -> tuple[int, int, int]:
    """Major, minor and patch number of the cuDNN wheel.

    Raises:
      UserError: there is none, or jax's CUDA plugin is absent.
    """
    try:
        importlib.metadata.version("jax-cuda13-plugin")
        text = importlib.metadata.version("nvidia-cudnn-cu13")
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(
            f"compiling for an H200 needs {error.name}: run make aot-h200, which "
            "installs the CUDA wheels beside the others"
        ) from error
    major, minor, patch = (int(part) for part in text.split(".")[:3])
    return major, minor, patch


@contextlib.contextmanager
def kernels_of(target: str) -> Iterator[None]:
    """Lets a program be traced for a target whose devices jax cannot ask.

    Before it emits a call of cuDNN's flash attention, jax asks the present GPU for its
    compute capability and the loaded library for its version. Here both are known.
    """
    if target != "h200":
        yield
        return
    major, minor, patch = cudnn_version()
    number = 10000 * major + 100 * minor + patch  # as cuDNN itself writes it
    asked = "jax._src.cudnn.fused_attention_stablehlo."
    with (
        mock.patch(asked + "check_cudnn_version", return_value=number),
        mock.patch(asked + "check_compute_capability", lambda least: least <= "9.0"),
        mock.patch(asked + "is_cuda_compute_capability_equal", lambda x: x == "9.0"),
    ):
        yield


def _find_libtpu() -> None:
    """Points jax to libtpu, which `make test` keeps outside of site-packages.

    Installed there, it would make jax look for a TPU in every command.
    """
    # No machine to ask what kind of TPU it has, and no chip to lock.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    if "TPU_LIBRARY_PATH" in os.environ or importlib.util.find_spec("libtpu"):
        return
    path = Path(sys.prefix) / "libtpu" / "libtpu" / "libtpu.so"
    if not path.exists():
        raise UserError(
            f"compiling for a TPU needs libtpu, which is not at {path}: run make test, "
            "or pip install libtpu"
        )
    os.environ["TPU_LIBRARY_PATH"] = str(path)
