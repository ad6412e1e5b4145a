"""The pictures of a case as files."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from tbstar_jax.evaluation.cases.case import Case, Masks
from tbstar_jax.evaluation.cases.digest import MASKS
from tbstar_jax.evaluation.cases.kept import guard_region, kept_region
from tbstar_jax.evaluation.cases.scene_maps import encoded_maps
from tbstar_jax.evaluation.cases.schema import PLACES
from tbstar_jax.input_pipeline.images import encode_png


def case_files(case: Case) -> dict[str, bytes]:
    """PNG files by name, as `schema.prompt_record` names them."""
    pictures = {
        "photo": encode_png(case.photo),
        "reference": encode_png(case.reference),
    }
    if case.object_photo is not None:
        pictures["object"] = encode_png(case.object_photo)
    pictures |= _encoded(case.masks, "") | encoded_maps(case.scene)
    pictures |= {
        name: _encoded_mask(region)
        for name, region in derived_regions(case.masks).items()
    }
    for place, one in zip(PLACES, case.asked, strict=False):
        pictures[f"{place}_undone"] = encode_png(one.undone)
        pictures |= _encoded(one.masks, f"{place}_")
    return pictures


def derived_regions(masks: Masks) -> Mapping[str, Bool[np.ndarray, "h w"]]:
    """What follows from the edit, by the names of `schema.REGIONS`."""
    return {"keep": kept_region(masks.edit), "guard": guard_region(masks.edit)}


def _encoded(masks: Masks, prefix: str) -> dict[str, bytes]:
    return {prefix + name: _encoded_mask(getattr(masks, name)) for name in MASKS}


def _encoded_mask(marked: Bool[np.ndarray, "h w"]) -> bytes:
    return encode_png(np.where(marked, np.uint8(255), np.uint8(0)))
