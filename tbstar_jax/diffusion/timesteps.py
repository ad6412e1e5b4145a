"""Which times are trained on and which are visited when sampling.

Both are shifted towards noise by the number of target tokens n (after packing; sources
and text do not count), with the public scheduler's constants:

    mu = base_shift + (max_shift - base_shift) (n - 256) / (8192 - 256)
    t <- e^mu / (e^mu + 1 / t - 1)
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.array_types import Array, Float, PRNGKeyArray


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimestepConfig:
    """Constants of the shift; names follow the public `scheduler_config.json`.

    Attributes:
      base_shift: mu at `base_image_seq_len` tokens.
      max_shift: mu at `max_image_seq_len` tokens.
      base_image_seq_len: in target tokens.
      max_image_seq_len: in target tokens.
      shift_terminal: the last time before 0 when sampling; None leaves it unstretched.
      logit_mean: mean of the logit of unshifted training times.
      logit_std: its standard deviation.
    """

    base_shift: float = 0.5
    max_shift: float = 0.9
    base_image_seq_len: int = 256
    max_image_seq_len: int = 8192
    shift_terminal: float | None = 0.02
    logit_mean: float = 0.0
    logit_std: float = 1.0


def lightning_timesteps() -> TimestepConfig:
    """Those of the Lightning LoRAs: `mu = ln 3` at every size, and no stretch."""
    shift = math.log(3.0)
    return TimestepConfig(base_shift=shift, max_shift=shift, shift_terminal=None)


def resolution_shift(num_image_tokens: int, config: TimestepConfig) -> float:
    """Mu of the formula above."""
    slope = (config.max_shift - config.base_shift) / (
        config.max_image_seq_len - config.base_image_seq_len
    )
    return config.base_shift + slope * (num_image_tokens - config.base_image_seq_len)


def sample_training_times(
    key: PRNGKeyArray, batch_size: int, num_image_tokens: int, config: TimestepConfig
) -> Float[Array, " b"]:
    """Logit-normal times, shifted by resolution; in (0, 1), float32."""
    logit = jax.random.normal(key, (batch_size,), jnp.float32)
    logit = logit * np.float32(config.logit_std) + np.float32(config.logit_mean)
    # The shift adds mu to the logit: e^mu / (e^mu + 1/u - 1) = sigmoid(logit(u) + mu).
    mu = resolution_shift(num_image_tokens, config)
    return jax.nn.sigmoid(logit + np.float32(mu))


def sampling_times(
    num_steps: int, num_image_tokens: int, config: TimestepConfig
) -> np.ndarray:
    """Times visited when sampling, `[num_steps + 1]` float32, from 1 down to 0.

    Linear from 1 to 1/N, shifted, stretched so that the last one is `shift_terminal`,
    then 0.

    Args:
      num_steps: model evaluations, at least 1.
      num_image_tokens: target tokens.
      config: the scheduler's constants.
    """
    times = np.linspace(1.0, 1.0 / num_steps, num_steps)
    e_mu = math.exp(resolution_shift(num_image_tokens, config))
    times = e_mu / (e_mu + 1.0 / times - 1.0)
    if config.shift_terminal is not None and num_steps > 1:
        stretch = (1.0 - config.shift_terminal) / (1.0 - times[-1])
        times = 1.0 - (1.0 - times) * stretch
    return np.append(times, 0.0).astype(np.float32)
