"""What a card may claim: computed numbers, three short lines, and no pressing or shaming."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.money import Money
from shopify_upsell.offers.claims import (
    Claims,
    Content,
    benefit_problems,
    days_of_supply_of,
    decline_problems,
    filled,
    saving_of,
    saving_rate_of,
    unit_price_of,
)


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
@given(listed=st.integers(1, 10**9), charged=st.integers(0, 10**9))
def test_saving_is_list_less_charged_to_the_minor_unit_in_every_currency(currency, listed, charged):
    saving = saving_of(Money(listed, currency), Money(charged, currency))

    assert (saving.minor_units if saving else 0) == max(0, listed - charged)
    rate = saving_rate_of(Money(listed, currency), Money(charged, currency)) or 0
    assert rate * listed <= 100 * max(0, listed - charged) < (rate + 1) * listed


@pytest.mark.parametrize(
    ("currency", "minor_units", "text"),
    [("USD", 150, "Save 1.50 USD"), ("JPY", 150, "Save 150 JPY"), ("KWD", 150, "Save 0.150 KWD")],
)
def test_saving_is_written_with_the_currencys_own_digits(currency, minor_units, text):
    claims = Claims(Money(1000, currency), saving=Money(minor_units, currency))

    assert filled("Save {saving}", claims) == text


def test_line_whose_number_is_not_known_is_not_said():
    assert filled("Save {saving}", Claims(Money(1000, "USD"))) is None
    assert filled("Lasts {days_of_supply} days", Claims(Money(1, "USD"), days_of_supply=30)) == "Lasts 30 days"
    assert filled("Soft on skin", Claims(Money(1, "USD"))) == "Soft on skin"


def test_saving_across_currencies_is_refused():
    with pytest.raises(InvalidInput):
        saving_of(Money(5, "USD"), Money(3, "EUR"))


@pytest.mark.parametrize(
    ("total", "amount", "per", "quantity", "expected"),
    [
        (1000, Fraction(250), 100, 1, 400),
        (1000, Fraction(250), 100, 2, 200),
        (999, Fraction(300), 100, 1, 333),
        (1001, Fraction(200), 100, 1, 501),  # 500.5 goes up
        (500, Fraction(1, 2), 1, 1, 1000),
    ],
)
def test_unit_price_is_rounded_half_up(total, amount, per, quantity, expected):
    assert unit_price_of(Money(total, "EUR"), Content(amount, "ml", per), quantity) == Money(expected, "EUR")


def test_unit_price_without_content_is_refused():
    with pytest.raises(InvalidInput):
        unit_price_of(Money(5, "USD"), Content(Fraction(0), "ml"), 1)


@pytest.mark.parametrize(
    ("days", "quantity", "expected"), [(30.0, 1, 30), (29.9, 3, 89), (None, 1, None), (0.0, 2, None), (0.4, 1, None)]
)
def test_days_of_supply_are_whole_days_rounded_down(days, quantity, expected):
    assert days_of_supply_of(days, quantity) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Keeps the water out",
        "Free from perfume",
        "Sparkling clean",
        "Save {saving}, that is {saving_rate} per cent",
        "Free shipping from {threshold}",
        "Passt zu Ihren Stiefeln",
        "Nur das Beste für die Haut",
        "x" * 90,
    ],
)
def test_honest_line_may_be_published(line):
    assert benefit_problems([line], is_reserved=False) == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Save $10 today", "not computed"),
        ("20% off", "not computed"),
        ("Rated by 4000 walkers", "not computed"),
        ("Half price with this set", "not computed"),
        ("Two for one", "not computed"),
        ("Save ten dollars", "not computed"),
        ("You save so much", "not computed"),
        ("Zum halben Preis", "not computed"),
        ("Jetzt sparen", "not computed"),
        ("Free shipping with this", "not computed"),
        ("Save {everything}", "none of"),
        ("Broken {saving", "not computed"),
        ("Hurry, this goes fast", "presses"),
        ("Only a few left", "presses"),
        ("Nur noch heute", "presses"),
        ("No thanks, I hate saving", "shames"),
        ("Reserved for owners", "reserved"),
        ("x" * 91, "90 characters"),
        ("  ", "one line"),
        ("two\nlines", "one line"),
    ],
)
def test_planted_false_or_rude_line_is_refused(line, problem):
    problems = benefit_problems([line], is_reserved=False)

    assert any(problem in one for one in problems), problems


def test_fourth_benefit_is_refused_and_the_third_is_not():
    assert benefit_problems(["a", "b", "c"], is_reserved=False) == ()
    assert benefit_problems(["a", "b", "c", "d"], is_reserved=False) == ("at most 3 lines",)


def test_reserved_offer_may_say_so():
    assert benefit_problems(["Reserved for owners of boots"], is_reserved=True) == ()


@pytest.mark.parametrize(
    "text",
    [
        "No thanks, I prefer paying more",
        "I don’t like deals",
        "Nein danke, ich zahle lieber mehr",
        "I'd rather miss out",
    ],
)
def test_button_that_shames_is_refused(text):
    assert decline_problems(text) != ()


@pytest.mark.parametrize("text", ["No thanks", "Not now", "Nein danke", "Decline"])
def test_plain_no_is_fine(text):
    assert decline_problems(text) == ()
