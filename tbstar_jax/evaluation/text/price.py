"""Prices as numbers: `¥59.90`, `59.9元` and `￥59.9` are one price, 599 is another.

A price is a number with a currency beside it, or a text that is a number and nothing
else; or two numbers, of which both count: a range (`¥5.99-9.99`, `5元至9元`; without a
currency only with a decimal point, since `12-31` may be a date) or a coupon
(`满300-50`, `满300减50`). A minus before a number is a sign (`-5元`, `-¥5`),
unless a Latin letter or a number stands before it, as in `iPhone-15`. Percentages,
discounts (`8折`, `50% off`) and counts (`3件`) are no prices. Which currency it is is
not compared: that is what the exact text is for.
"""

import re
from decimal import Decimal

from tbstar_jax.evaluation.text.normalise import normalise

# Digits are ASCII: full-width ones are by now. At most twelve, so that no text of a
# reader becomes a huge number.
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(?:\.[0-9]{1,4})?"
_NUMBER = rf"(?<![0-9.,]){_DIGITS}(?![0-9]|[.,][0-9])"
_BEFORE = r"(?:[¥$€£]|rmb|cny|usd|eur|gbp)"
_AFTER = r"(?:[元圆块]|[¥$€£](?![0-9])|rmb|cny|yuan|usd|eur|gbp)"
_MINUS = r"(?<![a-z0-9%‰元圆块折万亿])[-\u2212\u2013]"
_SIGN = rf"{_MINUS}{_BEFORE}?|{_BEFORE}[-\u2212\u2013]"
_TO = r"[-\u2212\u2013\u2014~至到减]"
_END = rf"(?:{_AFTER}|(?![%‰折万亿]))"
_PRICE = re.compile(
    rf"(满)?(?:({_SIGN})|{_BEFORE})?{_NUMBER}{_END}(?:{_TO}{_BEFORE}?{_NUMBER}{_END})*"
)
_CURRENCY = re.compile(rf"{_BEFORE}|{_AFTER}")


def parse_price(text: str) -> tuple[Decimal, ...] | None:
    """Reads the price that a text states.

    Args:
      text: any.

    Returns:
      The number, or both of a range or a coupon; None without a price, or with several
      different ones.
    """
    normal = normalise(text)
    prices = set()
    for match in _PRICE.finditer(normal):
        numbers = _numbers(match)
        is_coupon = match.group(1) is not None and len(numbers) == 2
        if is_coupon or _is_price(match.group(), normal, len(numbers)):
            prices.add(numbers)
    only = prices.pop() if len(prices) == 1 else ()
    return only if 1 <= len(only) <= 2 else None


def price_exact(target: str, read: str) -> float:
    """Returns 1 when both texts state the same price, 0 when they do not.

    NaN where the target states no price; a read without one counts 0.
    """
    price = parse_price(target)
    return float("nan") if price is None else float(parse_price(read) == price)


def _is_price(stated: str, text: str, num_numbers: int) -> bool:
    is_alone = stated == text and stated[0] != "满"
    is_alone &= num_numbers == 1 or "." in stated
    return is_alone or _CURRENCY.search(stated) is not None


def _numbers(match: re.Match[str]) -> tuple[Decimal, ...]:
    """What is stated; the first number may have a sign."""
    digits = re.findall(_DIGITS, match.group())
    first, *others = (Decimal(one.replace(",", "")) for one in digits)
    return (-first if match.group(2) else first, *others)
