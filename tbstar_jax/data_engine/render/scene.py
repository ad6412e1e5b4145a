"""What a rendered product photo consists of: immutable parameters, no pixels.

Two renders of two scenes that differ in one field are an editing pair, so everything
random is drawn into these fields (or into a texture seed kept in them) beforehand.
Lengths are fractions of the canvas; `name_*` fields are what instructions call a thing.
"""

import dataclasses
import hashlib
import json
from typing import Literal, TypeAlias

Size: TypeAlias = tuple[int, int]
"""Rows and columns of an image, in pixels."""

RGB: TypeAlias = tuple[int, int, int]
"""A colour, 0..255, sRGB."""

Side = Literal["left", "right"]


@dataclasses.dataclass(frozen=True)
class Color:
    """A named colour: its albedo and what people call it."""

    id: str
    name_en: str
    name_zh: str
    rgb: RGB


@dataclasses.dataclass(frozen=True)
class Family:
    """A product silhouette.

    Attributes:
      id: which drawing function makes it.
      name_en: noun in English.
      name_zh: noun in Chinese.
      reach: how far it extends from its axis, in heights: towards the prop's side,
        and away from it (where a mug has its handle).
      foot: half the width of its foot, in heights.
    """

    id: str
    name_en: str
    name_zh: str
    reach: tuple[float, float]
    foot: float


@dataclasses.dataclass(frozen=True)
class PropKind:
    """A small object that may stand beside the product."""

    id: str
    name_en: str
    name_zh: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """A kind of background.

    Attributes:
      id: which drawing function makes it.
      phrase_en: completes "a mug ..."; `{tone}` is the tone's name, if it has one.
      phrase_zh: stands before the product's name.
      noun_en: what an instruction calls it.
      noun_zh: what an instruction calls it.
      tones: the colours it comes in.
    """

    id: str
    phrase_en: str
    phrase_zh: str
    noun_en: str
    noun_zh: str
    tones: tuple[Color, ...]


@dataclasses.dataclass(frozen=True)
class LabelStyle:
    """The plate a text is printed on and the ink, RGB 0..255."""

    id: str
    plate: RGB
    ink: RGB


COLORS: tuple[Color, ...] = (
    Color("red", "red", "红色", (204, 34, 36)),
    Color("orange", "orange", "橙色", (240, 118, 22)),
    Color("yellow", "yellow", "黄色", (245, 205, 40)),
    Color("green", "green", "绿色", (48, 148, 66)),
    Color("teal", "teal", "青色", (20, 158, 160)),
    Color("blue", "blue", "蓝色", (38, 84, 204)),
    Color("purple", "purple", "紫色", (122, 58, 172)),
    Color("pink", "pink", "粉色", (246, 138, 176)),
    Color("brown", "brown", "棕色", (122, 74, 42)),
    Color("black", "black", "黑色", (42, 42, 46)),
    Color("white", "white", "白色", (240, 240, 238)),
    Color("grey", "grey", "灰色", (140, 143, 148)),
)

FAMILIES: tuple[Family, ...] = (
    Family("mug", "mug", "马克杯", (0.41, 0.69), 0.38),
    Family("bottle", "bottle", "瓶子", (0.23, 0.23), 0.23),
    Family("jar", "jar", "储物罐", (0.35, 0.35), 0.33),
    Family("can", "can", "易拉罐", (0.28, 0.28), 0.27),
    Family("box", "box", "盒子", (0.46, 0.47), 0.50),
    Family("bag", "bag", "手提袋", (0.40, 0.39), 0.41),
    Family("lamp", "lamp", "台灯", (0.35, 0.35), 0.24),
    Family("shoe", "shoe", "运动鞋", (0.84, 0.87), 0.84),
)

PROPS: tuple[PropKind, ...] = (
    PropKind("ball", "ball", "小球"),
    PropKind("cube", "cube", "方块"),
    PropKind("candle", "candle", "蜡烛"),
    PropKind("plant", "potted plant", "盆栽"),
)

_WHITE = Color("white", "white", "纯白", (255, 255, 255))

_SOFT_TONES = (
    Color("grey", "grey", "灰色", (186, 189, 194)),
    Color("cream", "cream", "米色", (238, 224, 196)),
    Color("pink", "pink", "粉色", (244, 200, 208)),
    Color("blue", "blue", "蓝色", (164, 200, 232)),
    Color("green", "green", "绿色", (178, 216, 184)),
    Color("purple", "purple", "紫色", (206, 190, 230)),
    Color("dark", "dark", "深色", (66, 70, 80)),
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "white",
        "on a white background",
        "纯白背景上的",
        "background",
        "背景",
        (_WHITE,),
    ),
    Setting(
        "plain",
        "on a {tone} background",
        "{tone}背景上的",
        "{tone} background",
        "{tone}背景",
        _SOFT_TONES,
    ),
    Setting(
        "gradient",
        "on a {tone} gradient",
        "{tone}渐变背景上的",
        "{tone} gradient",
        "{tone}渐变背景",
        _SOFT_TONES,
    ),
    Setting(
        "wood",
        "on a wooden table",
        "木桌上的",
        "wooden table",
        "木桌背景",
        (
            Color("oak", "oak", "橡木", (196, 142, 88)),
            Color("walnut", "walnut", "胡桃木", (132, 86, 54)),
        ),
    ),
    Setting(
        "tiles",
        "by a tiled wall",
        "瓷砖墙前的",
        "tiled wall",
        "瓷砖墙",
        (
            Color("pale", "pale", "浅色", (222, 228, 230)),
            Color("teal", "teal", "青色", (126, 178, 180)),
        ),
    ),
    Setting(
        "marble",
        "on a marble counter",
        "大理石台上的",
        "marble counter",
        "大理石背景",
        (Color("marble", "marble", "大理石", (226, 226, 228)),),
    ),
    Setting(
        "shelf",
        "on a shelf",
        "架子上的",
        "shelf",
        "架子背景",
        (
            Color("wood", "wood", "木", (176, 124, 76)),
            Color("steel", "steel", "钢", (150, 156, 164)),
        ),
    ),
)

LABEL_TEXTS: tuple[str, ...] = (
    *("SALE", "NEW", "HOT", "TOP", "BEST", "ECO", "PRO", "GIFT", "MINI", "MAX"),
    *("-10%", "-20%", "-30%", "-50%", "$5", "$9", "$19", "$29", "$49", "$99"),
)

LABEL_STYLES: tuple[LabelStyle, ...] = (
    LabelStyle("white", (250, 250, 248), (28, 28, 32)),
    LabelStyle("red", (250, 250, 248), (196, 24, 30)),
    LabelStyle("black", (30, 30, 34), (250, 250, 248)),
    LabelStyle("yellow", (252, 222, 70), (28, 28, 32)),
)

WATERMARK_TEXTS: tuple[str, ...] = ("SAMPLE", "PREVIEW", "SHOP", "COPY", "PHOTO")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Background:
    """What stands behind the product; `seed` draws its grain, veins or boards."""

    setting: Setting
    tone: Color
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Label:
    """A printed text and its plate."""

    text: str
    style: LabelStyle


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prop:
    """The small object beside the product.

    Attributes:
      kind: what it is.
      color: its colour.
      height: fraction of the canvas's shorter side.
    """

    kind: PropKind
    color: Color
    height: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watermark:
    """A semi-transparent overlay text.

    Attributes:
      text: what it says.
      layout: one large diagonal word, or the word repeated over the canvas.
      gray: brightness of the ink, 0..255.
      opacity: (0, 1).
    """

    text: str
    layout: Literal["diagonal", "tiled"]
    gray: int
    opacity: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything the renderer needs to draw one photo.

    Attributes:
      size: rows and columns, pixels.
      family: the product.
      color: the product's colour.
      label: the text printed on it, if any.
      background: what stands behind it.
      prop: a second, smaller object, if any.
      watermark: overlay over everything, if any.
      light: the side the light comes from.
      prop_side: where the prop stands (or would); a mug's handle points away from it.
      offset: the product's shift to the right, fraction of the width.
      height: the product's height, fraction of the canvas's height.
      ground: the row the product stands on, fraction of the canvas's height.
      shadow: darkness of its shadow on the ground, (0, 1).
    """

    size: Size
    family: Family
    color: Color
    label: Label | None
    background: Background
    prop: Prop | None
    watermark: Watermark | None
    light: Side
    prop_side: Side
    offset: float
    height: float
    ground: float
    shadow: float


def scene_digest(scene: Scene) -> str:
    """Names a scene by its content, so that equal scenes are found in any data set.

    Args:
      scene: the parameters of one photo.

    Returns:
      Sixteen hexadecimal digits of the SHA-256 over all parameters.
    """
    text = json.dumps(dataclasses.asdict(scene), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def color_by_id(id: str) -> Color:
    """Finds a palette colour of `COLORS` by its id."""
    return next(color for color in COLORS if color.id == id)


def setting_by_id(id: str) -> Setting:
    """Finds a background kind of `SETTINGS` by its id."""
    return next(setting for setting in SETTINGS if setting.id == id)
