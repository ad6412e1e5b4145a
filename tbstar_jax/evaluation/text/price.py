"""Prices as numbers: `¥59.90`, `59.9元` and `￥59.9` are one price, 599 is another.

A price is a number with a currency beside it, or a text that is a number and nothing
else. Percentages, discounts (`8折`, `50% off`) and counts (`3件`) are none. Which
currency it is is not compared: that is what the exact text is for.
"""

import re
from decimal import Decimal

from tbstar_jax.evaluation.text.normalise import normalise

# Digits are ASCII: full-width ones are by now. At most twelve, so that no text of a
# reader becomes a huge number.
_NUMBER = r"(?<![0-9.,])([0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(\.[0-9]{1,4})?"
_END = r"(?![0-9]|[.,][0-9])"
_BEFORE = r"[¥$€£]|rmb|cny|usd|eur|gbp"
_AFTER = r"[元圆块]|[¥$€£](?![0-9])|rmb|cny|yuan|usd|eur|gbp"
_PRICE = re.compile(rf"({_BEFORE})?{_NUMBER}{_END}(?:({_AFTER})|(?![%‰折万亿]))")


def parse_price(text: str) -> Decimal | None:
    """Reads the price that a text states.

    Args:
      text: any.

    Returns:
      The number; None without a price, or with several different ones.
    """
    normal = normalise(text)
    prices = set()
    for match in _PRICE.finditer(normal):
        before, whole, fraction, after = match.groups()
        if before or after or match.group() == normal:
            prices.add(Decimal(whole.replace(",", "") + (fraction or "")))
    return prices.pop() if len(prices) == 1 else None


def price_exact(target: str, read: str) -> float:
    """Returns 1 when both texts state the same price, 0 when they do not.

    NaN where the target states no price; a read without one counts 0.
    """
    price = parse_price(target)
    return float("nan") if price is None else float(parse_price(read) == price)
