"""Wishes are honoured for exactly as long as was promised."""

from datetime import timedelta

import pytest
from builders_database import NOW

from shopify_upsell.core import CustomerId, InvalidInput, ProductId
from shopify_upsell.customers.subjects import subjects_of, visitor_subject
from shopify_upsell.customers.suppression import (
    EVERY_PRODUCT,
    SNOOZE_DAYS,
    Suppression,
    dismissal,
    snooze,
    suppression_in_force,
)

SOCKS, BOOTS = ProductId(7), ProductId(8)
MOMENT = timedelta(microseconds=1)


def test_dismissed_product_stays_away_for_thirty_days_and_not_a_moment_longer():
    wish = dismissal("v:a", SOCKS, now=NOW)

    assert suppression_in_force([wish], SOCKS, now=NOW + timedelta(days=30) - MOMENT) == wish
    assert suppression_in_force([wish], SOCKS, now=NOW + timedelta(days=30)) is None


def test_dismissing_one_product_says_nothing_about_another():
    assert suppression_in_force([dismissal("v:a", SOCKS, now=NOW)], BOOTS, now=NOW) is None


@pytest.mark.parametrize("days", SNOOZE_DAYS)
def test_snooze_lasts_as_long_as_the_shopper_chose(days):
    wish = snooze("c:1", SOCKS, days, now=NOW)

    assert wish.until == NOW + timedelta(days=days)
    assert wish.reason == "snoozed"


@pytest.mark.parametrize("days", [0, -7, 8, 3650])
def test_snooze_for_a_time_that_no_card_offers_is_refused(days):
    with pytest.raises(InvalidInput):
        snooze("c:1", SOCKS, days, now=NOW)


def test_snoozing_everything_keeps_every_product_away():
    wish = snooze("c:1", EVERY_PRODUCT, 7, now=NOW)

    assert suppression_in_force([wish], SOCKS, now=NOW) == wish
    assert suppression_in_force([wish], BOOTS, now=NOW) == wish


def test_of_two_wishes_the_one_that_lasts_longer_is_named():
    month, quarter = dismissal("v:a", SOCKS, now=NOW), snooze("c:1", EVERY_PRODUCT, 90, now=NOW)

    assert suppression_in_force([month, quarter], SOCKS, now=NOW) == quarter
    assert suppression_in_force([quarter, month], SOCKS, now=NOW) == quarter


def test_shopper_is_looked_up_under_both_names_customer_first():
    assert subjects_of(CustomerId(9), "abc-1") == ("c:9", "v:abc-1")
    assert subjects_of(None, "abc-1") == ("v:abc-1",)
    assert subjects_of(CustomerId(9), None) == ("c:9",)
    assert subjects_of(None, None) == ()


@pytest.mark.parametrize("visitor_id", ["", "a b", "x" * 65, "a\x1fb", "é", "a\n"])
def test_visitor_id_that_we_never_made_is_refused(visitor_id):
    with pytest.raises(InvalidInput):
        visitor_subject(visitor_id)


def test_a_suppression_is_a_plain_value():
    assert Suppression("v:a", SOCKS, "dismissed", NOW) == Suppression("v:a", SOCKS, "dismissed", NOW)
