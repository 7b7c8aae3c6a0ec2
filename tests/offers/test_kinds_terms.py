"""What the kinds with terms of their own propose: quantity, replenish, subscribe, free shipping, gift."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    BRUSH,
    SOCKS,
    WAX,
    a_cart,
    a_product,
    a_request,
    a_snapshot,
    an_offer,
    variant_id_of,
)

from shopify_upsell.core import ProductId
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.offers.kinds.incentive import propose_free_shipping, propose_gift
from shopify_upsell.offers.kinds.quantity import propose as propose_quantity
from shopify_upsell.offers.kinds.registry import KINDS, VALIDATORS
from shopify_upsell.offers.kinds.replenish import due_between
from shopify_upsell.offers.kinds.replenish import propose as propose_replenish
from shopify_upsell.offers.kinds.subscribe import best_plan
from shopify_upsell.offers.kinds.subscribe import propose as propose_subscribe
from shopify_upsell.offers.terms import Incentive, Terms

MONTHLY = SellingPlan(71, "Every month", "subscribe", 1000)
PREPAID = SellingPlan(70, "Three months ahead", "prepaid", 1500, 3)
DEAR = SellingPlan(60, "By agreement", "subscribe", None)
THREE = an_offer(kind="quantity", terms=Terms(quantity=3))


def owned(product_id=WAX, quantity=1, *, days_ago=30, **changes):
    moment = NOW - timedelta(days=days_ago)
    return replace(OwnedProduct(ProductId(product_id), 1, quantity, moment, moment, False), **changes)


def owning(snapshot, *products):
    """The same snapshot of a customer who owns these products."""
    return replace(snapshot, owned={one.product_id: one for one in products})


def test_every_kind_has_a_validator():
    assert set(VALIDATORS) == set(KINDS)


def test_quantity_offers_the_pieces_still_missing_of_the_cart_line():
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS)))

    (candidate,) = propose_quantity(THREE, snapshot)

    (item,) = candidate.items
    assert (item.product_id, item.variant_id, item.quantity) == (BOOTS, variant_id_of(BOOTS), 2)
    assert candidate.replaces_variant_id is None


@pytest.mark.parametrize(
    "request_",
    [
        a_request(),
        a_request(cart=a_cart(BOOTS, quantity=3)),
        a_request(cart=a_cart(SOCKS)),
        a_request(cart=a_cart(BOOTS), placement="post_purchase/offer"),
        a_request(cart=tuple(replace(line, selling_plan_id=71) for line in a_cart(BOOTS))),
    ],
)
def test_quantity_proposes_nothing_without_a_one_time_line_below_the_number(request_):
    assert propose_quantity(THREE, a_snapshot(request=request_)) == []


@pytest.mark.parametrize(("quantity", "first", "last"), [(1, 24, 60), (3, 84, 120)])
def test_thirty_day_supply_is_due_from_day_24_and_three_of_them_from_day_84(quantity, first, last):
    begins, ends = due_between(owned(quantity=quantity, days_ago=0), 30)

    assert (begins - NOW, ends - NOW) == (timedelta(days=first), timedelta(days=last))


def test_supply_counts_from_the_delivery():
    late = owned(days_ago=40, delivered_at=NOW - timedelta(days=10))

    assert due_between(late, 30)[0] == NOW + timedelta(days=14)


def test_replenish_proposes_what_is_owned_and_has_a_rhythm_in_the_number_bought_last():
    snapshot = a_snapshot(products=(a_product(WAX, supply_days=30.0),))

    (candidate,) = propose_replenish(an_offer(kind="replenish"), owning(snapshot, owned(WAX, 2), owned(BRUSH)))

    assert (candidate.items[0].product_id, candidate.items[0].quantity) == (WAX, 2)
    assert candidate.offered_from == NOW - timedelta(days=30) + timedelta(days=1.8 * 30)
    assert candidate.reason_code == "running_out"


def test_merchants_days_stand_in_for_a_rhythm_that_was_not_learned():
    offer = an_offer(kind="replenish", companions=(BRUSH,), terms=Terms(supply_days=10))

    proposed = propose_replenish(offer, owning(a_snapshot(), owned(WAX), owned(BRUSH)))

    assert [one.items[0].product_id for one in proposed] == [BRUSH]


def test_subscription_replaces_the_one_time_line():
    snapshot = a_snapshot(
        request=a_request(cart=a_cart(BOOTS, quantity=2)), products=(a_product(BOOTS, selling_plans=(MONTHLY,)),)
    )

    (candidate,) = propose_subscribe(an_offer(kind="subscribe"), snapshot)

    (item,) = candidate.items
    assert (item.selling_plan_id, item.quantity, item.variant_id) == (71, 2, variant_id_of(BOOTS))
    assert (candidate.replaces_variant_id, candidate.replaced_quantity) == (variant_id_of(BOOTS), 2)


def test_line_on_a_plan_and_product_without_one_are_left_alone():
    planned = tuple(replace(line, selling_plan_id=71) for line in a_cart(BOOTS))
    with_plan = (a_product(BOOTS, selling_plans=(MONTHLY,)),)

    assert propose_subscribe(an_offer(kind="subscribe"), a_snapshot(request=a_request(cart=a_cart(BOOTS)))) == []
    request = a_request(cart=planned)
    assert propose_subscribe(an_offer(kind="subscribe"), a_snapshot(request=request, products=with_plan)) == []


def test_owner_of_a_product_is_offered_its_plan_where_the_cart_has_no_line():
    snapshot = owning(a_snapshot(products=(a_product(WAX, selling_plans=(MONTHLY,)),)), owned(WAX), owned(BRUSH))

    (candidate,) = propose_subscribe(an_offer(kind="subscribe"), snapshot)

    assert (candidate.items[0].product_id, candidate.replaces_variant_id) == (WAX, None)


def test_plan_paid_as_it_comes_with_a_known_price_is_offered_first():
    assert best_plan(a_product(selling_plans=(PREPAID, DEAR, MONTHLY))) == MONTHLY
    assert best_plan(a_product(selling_plans=(DEAR, PREPAID))) == PREPAID
    assert best_plan(a_product()) is None


def test_free_shipping_proposes_companions_of_a_cart_only():
    offer = an_offer(
        kind="free_shipping", terms=Terms(incentive=Incentive("free_shipping", threshold_minor_units=5, currency="USD"))
    )

    proposed = propose_free_shipping(offer, a_snapshot(request=a_request(cart=a_cart(BOOTS))))

    assert [one.items[0].product_id for one in proposed][:2] == [SOCKS, WAX]
    assert {one.reason_code for one in proposed} == {"closes_the_gap"}
    assert propose_free_shipping(offer, a_snapshot()) == []


def test_gift_is_the_named_variant_and_nothing_where_it_is_not_known():
    incentive = Incentive("gift", gift_variant_id=variant_id_of(BRUSH))
    offer = an_offer(kind="gift", companions=(BRUSH,), terms=Terms(incentive=incentive))
    cart = a_snapshot(request=a_request(cart=a_cart(BOOTS)))

    (candidate,) = propose_gift(offer, cart)

    assert candidate.items[0].variant_id == variant_id_of(BRUSH)
    assert propose_gift(offer, a_snapshot()) == []
    assert propose_gift(replace(offer, companions=(WAX,)), cart) == []
