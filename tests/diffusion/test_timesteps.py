import dataclasses

import jax
import numpy as np
import pytest

from tbstar_jax.diffusion.timesteps import (
    TimestepConfig,
    resolution_shift,
    sample_training_times,
    sampling_times,
)

CONFIG = TimestepConfig()


def test_shift_at_4096_tokens():
    assert resolution_shift(4096, CONFIG) == pytest.approx(0.693548, abs=1e-6)


@pytest.mark.parametrize(
    ("num_steps", "positions", "expected"),
    [
        (4, slice(None), [1, 0.76671, 0.45561, 0.02, 0]),
        (8, slice(0, 4), [1, 0.91602, 0.82005, 0.70929]),
        (8, slice(-3, None), [0.24405, 0.02, 0]),
        (40, slice(0, 4), [1, 0.98696, 0.97359, 0.95987]),
        (40, slice(-3, None), [0.06788, 0.02, 0]),
    ],
)
def test_sampling_times_are_the_public_schedulers(num_steps, positions, expected):
    times = sampling_times(num_steps, 4096, CONFIG)
    assert times.shape == (num_steps + 1,)
    np.testing.assert_allclose(times[positions], expected, rtol=0, atol=6e-6)


def test_one_step_goes_from_noise_to_clean():
    np.testing.assert_array_equal(sampling_times(1, 64, CONFIG), [1, 0])


def test_without_a_terminal_the_last_time_is_the_shifted_one():
    config = dataclasses.replace(CONFIG, shift_terminal=None)
    times = sampling_times(2, 4096, config)
    np.testing.assert_allclose(times, [1, 0.666756, 0], rtol=0, atol=1e-6)


def test_training_times_have_the_shifted_median():
    times = np.asarray(sample_training_times(jax.random.key(0), 20_000, 4096, CONFIG))
    assert 0 < times.min() < times.max() < 1
    # sigmoid(mu): the median of a shifted logit-normal.
    assert np.median(times) == pytest.approx(2 / 3, abs=0.01)
