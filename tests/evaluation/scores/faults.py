"""Pictures that a part of E is about, and faults of a known size."""

import dataclasses

import numpy as np
from PIL import Image
from scipy import ndimage

from tbstar_jax.evaluation.cases.conditions import grained
from tests.evaluation.scores.answers import edit


def levels(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def shifted(image, pixels):
    """Resampled by a part of a pixel, down."""
    return levels(ndimage.shift(image.astype(float), (pixels, 0, 0), mode="nearest"))


def part(case, answer, name):
    return edit(case, answer).parts[name]


def in_grain(case, sigma=2.0):
    """The case with a camera's grain, and an answer whose edit has none."""
    rng = np.random.default_rng(0)
    grain = sigma * rng.standard_normal(case.source.shape)
    pictures = {
        name: grained(getattr(case, name), grain) for name in ("source", "reference")
    }
    noisy = dataclasses.replace(case, **pictures)
    answer = np.where(case.masks.edit[..., None], case.reference, noisy.reference)
    return noisy, answer


def near(mask, pixels):
    """The mask and what lies within some pixels of it."""
    return ndimage.distance_transform_edt(~mask) <= pixels


def pushed(image, mask, inside=2):
    """Every pixel in the colour of the nearest one that is well inside a mask."""
    known = ~near(~mask, inside) if inside else mask
    at = ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return image[tuple(at)]


def sized(case, factor):
    """The first thing of the reference in another size, about its middle."""
    box = next(one.after for one in case.target_objects if one.after is not None)
    shown = case.masks.product_after & case.masks.edit
    empty = pushed(case.reference, ~near(shown, 2), 0)
    rows, columns = round(factor * box.height), round(factor * box.width)
    thing = Image.fromarray(case.reference[box.slices]).resize((columns, rows))
    stencil = Image.fromarray(shown[box.slices]).resize((columns, rows))
    answer = Image.fromarray(np.where(shown[..., None], empty, case.reference))
    left = box.left + (box.width - columns) // 2
    answer.paste(thing, (left, box.top + (box.height - rows) // 2), stencil)
    return np.array(answer)
