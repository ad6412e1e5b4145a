"""Template pairs: an edit is a changed parameter, so its right answer is known exactly.

Source and target are two renders that share every layer the edit does not touch; the
mask is where they differ. The mask must lie inside the region that the changed layers
can reach, which is known from their alpha alone: asserted for every pair.
"""

import dataclasses

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.data_engine.render.renderer import (
    PARTS,
    Layers,
    Part,
    depends_on,
    draw_layers,
)
from tbstar_jax.data_engine.render.sampling import (
    Needs,
    sample_other_text,
    sample_product_color,
    sample_scene,
)
from tbstar_jax.data_engine.render.scene import (
    Background,
    Scene,
    Size,
    setting_by_id,
)

EDIT_TASKS: tuple[str, ...] = (
    "bg_white",
    "recolor",
    "watermark_remove",
    "text_replace_en",
    "object_remove",
)
"""Ids of the tasks rendered here (with `identity`, which changes nothing)."""

_NEEDS: dict[str, Needs] = {
    "bg_white": Needs(white=False, watermark=False),
    "recolor": Needs(),
    "watermark_remove": Needs(watermark=True),
    "text_replace_en": Needs(label=True),
    "object_remove": Needs(prop=True),
    "identity": Needs(),
}

CHANGED_PARTS: dict[str, tuple[Part, ...]] = {
    "bg_white": ("background",),
    "recolor": ("product",),
    "watermark_remove": ("watermark",),
    "text_replace_en": ("text",),
    "object_remove": ("prop", "prop_shadow"),
    "identity": (),
}
"""Which layers an edit may redraw, by task id."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A rendered edit.

    Attributes:
      source: uint8 RGB.
      target: uint8 RGB, of the same size.
      change_mask: 255 where they differ, 0 where they are equal.
    """

    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    change_mask: UInt8[np.ndarray, "h w"]


def sample_edit(rng: np.random.Generator, task: str, size: Size) -> tuple[Scene, Scene]:
    """Draws a scene on which a task makes sense, and the scene after the edit.

    Args:
      rng: source of random numbers.
      task: one of `EDIT_TASKS`, or `identity`.
      size: rows and columns, pixels.

    Returns:
      The scene before and after.
    """
    before = sample_scene(rng, size, _NEEDS[task])
    match task:
        case "bg_white":
            white = setting_by_id("white")
            background = Background(setting=white, tone=white.tones[0], seed=0)
            return before, dataclasses.replace(before, background=background)
        case "recolor":
            color = sample_product_color(rng, before.background, before.color)
            return before, dataclasses.replace(before, color=color)
        case "watermark_remove":
            return before, dataclasses.replace(before, watermark=None)
        case "text_replace_en":
            assert before.label is not None
            text = sample_other_text(rng, before.label.text)
            label = dataclasses.replace(before.label, text=text)
            return before, dataclasses.replace(before, label=label)
        case "object_remove":
            return before, dataclasses.replace(before, prop=None)
        case _:
            return before, before


def render_pair(before: Scene, after: Scene, parts: tuple[Part, ...]) -> Pair:
    """Renders an edit and proves that it changed only what it may.

    Args:
      before: the scene in the photo.
      after: the scene in the edited photo, of the same size.
      parts: the layers that may differ.

    Returns:
      Source, target and the exact mask.
    """
    for part in PARTS:
        is_same = depends_on(before, part) == depends_on(after, part)
        assert is_same or part in parts, f"the edit also changes {part}"
    source_layers = draw_layers(before)
    target_layers = draw_layers(after, like=source_layers)
    source, target = source_layers.picture(), target_layers.picture()
    differs = np.any(source != target, axis=2)
    region = expected_region(source_layers, target_layers, parts)
    assert not np.any(differs & ~region), "a pixel changed outside the edited layers"
    mask = np.where(differs, np.uint8(255), np.uint8(0))
    return Pair(source=source, target=target, change_mask=mask)


def expected_region(
    source: Layers, target: Layers, parts: tuple[Part, ...]
) -> np.ndarray:
    """Marks every pixel that redrawing `parts` can change, bool `[h w]`."""
    region = np.zeros(source.scene.size, dtype=bool)
    for part in parts:
        region |= source.reach(part) | target.reach(part)
    return region
