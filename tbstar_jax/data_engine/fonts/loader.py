"""Fonts that print Chinese without anything installed, and refuse what they lack."""

import functools
from importlib import resources
from typing import Literal, TypeAlias

from PIL import ImageFont

from tbstar_jax.errors import UserError

Weight: TypeAlias = Literal["regular", "bold"]

_FILES: dict[Weight, str] = {
    "regular": "TBStarLayoutSans-Regular.otf",
    "bold": "TBStarLayoutSans-Bold.otf",
}
# No font may assign a glyph to this code point, so it shows the box for "missing".
_UNASSIGNED = "\U0010ffff"
_PROBE_PIXELS = 32


@functools.lru_cache(maxsize=256)
def font(weight: Weight, pixels: int) -> ImageFont.FreeTypeFont:
    """Loads the typeface.

    Pillow's basic layout is asked for: it needs no library of the system, so the same
    text has the same pixels on every machine with the same Pillow.

    Args:
      weight: `regular` or `bold`.
      pixels: height of the em square, at least 1.

    Returns:
      A font that prints ASCII, the 3,755 characters of GB 2312 level 1, Chinese
      punctuation and currency signs.
    """
    place = resources.files(__package__).joinpath(_FILES[weight])
    with resources.as_file(place) as path:
        return ImageFont.truetype(
            str(path), pixels, layout_engine=ImageFont.Layout.BASIC
        )


def missing_characters(text: str) -> str:
    """The characters of a text that would be printed as empty boxes.

    Args:
      text: any; line ends count as missing, since a line is printed at a time.

    Returns:
      Each missing character once, in the order of the text.
    """
    return "".join(c for c in dict.fromkeys(text) if not _is_covered(c))


def require_coverage(text: str) -> None:
    """Checks that every character of a text can be printed.

    Args:
      text: one line.

    Raises:
      UserError: some cannot; the sentence names them.
    """
    missing = missing_characters(text)
    if missing:
        named = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in missing[:8])
        raise UserError(
            f"{text[:40]!r} cannot be printed: the font has no glyph for {named}; use "
            "ASCII, common simplified Chinese (GB 2312 level 1) and its punctuation"
        )


@functools.lru_cache(maxsize=8192)
def _is_covered(character: str) -> bool:
    return character.isprintable() and _drawn(character) != _drawn(_UNASSIGNED)


@functools.lru_cache(maxsize=8192)
def _drawn(character: str) -> tuple[tuple[int, int], bytes]:
    mask = font("regular", _PROBE_PIXELS).getmask(character)
    return mask.size, bytes(mask)
