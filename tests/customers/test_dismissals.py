"""What was waved away stays away for its time, longer each time, and comes back one day."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from shopify_upsell.core import OfferId, ProductId
from shopify_upsell.customers.dismissals import (
    LONGEST_DAYS,
    Scope,
    dismissal_in_force,
    remembered,
    scopes_of,
)
from shopify_upsell.customers.dismissals_store import (
    DismissalRow,
    dismissals_of,
    erase_dismissals,
    forget_old_dismissals,
    move_dismissals,
    remember_dismissal,
)

CARD, OTHER_CARD = OfferId(1), OfferId(2)
BOOTS, SOCKS, WAX = ProductId(10), ProductId(20), ProductId(30)
OFFER, PRODUCT, PAIR = Scope(offer_id=CARD), Scope(product_id=SOCKS), Scope(anchor_product_id=BOOTS, product_id=SOCKS)
MOMENT = timedelta(microseconds=1)


def days(number):
    return timedelta(days=number)


def in_force(dismissals, now, *, offer_id=CARD, anchors=(BOOTS,), product_id=SOCKS):
    found = dismissal_in_force(dismissals, offer_id=offer_id, anchors=anchors, product_id=product_id, now=now)
    return found.scope if found else None


def test_one_card_is_about_its_offer_its_products_and_each_pair():
    assert scopes_of(CARD, [BOOTS], [SOCKS, WAX]) == (
        OFFER,
        PRODUCT,
        Scope(product_id=WAX),
        PAIR,
        Scope(anchor_product_id=BOOTS, product_id=WAX),
    )


def test_a_large_cart_is_remembered_by_its_first_lines_and_no_product_goes_with_itself():
    many = [ProductId(number) for number in range(1, 40)]

    assert len(scopes_of(CARD, many, many)) == 1 + 5 + 5 * 5 - 5


@pytest.mark.parametrize(("scope", "lasts"), [(OFFER, 30), (PRODUCT, 30), (PAIR, 90)])
def test_a_first_dismissal_lasts_its_days_and_not_a_moment_longer(scope, lasts):
    one = remembered(None, "v:a", scope, now=NOW)

    assert in_force([one], NOW + days(lasts) - MOMENT) == scope
    assert in_force([one], NOW + days(lasts)) is None


@pytest.mark.parametrize(
    ("scope", "expected"),
    [(OFFER, [30, 60, 120, 180, 180]), (PRODUCT, [30, 60, 120, 180, 180]), (PAIR, [90, 180, 180])],
)
def test_each_repeat_doubles_the_time_up_to_half_a_year(scope, expected):
    one, now, lasted = None, NOW, []
    for _ in expected:
        now += days(2)
        one = remembered(one, "v:a", scope, now=now)
        lasted.append((one.until - now).days)

    assert lasted == expected


def test_the_same_message_said_again_within_the_hour_is_one_dismissal():
    once = remembered(None, "v:a", OFFER, now=NOW)

    assert remembered(once, "v:a", OFFER, now=NOW + timedelta(minutes=59)) == once
    assert remembered(once, "v:a", OFFER, now=NOW + timedelta(hours=1)).times == 2


def test_after_half_a_year_a_dismissal_is_forgotten_and_counting_begins_anew():
    one = remembered(remembered(None, "v:a", OFFER, now=NOW), "v:a", OFFER, now=NOW + days(1))

    assert remembered(one, "v:a", OFFER, now=NOW + days(1 + LONGEST_DAYS)).times == 1
    assert remembered(one, "v:a", OFFER, now=NOW + days(LONGEST_DAYS)).times == 3


@given(st.lists(st.integers(0, 300 * 24), max_size=12), st.sampled_from([OFFER, PRODUCT, PAIR]))
def test_a_repeat_never_cuts_a_promise_short_and_none_lasts_longer_than_half_a_year(hours, scope):
    one, now = None, NOW
    for gap in hours:
        now += timedelta(hours=gap)
        after = remembered(one, "v:a", scope, now=now)
        assert one is None or after.until >= one.until
        assert after.until <= now + days(LONGEST_DAYS)
        one = after


@pytest.mark.parametrize(
    ("scope", "asked", "held"),
    [
        (OFFER, {"product_id": WAX}, True),
        (OFFER, {"offer_id": OTHER_CARD}, False),
        (PRODUCT, {"offer_id": OTHER_CARD, "anchors": (WAX,)}, True),
        (PRODUCT, {"product_id": WAX}, False),
        (PAIR, {"offer_id": OTHER_CARD, "anchors": (WAX, BOOTS)}, True),
        (PAIR, {"anchors": (WAX,)}, False),
        (PAIR, {"anchors": ()}, False),
        (PAIR, {"product_id": WAX}, False),
    ],
)
def test_a_dismissal_keeps_away_what_it_is_about_and_nothing_else(scope, asked, held):
    one = remembered(None, "v:a", scope, now=NOW)

    assert (in_force([one], NOW, **asked) == scope) is held


def test_of_several_dismissals_the_one_that_lasts_longest_is_named():
    known = [remembered(None, "v:a", scope, now=NOW) for scope in (OFFER, PAIR, PRODUCT)]

    assert in_force(known, NOW) == in_force(reversed(known), NOW) == PAIR


def test_dismissals_of_all_names_are_found_and_of_nobody_else(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    remember_dismissal(session, shop_id, "v:a", [OFFER], now=NOW)
    remember_dismissal(session, shop_id, "c:1", [PAIR], now=NOW)
    remember_dismissal(session, shop_id, "v:b", [PRODUCT], now=NOW)
    remember_dismissal(session, other_shop, "v:a", [PRODUCT], now=NOW)

    found = dismissals_of(session, shop_id, ["c:1", "v:a"], now=NOW)

    assert [(one.subject, one.scope) for one in found] == [("c:1", PAIR), ("v:a", OFFER)]
    assert dismissals_of(session, shop_id, ["v:a"], now=NOW + days(30)) == ()
    assert dismissals_of(session, shop_id, [], now=NOW) == ()


def test_a_repeat_is_known_after_the_first_has_run_out(session, shop_id):
    remember_dismissal(session, shop_id, "v:a", [OFFER, OFFER], now=NOW)
    (again,) = remember_dismissal(session, shop_id, "v:a", [OFFER], now=NOW + days(40))

    assert (again.times, again.until) == (2, NOW + days(100))
    assert dismissals_of(session, shop_id, ["v:a"], now=NOW + days(99)) == (again,)


def test_what_a_guest_waved_away_moves_to_the_customer_and_adds_up_with_theirs(session, shop_id):
    for name, scopes in (("v:a", [OFFER, PAIR]), ("c:1", [OFFER])):
        remember_dismissal(session, shop_id, name, scopes, now=NOW)

    assert move_dismissals(session, shop_id, "v:a", "c:1") == 2
    assert move_dismissals(session, shop_id, "v:a", "c:1") == 0

    assert dismissals_of(session, shop_id, ["v:a"], now=NOW) == ()
    theirs = dismissals_of(session, shop_id, ["c:1"], now=NOW)
    assert {one.scope: (one.times, one.until) for one in theirs} == {
        OFFER: (2, NOW + days(30)),
        PAIR: (1, NOW + days(90)),
    }


def test_only_what_is_neither_in_force_nor_remembered_is_deleted(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    remember_dismissal(session, shop_id, "v:a", [OFFER], now=NOW)
    remember_dismissal(session, shop_id, "v:b", [OFFER], now=NOW + days(1))
    remember_dismissal(session, other_shop, "v:a", [OFFER], now=NOW)

    assert forget_old_dismissals(session, shop_id, now=NOW + days(LONGEST_DAYS)) == 1
    assert erase_dismissals(session, shop_id, "v:a") == 0

    assert session.scalar(select(func.count()).select_from(DismissalRow)) == 2
