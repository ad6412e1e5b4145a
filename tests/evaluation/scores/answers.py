"""Cases of the smoke split and answers to them whose place is known."""

import functools
import io

import numpy as np
from PIL import Image

from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.scores.editing import edit_score

TASKS = BENCHMARK_TASKS


@functools.cache
def case_of(task, index=0, split="smoke"):
    return make_case(split, task, index)


def edit(case, answer, is_size_right=True):
    return edit_score(case, answer, reader=None, is_size_right=is_size_right)


def blend(case, share):
    """Between source (0) and reference (1)."""
    values = case.source * (1 - share) + case.reference * share
    return np.rint(values).astype(np.uint8)


def jpeg(image, quality=75):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    return np.array(Image.open(data))


def noise(case):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, case.source.shape).astype(np.uint8)


def flat(case):
    """Black or white, whichever is further from what is asked for."""
    is_light = case.reference[case.masks.edit].mean() > 127
    return np.full_like(case.source, 0 if is_light else 255)


def resized(image, size):
    return np.array(Image.fromarray(image).resize((size[1], size[0])))
