"""What is written on cards, and what instructions call the things on them.

All brands are invented. Texts come in pairs that say the same in both languages.
"""

import dataclasses
from typing import TypeAlias

from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.layout.card import (
    DamageKind,
    Form,
    LightKind,
    PromoKind,
)
from tbstar_jax.data_engine.render.logos import LogoForm
from tbstar_jax.data_engine.render.scene import Color


@dataclasses.dataclass(frozen=True)
class Words:
    """The same thing in both languages."""

    en: str
    zh: str

    def colored(self, color: Color) -> "Words":
        """The same with its `{color}` filled in."""
        return Words(
            self.en.format(color=color.name_en), self.zh.format(color=color.name_zh)
        )

    def of(self, language: Language) -> str:
        """The text in one language."""
        return self.en if language == "en" else self.zh


Nouns: TypeAlias = dict[str, Words]

HEADLINES: tuple[Words, ...] = (
    Words("Summer Sale", "夏日特惠"),
    Words("New Arrival", "新品上市"),
    Words("Best Seller", "热销爆款"),
    Words("Big Weekend Deals", "周末大放价"),
    Words("Buy One Get One", "买一送一"),
    Words("Made To Last", "经久耐用"),
    Words("Everyday Comfort", "舒适每一天"),
    Words("Gift Season", "送礼季"),
    Words("Limited Edition", "限量发售"),
    Words("Member Day", "会员日"),
    Words("Back To School", "开学季"),
    Words("Fresh Start", "焕新出发"),
    Words("Up To 50% Off", "低至五折"),
    Words("Home Favorites", "居家好物"),
    Words("Simple And Bright", "简约明亮"),
    Words("Spring Picks", "春季精选"),
    Words("Winter Warmth", "冬日暖意"),
    Words("Pure Design", "纯粹设计"),
)
"""Large texts."""

NOTES: tuple[Words, ...] = (
    Words("Free shipping today", "今日包邮"),
    Words("7-day free returns", "七天无理由退换"),
    Words("2-year warranty", "两年质保"),
    Words("Ships in 24 hours", "24小时内发货"),
    Words("Order before June 18", "6月18日截止"),
    Words("While stocks last", "售完即止"),
    Words("Official flagship store", "官方旗舰店"),
    Words("Tap to shop now", "点击立即抢购"),
    Words("Soft, light, durable", "柔软 轻盈 耐用"),
    Words("Five colors to choose", "五色可选"),
    Words("Safe for the family", "全家放心用"),
    Words("Limit 2 per customer", "每人限购2件"),
)
"""Small texts."""

BADGES: tuple[Words, ...] = (
    Words("NEW", "新品"),
    Words("HOT", "热卖"),
    Words("SALE", "特价"),
    Words("TOP 1", "第一名"),
    Words("-20%", "八折"),
    Words("-30%", "七折"),
    Words("-50%", "五折"),
    Words("FREE GIFT", "送赠品"),
    Words("FREE SHIPPING", "包邮"),
    Words("LIMITED", "限量"),
    Words("BEST BUY", "超值"),
    Words("2 FOR 1", "买一送一"),
    Words("PREMIUM", "优选"),
    Words("GENUINE", "正品"),
    Words("LAST DAY", "最后一天"),
    Words("VIP", "会员价"),
)
"""What a badge says."""

MARKS: tuple[Words, ...] = (
    Words("SAMPLE", "样图"),
    Words("PREVIEW", "预览"),
    Words("DO NOT COPY", "请勿盗图"),
    Words("DRAFT", "草稿"),
    Words("MY SHOP", "我的小店"),
    Words("STOCK PHOTO", "图库素材"),
    Words("PROOF", "校样"),
    Words("COPYRIGHT", "版权所有"),
)
"""What a watermark says."""

BRANDS: tuple[Words, ...] = (
    Words("NORVIA", "诺维雅"),
    Words("LUMEKO", "露美克"),
    Words("Velta", "维塔"),
    Words("KIRUNO", "奇露诺"),
    Words("Osmera", "奥美拉"),
    Words("TANVO", "唐沃"),
    Words("Belquin", "贝昆"),
    Words("SORELO", "索雷洛"),
)
"""Invented brands."""

PRICES: tuple[str, ...] = ("9.9", "19", "29", "39.9", "59", "79", "99", "129", "199")
"""Amounts of money, cheapest first."""

FORM_NOUNS: dict[Form, Words] = {
    "circle": Words("round badge", "圆形徽章"),
    "burst": Words("starburst badge", "爆炸贴"),
    "pill": Words("pill-shaped badge", "胶囊角标"),
    "plate": Words("rectangular badge", "方形角标"),
    "ribbon": Words("ribbon", "丝带标"),
    "tag": Words("hang tag", "吊牌"),
    "hexagon": Words("hexagonal badge", "六边形徽章"),
    "shield": Words("shield badge", "盾形徽章"),
    "flag": Words("bookmark badge", "书签角标"),
}

LOGO_NOUNS: dict[LogoForm, Words] = {
    "ring": Words("ring logo", "圆环标志"),
    "peak": Words("mountain logo", "山形标志"),
    "petals": Words("flower logo", "花瓣标志"),
    "chevron": Words("arrow logo", "箭头标志"),
    "stripes": Words("striped logo", "条纹标志"),
    "squares": Words("square logo", "方块标志"),
}

LANGUAGES: Nouns = {
    "en": Words("English", "英文"),
    "zh": Words("Chinese", "中文"),
}
TEXT_PLATE = Words("{color} label", "{color}底框")
CODE_NOUN = Words("QR code", "二维码")
PRICE_NOUN = Words("price", "价格")
PRICE_PLATE_NOUN = Words("price label", "价格标签")
HEADLINE_NOUN = Words("headline", "标题")
NOTE_NOUN = Words("small text", "小字")
BADGE_TEXT_NOUN = Words("badge text", "徽章文字")
WATERMARK_NOUN = Words("watermark", "水印")

LIGHT_NOUNS: dict[LightKind, Words] = {
    "vignette": Words("dark corners", "暗角"),
    "left": Words("warm light from the left", "左侧暖光"),
    "right": Words("warm light from the right", "右侧暖光"),
    "top": Words("warm light from above", "顶部暖光"),
}
EVEN_LIGHT = Words("even light", "均匀光线")
SHADOW = Words("soft shadow", "柔和阴影")
NO_SHADOW = Words("no shadow", "无阴影")

DAMAGE_NOUNS: dict[DamageKind, Words] = {
    "scratch": Words("scratches", "划痕"),
    "dust": Words("dust spots", "灰尘斑点"),
    "stain": Words("water stain", "水渍"),
}

PROMO_NOUNS: dict[PromoKind, Words] = {
    "plain": Words("{color} background", "{color}背景"),
    "gradient": Words("{color} gradient background", "{color}渐变背景"),
    "rays": Words("{color} sunburst background", "{color}放射背景"),
    "dots": Words("{color} polka dot background", "{color}波点背景"),
    "split": Words("{color} two-tone background", "{color}双色背景"),
    "arc": Words("{color} background with a circle", "{color}圆形背景"),
}

POSITIONS: Nouns = {
    "left": Words("on the left", "左侧"),
    "right": Words("on the right", "右侧"),
    "top": Words("at the top", "顶部"),
    "bottom": Words("at the bottom", "底部"),
    "center": Words("in the center", "中间"),
    "top left": Words("in the top left corner", "左上角"),
    "top right": Words("in the top right corner", "右上角"),
    "bottom left": Words("in the bottom left corner", "左下角"),
    "bottom right": Words("in the bottom right corner", "右下角"),
}
"""Where a thing is."""

DESTINATIONS: Nouns = {
    "left": Words("to the left", "左侧"),
    "right": Words("to the right", "右侧"),
    "top": Words("to the top", "顶部"),
    "bottom": Words("to the bottom", "底部"),
    "center": Words("to the center", "中间"),
    "top left": Words("to the top left corner", "左上角"),
    "top right": Words("to the top right corner", "右上角"),
    "bottom left": Words("to the bottom left corner", "左下角"),
    "bottom right": Words("to the bottom right corner", "右下角"),
}
"""Where a thing goes."""

DIRECTIONS: Nouns = {
    "left": Words("to the left", "向左"),
    "right": Words("to the right", "向右"),
    "up": Words("upwards", "向上"),
    "down": Words("downwards", "向下"),
    "all sides": Words("on all sides", "向四周"),
}
"""Which way a picture grows or a thing moves."""

WHITE_BACKGROUND = Words("pure white background", "纯白背景")
