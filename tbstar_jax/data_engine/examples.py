"""Examples of the procedural data sets: from (set, seed, index) to a record.

An example depends on these three alone, so any worker may make any of them, in any
order. The scene's digest, before the edit, is what splits are kept disjoint by.
"""

import dataclasses
from typing import Any

import numpy as np

from tbstar_jax.data_engine.captions import captions
from tbstar_jax.data_engine.instructions import instructions
from tbstar_jax.data_engine.render.renderer import PARTS
from tbstar_jax.data_engine.render.sampling import (
    Needs,
    choose,
    generator,
    sample_background,
    sample_other_text,
    sample_product_color,
    sample_prop,
    sample_scene,
    sample_size,
    sample_watermark,
    stands_out,
)
from tbstar_jax.data_engine.render.scene import Scene, Size, scene_digest
from tbstar_jax.data_engine.templates import (
    CHANGED_PARTS,
    EDIT_TASKS,
    Pair,
    render_pair,
    sample_edit,
)
from tbstar_jax.input_pipeline.records import EditRecord, encode_png

ENGINE_VERSION = 1
"""Raised whenever the same seed would give other pixels or other text."""

_IDENTITY_EVERY = 21


def make_record(
    dataset: str, seed: int, index: int, size: Size | None = None
) -> EditRecord:
    """Renders one example.

    Args:
      dataset: seed space: `base`, `stage1`, `stage2` or `heldout`.
      seed: the user's seed.
      index: number of the example, from 0.
      size: rows and columns in pixels; None draws one of the two buckets.

    Returns:
      A record with PNG images. Edits cycle through the tasks; about one in twenty
      changes nothing, except in `heldout`. `base` pairs are two renderings of a scene.
    """
    rng = generator(dataset, seed, index, "scene")
    drawn = sample_size(rng)
    size = drawn if size is None else size
    if dataset == "base":
        task, before, after = _rendition(rng, size)
        pair = render_pair(before, after, PARTS)
        english, chinese = captions(after)
        scene = after
    else:
        task = _task_of(dataset, index)
        before, after = sample_edit(rng, task, size)
        pair = render_pair(before, after, CHANGED_PARTS[task])
        english, chinese = instructions(task, before, after)
        scene = before
    order = generator(dataset, seed, index, "text")
    return _record(
        key=f"{dataset}-{seed}-{index:06d}",
        pair=pair,
        instructions_en=_shuffled(order, english),
        instructions_zh=_shuffled(order, chinese),
        task=task,
        scene=scene_digest(scene),
        provenance={
            "method": "caption" if dataset == "base" else "render",
            "licence": "Apache-2.0",
            "origin": "tbstar_jax.data_engine.render",
            "engine_version": ENGINE_VERSION,
            "space": dataset,
            "seed": seed,
            "index": index,
            "family": scene.family.id,
            "color": scene.color.id,
            "background": scene.background.setting.id,
        },
    )


def _task_of(dataset: str, index: int) -> str:
    if dataset == "heldout":
        return EDIT_TASKS[index % len(EDIT_TASKS)]
    place = index % _IDENTITY_EVERY
    if place == _IDENTITY_EVERY - 1:
        return "identity"
    return EDIT_TASKS[place % len(EDIT_TASKS)]


def _record(*, pair: Pair, **fields: Any) -> EditRecord:
    return EditRecord(
        source_images=(encode_png(pair.source),),
        target_image=encode_png(pair.target),
        change_mask=encode_png(pair.change_mask),
        **fields,
    )


def _shuffled(rng: np.random.Generator, texts: tuple[str, ...]) -> tuple[str, ...]:
    order = rng.permutation(len(texts))
    return tuple(texts[int(k)] for k in order)


def _rendition(rng: np.random.Generator, size: Size) -> tuple[str, Scene, Scene]:
    """Draws a scene and another rendering of it: one or two attributes differ.

    Returns:
      The id of the task nearest to the first difference, the other rendering, and the
      scene that the caption describes.
    """
    scene = sample_scene(rng, size, Needs())
    task, other = _vary(rng, scene)
    if rng.random() < 0.5:
        _, other = _vary(rng, other)
    return task, other, scene


def _vary(rng: np.random.Generator, scene: Scene) -> tuple[str, Scene]:
    """Changes one attribute; the task id says what an edit back would be."""
    attributes = ["background", "color", "watermark"]
    attributes += ["label"] if scene.label else []
    attributes += ["prop"] if scene.prop else []
    match choose(rng, attributes):
        case "background":
            task = "bg_white" if scene.background.setting.id == "white" else "bg_scene"
            for _ in range(8):
                background = sample_background(rng, None)
                is_other = background.setting != scene.background.setting
                if is_other and stands_out(background.tone.rgb, scene.color.rgb):
                    break
            return task, dataclasses.replace(scene, background=background)
        case "color":
            color = sample_product_color(rng, scene.background, scene.color)
            return "recolor", dataclasses.replace(scene, color=color)
        case "watermark":
            mark = None
            if scene.watermark is None:
                mark = sample_watermark(rng, scene.background)
            task = "watermark_remove" if scene.watermark is None else "text_add"
            return task, dataclasses.replace(scene, watermark=mark)
        case "label":
            assert scene.label is not None
            text = sample_other_text(rng, scene.label.text)
            label = dataclasses.replace(scene.label, text=text)
            return "text_replace_en", dataclasses.replace(scene, label=label)
        case _:
            prop = None
            if rng.random() < 0.5:
                prop = sample_prop(rng, scene.color, scene.background)
            task = "object_add" if prop is None else "object_replace"
            return task, dataclasses.replace(scene, prop=prop)
