"""What the Admin API says of a discount becomes an exact rule, or is known not to be one."""

from datetime import UTC, datetime

import pytest
from builders_discounts import a_node, free_shipping, gets, named, usd

from shopify_upsell.core import InvalidInput
from shopify_upsell.offers.discount_nodes import discounts_of
from shopify_upsell.offers.discounts import ActiveDiscount


def the_one(node):
    (discount,) = discounts_of([node], "USD")
    return discount


def expected(value_kind, **changes):
    plain = {"discount_class": "product", "combines_with": ("order",), "title": "Autumn"}
    plain |= {"starts_at": datetime(2026, 11, 1, tzinfo=UTC)}
    return ActiveDiscount("1", value_kind=value_kind, **plain | changes)


EXACT = {
    "a share of everything": (a_node(), expected("percentage", basis_points=1500)),
    "a share that no float holds": (
        a_node(customerGets=gets(value={"percentage": 0.07})),
        expected("percentage", basis_points=700),
    ),
    "an amount off each piece of some products": (
        a_node(
            customerGets=gets(named(7, 3, variants=(9,)), {"amount": usd("5.00"), "appliesOnEachItem": True}),
        ),
        expected("amount_each", minor_units=500, product_ids=(3, 7), variant_ids=(9,)),
    ),
    "an amount off the order": (
        a_node(
            discountClasses=["ORDER"],
            customerGets=gets(value={"amount": usd("5.0"), "appliesOnEachItem": False}),
            minimumRequirement={"greaterThanOrEqualToSubtotal": usd("50.00")},
        ),
        expected("amount_once", discount_class="order", minor_units=500, minimum_minor_units=5000),
    ),
    "from so many pieces on": (
        a_node(minimumRequirement={"greaterThanOrEqualToQuantity": "3"}),
        expected("percentage", basis_points=1500, minimum_quantity=3),
    ),
    "subscriptions alone": (
        a_node(customerGets=gets(appliesOnOneTimePurchase=False, appliesOnSubscription=True)),
        expected("percentage", basis_points=1500, is_for_one_time=False, is_for_subscriptions=True),
    ),
    "until a day": (
        a_node(endsAt="2026-12-01T00:00:00+01:00"),
        expected("percentage", basis_points=1500, ends_at=datetime(2026, 11, 30, 23, tzinfo=UTC)),
    ),
    "free shipping everywhere": (
        free_shipping(),
        expected("percentage", discount_class="shipping", basis_points=10_000),
    ),
    "one code": (
        a_node(kind="DiscountCodeBasic", codes={"nodes": [{"code": "WALK"}]}),
        expected("percentage", basis_points=1500, code="WALK"),
    ),
}

FOR_ALL_WAYS = {"is_for_subscriptions": True}
OPAQUE = {
    "an app's function": (a_node(kind="DiscountAutomaticApp", customerGets=None), FOR_ALL_WAYS),
    "buy X get anything": (a_node(kind="DiscountAutomaticBxgy"), FOR_ALL_WAYS),
    "buy X get some products": (
        a_node(kind="DiscountAutomaticBxgy", customerGets={"items": named(3)}),
        FOR_ALL_WAYS | {"product_ids": (3,), "variant_ids": ()},
    ),
    "a collection": (a_node(customerGets=gets({"__typename": "DiscountCollections"})), FOR_ALL_WAYS),
    "more products than were read": (
        a_node(customerGets=gets(named(3, page_info={"hasNextPage": True, "endCursor": "c"}))),
        FOR_ALL_WAYS,
    ),
    "a customer segment": (a_node(context={}), {}),
    "an amount in another currency": (
        a_node(customerGets=gets(value={"amount": usd("5.00", "EUR"), "appliesOnEachItem": True})),
        {},
    ),
    "a share finer than a basis point": (a_node(customerGets=gets(value={"percentage": 0.33333})), {}),
    "a share above the whole": (a_node(customerGets=gets(value={"percentage": 15})), {}),
    "a value that this version does not know": (a_node(customerGets=gets(value={"__typename": "New"})), {}),
    "a minimum in another currency": (
        a_node(minimumRequirement={"greaterThanOrEqualToSubtotal": usd("5.00", "EUR")}),
        {},
    ),
    "more than one discount on a line": (
        a_node(combinesWith={"orderDiscounts": True, "productDiscountsWithTagsOnSameCartLine": ["loyalty"]}),
        {},
    ),
    "an order discount that names products": (
        a_node(discountClasses=["ORDER"], customerGets=gets(named(3))),
        {"discount_class": "order", "product_ids": (3,), "variant_ids": ()},
    ),
    "free shipping to some countries": (
        free_shipping(destinationSelection={}),
        {"discount_class": "shipping"},
    ),
    "free shipping up to a price": (
        free_shipping(maximumShippingPrice={"amount": "10.0"}),
        {"discount_class": "shipping"},
    ),
    "a code with a limit": (
        a_node(kind="DiscountCodeBasic", codes={"nodes": [{"code": "WALK"}]}, usageLimit=5),
        {"code": "WALK"},
    ),
    "a code once a customer": (
        a_node(kind="DiscountCodeBasic", codes={"nodes": [{"code": "WALK"}]}, appliesOncePerCustomer=True),
        {"code": "WALK"},
    ),
}

LEFT_OUT = {
    "an expired one": a_node(status="EXPIRED"),
    "one with several codes": a_node(kind="DiscountCodeBasic", codes={"nodes": [{"code": "A"}, {"code": "B"}]}),
    "one with no code left": a_node(kind="DiscountCodeBasic", codes={"nodes": []}),
}


@pytest.mark.parametrize("what", EXACT)
def test_a_rule_that_can_be_written_down_is_read_exactly(what):
    node, discount = EXACT[what]

    assert the_one(node) == discount


@pytest.mark.parametrize("what", OPAQUE)
def test_what_nobody_outside_shopify_can_tell_is_opaque_and_keeps_what_is_known(what):
    node, known = OPAQUE[what]

    assert the_one(node) == expected("opaque", **known)


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_cannot_apply_or_would_be_a_code_unheard_of_is_left_out(what):
    assert discounts_of([LEFT_OUT[what]], "USD") == ()


def test_discounts_come_in_the_order_of_their_ids_each_once():
    nodes = [a_node(3), a_node(1), a_node(3)]

    assert [one.discount_id for one in discounts_of(nodes, "USD")] == ["1", "3"]


def test_a_currency_without_minor_units_is_read_in_its_own():
    node = a_node(customerGets=gets(value={"amount": usd("500", "JPY"), "appliesOnEachItem": True}))

    (discount,) = discounts_of([node], "JPY")

    assert (discount.value_kind, discount.minor_units) == ("amount_each", 500)


def test_a_time_that_is_none_is_not_guessed():
    with pytest.raises(InvalidInput):
        discounts_of([a_node(startsAt="soon")], "USD")
