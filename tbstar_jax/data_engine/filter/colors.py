"""Whether a recoloured product has the colour that was asked for.

The colour is taken from the record's facts, else from its instructions: what follows
"from", "instead of" or "not" is left out, and of what remains the last colour named is
the one wanted. The region's colour is judged by hue, since shading changes lightness
and chroma but hardly hue; black, white and grey are judged by chroma and lightness.
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from tbstar_jax.data_engine.facts import facts_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.metrics.color import srgb_to_lab

_MAX_PIXELS = 4096
_GREY_CHROMA = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Named:
    """A colour word: a range of Lab hue in degrees, or of lightness for greys."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]
    hue: tuple[float, float] | None = None
    lightness: tuple[float, float] = (0.0, 100.0)


_NAMES = (
    _Named(english=("red", "crimson"), chinese=("红", "大红"), hue=(5.0, 50.0)),
    _Named(english=("orange",), chinese=("橙", "橘"), hue=(45.0, 78.0)),
    _Named(english=("brown",), chinese=("棕", "褐", "咖啡"), hue=(35.0, 85.0)),
    _Named(english=("yellow", "gold"), chinese=("黄", "金"), hue=(72.0, 112.0)),
    _Named(english=("green",), chinese=("绿",), hue=(108.0, 180.0)),
    _Named(english=("teal", "cyan", "turquoise"), chinese=("青",), hue=(165.0, 235.0)),
    _Named(english=("blue", "navy"), chinese=("蓝",), hue=(215.0, 310.0)),
    _Named(english=("purple", "violet"), chinese=("紫",), hue=(290.0, 345.0)),
    _Named(english=("pink", "magenta"), chinese=("粉",), hue=(325.0, 395.0)),
    _Named(english=("black",), chinese=("黑",), lightness=(0.0, 40.0)),
    _Named(english=("white",), chinese=("白",), lightness=(65.0, 100.0)),
    _Named(
        english=("grey", "gray", "silver"), chinese=("灰", "银"), lightness=(20.0, 90.0)
    ),
)
_BY_WORD = {
    word: named for named in _NAMES for word in (*named.english, *named.chinese)
}
_ENGLISH = "|".join(word for named in _NAMES for word in named.english)
_CHINESE = "|".join(
    sorted((word for named in _NAMES for word in named.chinese), key=len, reverse=True)
)
_NAMING = re.compile(
    rf"\b(?:{_ENGLISH})\b|(?:粉红|{_CHINESE})(?=色|的|款|$)|粉红|(?:{_CHINESE})"
)
_LEFT_OUT = re.compile(
    rf"\b(?:from|instead of|rather than|not|no longer)\s+"
    rf"(?:the\s+|a\s+)?(?:{_ENGLISH})\b"
    rf"|(?:不要|不是|而不是|而非|由|从)(?:{_CHINESE})色?"
)


def named_color(record: EditRecord) -> str | None:
    """Returns the word for the colour a record asks for; None when nothing names one.

    Args:
      record: its facts come first; instructions that disagree vote.
    """
    try:
        facts = facts_of(record)
        stated = [facts.new_color_en, facts.new_color_zh]
    except UserError:
        stated = []
    for texts in (
        [text for text in stated if text],
        [*record.instructions_en, *record.instructions_zh],
    ):
        words = Counter(filter(None, map(_wanted, texts)))
        if words:
            return words.most_common(1)[0][0]
    return None


def _wanted(text: str) -> str | None:
    """The last colour named, as the first English word for it."""
    found = _NAMING.findall(_LEFT_OUT.sub(" ", text.lower()))
    if not found:
        return None
    word = "粉" if found[-1] == "粉红" else found[-1]
    return _BY_WORD[word].english[0]


def color_name_error(
    target: UInt8[np.ndarray, "h w 3"], changed: Bool[np.ndarray, "h w"], color: str
) -> float:
    """Returns how far a region is from a named colour, in degrees of hue, 0 to 180.

    A grey region where a hue was asked for counts 180; where black, white or grey was
    asked for, every unit of chroma above 10 and of lightness out of range counts 4.

    Args:
      target: the picture after.
      changed: the pixels whose colour is judged; NaN when there are none.
      color: as `named_color` returns it.
    """
    pixels = target[changed]
    if not len(pixels):
        return math.nan
    lab = srgb_to_lab(pixels[:: math.ceil(len(pixels) / _MAX_PIXELS)])
    named = _BY_WORD[color]
    # The median is the product's; highlights, seams and metal parts are few.
    light = float(np.median(lab[:, 0]))
    chroma = float(np.median(np.hypot(lab[:, 1], lab[:, 2])))
    if named.hue is None:
        low, high = named.lightness
        out_of_range = max(low - light, light - high, 0.0)
        return min(180.0, 4 * (max(0.0, chroma - _GREY_CHROMA) + out_of_range))
    if chroma < _GREY_CHROMA / 2:
        return 180.0
    return _hue_error(lab, named.hue)


def _hue_error(lab: Float[np.ndarray, "n 3"], hue: Iterable[float]) -> float:
    low, high = hue
    mean = math.degrees(math.atan2(lab[:, 2].mean(), lab[:, 1].mean()))
    away = (mean - (low + high) / 2 + 180) % 360 - 180
    return max(0.0, abs(away) - (high - low) / 2)
