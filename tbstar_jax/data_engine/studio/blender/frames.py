"""Frames and pairs of the studio, drawn by Blender."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageFilter

from tbstar_jax.data_engine.studio.blender.process import BlenderProcess
from tbstar_jax.data_engine.studio.blender.request import request_of
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.pairs import Pair, pair_of
from tbstar_jax.data_engine.studio.renderer import Frame
from tbstar_jax.data_engine.studio.scene import Scene, require_scene, scene_json
from tbstar_jax.data_engine.studio.shading import shoulder

_SEEN = 2
"""Levels of 255, averaged over 3 by 3 pixels, above which a shadow or a reflection is
there."""


def render(scene: Scene, process: BlenderProcess) -> Frame:
    """Draws a scene.

    Args:
      scene: its parameters; `supersampling` is not used.
      process: what draws.

    Returns:
      All that is known of the picture; `influence` is empty, since light goes
      everywhere (`render_pairs` finds what an edit reaches).

    Raises:
      UserError: the scene is empty, too full, or names what is not known; or as
        `BlenderProcess.render`.
    """
    require_scene(scene)
    request, arrays = request_of(scene)
    values = process.render(request, arrays)
    count = len(scene.items)
    shares = np.moveaxis(values[:, :, 4 : 4 + count], 2, 0).clip(0.0, 1.0)
    ink, text, room = (
        np.ascontiguousarray(
            np.moveaxis(values[:, :, first : first + count], 2, 0).clip(0.0, 1.0)
        )
        for first in range(4 + count, 4 + 4 * count, count)
    )
    backdrop = 1.0 - shares.sum(axis=0, keepdims=True)
    return Frame(
        image=_developed(values[:, :, :3], backdrop[0]),
        ids=np.concatenate([backdrop, shares]).argmax(axis=0).astype(np.uint8),
        coverage=np.ascontiguousarray(shares),
        influence=np.zeros(shares.shape, bool),
        ink=ink,
        text=text,
        room=room,
        depth=np.ascontiguousarray(values[:, :, 3]),
    )


def _developed(
    light: Float32[np.ndarray, "h w 3"], backdrop: Float32[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Linear light as sRGB; highlights of things are compressed, as in the studio."""
    value = light.astype(np.float64).clip(0.0, None)
    share = backdrop.astype(np.float64)[:, :, None]
    value = share * value.clip(None, 1.0) + (1.0 - share) * shoulder(np, value)
    value = value.clip(0.0, 1.0)
    coded = np.where(
        value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055
    )
    return np.rint(coded * 255.0).astype(np.uint8)


def render_pairs(
    edits: Sequence[Edit], *, is_strict: bool, process: BlenderProcess
) -> list[Pair]:
    """Draws edits, as `pairs.render_pairs` does.

    Light that bounces, and the denoiser, reach everything by a level or two. Of them a
    local edit keeps, in the strict variant, what can be seen: on the touched items and,
    where shape or place change, wherever their shadow or reflection falls.

    Args:
      edits: scenes before and after.
      is_strict: whether all outside the declared region is kept bit for bit.
      process: what draws.

    Raises:
      UserError: as `render`.
    """
    frames: dict[str, Frame] = {}
    made = []
    for edit in edits:
        for scene in (edit.before, edit.after):
            if scene_json(scene) not in frames:
                frames[scene_json(scene)] = render(scene, process)
        before, after = frames[scene_json(edit.before)], frames[scene_json(edit.after)]
        reach = reached(before.image, after.image)
        made.append(
            pair_of(
                edit,
                _with_influence(before, edit.touched_before, reach),
                _with_influence(after, edit.touched_after, reach),
                is_strict=is_strict,
                within=reach if edit.extent in ("surface", "items") else None,
            )
        )
    return made


def reached(
    before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Marks where two pictures differ so that it can be seen, and one pixel around."""
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(axis=2)
    # In steps of 1/8 level, so that the mean is not rounded to whole levels.
    image = Image.fromarray(np.minimum(difference * 8, 255).astype(np.uint8))
    mean = np.asarray(image.filter(ImageFilter.BoxBlur(1)))
    seen = Image.fromarray(np.where(mean > 8 * _SEEN, 255, 0).astype(np.uint8))
    return np.asarray(seen.filter(ImageFilter.MaxFilter(3))) > 0


def _with_influence(
    frame: Frame, touched: tuple[int, ...], reach: Bool[np.ndarray, "h w"]
) -> Frame:
    influence = frame.influence.copy()
    for k in touched:
        influence[k] = reach & (frame.coverage[k] == 0)
    return dataclasses.replace(frame, influence=influence)
