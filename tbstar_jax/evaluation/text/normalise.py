"""What counts as the same text.

NFKC (full-width forms become half-width, U+FFE5 becomes the yen sign U+00A5), case
folded, without whitespace and without what cannot be seen: control and format
characters (direction marks, joiners) and variation selectors. Currency signs, percent,
decimal point and thousands comma stay, so that 59.9 is not 599.
"""

import unicodedata

MAX_CHARACTERS = 256
"""Of a text that is compared; a reader's answer is cut there."""

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def normalise(text: str) -> str:
    """Returns the form of a text that is compared.

    Args:
      text: any; cut at `MAX_CHARACTERS`, before and after.

    Returns:
      At most `MAX_CHARACTERS` characters. Normalising twice changes nothing.
    """
    # Folding can undo the composed form, and so can what is taken out.
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()
    seen = filter(_is_seen, unicodedata.normalize("NFKC", folded))
    return unicodedata.normalize("NFKC", "".join(seen))[:MAX_CHARACTERS]


def _is_seen(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f"
    unseen = is_selector or unicodedata.category(character) in _UNSEEN
    return not unseen and not character.isspace()
