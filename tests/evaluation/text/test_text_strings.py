"""Texts as strings: normal form, distances, prices, confusions."""

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbstar_jax.evaluation.text.distance import cer, confusions, distance, exact, ned
from tbstar_jax.evaluation.text.normalise import MAX_CHARACTERS, normalise
from tbstar_jax.evaluation.text.price import parse_price, price_exact


def wide(text):
    """The full-width forms of ASCII."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("￥" + wide("59.9"), "¥59.9"),
        ("\u00a559.9", "\u00a559.9"),
        ("59.9元", "59.9元"),
        ("New  ARRIVAL\n", "newarrival"),
        ("1,299", "1,299"),
        (wide("1,299"), "1,299"),
        ("直降30" + wide("%!"), "直降30%!"),
        ("买一送一，包邮。", "买一送一,包邮。"),
        ("cafe\u0301", "caf\u00e9"),
        ("q\u0308", "q\u0308"),
        ("Straße", "strasse"),
        ("\u3000天 猫\u00a0", "天猫"),
        ("\u202e59.9\u202c\u200b", "59.9"),
        ("a\x00\x1b\x7fb", "ab"),
        ("⭐\ufe0f", "⭐"),
        ("👩\u200d💻", "👩💻"),
        ("", ""),
    ],
)
def test_what_is_seen_counts_and_nothing_else(text, normal):
    assert normalise(text) == normal


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_a_long_reading_is_cut():
    assert len(normalise("\ufdfa" * 1000)) == MAX_CHARACTERS
    assert cer("a", "b" * 10**6) == MAX_CHARACTERS
    assert ned("a", "b" * 10**6) == 0


@pytest.mark.parametrize(
    ("target", "read", "expected"),
    [
        ("59.9", "599", 1),
        ("¥59.9", "￥59.9", 0),
        ("¥59.9", "59.9元", 2),
        ("kitten", "sitting", 3),
        ("天猫精选", "天菊精选", 1),
        ("abc", "", 3),
        ("", "abc", 3),
        ("", "", 0),
        ("👍好评", "好评", 1),
        ("abcd", "bcda", 2),
    ],
)
def test_the_distance_counts_edits(target, read, expected):
    assert distance(target, read) == expected
    assert distance(read, target) == expected
    assert len(confusions(target, read)) == expected


@given(st.text("ab¥5", max_size=7), st.text("ab¥5", max_size=7))
@settings(max_examples=200)
def test_the_distance_is_levenshteins(first, second):
    def levenshtein(a, b):
        if not a or not b:
            return len(a) + len(b)
        options = (
            levenshtein(a[1:], b) + 1,
            levenshtein(a, b[1:]) + 1,
            levenshtein(a[1:], b[1:]) + (a[0] != b[0]),
        )
        return min(options)

    first, second = first[:5], second[:5]
    assert distance(first, second) == levenshtein(first, second)
    assert len(confusions(first, second)) == levenshtein(first, second)


def test_rates_of_one_pair():
    assert cer("59.9", "599") == 1 / 4
    assert ned("59.9", "599") == 3 / 4
    assert cer("ab", "abcdef") == 2  # may exceed 1
    assert ned("ab", "abcdef") == pytest.approx(1 / 3)
    assert exact("New Arrival", "NEW ARRIVAL\n") == 1
    assert exact("59.9", "599") == 0


def test_an_empty_target_counts_what_was_read():
    assert cer("", "") == 0
    assert ned("", "") == 1
    assert exact("", " \n") == 1
    assert cer("", "abc") == 3
    assert ned("", "abc") == 0


def test_confusions_are_aligned():
    assert confusions("天猫精选", "天菊精选") == [("猫", "菊")]
    assert confusions("¥59.9", "599") == [("¥", ""), (".", "")]
    assert confusions("SALE", "SALEX") == [("", "x")]
    assert confusions("59.9", "59,9") == [(".", ",")]
    assert confusions("same", "SAME") == []


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("¥59.90", "59.9"),
        ("59.9元", "59.9"),
        ("￥59.9", "59.9"),
        ("￥" + wide("59.9"), "59.9"),
        ("59.9", "59.9"),
        ("599", "599"),
        ("1,299", "1299"),
        ("¥1,299.00", "1299"),
        ("$12,345,678", "12345678"),
        ("到手价¥59.9起", "59.9"),
        ("RMB 88", "88"),
        ("19.99 USD", "19.99"),
        ("买2件¥59.9", "59.9"),
        ("¥59.9/59.90元", "59.9"),
        ("85%", None),
        ("8折", None),
        ("¥8.5折", None),
        ("50% off", None),
        ("3件", None),
        ("原价¥99现价¥59", None),
        ("1.2万元", None),
        ("1.299,00", None),
        ("1,29", None),
        ("新品上市", None),
        ("", None),
        ("9" * 500, None),
        ("¥" + "9" * 500, None),
        ("满300包邮", None),
        ("满300", None),
        ("满300元包邮", "300"),
        ("-5元", "-5"),
        ("-¥5", "-5"),
        ("¥-5", "-5"),
        ("\u22125.50元", "-5.5"),
        ("立减-5元", "-5"),
        ("iPhone-15", None),
        ("iPhone-15 ¥5999", "5999"),
        ("iPhone-15元", "15"),
        ("A4-80g ¥9.9", "9.9"),
        ("2026-11-26 ¥59", "59"),
        ("买2-3件¥59.9", "59.9"),
        ("¥59.9-包邮", "59.9"),
        ("到手¥59.9", "59.9"),
        ("5-9折", None),
        ("¥100 -20%", "100"),
        ("3-5天", None),
        ("1-2-3元", None),
        ("10%-20%", None),
    ],
)
def test_prices_are_numbers(text, price):
    assert parse_price(text) == (None if price is None else (Decimal(price),))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("$5.99-9.99", "5.99", "9.99"),
        ("¥5.99-9.99", "5.99", "9.99"),
        ("$5.99 - $9.99", "5.99", "9.99"),
        ("¥5.99~9.99", "5.99", "9.99"),
        ("¥1,299\u20131,599", "1299", "1599"),
        ("5-9元", "5", "9"),
        ("5元-9元", "5", "9"),
        ("5元至9元", "5", "9"),
        ("5到9元", "5", "9"),
        ("5.99-9.99", "5.99", "9.99"),
        ("到手价¥5.9-9.9起", "5.9", "9.9"),
        ("满300-50", "300", "50"),
        ("满300减50", "300", "50"),
        ("满300元减50元", "300", "50"),
        ("双11满300-50", "300", "50"),
    ],
)
def test_ranges_and_coupons_are_two_numbers(text, low, high):
    assert parse_price(text) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("target", "read"),
    [
        ("$5.99-9.99", "$5.99-8.99"),
        ("$5.99-9.99", "$5.99"),
        ("5-9元", "5元"),
        ("5-9元", "9元"),
        ("满300-50", "满300-5"),
        ("满300-50", "满200-50"),
        ("-5元", "5元"),
        ("5元", "-5元"),
    ],
)
def test_half_a_range_and_a_lost_sign_are_wrong(target, read):
    assert price_exact(target, read) == 0
    assert price_exact(target, target) == price_exact(read, read) == 1


def test_bare_numbers_with_a_dash_are_a_range_only_with_a_point():
    assert parse_price("12-31") is None
    assert parse_price("2-3") is None
    assert parse_price("5.99-9.99") == (Decimal("5.99"), Decimal("9.99"))
    assert parse_price("¥12-31") == (Decimal(12), Decimal(31))


def test_a_price_is_read_right_or_wrong_or_is_none():
    assert price_exact("¥59.90", "59.9元") == 1
    assert price_exact("¥59.9", "¥599") == 0
    assert price_exact("¥59.9", "no price") == 0
    assert price_exact("1,299", "1299") == 1
    assert math.isnan(price_exact("8折", "8折"))
