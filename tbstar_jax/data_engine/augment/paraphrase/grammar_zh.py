"""How a request is put in Chinese: phrasings by task id and manner.

As in `grammar_en.py`: a phrase is used only when the facts fill all its slots.
"""

from tbstar_jax.data_engine.augment.paraphrase.grammar_en import Grammar

CHINESE: Grammar = {
    "bg_white": {
        "request": (
            "将背景换成纯白色",
            "把{background}替换为纯白背景",
            "把{thing}放到纯白背景上",
        ),
        "note": ("白底图，{object}保持不变", "{object}主图要白底"),
        "label": ("背景变白", "{object}白底图"),
        "polite": (
            "麻烦把背景换成纯白的，谢谢",
            "亲，能帮{object}做张白底图吗？",
        ),
    },
    "bg_scene": {
        "request": (
            "将背景换成{new_background}",
            "把{background}替换为{new_background}",
            "以{new_background}为背景展示{thing}",
        ),
        "note": ("{object}换背景：{new_background}", "背景要{new_background}"),
        "label": ("{background}改{new_background}", "换{new_background}"),
        "polite": (
            "麻烦给{object}换个{new_background}，谢谢",
            "请帮忙把背景换成{new_background}",
        ),
    },
    "recolor": {
        "request": (
            "把{thing}改成{new_color}",
            "将{object}的颜色由{color}换成{new_color}",
            "请将{thing}的颜色改为{new_color}",
        ),
        "note": ("这款{object}还有{new_color}，出一张图", "{object}要{new_color}款"),
        "label": ("{color}变{new_color}", "{object}改{new_color}"),
        "polite": (
            "麻烦把{object}换成{new_color}，谢谢",
            "亲，想看看{object}的{new_color}款",
        ),
    },
    "material": {
        "request": (
            "把{thing}的材质换成{new_material}",
            "将{object}由{material}改为{new_material}",
            "让{object}看起来是{new_material}的",
        ),
        "note": ("这款{object}也有{new_material}的", "{object}要{new_material}材质"),
        "label": ("{material}变{new_material}", "{object}材质：{new_material}"),
        "polite": (
            "麻烦把{object}做成{new_material}的，谢谢",
            "亲，想看看{new_material}的{object}",
        ),
    },
    "watermark_remove": {
        "request": (
            "去除图片上的水印",
            "去掉图片上的{text}水印",
            "擦掉{thing}上的水印",
        ),
        "note": ("清掉水印，{object}保持不变", "上架图不要{text}水印"),
        "label": ("不要水印", "去{text}水印"),
        "polite": ("麻烦把水印去掉，谢谢", "请帮忙清除{text}水印"),
    },
    "text_remove": {
        "request": (
            "去掉文字{text}",
            "擦除{thing}上的{kind}{text}",
            "删除{where}的{kind}",
        ),
        "note": ("{object}上不要{text}", "活动结束了，去掉{text}"),
        "label": ("去{text}", "不要{kind}{text}"),
        "polite": ("麻烦把{text}这几个字去掉，谢谢", "请帮忙清除{object}上的{text}"),
    },
    "text_replace_en": {
        "request": (
            "把文字{text}改成{new_text}",
            "将{object}上的{text}换成{new_text}",
            "把{kind}{text}更新为{new_text}",
        ),
        "note": (
            "{thing}应写{new_text}，不是{text}",
            "{kind}换字：{text}换成{new_text}",
        ),
        "label": ("{text}改{new_text}", "{kind}{text}改为{new_text}"),
        "polite": ("麻烦把{text}改成{new_text}，谢谢", "请帮忙将{text}换为{new_text}"),
    },
    "text_add": {
        "request": (
            "加上文字{new_text}",
            "在图片上添加{kind}{new_text}",
            "在{object}上写{new_text}",
            "在{where}加上{new_text}",
        ),
        "note": (
            "{where}放{new_text}",
            "店铺图要加{kind}{new_text}",
            "图上还缺{kind}{new_text}",
        ),
        "label": ("加{new_text}", "{kind}：{new_text}"),
        "polite": (
            "麻烦加上{new_text}几个字，谢谢",
            "请帮忙在{where}写上{new_text}",
            "麻烦加个{kind}{new_text}，谢谢",
        ),
    },
    "object_add": {
        "request": (
            "在{other}旁边加一个{thing}",
            "在{where}放一个{thing}",
            "在画面中添加{thing}",
            "把{object}由{count}个增加到{new_count}个",
        ),
        "note": (
            "{other}旁边要有{thing}",
            "加个{thing}，其他不变",
            "{object}要{new_count}个，不是{count}个",
        ),
        "label": ("加{thing}", "配{thing}", "{object}{new_count}个"),
        "polite": ("麻烦添一个{thing}，谢谢", "请帮忙在{where}摆上{thing}"),
    },
    "object_remove": {
        "request": (
            "去掉{thing}",
            "把{other}旁边的{thing}移除",
            "擦除{where}的{thing}",
            "把{object}由{count}个减少到{new_count}个",
        ),
        "note": (
            "只要{other}，不要{object}",
            "删除{thing}，其他不变",
            "{object}只留{new_count}个，不是{count}个",
        ),
        "label": ("不要{thing}", "去{thing}", "{object}{new_count}个"),
        "polite": ("麻烦把{thing}去掉，谢谢", "请帮忙拿走{thing}"),
    },
    "object_replace": {
        "request": (
            "把{thing}换成{new_thing}",
            "将{thing}替换为{new_thing}",
            "在{thing}的位置放{new_thing}",
        ),
        "note": ("不要{object}，用{new_thing}", "{thing}那里改放{new_thing}"),
        "label": ("{thing}变{new_thing}", "{object}换{new_thing}"),
        "polite": (
            "麻烦把{thing}换成{new_thing}，谢谢",
            "请帮忙用{new_thing}代替{thing}",
        ),
    },
    "light_shadow": {
        "request": (
            "把光线由{light}改为{new_light}",
            "用{new_light}重新打光{thing}",
            "将画面的光影改成{new_light}",
            "让{thing}呈现{new_shadow}",
            "把{shadow}改为{new_shadow}",
        ),
        "note": (
            "{object}不变，换成{new_light}",
            "图片需要{new_light}",
            "{object}要{new_shadow}",
        ),
        "label": (
            "{light}变{new_light}",
            "光线：{new_light}",
            "{new_light}",
            "{shadow}变{new_shadow}",
            "{object}{new_shadow}",
        ),
        "polite": (
            "麻烦调成{new_light}，谢谢",
            "请帮忙给{object}加{new_light}",
            "麻烦把{object}调成{new_shadow}，谢谢",
            "请帮忙把{object}改成{new_shadow}效果",
        ),
    },
    "outpaint": {
        "request": (
            "{way}扩展画面",
            "扩展画面，补全画框外的内容",
            "{way}延伸{new_background}",
        ),
        "note": ("{object}周围多留些空间", "做横幅用，{way}扩大画布"),
        "label": ("{way}扩图", "扩图"),
        "polite": ("麻烦{way}扩一下画面，谢谢", "请帮忙给{object}多留点空白"),
    },
    "layout": {
        "request": (
            "把{object}摆成{new_shape}",
            "将{object}的排版由{shape}改为{new_shape}",
            "请重新排版：{new_layout}",
            "把{object}由{count}个改成{new_count}个",
            "把{thing}{scale}",
        ),
        "note": (
            "新排版：{new_layout}",
            "换个排版，其他不变：{new_layout}",
            "{object}要{new_count}个，不是{count}个",
            "{object}在画面里要{scale}",
        ),
        "label": (
            "排版：{new_layout}",
            "{object}{new_shape}",
            "{object}{new_count}个",
            "{object}{scale}",
        ),
        "polite": (
            "麻烦把{object}排成{new_shape}，谢谢",
            "请帮忙这样排版：{new_layout}",
            "请帮忙放{new_count}个{object}",
            "麻烦把{object}{scale}一点，谢谢",
        ),
    },
    "repair_zoom": {
        "request": (
            "修复{defect}",
            "去除{thing}上的{defect}",
            "{enlarge}{object}，展示细节",
            "把{thing}{enlarge}到看清细节",
        ),
        "note": ("修掉{defect}，{object}保持不变", "{object}细节图，要{enlarge}"),
        "label": ("去{defect}", "修{defect}", "{enlarge}{object}"),
        "polite": (
            "麻烦修一下{defect}，谢谢",
            "请帮忙处理{object}的{defect}",
            "麻烦把{object}{enlarge}一些，谢谢",
        ),
    },
    "move": {
        "request": (
            "把{thing}{way}移动",
            "将{thing}{way}挪一点",
            "把{thing}从{where}移到{new_where}",
        ),
        "note": ("{object}再{way}一些，其他不变", "{object}要放在{new_where}"),
        "label": ("{object}{way}移", "{object}放{new_where}"),
        "polite": ("麻烦把{thing}{way}移一下，谢谢", "请帮忙把{thing}放到{new_where}"),
    },
    "identity": {
        "request": ("保持图片不变", "不要修改任何内容", "把{thing}改成{color}"),
        "note": ("原图就行，别动", "{object}保持{color}"),
        "label": ("原图保留", "{object}{color}不变"),
        "polite": ("这张图很好，请不要改动", "麻烦保持原样，谢谢"),
    },
}
"""Chinese phrasings; `text_replace_zh` uses those of `text_replace_en`."""
