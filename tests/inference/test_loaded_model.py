"""What is read of a public checkpoint's schedule and flags before it runs."""

import json

import pytest

from tbstar_jax.diffusion.timesteps import TimestepConfig, lightning_timesteps
from tbstar_jax.errors import UserError
from tbstar_jax.inference.loaded_model import load_model, read_timesteps
from tests.support.public_pipeline import SCHEDULER

PUBLIC = {"_class_name": "FlowMatchEulerDiscreteScheduler", **SCHEDULER}


def _write(folder, **fields):
    path = folder / "scheduler_config.json"
    path.write_text(json.dumps({**PUBLIC, **fields}))
    return path


def test_the_public_schedule_is_the_default(tmp_path):
    assert read_timesteps(_write(tmp_path)) == TimestepConfig()


def test_the_schedule_of_a_distilled_checkpoint_is_its_own(tmp_path):
    shift = lightning_timesteps().base_shift
    path = _write(tmp_path, base_shift=shift, max_shift=shift, shift_terminal=None)
    assert read_timesteps(path) == lightning_timesteps()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"use_dynamic_shifting": False}, "no use_dynamic_shifting"),
        ({"time_shift_type": "linear"}, "time_shift_type .* 'linear'"),
        ({"_class_name": "DPMSolverMultistepScheduler"}, "_class_name"),
        ({"base_shift": "large"}, "no scheduler's config"),
    ],
)
def test_a_schedule_that_is_not_implemented_is_refused(tmp_path, fields, sentence):
    with pytest.raises(UserError, match=sentence):
        read_timesteps(_write(tmp_path, **fields))


def test_a_folder_that_is_neither_form_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a weights folder"):
        load_model(tmp_path / "nothing")
