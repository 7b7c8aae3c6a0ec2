from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.money import EXPONENTS, Money, apportion


@pytest.mark.parametrize(
    ("text", "currency", "minor_units"),
    [
        ("19.99", "USD", 1999),
        ("1999", "JPY", 1999),
        ("1.234", "KWD", 1234),
        ("-3.5", "EUR", -350),
        (Decimal("89.99"), "USD", 8999),
        (5, "EUR", 500),
        ("10.00", "JPY", 10),
    ],
)
def test_decimal_text_becomes_exact_minor_units(text, currency, minor_units):
    assert Money.from_decimal_string(text, currency) == Money(minor_units, currency)


@pytest.mark.parametrize(
    "text", ["1e3", "1,99", "15.505", "", "NaN", "٣", "1" * 40, None, True, 1.5, Decimal("Infinity"), " 1"]
)
def test_what_is_not_an_exact_amount_is_refused(text):
    with pytest.raises(InvalidInput):
        Money.from_decimal_string(text, "USD")


@pytest.mark.parametrize("currency", [None, "usd", "XXX", "", "DOGE"])
def test_unknown_currency_is_refused(currency):
    with pytest.raises(InvalidInput):
        Money.from_decimal_string("1", currency)


def test_yen_with_cents_is_refused_rather_than_rounded():
    with pytest.raises(InvalidInput):
        Money.from_decimal_string("15.50", "JPY")


def test_two_currencies_never_add_up():
    with pytest.raises(InvalidInput):
        Money(1, "USD") + Money(1, "EUR")


@given(st.integers(-(10**14), 10**14), st.sampled_from(sorted(EXPONENTS)))
def test_decimal_string_round_trips_in_every_currency(minor_units, currency):
    money = Money(minor_units, currency)

    assert Money.from_decimal_string(money.to_decimal_string(), currency) == money


weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)


@given(st.integers(-(10**12), 10**12), weights)
def test_parts_add_up_exactly_and_keep_the_sign(total, shares):
    parts = apportion(total, shares)

    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)


@given(st.integers(0, 10**6), weights)
def test_a_larger_total_never_lowers_a_part(total, shares):
    before, after = apportion(total, shares), apportion(total + 1, shares)

    assert all(a <= b for a, b in zip(before, after, strict=True))


def test_nothing_to_divide_by_is_an_error():
    with pytest.raises(ValueError, match="nothing to divide by"):
        apportion(5, [0, 0])
