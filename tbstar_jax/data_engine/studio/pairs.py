"""Source, target and exact mask of an edit, in two variants.

*Physical*: the target is the scene after the edit, drawn anew. Light bounces: another
colour of the product also tints the floor beside it, as it would in a photo. Good for
learning to edit (stage 1).

*Strict*: the target is the source, except inside the region that the edit declares, and
there it is the scene after the edit. The region is known from what the rays meet: the
pixels that any ray of the touched items reaches, with the shadows these items throw
where shape or place change; for a background, the pixels through which it is seen. All
other pixels are the source's, bit for bit (stage 2).

In both variants `change_mask` is exactly where source and target differ.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from tbstar_jax.data_engine.studio.backends import Backend, NumpyBackend
from tbstar_jax.data_engine.studio.edits import Edit
from tbstar_jax.data_engine.studio.materials import material_of
from tbstar_jax.data_engine.studio.renderer import Frame, render_all
from tbstar_jax.data_engine.studio.scene import Scene, scene_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A rendered edit.

    Attributes:
      source: the photo, sRGB.
      target: the edited photo, sRGB.
      change_mask: 255 where they differ, 0 where they are equal.
      region: where the edit may change something (everything if not strict).
      before: all that is known of the source.
      after: all that is known of the scene after the edit.
    """

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    change_mask: UInt8[np.ndarray, "h w"]
    region: Bool[np.ndarray, "h w"]
    before: Frame
    after: Frame


def render_pair(edit: Edit, *, is_strict: bool = True) -> Pair:
    """Renders one edit with the reference."""
    return render_pairs([edit], is_strict=is_strict, backend=NumpyBackend())[0]


def render_pairs(
    edits: Sequence[Edit], *, is_strict: bool, backend: Backend
) -> list[Pair]:
    """Renders edits, all of their scenes together.

    Args:
      edits: scenes before and after.
      is_strict: whether all outside the declared region is kept bit for bit.
      backend: what draws.
    """
    scenes: dict[str, Scene] = {}
    for edit in edits:
        for scene in (edit.before, edit.after):
            scenes[scene_json(scene)] = scene
    frames = dict(zip(scenes, render_all(list(scenes.values()), backend), strict=True))
    return [
        pair_of(
            edit,
            frames[scene_json(edit.before)],
            frames[scene_json(edit.after)],
            is_strict=is_strict,
        )
        for edit in edits
    ]


def pair_of(
    edit: Edit,
    before: Frame,
    after: Frame,
    *,
    is_strict: bool,
    within: Bool[np.ndarray, "h w"] | None = None,
) -> Pair:
    """Source, target and mask from the renders of both scenes.

    Args:
      edit: what is changed.
      before: the source.
      after: the scene after the edit.
      is_strict: whether all outside the declared region is kept bit for bit.
      within: narrows the declared region, where it says more than is to be seen.
    """
    if is_strict:
        region = declared_region(edit, before, after)
        if within is not None:
            region &= within
    else:
        region = np.ones(edit.before.size, bool)
    target = np.where(region[:, :, None], after.image, before.image)
    differs = np.any(target != before.image, axis=2)
    return Pair(
        source=before.image,
        target=target,
        change_mask=np.where(differs, 255, 0).astype(np.uint8),
        region=region,
        before=before,
        after=after,
    )


def declared_region(edit: Edit, before: Frame, after: Frame) -> Bool[np.ndarray, "h w"]:
    """Marks the pixels that an edit may change in its strict variant.

    Args:
      edit: what is changed.
      before: the source.
      after: the scene after the edit.
    """
    region = np.zeros(edit.before.size, bool)
    if edit.extent == "all":
        return ~region
    if edit.extent == "backdrop":
        opaque = [
            k
            for k, item in enumerate(edit.before.items)
            if not material_of(item.material).glass
        ]
        return before.coverage[opaque].sum(axis=0) < 1 - 1e-6
    for frame, touched in (
        (before, edit.touched_before),
        (after, edit.touched_after),
    ):
        for k in touched:
            region |= frame.coverage[k] > 0
            if edit.extent == "items":
                region |= frame.influence[k]
    return region
