"""Which thing is where in a render, and how far away; as arrays and as files."""

from collections.abc import Mapping

import numpy as np

from tbstar_jax.data_engine.studio.renderer import Frame
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import SceneMaps
from tbstar_jax.input_pipeline.images import decode_grey16, decode_mask, encode_png

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


def decoded_maps(
    files: Mapping[str, bytes], size: tuple[int, int], case_id: str
) -> SceneMaps:
    """Reads both files.

    Args:
      files: by name.
      size: rows and columns of the canvas.
      case_id: of the case, for an error.

    Raises:
      UserError: a file that is no such picture, or of another size.
    """
    instances = decode_mask(files["instances"], f"the map of instances of {case_id}")
    depth = decode_grey16(files["depth"], f"the map of depth of {case_id}")
    for name, picture in (("instances", instances), ("depth", depth)):
        if picture.shape != size:
            rows, columns = picture.shape
            raise UserError(
                f"the map {name!r} of {case_id!r} has {columns}x{rows} pixels, but "
                f"must have {size[1]}x{size[0]}"
            )
    return SceneMaps(instances=instances, depth=depth)
