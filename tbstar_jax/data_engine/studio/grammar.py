"""Instructions from the facts of an edit: a slot grammar in English and Chinese.

Every phrasing names what is edited as the facts do. `{thing}` is the thing edited with
its colour, `{noun}` without it, `{a_new_thing}` what takes its place.
"""

from tbstar_jax.data_engine.facts import Facts

_EN: dict[str, tuple[str, ...]] = {
    "background": (
        "Change the background to {a_new_background}.",
        "Replace the {background_en} with {a_new_background}.",
        "Put {thing} on {a_new_background}; keep everything else.",
        "Make it {a_new_background} instead of the {background_en}.",
        "Give this photo {a_new_background}.",
    ),
    "recolor": (
        "Change the color of {thing} to {new_color_en}.",
        "Make {thing} {new_color_en}.",
        "Recolor {thing} in {new_color_en}, keep everything else.",
        "Turn {thing} into a {new_color_en} one.",
        "I want the {noun} in {new_color_en} instead of {color_en}.",
    ),
    "material": (
        "Change the material of {thing} to {new_material_en}.",
        "Make {thing} out of {new_material_en}.",
        "{Thing} should be {new_material_en} instead of {material_en}.",
        "Replace the {material_en} of {thing} with {new_material_en}.",
    ),
    "text_remove": (
        'Remove the text "{text}" from the label.',
        'Erase "{text}" on {thing}.',
        'Delete "{text}" from the label of {thing}, leave the rest of it.',
        'Take the words "{text}" off the label.',
    ),
    "text_replace": (
        'Change the text "{text}" to "{new_text}".',
        'Replace "{text}" on the label with "{new_text}".',
        'The label of {thing} should say "{new_text}" instead of "{text}".',
        'Rewrite "{text}" as "{new_text}".',
    ),
    "text_add": (
        'Add the text "{new_text}" to the label.',
        'Print "{new_text}" on the label of {thing}.',
        'Write "{new_text}" on the label.',
        'The label of {thing} should say "{new_text}".',
    ),
    "object_add": (
        "Add {a_thing} {where_en}.",
        "Put {a_thing} next to the {other_object_en}, {where_en}.",
        "Place {a_thing} beside the {other_object_en} {where_en}.",
        "There should be {a_thing} {where_en}.",
    ),
    "object_remove": (
        "Remove {thing} {where_en}.",
        "Delete {thing} next to the {other_object_en}.",
        "Take {thing} away, with its shadow.",
        "Erase {thing} and keep the {other_object_en}.",
    ),
    "object_replace": (
        "Replace {thing} with {a_new_thing}.",
        "Swap {thing} {where_en} for {a_new_thing}.",
        "Put {a_new_thing} where {thing} is.",
        "Exchange {thing} next to the {other_object_en} for {a_new_thing}.",
    ),
    "light_shadow": (
        "Change the lighting from {light_en} to {new_light_en}.",
        "Relight the photo: {new_light_en}.",
        "Give {thing} {new_light_en}.",
        "I want {new_light_en} instead of {light_en}.",
    ),
    "count": (
        "Show {new_counted} instead of {count}.",
        "Change the photo from {counted} to {new_counted}.",
        "Arrange it as {new_layout_en} instead of {layout_en}.",
        "Make the count {new_count}: {new_layout_en}.",
    ),
    "resize": (
        "Make {thing} {new_size}.",
        "Show {thing} {new_size} on the same spot.",
        "{Thing} should be {new_size}.",
        "Change the size of {thing}: make it {new_size}.",
    ),
    "swap": (
        "Swap the places of the {noun} and the {other_object_en}.",
        "Rearrange: {new_layout_en}.",
        "Put {new_layout_en}.",
        "Exchange the positions of {thing} and the {other_object_en}.",
    ),
    "move": (
        "Move {thing} to the {direction}.",
        "Shift {thing} {direction}.",
        "Slide {thing} further {direction}.",
        "{Thing} should stand further to the {direction}.",
    ),
    "identity": (
        "Keep {thing} exactly as it is.",
        "Change nothing.",
        "Leave the photo of {thing} unchanged.",
        "Do not edit anything, {thing} is fine.",
    ),
}

_ZH: dict[str, tuple[str, ...]] = {
    "background": (
        "把背景换成{new_background_zh}。",
        "将{background_zh}替换为{new_background_zh}。",
        "把{thing}放到{new_background_zh}上，其他不变。",
        "背景改用{new_background_zh}。",
        "给这张图换上{new_background_zh}。",
    ),
    "recolor": (
        "把{thing}改成{new_color_zh}。",
        "将{thing}的颜色换成{new_color_zh}。",
        "{thing}换个颜色，要{new_color_zh}的，其他保持不变。",
        "我想要{new_color_zh}的{noun}，不要{color_zh}。",
    ),
    "material": (
        "把{thing}的材质换成{new_material_zh}。",
        "将{thing}改为{new_material_zh}材质。",
        "{thing}不要{material_zh}，要{new_material_zh}的。",
        "用{new_material_zh}代替{thing}的{material_zh}。",
    ),
    "text_remove": (
        "去掉标签上的文字“{text}”。",
        "擦除{thing}上的“{text}”。",
        "删除{thing}标签上的“{text}”，标签的其余部分不变。",
        "把标签上的“{text}”清除干净。",
    ),
    "text_replace": (
        "把文字“{text}”改成“{new_text}”。",
        "将标签上的“{text}”替换为“{new_text}”。",
        "{thing}的标签应写“{new_text}”，而不是“{text}”。",
        "“{text}”改写为“{new_text}”。",
    ),
    "text_add": (
        "在标签上添加文字“{new_text}”。",
        "给{thing}的标签印上“{new_text}”。",
        "标签上写“{new_text}”。",
        "让{thing}的标签显示“{new_text}”。",
    ),
    "object_add": (
        "在{where_zh}添加{a_thing}。",
        "在{other_object_zh}旁边放{a_thing}，位于{where_zh}。",
        "{where_zh}加上{a_thing}。",
        "请在{where_zh}摆放{a_thing}。",
    ),
    "object_remove": (
        "去掉{where_zh}的{thing}。",
        "删除{other_object_zh}旁边的{thing}。",
        "把{thing}连同阴影一起移除。",
        "擦除{thing}，保留{other_object_zh}。",
    ),
    "object_replace": (
        "把{thing}换成{a_new_thing}。",
        "将{where_zh}的{thing}替换为{a_new_thing}。",
        "在{thing}的位置改放{a_new_thing}。",
        "{other_object_zh}旁边的{thing}换成{a_new_thing}。",
    ),
    "light_shadow": (
        "把{light_zh}改成{new_light_zh}。",
        "重新打光：{new_light_zh}。",
        "给{thing}换上{new_light_zh}。",
        "我想要{new_light_zh}，而不是{light_zh}。",
    ),
    "count": (
        "把{noun}的数量从{count}改成{new_count}。",
        "改为展示{new_count}{measure}{noun}，现在是{count}{measure}。",
        "排列方式由{layout_zh}改为{new_layout_zh}。",
        "让图中有{new_count}{measure}{noun}。",
    ),
    "resize": (
        "把{thing}{size_zh}。",
        "将{thing}在原位{size_zh}。",
        "让{thing}{size_zh}一些。",
        "请{size_zh}{thing}。",
    ),
    "swap": (
        "交换{noun}和{other_object_zh}的位置。",
        "重新摆放：{new_layout_zh}。",
        "改为{new_layout_zh}。",
        "把{thing}与{other_object_zh}对调。",
    ),
    "move": (
        "把{thing}向{direction_zh}移动。",
        "将{thing}往{direction_zh}挪一些。",
        "{thing}再靠{direction_zh}一点。",
        "让{thing}的位置更偏{direction_zh}。",
    ),
    "identity": (
        "保持{thing}原样。",
        "什么都不要改。",
        "{thing}的照片不做任何修改。",
        "不需要编辑，{thing}这样就好。",
    ),
}

_WHERE_EN = {"left": "on the left", "right": "on the right", "center": "in the middle"}
_WHERE_ZH = {"left": "左侧", "right": "右侧", "center": "中间"}
_SIZES_ZH = {"larger": "放大", "smaller": "缩小"}


def instructions(
    task: str, facts: Facts, measure_zh: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All phrasings of an edit.

    Args:
      task: one of `edits.EDIT_TASKS`.
      facts: what is true of it.
      measure_zh: the measure word of what is edited.

    Returns:
      At least four in English and four in Chinese.
    """
    wording = _wording(task, facts)
    known = facts.to_json()
    english = known | _english_slots(facts)
    chinese = known | _chinese_slots(facts, measure_zh)
    return (
        tuple(text.format_map(english) for text in _EN[wording]),
        tuple(text.format_map(chinese) for text in _ZH[wording]),
    )


def _wording(task: str, facts: Facts) -> str:
    if task == "layout":
        if facts.new_count is not None:
            return "count"
        return "resize" if facts.new_size else "swap"
    shared = {
        "bg_white": "background",
        "bg_scene": "background",
        "text_replace_en": "text_replace",
        "text_replace_zh": "text_replace",
    }
    return shared.get(task, task)


def _english_slots(facts: Facts) -> dict[str, str]:
    noun = facts.object_en or "product"
    named = f"{facts.color_en} {noun}" if facts.color_en else noun
    new = facts.new_object_en or noun
    new_named = f"{facts.new_color_en} {new}" if facts.new_color_en else new
    return {
        "noun": noun,
        "counted": _counted(facts.count, noun),
        "new_counted": _counted(facts.new_count, noun),
        "thing": f"the {named}",
        "Thing": f"The {named}",
        "a_thing": _article(named),
        "a_new_thing": _article(new_named),
        "a_new_background": _article(facts.new_background_en or "background"),
        "where_en": _WHERE_EN.get(facts.position or "", ""),
        "direction": facts.direction or "",
    }


def _counted(count: int | None, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith(("x", "ch")) else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _chinese_slots(facts: Facts, measure_zh: str) -> dict[str, str]:
    noun = facts.object_zh or "商品"
    named = f"{facts.color_zh}{noun}" if facts.color_zh else noun
    new = facts.new_object_zh or noun
    new_named = f"{facts.new_color_zh}{new}" if facts.new_color_zh else new
    return {
        "noun": noun,
        "thing": named,
        "a_thing": f"一{measure_zh}{named}",
        # All that may replace something is counted with the general measure word.
        "a_new_thing": f"一个{new_named}",
        "where_zh": _WHERE_ZH.get(facts.position or "", "旁边"),
        "direction_zh": {"left": "左", "right": "右"}.get(facts.direction or "", ""),
        "size_zh": _SIZES_ZH.get(facts.new_size or "", ""),
        "measure": measure_zh,
    }
