"""Yes-no questions about the right edit, from what is known of the scene."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from tbstar_jax.evaluation.cases.case import KeptText, Question
from tbstar_jax.evaluation.cases.draft import Ask, Wording
from tbstar_jax.evaluation.cases.wording import fill

_Kind: TypeAlias = Literal["edit", "keep", "text", "count", "color"]
_Row: TypeAlias = tuple[str, str, bool, _Kind]


def questions(
    asks: Sequence[Ask], kept_texts: Sequence[KeptText]
) -> tuple[Question, ...]:
    """Two questions per edit, and one on what is kept; both answers are among them.

    Args:
      asks: what was asked for.
      kept_texts: what must still be written.
    """
    found = []
    for ask in asks:
        for english, chinese, answer, kind in _ROWS[ask.wording]:
            said = fill((english, chinese), ask)
            found.append(Question(en=said[0], zh=said[1], answer=answer, kind=kind))
    for kept in kept_texts[:1]:
        found.append(
            Question(
                en=f'Does the picture still say "{kept.text}"?',
                zh=f"图中是否仍写着“{kept.text}”？",
                answer=True,
                kind="keep",
            )
        )
    return tuple(found)


_ADDED: tuple[_Row, ...] = (
    ("Is there {a_thing} {at}?", "{at}有一{measure}{thing}吗？", True, "edit"),
    (
        "Is the picture without any {object}?",
        "图中没有任何{object}吗？",
        False,
        "edit",
    ),
)
_REPLACED: tuple[_Row, ...] = (
    ("Is there {a_new_thing}?", "图中有一个{new_thing}吗？", True, "edit"),
    ("Is there {a_thing}?", "图中有{thing}吗？", False, "edit"),
)

_ROWS: Mapping[Wording, tuple[_Row, ...]] = {
    "bg_white": (
        ("Is the background pure white?", "背景是纯白色吗？", True, "edit"),
        (
            "Can the {background} still be seen?",
            "还能看到{background}吗？",
            False,
            "edit",
        ),
    ),
    "bg_scene": (
        (
            "Does the picture show {a_new_background}?",
            "图中是{new_background}吗？",
            True,
            "edit",
        ),
        ("Is the {thing} gone?", "{thing}不见了吗？", False, "keep"),
    ),
    "recolor": (
        ("Is the {object} {new_color}?", "{object}是{new_color}的吗？", True, "color"),
        ("Is the {object} {color}?", "{object}是{color}的吗？", False, "color"),
    ),
    "material": (
        (
            "Does the {object} look like {new_material}?",
            "{object}看起来是{new_material}的吗？",
            True,
            "edit",
        ),
        (
            "Does the {object} look like {material}?",
            "{object}看起来是{material}的吗？",
            False,
            "edit",
        ),
    ),
    "watermark_remove": (
        (
            "Can the watermark {quoted} be seen?",
            "能看到水印{quoted}吗？",
            False,
            "text",
        ),
        ("Is the picture free of watermarks?", "图中没有水印吗？", True, "edit"),
    ),
    "text_remove": (
        (
            "Can the {text_kind} {quoted} be read?",
            "能读到{text_kind}{quoted}吗？",
            False,
            "text",
        ),
        (
            "Has the {text_kind} {quoted} been taken away?",
            "{text_kind}{quoted}已经去掉了吗？",
            True,
            "edit",
        ),
    ),
    "text_replace": (
        (
            "Does the {text_kind} say {new_quoted}?",
            "{text_kind}写的是{new_quoted}吗？",
            True,
            "text",
        ),
        (
            "Does the {text_kind} say {quoted}?",
            "{text_kind}写的是{quoted}吗？",
            False,
            "text",
        ),
    ),
    "text_translate": (
        (
            "Does the {text_kind} say {new_quoted}?",
            "{text_kind}写的是{new_quoted}吗？",
            True,
            "text",
        ),
        (
            "Is the {text_kind} in {language}?",
            "{text_kind}是{language}的吗？",
            False,
            "text",
        ),
    ),
    "price_replace": (
        ("Is the price {new_text}?", "价格是{new_text}吗？", True, "text"),
        ("Is the price {text}?", "价格是{text}吗？", False, "text"),
    ),
    "text_add": (
        (
            "Can {new_quoted} be read {at}?",
            "{at}能读到{new_quoted}吗？",
            True,
            "text",
        ),
        (
            "Does the new text cover the product?",
            "新加的文字遮住了商品吗？",
            False,
            "keep",
        ),
    ),
    "label_add": (
        (
            "Does the label of the {object} say {new_quoted}?",
            "{object}的标签写着{new_quoted}吗？",
            True,
            "text",
        ),
        (
            "Is the label of the {object} without any text?",
            "{object}的标签上没有任何文字吗？",
            False,
            "text",
        ),
    ),
    "object_add": _ADDED,
    "shown_add": _ADDED,
    "object_remove": (
        ("Is there {a_thing}?", "图中有{thing}吗？", False, "edit"),
        (
            "Is the {other_object} still there?",
            "{other_object}还在吗？",
            True,
            "keep",
        ),
    ),
    "part_remove": (
        ("Is there {a_thing} {place}?", "图中有{place}{thing}吗？", False, "edit"),
        (
            "Has the {thing} {place} been taken away?",
            "{place}{thing}已经去掉了吗？",
            True,
            "edit",
        ),
    ),
    "object_replace": _REPLACED,
    "shown_replace": _REPLACED,
    "relight": (
        ("Is there {new_light}?", "图中是{new_light}吗？", True, "edit"),
        ("Is there {light}?", "图中是{light}吗？", False, "edit"),
    ),
    "light_add": (
        ("Does the picture have {new_light}?", "画面有{new_light}吗？", True, "edit"),
        ("Does the picture have {light}?", "画面是{light}吗？", False, "edit"),
    ),
    "light_remove": (
        ("Does the picture have {new_light}?", "画面是{new_light}吗？", True, "edit"),
        ("Does the picture have {light}?", "画面有{light}吗？", False, "edit"),
    ),
    "light_turn": (
        (
            "Is the {object} lit by {new_light}?",
            "照在{object}上的是{new_light}吗？",
            True,
            "edit",
        ),
        (
            "Is the {object} lit by {light}?",
            "照在{object}上的是{light}吗？",
            False,
            "edit",
        ),
    ),
    "shadow_add": (
        ("Does the {object} cast a shadow?", "{object}有投影吗？", True, "edit"),
        (
            "Does the {object} seem to float without shadow?",
            "{object}没有阴影，像悬空一样吗？",
            False,
            "edit",
        ),
    ),
    "shadow_remove": (
        ("Does the {object} cast a shadow?", "{object}有投影吗？", False, "edit"),
        ("Is the {object} still there?", "{object}还在吗？", True, "keep"),
    ),
    "shadows_add": (
        ("Are there shadows on the floor?", "地面上有阴影吗？", True, "edit"),
        ("Is the {object} gone?", "{object}不见了吗？", False, "keep"),
    ),
    "shadows_remove": (
        ("Are there shadows on the floor?", "地面上有阴影吗？", False, "edit"),
        ("Is the {object} still there?", "{object}还在吗？", True, "keep"),
    ),
    "shadows_soften": (
        (
            "Do the shadows on the floor have sharp edges?",
            "地面上的阴影边缘清晰吗？",
            False,
            "edit",
        ),
        ("Are there shadows on the floor?", "地面上有阴影吗？", True, "edit"),
        ("Is the {object} gone?", "{object}不见了吗？", False, "keep"),
    ),
    "outpaint": (
        (
            "Does the picture fill the whole canvas?",
            "画面填满了整个画布吗？",
            True,
            "edit",
        ),
        (
            "Is there an empty grey area along the border?",
            "边缘还有空白的灰色区域吗？",
            False,
            "edit",
        ),
    ),
    "swap": (
        (
            "Is this the arrangement: {new_layout}?",
            "摆放方式是{new_layout}吗？",
            True,
            "edit",
        ),
        ("Is this the arrangement: {layout}?", "摆放方式是{layout}吗？", False, "edit"),
    ),
    "count": (
        (
            "Does the picture show exactly {new_counted}?",
            "图中正好有{new_counted}吗？",
            True,
            "count",
        ),
        (
            "Does the picture show exactly {counted}?",
            "图中正好有{counted}吗？",
            False,
            "count",
        ),
    ),
    "resize": (
        (
            "Is the {object} shown {new_size} than before?",
            "{object}比原来{size_word}吗？",
            True,
            "edit",
        ),
        ("Is the {object} gone?", "{object}不见了吗？", False, "keep"),
    ),
    "shift": (
        (
            "Does the {object} stand further {toward} than before?",
            "{object}比原来{toward}移了吗？",
            True,
            "edit",
        ),
        (
            "Does the {object} stand where it stood before?",
            "{object}还在原来的位置吗？",
            False,
            "edit",
        ),
    ),
    "move": (
        ("Is the {object} {new_at}?", "{object}在{new_at}吗？", True, "edit"),
        ("Is the {object} {at}?", "{object}在{at}吗？", False, "edit"),
    ),
    "repair": (
        ("Can {defect} be seen on the picture?", "图上有{defect}吗？", False, "edit"),
        ("Is the picture undamaged?", "图片完好无损吗？", True, "edit"),
    ),
    "sharpen": (
        ("Does the picture have {defect}?", "图片有{defect}吗？", False, "edit"),
        ("Does the picture look clean?", "图片看起来干净吗？", True, "edit"),
    ),
    "closeup": (
        ("Is this a close-up of the {object}?", "这是{object}的特写吗？", True, "edit"),
        (
            "Is the {object} as small as before?",
            "{object}还和原来一样小吗？",
            False,
            "edit",
        ),
    ),
}
