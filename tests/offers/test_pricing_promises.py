"""Promised, charged and shown prices per kind, and every rule that keeps a promise from being made."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    BRUSH,
    LACES,
    SOCKS,
    WAX,
    a_candidate,
    a_cart,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    an_offer,
    variant_id_of,
)
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import CandidateItem
from shopify_upsell.offers.codes import REJECTIONS
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.kinds.quantity import propose as propose_quantity
from shopify_upsell.offers.kinds.subscribe import propose as propose_subscribe
from shopify_upsell.offers.money_rules import (
    FIRST_MONEY_RULES,
    LAST_MONEY_RULES,
    MONEY_RULES,
    PERSONAL_MONEY_RULES,
    discount_not_backed,
)
from shopify_upsell.offers.pricing import changeset_discount, priced
from shopify_upsell.offers.quoting import promised_prices, quote
from shopify_upsell.offers.terms import Floor, Incentive, Terms

USD = "USD"
AFTER = "post_purchase/offer"
TEN_OFF = Incentive("percentage", basis_points=1000)
FREE_FROM_50 = Incentive("free_shipping", threshold_minor_units=5000, currency=USD, is_shop_rate=True)
MONTHLY = SellingPlan(71, "Every month", "subscribe", 1000)


def codes_of(candidate, snapshot):
    return [one.code for one in (rule(candidate, snapshot) for rule in MONEY_RULES) if one is not None]


def an_offer_with(kind="cross_sell", incentive=None, **terms):
    return an_offer(kind=kind, terms=Terms(incentive=incentive or Incentive(), **terms))


def own(**changes):
    return replace(ActiveDiscount("own", "product", "percentage", 1000, product_ids=(SOCKS,)), **changes)


def at_cart(*discounts, knows=True, **changes):
    return a_snapshot(request=a_request(cart=a_cart(BOOTS)), discounts=discounts, knows_discounts=knows, **changes)


@given(
    st.lists(st.integers(1, 10**6), min_size=2, max_size=5),
    st.integers(0, 10**6),
    st.sampled_from(["amount", "fixed_price"]),
)
def test_parts_of_a_bundle_add_up_to_its_one_price(listed, amount, kind):
    incentive = Incentive(kind, minor_units=amount, currency=USD)

    prices = promised_prices(incentive, "bundle", listed, [0] * len(listed))

    total = sum(listed)
    assert sum(prices) == (max(0, total - amount) if kind == "amount" else min(total, amount))
    assert all(0 <= price <= before for price, before in zip(prices, listed, strict=True))


def test_bundle_with_a_fixed_price_is_itemised_to_that_price():
    offer = an_offer_with("bundle", Incentive("fixed_price", minor_units=5000, currency=USD))
    items = tuple(CandidateItem(number, variant_id_of(number)) for number in (BOOTS, SOCKS, WAX))

    assert quote(a_candidate(offer=offer, items=items), a_snapshot()).promised == (1667, 1667, 1666)


def test_fixed_price_is_that_of_one_piece_and_never_above_the_list_price():
    incentive = Incentive("fixed_price", minor_units=1500, currency=USD)

    assert promised_prices(incentive, "quantity", [2000, 1200], [1, 2]) == (1500, 1200)


def test_gift_costs_nothing_and_what_is_beside_it_its_price():
    incentive = Incentive("gift", gift_variant_id=variant_id_of(WAX))

    assert promised_prices(incentive, "gift", [2000, 900], [variant_id_of(SOCKS), variant_id_of(WAX)]) == (2000, 0)


def test_quantity_shows_the_pieces_on_top_only():
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS)))
    (candidate,) = propose_quantity(an_offer_with("quantity", quantity=3), snapshot)

    shown = priced(candidate, snapshot)

    assert (shown.items[0].quantity, shown.total) == (2, Money(4000, USD))
    assert (shown.replaces_variant_id, shown.replaced_quantity, shown.replaced_unit_minor_units) == (None, 0, 0)


@pytest.mark.parametrize(
    ("plan", "price", "change"),
    [
        (MONTHLY, 1800, 2 * 1800 - 2 * 2000),
        (SellingPlan(72, "Prepaid", "prepaid", 1500, 3), 5100, 2 * 5100 - 2 * 2000),
        (SellingPlan(73, "As it is", "subscribe", 0), 2000, 0),
    ],
)
def test_plan_is_priced_by_its_own_percentage_and_replaces_the_line(plan, price, change):
    snapshot = a_snapshot(
        request=a_request(cart=a_cart(BOOTS, quantity=2)), products=(a_product(BOOTS, selling_plans=(plan,)),)
    )
    (candidate,) = propose_subscribe(an_offer(kind="subscribe"), snapshot)

    shown = priced(candidate, snapshot)

    assert (shown.items[0].price, shown.items[0].selling_plan_id) == (Money(price, USD), plan.selling_plan_id)
    assert (shown.replaced_quantity, quote(candidate, snapshot).cart_change) == (2, change)


def test_other_lines_of_the_cart_count_when_they_change_too():
    # Three pieces reach the minimum, which takes 10 % off the one that was there already.
    discount = own(product_ids=(BOOTS,), minimum_quantity=3)
    snapshot = at_cart(discount)
    (candidate,) = propose_quantity(an_offer_with("quantity", TEN_OFF, quantity=3), snapshot)

    prices = quote(candidate, snapshot)

    assert (prices.charged, prices.cart_change) == ((1800,), 2 * 1800 - 200)


def test_benefits_carry_this_decisions_numbers_and_drop_what_is_not_known():
    lines = ("Save {saving} ({saving_rate} per cent)", "Lasts {days_of_supply} days", "Warm feet")
    offer = an_offer_with(incentive=TEN_OFF, benefits=lines)

    shown = priced(a_candidate(offer=offer), a_snapshot(request=a_request(placement=AFTER)))

    assert shown.benefits == ("Save 2.00 USD (10 per cent)", "Warm feet")


def test_saving_that_others_might_change_is_not_claimed():
    offer = an_offer_with(incentive=TEN_OFF, benefits=("Save {saving}",))

    assert priced(a_candidate(offer=offer), at_cart(knows=False)).benefits == ()


@pytest.mark.parametrize(
    ("incentive", "price", "expected"),
    [
        (TEN_OFF, 2000, ("percentage", "10")),
        (Incentive("percentage", basis_points=1250), 2000, ("percentage", "12.5")),
        (Incentive("amount", minor_units=550, currency=USD), 2000, ("fixed_amount", "5.50")),
        (Incentive("fixed_price", minor_units=1500, currency=USD), 2000, ("fixed_amount", "5.00")),
        (Incentive("gift", gift_variant_id=variant_id_of(SOCKS)), 2000, ("percentage", "100")),
        (Incentive(), 2000, None),
    ],
)
def test_changeset_takes_off_exactly_what_the_card_shows(incentive, price, expected):
    snapshot = a_snapshot(request=a_request(placement=AFTER))

    assert (
        changeset_discount(priced(a_candidate(offer=an_offer_with(incentive=incentive)), snapshot), incentive.kind)
        == expected
    )


def test_every_money_rule_is_listed_once_and_its_codes_are_in_the_vocabulary():
    assert len(set(MONEY_RULES)) == len(FIRST_MONEY_RULES) + len(PERSONAL_MONEY_RULES) + len(LAST_MONEY_RULES)
    assert {rule.__name__ for rule in MONEY_RULES} <= set(REJECTIONS)


def test_plain_offer_passes_every_money_rule_whatever_is_known_of_discounts():
    for snapshot in (a_snapshot(), at_cart(knows=False), at_cart(), at_cart(own(value_kind="opaque"))):
        assert codes_of(a_candidate(), snapshot) == []


PROMISE = an_offer_with(incentive=TEN_OFF)


@pytest.mark.parametrize(
    ("snapshot", "codes"),
    [
        (a_snapshot(request=a_request(placement=AFTER)), []),
        (at_cart(knows=False), ["discount_not_backed", "discount_unpredictable"]),
        (at_cart(), ["discount_not_backed", "discount_conflict"]),
        (at_cart(own()), []),
        (at_cart(own(basis_points=1500)), ["discount_conflict"]),
        (at_cart(own(product_ids=(WAX,))), ["discount_not_backed", "discount_conflict"]),
        (at_cart(own(), own(discount_id="other", value_kind="opaque")), ["discount_unpredictable"]),
        (at_cart(own(code="WALK")), ["discount_not_backed", "discount_conflict"]),
    ],
)
def test_promise_stands_only_where_exactly_it_is_charged(snapshot, codes):
    assert codes_of(a_candidate(offer=PROMISE), snapshot) == codes


def test_short_form_of_a_percentage_is_a_promise_too():
    refused = discount_not_backed(a_candidate(offer=an_offer(discount_basis_points=500)), a_snapshot())

    assert refused.detail == {"discount_basis_points": 500}


def test_incentive_in_another_currency_is_refused():
    euros = an_offer_with(incentive=Incentive("amount", minor_units=5, currency="EUR"))

    assert codes_of(a_candidate(offer=euros), a_snapshot())[0] == "currency_not_supported"


@pytest.mark.parametrize("kind", ["amount", "fixed_price"])
def test_after_a_purchase_an_amount_is_promised_for_one_piece_of_one_item(kind):
    offer = an_offer_with(incentive=Incentive(kind, minor_units=500, currency=USD), floor=Floor(-5000))
    after = a_snapshot(request=a_request(placement=AFTER))
    two = a_candidate(offer=offer, items=(CandidateItem(SOCKS, variant_id_of(SOCKS), 2),))

    assert codes_of(a_candidate(offer=offer), after) == []
    assert codes_of(a_candidate(SOCKS, WAX, offer=offer), after) == ["discount_not_backed"]
    assert "discount_not_backed" in codes_of(two, after)


@pytest.mark.parametrize(
    ("floor", "cost", "codes"),
    [(Floor(), 900, []), (Floor(), 1800, ["below_margin_floor"]), (Floor(900), 1000, ["below_margin_floor"])],
)
def test_offer_below_its_floor_is_refused(floor, cost, codes):
    product = a_product(SOCKS, variants=(a_variant(SOCKS, unit_cost_minor_units=cost),))
    snapshot = a_snapshot(request=a_request(placement=AFTER), products=(product,))

    assert codes_of(a_candidate(offer=an_offer_with(incentive=TEN_OFF, floor=floor)), snapshot) == codes


@pytest.mark.parametrize(
    ("cart_price", "price", "code"),
    [
        (3000, 2000, None),
        (3000, 1999, "threshold_missed"),
        (5000, 2000, "threshold_reached"),
        (4999, 2000, None),
    ],
)
def test_free_shipping_is_offered_by_what_closes_the_gap(cart_price, price, code):
    products = (
        a_product(BOOTS, variants=(a_variant(BOOTS, price=Money(cart_price, USD)),)),
        a_product(SOCKS, variants=(a_variant(SOCKS, price=Money(price, USD)),)),
    )
    costs = replace(a_snapshot().costs, free_shipping_minor_units=0)
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS)), products=products, costs=costs)

    assert codes_of(a_candidate(offer=an_offer_with("free_shipping", FREE_FROM_50)), snapshot) == (
        [code] if code else []
    )


def test_free_shipping_that_nothing_gives_is_not_promised():
    unbacked = an_offer_with("free_shipping", replace(FREE_FROM_50, is_shop_rate=False))
    products = (a_product(BOOTS, variants=(a_variant(BOOTS, price=Money(4000, USD)),)),)
    shipping = ActiveDiscount("ship", "shipping", "percentage", 10_000, minimum_minor_units=5000)

    assert codes_of(a_candidate(offer=unbacked), at_cart(products=products)) == ["discount_not_backed"]
    assert codes_of(a_candidate(offer=unbacked), at_cart(shipping, products=products)) == []
    later = replace(shipping, minimum_minor_units=5001)
    assert codes_of(a_candidate(offer=unbacked), at_cart(later, products=products)) == ["discount_not_backed"]


@pytest.mark.parametrize(("threshold", "codes"), [(2000, []), (2001, ["threshold_missed"])])
def test_gift_is_given_to_a_cart_over_the_threshold_if_a_discount_makes_it_one(threshold, codes):
    incentive = Incentive("gift", gift_variant_id=variant_id_of(LACES), threshold_minor_units=threshold, currency=USD)
    free = ActiveDiscount("free", "product", "percentage", 10_000, product_ids=(LACES,))
    costs = replace(a_snapshot().costs, goods_basis_points=0)
    offer = an_offer_with("gift", incentive, floor=Floor(-100))

    assert codes_of(a_candidate(LACES, offer=offer), at_cart(free, costs=costs)) == codes


def test_cart_of_unknown_worth_promises_no_threshold():
    request = a_request(cart=a_cart(BOOTS, 999))

    codes = codes_of(a_candidate(offer=an_offer_with("free_shipping", FREE_FROM_50)), a_snapshot(request=request))

    assert codes[0] == "cart_value_unknown"


def test_subscription_needs_a_plan_with_a_known_price():
    offer = an_offer(kind="subscribe")
    products = (
        a_product(
            SOCKS, selling_plans=(MONTHLY, replace(MONTHLY, selling_plan_id=9, percentage_off_basis_points=None))
        ),
    )

    def on_plan(number):
        return a_candidate(offer=offer, items=(CandidateItem(SOCKS, variant_id_of(SOCKS), 1, number),))

    snapshot = a_snapshot(products=products)
    assert codes_of(on_plan(71), snapshot) == []
    assert codes_of(on_plan(9), snapshot) == ["no_selling_plan"]
    assert codes_of(on_plan(None), snapshot) == ["no_selling_plan"]


def test_no_subscription_is_ever_offered_after_a_purchase():
    products = (a_product(BOOTS, selling_plans=(MONTHLY,)),)
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS), placement=AFTER), products=products)

    (candidate,) = propose_subscribe(an_offer(kind="subscribe"), snapshot)

    assert codes_of(candidate, snapshot) == ["subscription_in_order"]


@pytest.mark.parametrize(
    ("stock", "policy", "codes"),
    [(3, "deny", []), (2, "deny", ["too_few_in_stock"]), (2, "continue", []), (None, "deny", []), (0, "deny", [])],
)
def test_bundle_needs_every_piece_of_every_part(stock, policy, codes):
    scarce = a_variant(WAX, quantity=stock, inventory_policy=policy)
    items = (CandidateItem(SOCKS, variant_id_of(SOCKS)), CandidateItem(WAX, variant_id_of(WAX), 3))

    found = codes_of(a_candidate(items=items), a_snapshot(products=(a_product(WAX, variants=(scarce,)),)))

    assert found == codes


def test_pieces_in_the_cart_are_taken_already():
    scarce = a_variant(BRUSH, quantity=2)
    snapshot = a_snapshot(request=a_request(cart=a_cart(BRUSH)), products=(a_product(BRUSH, variants=(scarce,)),))

    assert codes_of(a_candidate(BRUSH), snapshot) == []
    more = a_candidate(items=(CandidateItem(BRUSH, variant_id_of(BRUSH), 2),))
    assert codes_of(more, snapshot) == ["too_few_in_stock"]


@pytest.mark.parametrize(
    ("start", "end", "codes"),
    [(0, 1, []), (1, 2, ["not_due"]), (-2, 0, ["no_longer_due"]), (-1, 1, []), (None, None, [])],
)
def test_what_is_due_is_offered_between_its_days(start, end, codes):
    def day(count):
        return None if count is None else NOW + timedelta(days=count)

    candidate = a_candidate(offered_from=day(start), offered_until=day(end))

    assert codes_of(candidate, a_snapshot()) == codes
