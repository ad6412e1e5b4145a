"""Which kernels devices have."""

import dataclasses

import jax.numpy as jnp
import pytest

from tbstar_jax.parallel.topology import fastest_attention


@dataclasses.dataclass(frozen=True)
class FakeDevice:
    platform: str
    device_kind: str
    compute_capability: str = ""


H200 = FakeDevice("gpu", "NVIDIA H200", "9.0")
V100 = FakeDevice("gpu", "Tesla V100 NVIDIA", "7.0")


@pytest.mark.parametrize(
    ("device", "head_dim", "dtype", "kernel"),
    [
        (H200, 128, jnp.bfloat16, "cudnn"),
        (H200, 128, jnp.float32, "xla"),
        (H200, 256, jnp.bfloat16, "xla"),
        (V100, 128, jnp.float16, "xla"),
        (FakeDevice("gpu", "AMD Instinct MI300X"), 128, jnp.bfloat16, "xla"),
        (FakeDevice("tpu", "TPU v5p"), 128, jnp.float32, "splash"),
        (FakeDevice("tpu", "TPU v5p"), 64, jnp.bfloat16, "xla"),
        (FakeDevice("cpu", "cpu"), 128, jnp.bfloat16, "xla"),
    ],
)
def test_flash_attention_is_taken_where_there_is_a_kernel(
    device, head_dim, dtype, kernel
):
    assert fastest_attention(device, head_dim, dtype) == kernel
