"""Which thing is where in a render, and how far away; as arrays and as files."""

import numpy as np

from tbstar_jax.data_engine.studio.renderer import Frame
from tbstar_jax.evaluation.cases.case import SceneMaps
from tbstar_jax.input_pipeline.images import encode_png

SCENE_MAPS = ("instances", "depth")
"""Names of the maps, and of their files."""

NO_DEPTH = 65535
"""Depth of what has none."""

_STEPS = 1000.0
"""Per unit of the scene."""


def scene_maps(frame: Frame) -> SceneMaps:
    """What a render knows besides its pixels."""
    steps = np.clip(np.rint(frame.depth * _STEPS), 0, NO_DEPTH)
    return SceneMaps(instances=frame.ids, depth=steps.astype(np.uint16))


def encoded_maps(maps: SceneMaps | None) -> dict[str, bytes]:
    """PNG files by name, of 8 bits and of 16; none where there are no maps."""
    if maps is None:
        return {}
    return {"instances": encode_png(maps.instances), "depth": encode_png(maps.depth)}
