"""Words of facts in the other language, where a small table knows them.

A record that came with English facts alone can then be asked for in Chinese, and the
other way round. Colours, materials and the like have fixed names; what a product is
called has not, and is not translated.
"""

import dataclasses

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.studio.settings import SETTINGS

COLOR_NAMES: dict[str, str] = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "teal": "青色",
    "blue": "蓝色",
    "navy": "藏青色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "black": "黑色",
    "white": "白色",
    "grey": "灰色",
    "cream": "米色",
    "beige": "米白色",
    "khaki": "卡其色",
    "burgundy": "酒红色",
    "rose gold": "玫瑰金色",
    "gold": "金色",
    "silver": "银色",
}
"""What colours are called: English to Chinese."""

MATERIAL_NAMES: dict[str, str] = {
    "glass": "玻璃",
    "metal": "金属",
    "stainless steel": "不锈钢",
    "wood": "木头",
    "bamboo": "竹子",
    "plastic": "塑料",
    "ceramic": "陶瓷",
    "leather": "皮革",
    "cotton": "棉布",
    "linen": "亚麻",
    "silk": "丝绸",
    "velvet": "天鹅绒",
    "paper": "纸",
    "stone": "石头",
    "marble": "大理石",
    "rubber": "橡胶",
}
"""What materials are called: English to Chinese."""

TEXT_KIND_NAMES: dict[str, str] = {
    "watermark": "水印",
    "headline": "标题",
    "price": "价格",
    "logo": "标志",
    "slogan": "广告语",
    "label text": "标签文字",
    "date": "日期",
    "caption": "说明文字",
}
"""What kinds of text are called: English to Chinese."""

BACKGROUND_NAMES: dict[str, str] = {
    **{f"{color} background": f"{name}背景" for color, name in COLOR_NAMES.items()},
    "pure white background": "纯白背景",
    "wooden table": "木桌",
    "marble counter": "大理石台面",
    **{setting.name_en: setting.name_zh for setting in SETTINGS},
    "kitchen": "厨房",
    "living room": "客厅",
    "bedroom": "卧室",
    "beach": "海滩",
    "forest": "森林",
    "studio": "摄影棚",
}
"""What backgrounds are called: English to Chinese."""

DEFECT_NAMES: dict[str, str] = {
    "scratch": "划痕",
    "scratches": "划痕",
    "dust": "灰尘",
    "dust spots": "灰尘斑点",
    "stain": "污渍",
    "crease": "折痕",
    "noise": "噪点",
    "blur": "模糊",
    "glare": "反光",
}
"""What defects are called: English to Chinese."""

_TABLES: dict[str, dict[str, str]] = {
    "color": COLOR_NAMES,
    "new_color": COLOR_NAMES,
    "material": MATERIAL_NAMES,
    "new_material": MATERIAL_NAMES,
    "text_kind": TEXT_KIND_NAMES,
    "background": BACKGROUND_NAMES,
    "new_background": BACKGROUND_NAMES,
    "defect": DEFECT_NAMES,
}
"""Facts, without their language, that are translated."""


def with_counterparts(facts: Facts) -> Facts:
    """Adds what the tables know in the language that is missing; replaces nothing.

    Args:
      facts: of an edit.
    """
    found: dict[str, str] = {}
    for name, table in _TABLES.items():
        english = getattr(facts, f"{name}_en")
        chinese = getattr(facts, f"{name}_zh")
        if chinese is None and english is not None:
            known = table.get(english.lower())
            found |= {f"{name}_zh": known} if known else {}
        elif english is None and chinese is not None:
            back = {zh: en for en, zh in reversed(table.items())}
            found |= {f"{name}_en": back[chinese]} if chinese in back else {}
    return dataclasses.replace(facts, **found) if found else facts  # type: ignore[arg-type]
