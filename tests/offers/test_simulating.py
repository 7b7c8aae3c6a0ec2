"""Moments of a past order, and what is counted of them. Nothing here needs a database or a clock."""

from dataclasses import replace
from datetime import timedelta

from builders_database import NOW
from builders_offers import BOOTS, LACES, SHOP, SOCKS, WAX, a_cart, a_snapshot, an_offer

from shopify_upsell.customers.courtesy import Caps
from shopify_upsell.offers.drawing import draw
from shopify_upsell.offers.past_moments import MOST_PAGES, PastOrder, is_sampled, moments_of
from shopify_upsell.offers.simulating import Rehearsal

SERVED = ("theme/product_page", "theme/cart", "post_purchase/offer")
MINUTE = timedelta(minutes=1)


def an_order(*products, order_id=7, customer_id=5, at=NOW):
    return PastOrder(order_id, at, customer_id, a_cart(*products))


def a_moment(at=NOW, customer_id=5):
    """The boots' page, open at a moment."""
    moment = moments_of(an_order(BOOTS, customer_id=customer_id), SHOP, "USD", ("theme/product_page",))[0]
    return replace(moment, at=at)


def rehearsed(*moments, caps=None, **changes):
    """Ask at each moment beside boots, with socks, wax and laces to offer."""
    rehearsal = Rehearsal(an_offer(), currency="USD")
    for moment in moments:
        snapshot = a_snapshot(request=moment.request, **{"caps": caps or Caps()} | changes)
        snapshot = replace(snapshot, now=moment.at)
        rehearsal.take(moment, snapshot, draw(snapshot))
    return rehearsal.simulated()


def test_an_order_gives_its_products_pages_its_cart_and_the_page_after_paying():
    moments = moments_of(an_order(BOOTS, SOCKS), SHOP, "USD", SERVED)

    told = [
        (one.request.placement, NOW - one.at, one.request.anchor_product_ids, len(one.request.cart)) for one in moments
    ]
    assert told == [
        ("theme/product_page", 7 * MINUTE, (BOOTS,), 0),
        ("theme/product_page", 5 * MINUTE, (SOCKS,), 1),
        ("theme/cart", 3 * MINUTE, (BOOTS, SOCKS), 2),
        ("post_purchase/offer", 0 * MINUTE, (BOOTS, SOCKS), 2),
    ]
    assert {one.request.customer_id for one in moments} == {5}


def test_a_guests_order_is_a_visitor_of_its_own_and_names_nobody():
    first, second = (moments_of(an_order(BOOTS, order_id=n, customer_id=None), SHOP, "USD", SERVED)[0] for n in (7, 8))

    assert first.request.subjects == ("v:order-7",)
    assert second.request.subjects == ("v:order-8",)


def test_placements_that_no_offer_uses_give_no_moments_and_an_empty_order_none_at_all():
    assert [one.request.placement for one in moments_of(an_order(BOOTS), SHOP, "USD", ("theme/cart",))] == [
        "theme/cart"
    ]
    assert moments_of(an_order(), SHOP, "USD", SERVED) == []


def test_of_a_large_order_the_first_product_pages_are_taken():
    moments = moments_of(an_order(*range(1, 40)), SHOP, "USD", ("theme/product_page",))

    assert len(moments) == MOST_PAGES


def test_a_sample_of_nobody_and_of_everybody_and_a_half_that_depends_on_the_seed():
    units = [f"c:{number}" for number in range(1000)]

    assert not any(is_sampled(1, unit, 0) for unit in units)
    assert all(is_sampled(1, unit, 10_000) for unit in units)
    half = [unit for unit in units if is_sampled(1, unit, 5000)]
    assert 400 < len(half) < 600
    assert half != [unit for unit in units if is_sampled(2, unit, 5000)]


def test_the_budget_is_spent_as_moments_go_by_and_the_cap_is_named_with_its_pressure():
    moments = [a_moment(NOW + day * timedelta(days=1)) for day in range(4)]

    found = rehearsed(*moments, caps=Caps(session=2, day=2, month=2, offer_day=2, offer_month=2))

    assert (found.moment_count, found.shown_count, found.customer_count) == (4, 2, 1)
    assert [(one.code, one.moment_count) for one in found.why_not] == [("cap_month", 2)]
    assert found.cap_pressure == 0.5
    assert found.next_from == (("2026-12", 2),)


def test_another_shopper_has_a_budget_of_their_own():
    tight = Caps(session=1, day=1, month=1, offer_day=1, offer_month=1)

    found = rehearsed(a_moment(), a_moment(customer_id=6), a_moment(), caps=tight)

    assert (found.shown_count, found.customer_count) == (2, 2)


def test_the_holdout_is_shown_nothing_and_counted_apart():
    found = rehearsed(a_moment(), holdout_basis_points=10_000)

    assert (found.shown_count, found.withheld_count, found.customer_count) == (0, 1, 0)
    assert found.margin.card_count == 0


def test_expected_margin_is_contribution_times_how_readily_it_is_taken_and_says_what_is_assumed():
    found = rehearsed(a_moment())

    # 20.00 less 10.00 goods and 0.58 + 0.30 fees; of score 0.3, a tenth is taken.
    assert found.margin.if_all_taken_minor_units == 912
    assert found.margin.expected_minor_units == round(0.03 * 912)
    assert found.margin.currency == "USD"
    assert {"acceptance", "cost"} <= set(found.margin.assumed)


def test_a_code_counts_once_a_moment_with_at_most_three_examples():
    moments = [a_moment(NOW + day * timedelta(days=40)) for day in range(5)]

    found = rehearsed(*moments, offers=(an_offer(companions=(99, 98)),))

    assert [(one.code, one.moment_count, len(one.examples)) for one in found.why_not] == [("product_not_active", 5, 3)]
    assert found.why_not[0].examples[0].product_id == 99


def test_what_other_offers_show_spends_the_same_budget():
    others = (an_offer(1, companions=(LACES,)), an_offer(2, companions=(WAX,)))
    rehearsal = Rehearsal(an_offer(1), currency="USD")
    snapshot = a_snapshot(request=a_moment().request, offers=others, caps=Caps(2, 2, 2, 2, 2))

    first = rehearsal.take(a_moment(), snapshot, draw(snapshot))
    second = rehearsal.take(a_moment(NOW + MINUTE), replace(snapshot, now=NOW + MINUTE), draw(snapshot))

    assert sorted(one.items[0].product_id for one in first.chosen) == [WAX, LACES]
    assert second.gate in ("cap_session", "cap_day", "cap_month")
    assert rehearsal.simulated().cap_pressure == 0.5
