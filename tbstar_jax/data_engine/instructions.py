"""What a merchant would type: a slot grammar in English and Chinese.

Every task has at least four phrasings per language in three manners: a full request, a
merchant's short note, a terse label. Slots are filled from the scene before and after
the edit, so an instruction names the object by what it is and what colour it has.
"""

from collections.abc import Mapping

from tbstar_jax.data_engine.render.scene import Label, Prop, Scene, Watermark
from tbstar_jax.errors import UserError

MAX_BYTES = 94
"""Longest text in UTF-8 bytes: the byte tokenizer has 96 ids with begin and end."""

ENGLISH: Mapping[str, tuple[str, ...]] = {
    "bg_white": (
        "change the background to pure white",
        "put the {color} {family} on a pure white background",
        "replace the {background} with plain white",
        "white background for this {family}, keep the rest",
        "main image: {color} {family} on white",
        "cut out the {family} onto white",
    ),
    "recolor": (
        "make the {color} {family} {new_color}",
        "change the {family} from {color} to {new_color}",
        "recolor the {color} {family} to {new_color}",
        "we also sell this {family} in {new_color}, please show it",
        "I want the {family} in {new_color}",
        "{color} {family} -> {new_color}",
    ),
    "watermark_remove": (
        "remove the watermark",
        "remove the {mark} watermark from the photo",
        "erase the watermark over the {color} {family}",
        "clean off the watermark, keep the {family} as it is",
        "get rid of the {mark} marks on this {family} picture",
        "no watermark",
    ),
    "text_replace_en": (
        "change the label text {text} to {new_text}",
        "replace {text} with {new_text} on the {family}",
        "the {color} {family} should say {new_text} instead of {text}",
        "update the label: {new_text}, not {text}",
        "make the label of the {family} read {new_text}",
        "label {text} -> {new_text}",
    ),
    "object_remove": (
        "remove the {prop_color} {prop}",
        "take away the {prop_color} {prop} next to the {family}",
        "delete the {prop}, keep the {color} {family}",
        "only the {family}, no {prop} please",
        "erase the {prop} and its shadow",
        "without the {prop_color} {prop}",
    ),
    "identity": (
        "keep the photo as it is",
        "leave everything unchanged",
        "do not change anything",
        "the {family} stays {color}",
        "make the {color} {family} {color}",
    ),
}
"""Phrasings by task id."""

CHINESE: Mapping[str, tuple[str, ...]] = {
    "bg_white": (
        "换成纯白背景",
        "把{color}{family}的背景换成纯白色",
        "请将{background}替换为纯白",
        "白底图，{family}保持不变",
        "{family}主图要白底",
        "背景变白",
    ),
    "recolor": (
        "把{color}{family}改成{new_color}",
        "将{family}的颜色由{color}换成{new_color}",
        "请把{family}换成{new_color}",
        "这款{family}还有{new_color}，请展示{new_color}款",
        "{family}改为{new_color}",
        "{color}变{new_color}",
    ),
    "watermark_remove": (
        "去掉水印",
        "去除图片上的{mark}水印",
        "擦掉{color}{family}上的水印",
        "请清除水印，{family}保持不变",
        "把{mark}水印删掉",
        "不要水印",
    ),
    "text_replace_en": (
        "把标签文字{text}改成{new_text}",
        "将{family}上的{text}换成{new_text}",
        "{color}{family}的标签应写{new_text}，不是{text}",
        "标签{text}改为{new_text}",
        "请把{family}的标签更新为{new_text}",
        "{text}改{new_text}",
    ),
    "object_remove": (
        "去掉{prop_color}{prop}",
        "把{family}旁边的{prop_color}{prop}移除",
        "删除{prop}，保留{color}{family}",
        "只要{family}，不要{prop}",
        "请擦除{prop}和它的阴影",
        "不要{prop_color}{prop}",
    ),
    "identity": (
        "保持图片不变",
        "不要修改任何内容",
        "原图保留",
        "{family}保持{color}",
        "把{color}{family}改成{color}",
    ),
}
"""Phrasings by task id."""

_ALREADY_EN = {
    "white": "change the background to pure white",
    "watermark": "remove the watermark",
    "prop": "remove the object beside the {family}",
    "label": "the label should say {text}",
}
_ALREADY_ZH = {
    "white": "换成纯白背景",
    "watermark": "去掉水印",
    "prop": "去掉{family}旁边的物体",
    "label": "标签文字应为{text}",
}


def instructions(
    task: str, before: Scene, after: Scene
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Phrases the request that turns one scene into the other.

    Args:
      task: an id in `ENGLISH`.
      before: the scene in the photo.
      after: the scene in the edited photo.

    Returns:
      English and Chinese phrasings, each at most `MAX_BYTES` UTF-8 bytes.

    Raises:
      UserError: the renderer has no instructions for this task.
    """
    if task not in ENGLISH:
        raise UserError(
            f"there is no instruction grammar for task {task!r}; the renderer's tasks "
            f"are {', '.join(ENGLISH)}"
        )
    phrases_en, phrases_zh = ENGLISH[task], CHINESE[task]
    if task == "identity":
        held = _already_true(before)
        phrases_en += tuple(_ALREADY_EN[fact] for fact in held)
        phrases_zh += tuple(_ALREADY_ZH[fact] for fact in held)
    english = _fill(phrases_en, _slots_en(before, after))
    chinese = _fill(phrases_zh, _slots_zh(before, after))
    for text in (*english, *chinese):
        assert len(text.encode()) <= MAX_BYTES, f"instruction is too long: {text}"
    return english, chinese


def _already_true(scene: Scene) -> list[str]:
    """Requests that this scene fulfils before any edit."""
    facts = {
        "white": scene.background.setting.id == "white" and not scene.watermark,
        "watermark": scene.watermark is None,
        "prop": scene.prop is None,
        "label": scene.label is not None,
    }
    return [name for name, is_true in facts.items() if is_true]


def _fill(phrases: tuple[str, ...], slots: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(phrase.format_map(slots) for phrase in phrases)


def _shared(before: Scene, after: Scene) -> dict[str, str]:
    return {
        "text": _text(before.label),
        "new_text": _text(after.label),
        "mark": _mark(before.watermark),
    }


def _slots_en(before: Scene, after: Scene) -> dict[str, str]:
    background = before.background
    return {
        **_shared(before, after),
        "family": before.family.name_en,
        "color": before.color.name_en,
        "new_color": after.color.name_en,
        "prop": before.prop.kind.name_en if before.prop else "",
        "prop_color": _prop_color(before.prop, "en"),
        "background": background.setting.noun_en.format(tone=background.tone.name_en),
    }


def _slots_zh(before: Scene, after: Scene) -> dict[str, str]:
    background = before.background
    return {
        **_shared(before, after),
        "family": before.family.name_zh,
        "color": before.color.name_zh,
        "new_color": after.color.name_zh,
        "prop": before.prop.kind.name_zh if before.prop else "",
        "prop_color": _prop_color(before.prop, "zh"),
        "background": background.setting.noun_zh.format(tone=background.tone.name_zh),
    }


def _text(label: Label | None) -> str:
    return label.text if label else ""


def _mark(watermark: Watermark | None) -> str:
    return watermark.text if watermark else ""


def _prop_color(prop: Prop | None, language: str) -> str:
    if prop is None:
        return ""
    return prop.color.name_en if language == "en" else prop.color.name_zh
