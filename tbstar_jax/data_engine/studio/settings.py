"""The backdrops that scenes are drawn from, and what people call them."""

import dataclasses

from tbstar_jax.data_engine.render.sampling import stands_out
from tbstar_jax.data_engine.render.scene import RGB
from tbstar_jax.data_engine.studio.scene import Backdrop, BackdropKind

_BROAD: tuple[BackdropKind, ...] = (
    "stripes", "gingham", "checkers", "bokeh", "dots", "terrazzo", "tiles", "mosaic",
    "chevron", "tartan", "argyle", "waves", "squares", "pebbles", "snow", "water",
    "sunburst",
)  # fmt: skip
"""Kinds whose second colour is no border but an area: it covers much of the picture,
lies in pieces as large as a product's parts, or shines out of the first."""
_OAK, _WALNUT, _BIRCH = (206, 156, 104), (140, 94, 62), (222, 196, 160)
_CREAM, _MIST, _CHALK = (226, 222, 214), (206, 212, 216), (232, 226, 216)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A floor with its background, and what people call it.

    Attributes:
      kind: its patterns.
      name_en: a noun phrase without an article.
      name_zh: a noun phrase.
      tone: the floor's colour, 0..255.
      accent: the pattern's second colour.
      wall: the wall's colour.
    """

    kind: BackdropKind
    name_en: str
    name_zh: str
    tone: RGB
    accent: RGB | None = None
    wall: RGB | None = None

    @property
    def grounds(self) -> tuple[RGB, ...]:
        """The colours that things may stand before."""
        wide = self.accent if self.kind in _BROAD else None
        return tuple(one for one in (self.tone, self.wall, wide) if one is not None)

    def shows(self, rgb: RGB, distance: float = 60.0) -> bool:
        """Whether a thing of a colour stands out wherever it is seen."""
        return all(stands_out(rgb, one, distance) for one in self.grounds)


WHITE = Setting("white", "pure white background", "纯白背景", (255, 255, 255))

SETTINGS: tuple[Setting, ...] = (
    Setting("plain", "light grey background", "浅灰色背景", (214, 216, 220)),
    Setting("plain", "cream background", "米色背景", (240, 228, 206)),
    Setting("plain", "pale pink background", "浅粉色背景", (244, 208, 212)),
    Setting("plain", "pale blue background", "浅蓝色背景", (184, 212, 236)),
    Setting("plain", "pale green background", "浅绿色背景", (190, 220, 194)),
    Setting("gradient", "grey gradient background", "灰色渐变背景", (206, 210, 216)),
    Setting("gradient", "blue gradient background", "蓝色渐变背景", (152, 190, 226)),
    Setting("gradient", "pink gradient background", "粉色渐变背景", (240, 188, 198)),
    Setting("gradient", "beige gradient background", "米色渐变背景", (234, 214, 184)),
    Setting("wood", "oak table", "橡木桌面", _OAK, None, _CREAM),
    Setting("wood", "walnut table", "胡桃木桌面", _WALNUT, None, _CREAM),
    Setting("marble", "white marble counter", "白色大理石台面",
            (236, 236, 238), (194, 194, 196), _MIST),
    Setting("marble", "black marble counter", "黑色大理石台面",
            (44, 44, 48), (196, 192, 184), (176, 170, 160)),
    Setting("tiles", "pale tiled counter", "浅色瓷砖台面",
            (200, 214, 216), (173, 185, 186), _CHALK),
    Setting("tiles", "teal tiled counter", "青绿色瓷砖台面",
            (52, 128, 124), (206, 212, 204), _CHALK),
    Setting("concrete", "light concrete backdrop", "浅色水泥背景",
            (196, 194, 190), None, (190, 188, 184)),
    Setting("concrete", "dark concrete backdrop", "深色水泥背景",
            (98, 98, 100), None, (92, 92, 94)),
    Setting("terrazzo", "white terrazzo counter", "白色水磨石台面",
            (232, 230, 224), (196, 132, 96), (200, 206, 196)),
    Setting("terrazzo", "pink terrazzo counter", "粉色水磨石台面",
            (232, 178, 170), (120, 60, 56), (240, 226, 214)),
    Setting("linen", "natural linen cloth", "原色亚麻布", (208, 190, 160)),
    Setting("linen", "grey linen cloth", "灰色亚麻布", (150, 154, 158)),
    Setting("linen", "navy linen cloth", "藏青色亚麻布", (48, 62, 98)),
    Setting("stripes", "blue striped background", "蓝色条纹背景",
            (96, 146, 204), (238, 240, 240)),
    Setting("stripes", "pink striped background", "粉色条纹背景",
            (240, 160, 178), (248, 234, 228)),
    Setting("stripes", "yellow striped background", "黄色条纹背景",
            (244, 206, 92), (250, 240, 214)),
    Setting("dots", "pink polka dot background", "粉色波点背景",
            (238, 166, 180), (252, 246, 242)),
    Setting("dots", "navy polka dot background", "藏青色波点背景",
            (40, 56, 100), (240, 238, 230)),
    Setting("gingham", "red gingham tablecloth", "红色格子桌布",
            (226, 140, 138), (192, 30, 38), (238, 230, 214)),
    Setting("gingham", "blue gingham tablecloth", "蓝色格子桌布",
            (140, 170, 222), (44, 92, 184), (228, 232, 236)),
    Setting("gingham", "green gingham tablecloth", "绿色格子桌布",
            (146, 190, 150), (40, 116, 66), (240, 234, 216)),
    Setting("checkers", "black and white checkered floor", "黑白棋盘格地板",
            (232, 232, 228), (40, 40, 44), (186, 202, 196)),
    Setting("herringbone", "oak herringbone floor", "橡木人字拼地板",
            (200, 150, 100), None, (222, 226, 224)),
    Setting("herringbone", "grey herringbone floor", "灰色人字拼地板",
            (148, 146, 144), None, (226, 216, 200)),
    Setting("brick", "table in front of a red brick wall", "红砖墙前的木桌",
            _WALNUT, (196, 186, 174), (164, 78, 58)),
    Setting("brick", "table in front of a white brick wall", "白砖墙前的木桌",
            _BIRCH, (196, 194, 190), (232, 230, 226)),
    Setting("shelf", "oak wall shelf", "橡木壁架",
            _OAK, (214, 208, 198), (224, 220, 210)),
    Setting("shelf", "walnut shelf on a green wall", "绿墙上的胡桃木壁架",
            (128, 84, 56), (112, 136, 112), (126, 152, 126)),
    Setting("bokeh", "backdrop of blurred golden lights", "金色光斑背景",
            (66, 46, 34), (255, 176, 70), (52, 34, 26)),
    Setting("bokeh", "backdrop of blurred blue lights", "蓝色光斑背景",
            (30, 40, 66), (90, 160, 255), (20, 28, 54)),
    Setting("metal", "brushed steel counter", "拉丝不锈钢台面",
            (176, 180, 186), None, (208, 210, 210)),
    Setting("metal", "brushed copper counter", "拉丝紫铜台面",
            (206, 132, 96), None, (70, 66, 66)),
    Setting("sand", "golden sandy beach", "金色沙滩",
            (222, 184, 128), None, (132, 188, 228)),
    Setting("sand", "white sandy beach", "白色沙滩",
            (240, 232, 216), None, (110, 196, 220)),
    Setting("grass", "green lawn", "绿色草坪",
            (92, 148, 58), (176, 208, 96), (150, 200, 236)),
    Setting("window", "beige backdrop with window light", "带窗影的米色背景",
            (236, 214, 180)),
    Setting("window", "grey backdrop with window light", "带窗影的灰色背景",
            (200, 204, 210)),
    Setting("window", "sage backdrop with window light", "带窗影的灰绿色背景",
            (168, 184, 160)),
    Setting("panels", "backdrop of white wall panelling", "白色护墙板背景",
            _WALNUT, None, (238, 236, 232)),
    Setting("panels", "backdrop of navy wall panelling", "藏青色护墙板背景",
            _BIRCH, None, (54, 72, 108)),
    Setting("panels", "backdrop of dusty pink wall panelling", "灰粉色护墙板背景",
            _BIRCH, None, (216, 164, 160)),
    Setting("slats", "oak slat backdrop", "橡木格栅背景",
            (226, 220, 210), None, (198, 148, 98)),
    Setting("slats", "dark slat backdrop", "深色格栅背景",
            (150, 144, 138), None, (84, 62, 50)),
    Setting("curtain", "red velvet curtain backdrop", "红色丝绒幕布背景",
            (96, 22, 28), None, (160, 24, 36)),
    Setting("curtain", "grey curtain backdrop", "灰色幕布背景",
            (168, 168, 170), None, (172, 174, 180)),
    Setting("curtain", "emerald curtain backdrop", "翡翠绿幕布背景",
            (22, 70, 56), None, (24, 112, 84)),
    Setting("duo", "pink and cream two-tone background", "粉米双色背景",
            (240, 166, 172), None, (248, 232, 204)),
    Setting("duo", "yellow and blue two-tone background", "黄蓝双色背景",
            (246, 204, 88), None, (110, 172, 220)),
    Setting("duo", "mint and peach two-tone background", "薄荷蜜桃双色背景",
            (166, 222, 198), None, (250, 190, 156)),
    Setting("hexagons", "backdrop of white hexagon tiles", "白色六边形瓷砖背景",
            (186, 180, 172), (150, 154, 158), (236, 238, 236)),
    Setting("subway", "table in front of white subway tiles", "白色地铁砖前的木桌",
            _OAK, (172, 174, 174), (240, 242, 240)),
    Setting("subway", "table in front of green subway tiles", "绿色地铁砖前的木桌",
            _BIRCH, (206, 206, 198), (44, 100, 76)),
    Setting("scales", "table in front of teal fish-scale tiles", "青绿色鱼鳞砖前的木桌",
            _BIRCH, (214, 206, 186), (38, 122, 126)),
    Setting("mosaic", "backdrop of blue mosaic", "蓝色马赛克背景",
            (224, 222, 214), (150, 196, 222), (40, 84, 150)),
    Setting("basketweave", "walnut basket-weave floor", "胡桃木席纹拼地板",
            (150, 102, 68), None, (218, 214, 204)),
    Setting("chevron", "grey chevron backdrop", "灰色锯齿纹背景",
            (244, 242, 238), (168, 172, 178)),
    Setting("chevron", "yellow chevron backdrop", "黄色锯齿纹背景",
            (250, 246, 232), (240, 196, 66)),
    Setting("tartan", "red tartan blanket", "红色苏格兰格纹毯",
            (178, 34, 40), (96, 22, 34)),
    Setting("tartan", "green tartan blanket", "绿色苏格兰格纹毯",
            (40, 96, 66), (28, 50, 84)),
    Setting("argyle", "purple argyle backdrop", "紫色菱格纹背景",
            (126, 92, 158), (186, 164, 206)),
    Setting("rattan", "woven rattan mat", "藤编垫", (208, 166, 108)),
    Setting("waves", "table in front of navy wave wallpaper", "藏青色浪纹墙纸前的木桌",
            _OAK, (222, 218, 204), (36, 58, 104)),
    Setting("silk", "champagne silk sheet", "香槟色丝绸", (226, 198, 160)),
    Setting("silk", "burgundy silk sheet", "酒红色丝绸", (120, 22, 44)),
    Setting("tufted", "backdrop of grey tufted upholstery", "灰色拉扣软包背景",
            (206, 200, 192), None, (150, 152, 160)),
    Setting("tufted", "backdrop of green tufted upholstery", "绿色拉扣软包背景",
            (196, 160, 110), None, (38, 98, 74)),
    Setting("squares", "squared paper backdrop", "方格纸背景",
            (246, 247, 244), (120, 160, 206)),
    Setting("kraft", "crumpled kraft paper", "皱牛皮纸", (196, 152, 104)),
    Setting("cork", "cork board backdrop", "软木板背景", (192, 140, 88)),
    Setting("travertine", "travertine backdrop", "洞石背景",
            (224, 206, 178), None, (220, 202, 174)),
    Setting("pebbles", "pebble beach", "鹅卵石海滩",
            (186, 180, 170), (132, 128, 124), (176, 206, 228)),
    Setting("snow", "snowy field", "雪地",
            (246, 248, 250), (200, 214, 234), (150, 196, 234)),
    Setting("water", "clear turquoise sea", "清澈的青绿色海水",
            (36, 164, 180), (196, 240, 238), (150, 200, 232)),
    Setting("alcove", "white arched alcove", "白色拱形壁龛",
            (232, 226, 216), None, (240, 236, 230)),
    Setting("alcove", "terracotta arched alcove", "陶土色拱形壁龛",
            (214, 160, 128), None, (200, 120, 86)),
    Setting("sunburst", "orange sunburst backdrop", "橙色放射线背景",
            (250, 226, 178), (250, 232, 196), (240, 142, 62)),
    Setting("foliage", "cream backdrop with palm shadows", "带棕榈叶影的米色背景",
            (242, 226, 198)),
    Setting("foliage", "pink backdrop with palm shadows", "带棕榈叶影的粉色背景",
            (244, 192, 196)),
    Setting("pegboard", "table in front of a white pegboard", "白色洞洞板前的木桌",
            _BIRCH, None, (236, 236, 232)),
    Setting("corrugated", "corrugated metal backdrop", "波纹金属板背景",
            (140, 138, 134), None, (176, 182, 188)),
)  # fmt: skip


def backdrop_of(setting: Setting, phase: float) -> Backdrop:
    """The parameters of a setting."""
    return Backdrop(
        kind=setting.kind,
        tone=setting.tone,
        accent=setting.accent,
        wall=setting.wall,
        phase=phase,
    )
