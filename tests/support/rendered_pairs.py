"""Rendered scenes as records with facts, for tests of what is made from pairs."""

import dataclasses

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.render.renderer import PARTS, draw_layers
from tbstar_jax.data_engine.render.sampling import (
    Needs,
    generator,
    sample_other_text,
    sample_product_color,
    sample_scene,
)
from tbstar_jax.data_engine.templates import render_pair
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.input_pipeline.records import EditRecord

SIZE = (64, 64)
EDITS = ("recolor", "object_remove", "text_replace_en", "watermark_remove")


def scene_with_everything(index, watermark=False):
    """A scene with a label, a prop and perhaps a watermark."""
    rng = generator("augment-tests", 0, index, "scene")
    needs = Needs(label=True, prop=True, watermark=watermark, white=False)
    return sample_scene(rng, SIZE, needs)


def edited(scene, task, index=0):
    """The scene after an edit."""
    rng = generator("augment-tests", 1, index, task)
    match task:
        case "recolor":
            color = sample_product_color(rng, scene.background, scene.color)
            return dataclasses.replace(scene, color=color)
        case "object_remove":
            return dataclasses.replace(scene, prop=None)
        case "text_replace_en":
            text = sample_other_text(rng, scene.label.text)
            label = dataclasses.replace(scene.label, text=text)
            return dataclasses.replace(scene, label=label)
        case "watermark_remove":
            return dataclasses.replace(scene, watermark=None)


def facts_between(before, after, task):
    """What is true of an edit of a scene."""
    names = {
        "object_en": before.family.name_en,
        "object_zh": before.family.name_zh,
        "color_en": before.color.name_en,
        "color_zh": before.color.name_zh,
    }
    match task:
        case "recolor":
            names |= {
                "new_color_en": after.color.name_en,
                "new_color_zh": after.color.name_zh,
            }
        case "object_remove":
            names = {
                "other_object_en": names["object_en"],
                "other_object_zh": names["object_zh"],
                "object_en": before.prop.kind.name_en,
                "object_zh": before.prop.kind.name_zh,
                "color_en": before.prop.color.name_en,
                "color_zh": before.prop.color.name_zh,
                "position": before.prop_side,
            }
        case "text_replace_en":
            names |= {"text": before.label.text, "new_text": after.label.text}
        case "watermark_remove":
            names |= {
                "text": before.watermark.text,
                "text_kind_en": "watermark",
                "text_kind_zh": "水印",
            }
    return Facts(**names)


REQUESTS = {
    "recolor": (
        "make the {0.object_en} {0.new_color_en}",
        "把{0.object_zh}改成{0.new_color_zh}",
    ),
    "object_remove": ("remove the {0.object_en}", "去掉{0.object_zh}"),
    "text_replace_en": (
        'change the text to "{0.new_text}"',
        "把文字改成“{0.new_text}”",
    ),
    "watermark_remove": ("remove the watermark", "去掉水印"),
}


def rendered(scene, task, index=0, with_facts=True):
    """The record of one edit of a scene."""
    after = edited(scene, task, index)
    pair = render_pair(scene, after, PARTS)
    facts = facts_between(scene, after, task)
    provenance = {"method": "render", "licence": "Apache-2.0", "origin": "tests"}
    if with_facts:
        provenance["facts"] = facts.to_json()
    english, chinese = (text.format(facts) for text in REQUESTS[task])
    return EditRecord(
        key=f"{index}-{task}",
        source_images=(encode_png(pair.source),),
        target_image=encode_png(pair.target),
        change_mask=encode_png(pair.change_mask),
        instructions_en=(english,),
        instructions_zh=(chinese,),
        task=task,
        scene=f"scene-{index}",
        provenance=provenance,
    )


def picture(scene):
    """A scene, drawn from nothing."""
    return draw_layers(scene).picture()


def arrays(record):
    """Source, target and mask of a record."""
    return (
        decode_image(record.source_images[0]),
        decode_image(record.target_image),
        decode_mask(record.change_mask),
    )


def is_exact(record):
    """Whether the mask is exactly where source and target differ."""
    source, target, mask = arrays(record)
    differs = np.any(source != target, axis=2)
    return np.array_equal(mask, np.where(differs, 255, 0)) and differs.any()
