"""What edits are called: clauses and a terse form, English and Chinese side by side.

Both sides of a pair have the same slots, so that they say the same.
"""

from collections.abc import Mapping

from tbstar_jax.evaluation.cases.draft import Wording
from tbstar_jax.evaluation.cases.phrases_things import PHRASES_OF_THINGS
from tbstar_jax.evaluation.cases.phrasing import Phrases

PHRASES: Mapping[Wording, Phrases] = {
    **PHRASES_OF_THINGS,
    "bg_white": Phrases(
        (
            (
                "cut the {thing} out onto a pure white background and keep its shadow",
                "把{thing}抠到纯白背景上，并保留它的阴影",
            ),
            (
                "turn the {background} pure white, with the shadow of the {thing} kept",
                "将{background}变成纯白色，{thing}的阴影保留",
            ),
        ),
        ("{thing}, pure white backdrop, shadow stays", "{thing}，纯白底，阴影保留"),
    ),
    "bg_scene": Phrases(
        (
            (
                "place the {thing} in a new setting: {new_background}",
                "给{thing}换一个新场景：{new_background}",
            ),
            (
                "take away the {background} and show {a_new_background} instead",
                "去掉{background}，改为{new_background}",
            ),
        ),
        ("setting: {new_background}", "场景：{new_background}"),
    ),
    "recolor": Phrases(
        (
            (
                "give the {thing} {place} a new color: {new_color}",
                "给{place}{thing}换一个新颜色：{new_color}",
            ),
            (
                "dye the {thing} {place} {new_color}",
                "把{place}{thing}染成{new_color}",
            ),
        ),
        ("{thing} {place} in {new_color}", "{place}{thing}用{new_color}"),
    ),
    "material": Phrases(
        (
            (
                "show the {thing} made of {new_material} rather than {material}",
                "让{thing}看起来是{new_material}的，而不是{material}的",
            ),
            (
                "exchange the {material} of the {thing} for {new_material}",
                "把{thing}的{material}换为{new_material}",
            ),
        ),
        ("{thing}, {new_material} version", "{thing}，{new_material}款"),
    ),
    "watermark_remove": Phrases(
        (
            (
                "take the watermark {quoted} out of the picture",
                "把水印{quoted}从图中清掉",
            ),
            (
                "clear away every trace of the watermark {quoted}",
                "清除水印{quoted}的所有痕迹",
            ),
        ),
        ("picture without the watermark {quoted}", "无水印{quoted}版本"),
    ),
    "text_remove": Phrases(
        (
            (
                "wipe out the {text_kind} {quoted} {place}",
                "抹去{place}{text_kind}{quoted}",
            ),
            (
                "clear the {text_kind} {quoted} {place} away",
                "清掉{place}{text_kind}{quoted}",
            ),
        ),
        ("without the {text_kind} {quoted} {place}", "去{place}{text_kind}{quoted}"),
    ),
    "text_replace": Phrases(
        (
            (
                "let the {text_kind} {quoted} {place} read {new_quoted}",
                "让{place}{text_kind}{quoted}写成{new_quoted}",
            ),
            (
                "exchange the {text_kind} {quoted} {place} for {new_quoted}",
                "将{place}{text_kind}{quoted}换成{new_quoted}",
            ),
        ),
        (
            "{text_kind} {place}: {new_quoted}, not {quoted}",
            "{place}{text_kind}：{new_quoted}，不要{quoted}",
        ),
    ),
    "text_translate": Phrases(
        (
            (
                "put the {text_kind} {quoted} {place} into {new_language}, "
                "as {new_quoted}",
                "将{place}{text_kind}{quoted}译成{new_language}，写作{new_quoted}",
            ),
        ),
        (
            "{text_kind} {quoted} {place} in {new_language}: {new_quoted}",
            "{place}{text_kind}{quoted}用{new_language}：{new_quoted}",
        ),
    ),
    "price_replace": Phrases(
        (
            (
                "let the price {place} read {new_text} where it says {text} now",
                "让{place}价格显示{new_text}，现在写的是{text}",
            ),
            (
                "correct the price {place} from {text} to {new_text}",
                "把{place}价格由{text}更正为{new_text}",
            ),
        ),
        (
            "price {place}: {new_text}, was {text}",
            "{place}价格：{new_text}，原为{text}",
        ),
    ),
    "text_add": Phrases(
        (
            (
                "set the {text_kind} {new_quoted} {at}, {lettering}",
                "在{at}排上{text_kind}{new_quoted}，{lettering}",
            ),
            (
                "print a {text_kind} reading {new_quoted} {at}, {lettering}",
                "在{at}印上{text_kind}，内容为{new_quoted}，{lettering}",
            ),
        ),
        (
            "{at}: {text_kind} {new_quoted}, {lettering}",
            "{at}：{text_kind}{new_quoted}，{lettering}",
        ),
    ),
    "label_add": Phrases(
        (
            (
                "letter the label of the {thing}, which has no text yet: {new_quoted}",
                "在{thing}还没有文字的标签里填上{new_quoted}",
            ),
            (
                "let the label of the {thing} bear the words {new_quoted}",
                "让{thing}的标签带上文字{new_quoted}",
            ),
        ),
        ("label of the {thing}: {new_quoted}", "{thing}标签：{new_quoted}"),
    ),
    "relight": Phrases(
        (
            (
                "light the {thing} differently: {new_light} in place of {light}",
                "给{thing}换一种打光：用{new_light}代替{light}",
            ),
        ),
        ("{new_light}, not {light}", "{new_light}，不要{light}"),
    ),
    "light_add": Phrases(
        (("give the picture {new_light}", "让画面带有{new_light}"),),
        ("with {new_light}", "带{new_light}"),
    ),
    "light_remove": Phrases(
        (("take the {light} out of the picture", "消掉画面的{light}"),),
        ("without {light}", "去{light}"),
    ),
    "light_turn": Phrases(
        (
            (
                "light the {thing} anew: {new_light}, not {light}",
                "给{thing}换光：{new_light}，而不是{light}",
            ),
        ),
        ("{thing}: {new_light}, not {light}", "{thing}：{new_light}，不要{light}"),
    ),
    "shadow_add": Phrases(
        (
            (
                "let the {thing} cast a {new_light} where it stands",
                "让{thing}在落地处投下{new_light}",
            ),
        ),
        ("{thing} with {new_light}", "{thing}带{new_light}"),
    ),
    "shadow_remove": Phrases(
        (("take away the shadow that the {thing} casts", "消去{thing}投下的阴影"),),
        ("{thing} without its shadow", "{thing}去阴影"),
    ),
    "shadows_add": Phrases(
        (("give the picture {new_light}", "为画面加上{new_light}"),),
        ("with {new_light}", "带{new_light}"),
    ),
    "shadows_remove": Phrases(
        (
            (
                "take away all shadows on the floor around the {thing}",
                "消去{thing}周围地面上的所有阴影",
            ),
        ),
        ("floor around the {thing} without shadows", "{thing}周围地面无阴影"),
    ),
    "shadows_soften": Phrases(
        (
            (
                "let the shadows fade to half their darkness, with blurred edges",
                "让阴影淡到一半深，边缘变得模糊",
            ),
        ),
        ("half as dark, blurred shadows", "阴影减淡一半、边缘模糊"),
    ),
    "outpaint": Phrases(
        (
            (
                "widen what the picture shows {toward} and carry the scene on there",
                "让画面{toward}延伸，把场景续画出去",
            ),
            (
                "continue the scene {toward} until the canvas is full",
                "{toward}续画场景，直到填满画布",
            ),
        ),
        ("outpaint {toward}", "{toward}续画"),
    ),
    "swap": Phrases(
        (
            (
                "let the {object} and the {other_object} trade places",
                "让{object}和{other_object}交换位置",
            ),
            (
                "rearrange it: {new_layout}",
                "重新摆放：{new_layout}",
            ),
        ),
        ("{new_layout}", "{new_layout}"),
    ),
    "count": Phrases(
        (
            (
                "show {new_counted} side by side and centered instead of {counted}",
                "改为居中并排展示{new_counted}，现在是{counted}",
            ),
        ),
        ("{new_counted}, centered, not {counted}", "居中{new_counted}，不是{counted}"),
    ),
    "resize": Phrases(
        (
            (
                "scale the {thing} to {new_layout} on the spot where it stands",
                "把{thing}原地缩放到{new_layout}",
            ),
        ),
        ("{thing} at {new_layout}, same spot", "{thing}改为{new_layout}，原地不动"),
    ),
    "shift": Phrases(
        (
            (
                "slide the {thing} {toward} by {new_layout}, together with its shadow",
                "把{thing}连同阴影{toward}平移{new_layout}",
            ),
        ),
        ("{thing} {toward} by {new_layout}", "{thing}{toward}移{new_layout}"),
    ),
    "move": Phrases(
        (
            (
                "bring the {thing} from where it is {at} over {to}",
                "把{at}的{thing}搬到{to}",
            ),
        ),
        ("{thing} {at}: {to}", "{at}的{thing}：到{to}"),
    ),
    "repair": Phrases(
        (
            (
                "restore this damaged picture and leave nothing of the {defect}",
                "修复这张受损的图片，不留{defect}",
            ),
            (
                "clean up the {defect} and bring back what is hidden below",
                "清理{defect}，恢复被遮住的内容",
            ),
        ),
        ("picture without {defect}", "无{defect}版本"),
    ),
    "sharpen": Phrases(
        (
            (
                "undo the {defect} in this picture and show what it should look like",
                "消除图中的{defect}，还原它应有的样子",
            ),
        ),
        ("picture without {defect}", "无{defect}版本"),
    ),
    "closeup": Phrases(
        (
            (
                "zoom in on the {thing} until it takes up {new_layout}, in the middle",
                "放大{thing}，直到它居中并占{new_layout}",
            ),
            (
                "crop the picture to the {thing}, centered and taking up {new_layout}",
                "把画面裁切到{thing}，使其居中并占{new_layout}",
            ),
        ),
        (
            "{thing}, close-up: centered, {new_layout}",
            "{thing}特写：居中，占{new_layout}",
        ),
    ),
}
"""Phrasings by kind of edit."""
