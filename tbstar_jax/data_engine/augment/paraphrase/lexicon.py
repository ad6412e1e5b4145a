"""Words that an instruction must not lose, and what they are in the other language.

Small tables from a word to an id that both languages share. A Chinese character that
means something else in other words (上 as in 加上, 红 as in 口红) counts only where the
patterns here say so.
"""

import re
from collections.abc import Iterable

# Of two colours in one word, 粉米双色, each is said with one character.
_PAIR = "(?=.?双色)"
_AFTER = f"(?:(?=[色的底款])|{_PAIR})"
_BEFORE = "(?<=[变成为换涂染纯深浅亮暗淡])"

COLORS: dict[str, tuple[tuple[str, ...], str]] = {
    "red": (("red",), "(?<![口网走])红(?![包酒枣茶])"),
    "orange": (("orange",), "[橙橘](?![子汁])"),
    "yellow": (("yellow",), "黄(?![金油瓜])"),
    "green": (("green", "emerald"), "绿(?![茶植豆])"),
    "teal": (("teal", "cyan", "turquoise"), f"青绿|青{_AFTER}|{_BEFORE}青"),
    "blue": (("blue",), "蓝(?![牙莓图])"),
    "navy": (("navy", "navy blue"), "藏青|海军蓝"),
    "purple": (("purple", "violet"), "紫(?![菜砂薯铜])"),
    "pink": (("pink",), f"粉{_AFTER}|{_BEFORE}粉(?![底末饼丝])|粉红"),
    "dusty pink": (("dusty pink", "dusty rose"), "灰粉"),
    "sage": (("sage", "sage green", "grey-green", "gray-green"), "灰绿"),
    "brown": (("brown",), "[棕褐](?!榈)|咖啡色"),
    "black": (("black",), "黑(?![板体])"),
    "white": (("white",), "(?<![空明留美蛋])白(?![酒菜板])"),
    "grey": (("grey", "gray"), "灰(?!尘)"),
    "cream": (("cream", "beige", "off-white"), f"米色|米白|奶油色|米{_PAIR}"),
    "khaki": (("khaki",), "卡其"),
    "burgundy": (("burgundy", "wine red"), "酒红"),
    "rose gold": (("rose gold",), "玫瑰金"),
    "gold": (("gold", "golden"), f"金{_AFTER}|{_BEFORE}金(?!属)"),
    "silver": (("silver",), f"银{_AFTER}|{_BEFORE}银"),
}
"""Id to the English words and to the pattern that finds it in Chinese."""

POSITIONS: dict[str, tuple[str, str]] = {
    "left": (r"\bleft(?:most|wards?)?\b(?!\s+over)", r"左"),
    "right": (r"(?<!\ball )\bright(?:most|wards?)?\b(?!\s+(?:now|away))", r"右"),
    "top": (
        r"\b(?:top|upper|above|upwards?)\b|\b(?:move|shift|push)\b[^,.;]*\bup\b",
        r"上(?:方|侧|边|端|角|半)|[向往]上|[左右]上|上移|顶[部端]",
    ),
    "bottom": (
        r"\b(?:bottom|below|underneath|downwards?)\b"
        r"|\blower\s+(?:left|right|half|part|corner|edge|side)\b"
        r"|\b(?:move|shift|push)\b[^,.;]*\bdown\b",
        r"下(?:方|侧|边|端|角|半)|[向往]下|[左右]下|下移|底[部端]",
    ),
    "center": (r"\b(?:cent(?:er|re)(?:ed|d)?|middle)\b", r"中[间央心]|居中|正中"),
}
"""Id to the patterns that say it in English and in Chinese."""

NUMBER_WORDS: dict[str, int] = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
}
"""Number words; one is left out, since it is an article as often."""

_MEASURE_WORDS = "个只瓶件张条排行盒袋双块台罐支款组套部盏盆"
_GOAL = re.compile(
    r"(?:\b(?:to|into|in)\s+(?:(?:an?|pure|plain|dark|light|deep|bright)\s+)*"
    r"|->\s*|(?:成|为|变)[纯深浅亮暗淡]?)$"
)


def color_ids(text: str) -> list[str]:
    """The colours a text names, in its order, in either language.

    Args:
      text: any.
    """
    return [id for _, id in sorted(_colors(text))]


def goal_color_ids(text: str) -> list[str]:
    """The colours that a text names as what shall become, e.g. after `to` or `改成`."""
    return [id for at, id in sorted(_colors(text)) if _GOAL.search(text[:at].lower())]


def _colors(text: str) -> Iterable[tuple[int, str]]:
    """Where each colour word stands; of overlapping ones the longest counts."""
    found: list[tuple[int, int, str]] = []
    for id, (words, chinese) in COLORS.items():
        for word in words:
            pattern = rf"(?<![a-z]){re.escape(word)}(?:ish)?(?![a-z])"
            found += _spans(pattern, text.lower(), id)
        found += _spans(chinese, text, id)
    longest_first = sorted(found, key=lambda span: (span[0] - span[1], span[0]))
    taken: set[int] = set()
    kept = {}
    for start, stop, id in longest_first:
        if taken.isdisjoint(range(start, stop)):
            taken |= set(range(start, stop))
            kept[start] = id
    return kept.items()


def _spans(pattern: str, text: str, id: str) -> list[tuple[int, int, str]]:
    return [(*match.span(), id) for match in re.finditer(pattern, text)]


def position_ids(text: str) -> set[str]:
    """The positions and directions a text names, in either language."""
    lowered = text.lower()
    return {
        id
        for id, (english, chinese) in POSITIONS.items()
        if re.search(english, lowered) or re.search(chinese, text)
    }


def numbers(text: str) -> list[str]:
    """The numbers of a text, sorted: digits as written, number words as digits."""
    digits = re.findall(r"\d+(?:[.,]\d+)*%?", text)
    english = re.findall(r"[a-z]+", text.lower())
    chinese = re.findall(
        f"(?<![第二两三四五六七八九十])([二两三四五六七八九十])[{_MEASURE_WORDS}]", text
    )
    words = [str(NUMBER_WORDS[w]) for w in (*english, *chinese) if w in NUMBER_WORDS]
    # In English, two-tone.
    return sorted(digits + words + ["2"] * text.count("双色"))
