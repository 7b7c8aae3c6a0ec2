"""Wishes are kept per shop and person, survive log-in, and can be erased."""

from datetime import timedelta

from builders_database import NOW, add_shop
from sqlalchemy import select

from shopify_upsell.core import CustomerId, ProductId
from shopify_upsell.customers.store import SuppressionRow, erase_subject, merge_visitor, suppress, suppressions_of
from shopify_upsell.customers.suppression import dismissal, snooze

SOCKS, BOOTS = ProductId(7), ProductId(2**62)


def test_wishes_of_all_names_are_found_and_of_nobody_else(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    mine, known = dismissal("v:a", SOCKS, now=NOW), snooze("c:1", BOOTS, 7, now=NOW)
    for wish in (mine, known, dismissal("v:b", SOCKS, now=NOW)):
        suppress(session, shop_id, wish)
    suppress(session, other_shop, dismissal("v:a", BOOTS, now=NOW))

    assert suppressions_of(session, shop_id, ["c:1", "v:a"], now=NOW) == (known, mine)


def test_somebody_without_a_name_has_no_wishes(session, shop_id):
    suppress(session, shop_id, dismissal("v:a", SOCKS, now=NOW))

    assert suppressions_of(session, shop_id, [], now=NOW) == ()


def test_wish_is_over_at_its_end(session, shop_id):
    suppress(session, shop_id, snooze("v:a", SOCKS, 7, now=NOW))

    assert suppressions_of(session, shop_id, ["v:a"], now=NOW + timedelta(days=7)) == ()


def test_shorter_wish_never_cuts_a_longer_one(session, shop_id):
    long, short = snooze("v:a", SOCKS, 90, now=NOW), dismissal("v:a", SOCKS, now=NOW)
    suppress(session, shop_id, long)
    suppress(session, shop_id, short)

    assert suppressions_of(session, shop_id, ["v:a"], now=NOW) == (long,)


def test_longer_wish_replaces_a_shorter_one_with_its_reason(session, shop_id):
    suppress(session, shop_id, dismissal("v:a", SOCKS, now=NOW))
    suppress(session, shop_id, snooze("v:a", SOCKS, 90, now=NOW))

    assert suppressions_of(session, shop_id, ["v:a"], now=NOW) == (snooze("v:a", SOCKS, 90, now=NOW),)


def test_dismissed_as_guest_is_still_dismissed_after_log_in_and_log_out(session, shop_id):
    suppress(session, shop_id, dismissal("v:a", SOCKS, now=NOW))
    suppress(session, shop_id, dismissal("c:5", BOOTS, now=NOW))

    moved = merge_visitor(session, shop_id, "a", CustomerId(5), NOW)

    assert moved == 1
    assert [wish.product_id for wish in suppressions_of(session, shop_id, ["c:5"], now=NOW)] == [SOCKS, BOOTS]
    assert suppressions_of(session, shop_id, ["v:a"], now=NOW) == ()


def test_merging_never_shortens_what_the_customer_had(session, shop_id):
    suppress(session, shop_id, snooze("c:5", SOCKS, 90, now=NOW))
    suppress(session, shop_id, dismissal("v:a", SOCKS, now=NOW))

    merge_visitor(session, shop_id, "a", CustomerId(5), NOW)

    assert suppressions_of(session, shop_id, ["c:5"], now=NOW) == (snooze("c:5", SOCKS, 90, now=NOW),)


def test_erasing_a_person_leaves_others_and_other_shops(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    for shop, subject in ((shop_id, "c:1"), (shop_id, "c:2"), (other_shop, "c:1")):
        suppress(session, shop, dismissal(subject, SOCKS, now=NOW))

    assert erase_subject(session, shop_id, "c:1") == 1

    left = session.execute(select(SuppressionRow.shop_id, SuppressionRow.subject).order_by(SuppressionRow.subject))
    assert set(left) == {(shop_id, "c:2"), (other_shop, "c:1")}
