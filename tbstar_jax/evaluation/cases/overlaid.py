"""Overlays on studio renders: the render is the photo, its product stays uncovered."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from tbstar_jax.data_engine.layout.card import Rect
from tbstar_jax.data_engine.layout.pairs import Drawn
from tbstar_jax.data_engine.studio.sampling import (
    NO_WISHES,
    Needs,
    Wishes,
    sample_scene,
    wished,
)
from tbstar_jax.data_engine.studio.scene import Scene
from tbstar_jax.evaluation.cases.draft import Draft, box_of
from tbstar_jax.evaluation.cases.from_layout import layout_draft
from tbstar_jax.evaluation.cases.from_studio import (
    Shot,
    kept_texts,
    scene_tags,
    still,
)
from tbstar_jax.evaluation.cases.parts import part_support
from tbstar_jax.evaluation.cases.retext import draw_renaming, retext_scene
from tbstar_jax.evaluation.cases.scene_maps import scene_maps

_ROOM = 1.5
_SEEN = 0.5


def plain_scene(
    rng: np.random.Generator, size: tuple[int, int], wishes: Wishes = NO_WISHES
) -> Scene:
    """Draws a product photo with room for overlays around the things.

    Args:
      rng: source of random numbers.
      size: rows and columns, pixels.
      wishes: what the photo is to show.
    """
    scene, _ = sample_scene(rng, size, 2, wished(Needs(room=_ROOM), wishes))
    return retext_scene(scene, draw_renaming(rng))


def plain_shot(
    rng: np.random.Generator, size: tuple[int, int], wishes: Wishes = NO_WISHES
) -> Shot:
    """Draws and renders a product photo; arguments as in `plain_scene`."""
    return still(plain_scene(rng, size, wishes))


def taken_by(shot: Shot) -> tuple[Rect, ...]:
    """Where the things of a photo are, before and after, as shares of the canvas."""
    rows, columns = shot.edit.before.size
    found = []
    for frame in (shot.pair.before, shot.pair.after):
        for coverage in frame.coverage:
            box = box_of(coverage > 0)
            if box is not None:
                found.append(
                    Rect(
                        top=box.top / rows,
                        left=box.left / columns,
                        height=box.height / rows,
                        width=box.width / columns,
                    )
                )
    return tuple(dict.fromkeys(found))


def overlay_draft(drawn: Drawn, under: Shot) -> Draft | None:
    """All that is known of overlays on a studio render.

    Args:
      drawn: the overlays' edit on the render.
      under: the render, itself unedited.

    Returns:
      The draft, or None where a text of the edit is too small to be read.
    """
    product = under.pair.before.coverage[0] > _SEEN
    draft = layout_draft(drawn, product)
    if draft is None:
        return None
    hidden = draft.masks.edit | covered(drawn)
    return dataclasses.replace(
        draft,
        kept_texts=(*kept_texts(under, hidden), *draft.kept_texts),
        tags={**draft.tags, **scene_tags(under.edit)},
        scene=scene_maps(under.pair.before),
    )


def covered(drawn: Drawn) -> Bool[np.ndarray, "h w"]:
    """Marks every pixel that an overlay reaches, before or after."""
    sides = (drawn.source, drawn.target)
    before, after = (
        part_support(one, *(part.id for part in one.card.parts)) for one in sides
    )
    return before | after
