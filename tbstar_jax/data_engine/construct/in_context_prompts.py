"""What a text-to-image model is asked to draw: one scene twice, before and after."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tbstar_jax.data_engine.captions import captions
from tbstar_jax.data_engine.construct.diptych import Layout
from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.instructions import instructions
from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.render.scene import Scene, Size, scene_digest
from tbstar_jax.data_engine.templates import EDIT_TASKS, sample_edit
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

CAPTION_FIELDS: tuple[str, ...] = ("before_en", "after_en", "before_zh", "after_zh")
"""Where a plan's provenance says what both pictures show."""

TEMPLATES: Mapping[Language, Mapping[Layout, tuple[str, ...]]] = {
    "en": {
        "left_right": (
            "Two product photos side by side, the same camera, light and scene. "
            "Left: {before}. Right: exactly the same photo, but {after}.",
            "A diptych of one product photo before and after an edit; nothing else "
            "changes. On the left {before}, on the right {after}.",
        ),
        "top_bottom": (
            "Two product photos, one above the other, the same camera, light and "
            "scene. Top: {before}. Bottom: exactly the same photo, but {after}.",
            "One product photo before and after an edit, stacked; nothing else "
            "changes. Above {before}, below {after}.",
        ),
    },
    "zh": {
        "left_right": (
            "左右并排的两张商品照片，机位、光线和场景完全相同。左图：{before}。"
            "右图：同一张照片，只是变为{after}。",
            "同一张商品照片编辑前后的对比图，其余不变。左边是{before}，右边是{after}。",
        ),
        "top_bottom": (
            "上下排列的两张商品照片，机位、光线和场景完全相同。上图：{before}。"
            "下图：同一张照片，只是变为{after}。",
            "同一张商品照片编辑前后的上下对比图，其余不变。上面是{before}，下面是"
            "{after}。",
        ),
    },
}
"""Prompts by language and layout; `{before}` and `{after}` are captions."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Captions:
    """What both pictures of a pair show.

    Attributes:
      before: caption of the source, by language.
      after: caption of the target, by language.
    """

    before: Mapping[Language, str]
    after: Mapping[Language, str]


def plan_record(
    *,
    key: str,
    captions: Captions,
    instructions_en: tuple[str, ...],
    instructions_zh: tuple[str, ...],
    task: str,
    scene: str,
    provenance: Mapping[str, Any],
) -> EditRecord:
    """A pair that is still to be drawn: a record with instructions, without images.

    Args:
      key: unique within its set.
      captions: what the pictures shall show.
      instructions_en: the edit, in English.
      instructions_zh: the same in Chinese.
      task: an id of `tbstar_jax/tasks.py`.
      scene: what must not be shared between training and held-out sets.
      provenance: licence, origin and facts.
    """
    shown = {
        f"{when}_{language}": getattr(captions, when)[language]
        for when in ("before", "after")
        for language in ("en", "zh")
    }
    return EditRecord(
        key=key,
        source_images=(),
        target_image=b"",
        change_mask=b"",
        instructions_en=instructions_en,
        instructions_zh=instructions_zh,
        task=task,
        scene=scene,
        provenance={**provenance, **shown},
    )


def sampled_scenes(seed: int, index: int, size: Size) -> tuple[str, Scene, Scene]:
    """Draws what a plan is about: task, scene before, scene after.

    Args:
      seed: the user's seed.
      index: number of the plan, from 0; tasks take turns.
      size: rows and columns of one picture, pixels.
    """
    task = EDIT_TASKS[index % len(EDIT_TASKS)]
    before, after = sample_edit(
        generator("in_context", seed, index, "scene"), task, size
    )
    return task, before, after


def sampled_plan(seed: int, index: int, size: Size) -> EditRecord:
    """Draws a plan from the world of `render/`, described by its captions.

    Args:
      seed: the user's seed.
      index: number of the plan, from 0.
      size: rows and columns of one picture, pixels.
    """
    task, before, after = sampled_scenes(seed, index, size)
    english, chinese = instructions(task, before, after)
    shown = [captions(scene) for scene in (before, after)]
    return plan_record(
        key=f"in_context-{seed}-{index:06d}",
        captions=Captions(
            before={"en": shown[0][0][0], "zh": shown[0][1][0]},
            after={"en": shown[1][0][0], "zh": shown[1][1][0]},
        ),
        instructions_en=english,
        instructions_zh=chinese,
        task=task,
        scene=scene_digest(before),
        provenance={"origin": "tbstar_jax.data_engine.construct.in_context"},
    )


def captions_of(record: EditRecord) -> Captions:
    """Reads a plan's captions.

    Raises:
      UserError: one is missing, or not a line of text.
    """
    for name in CAPTION_FIELDS:
        value = record.provenance.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > 1000:
            raise UserError(
                f"record {record.key!r} is no plan for in-context pairs: its "
                f"provenance has {name} = {str(value)[:40]!r}, but must have a caption "
                "of at most 1000 characters"
            )
    shown = record.provenance
    return Captions(
        before={"en": shown["before_en"], "zh": shown["before_zh"]},
        after={"en": shown["after_en"], "zh": shown["after_zh"]},
    )
