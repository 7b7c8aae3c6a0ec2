"""What the shop's own discounts do to a card: which one is named, what a code in the cart does, what a plan keeps."""

from dataclasses import replace

import pytest
from builders_offers import BOOTS, SOCKS, a_candidate, a_cart, a_product, a_request, a_snapshot, a_variant, an_offer
from builders_offers import variant_id_of as variant

from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.money import Money
from shopify_upsell.offers.discounts import ActiveDiscount, Predicted, PricedLine, Unpredictable, predict
from shopify_upsell.offers.kinds import subscribe, up_sell
from shopify_upsell.offers.money_rules import FIRST_MONEY_RULES, discount_conflict, discount_unpredictable
from shopify_upsell.offers.quoting import cart_value, quote
from shopify_upsell.offers.snapshot import CartLine
from shopify_upsell.offers.terms import Incentive, Terms

TENTH_OFF = an_offer(terms=Terms(incentive=Incentive("percentage", basis_points=1000)))
OWN = ActiveDiscount("own", "product", "percentage", 1000, product_ids=(SOCKS,), title="Sock week")
PLAN = SellingPlan(7001, "Every month", "subscribe", 1000)


def a_line(price=2000, quantity=1, **changes):
    return replace(PricedLine(SOCKS, variant(SOCKS), quantity, price), **changes)


def shop(*discounts, **asked):
    products = [a_product(one, variants=(a_variant(one, price=Money(2000, "USD")),)) for one in (BOOTS, SOCKS)]
    request = replace(a_request(cart=a_cart(BOOTS)), **asked)
    return a_snapshot(request=request, products=products, discounts=discounts, knows_discounts=True)


def refusals(snapshot, candidate=None):
    candidate = candidate or a_candidate(offer=TENTH_OFF)
    return [why for rule in FIRST_MONEY_RULES if (why := rule(candidate, snapshot)) is not None]


def test_a_promise_that_the_shops_own_discount_charges_is_shown():
    assert refusals(shop(OWN)) == []
    assert quote(a_candidate(offer=TENTH_OFF), shop(OWN)).charged == (1800,)


def test_the_discount_in_conflict_is_named():
    why = discount_conflict(a_candidate(offer=TENTH_OFF), shop(replace(OWN, basis_points=2000)))

    assert why.detail == {"promised": 1800, "charged": 1600, "discount": "Sock week"}


def test_the_discount_that_cannot_be_predicted_is_named_and_one_for_other_products_is_not():
    opaque = ActiveDiscount("app", "product", "opaque", title="Volume prices")
    elsewhere = ActiveDiscount("bxgy", "product", "opaque", product_ids=(99,), title="Two for one")
    why = discount_unpredictable(a_candidate(offer=TENTH_OFF), shop(OWN, opaque, elsewhere))

    assert why.detail == {"reason": "opaque", "discount": "Volume prices"}
    assert refusals(shop(OWN, elsewhere)) == []


def test_a_code_in_the_cart_that_is_known_is_predicted_and_one_that_is_not_makes_the_price_unknown():
    code = ActiveDiscount("c", "product", "percentage", 2500, code="WALK", product_ids=(SOCKS,), title="WALK")

    assert refusals(shop(OWN, code)) == []
    (conflict,) = refusals(shop(OWN, code, codes=("walk",)))
    assert (conflict.code, conflict.detail["charged"]) == ("discount_conflict", 1500)
    (unknown,) = refusals(shop(OWN, code, codes=("walk", "BULK-0001")))
    assert (unknown.code, unknown.detail) == ("discount_unpredictable", {"reason": "code"})


def test_an_unknown_code_counts_in_a_shop_without_other_discounts_too():
    prices = quote(a_candidate(), shop(codes=("BULK-0001",)))

    assert (prices.charged, prices.doubt) == (None, "code")
    assert cart_value(shop(codes=("BULK-0001",))) is None
    assert quote(a_candidate(), shop()).charged == (2000,)


def test_free_shipping_that_may_or_may_not_apply_changes_no_products_price():
    maybe = ActiveDiscount("s", "shipping", "opaque", combines_with=("product", "order"))
    product = ActiveDiscount("p", "product", "percentage", 1000, combines_with=("shipping",))

    assert predict([a_line()], [maybe, product]) == Predicted((1800,), 0, ("p",))
    assert predict([a_line()], [maybe]) == Predicted((2000,), 0, ())


def test_free_shipping_that_may_keep_another_discount_away_makes_the_price_unknown():
    maybe = ActiveDiscount("s", "shipping", "opaque")
    product = ActiveDiscount("p", "product", "percentage", 1000, combines_with=("shipping",))

    answer = predict([a_line()], [maybe, product])

    assert (answer, answer.because_of) == (Unpredictable("opaque"), ("s",))


def test_an_order_discount_for_one_way_of_buying_is_not_predicted_for_a_cart_with_both():
    order = ActiveDiscount("o", "order", "percentage", 1000)
    once, regularly = a_line(), a_line(is_subscription=True)

    assert predict([once], [order]).total == 1800
    assert predict([regularly], [order]) == Predicted((2000,), 0, ())
    assert predict([once, regularly], [order]) == Unpredictable("mixed")


def on_plan(product=BOOTS, quantity=1, plan=7001):
    return CartLine(variant(product), product, quantity, plan)


def with_plan(cart, **changes):
    boots = a_product(BOOTS, selling_plans=(PLAN,), variants=(a_variant(BOOTS, price=Money(3000, "USD")),))
    return a_snapshot(request=a_request(cart=cart), products=[boots, a_product(SOCKS)], **changes)


def test_a_line_on_a_plan_is_worth_what_the_plan_charges_and_one_on_an_unknown_plan_is_not_known():
    assert cart_value(with_plan((on_plan(quantity=2),))) == 5400
    assert cart_value(with_plan((on_plan(plan=9999),))) is None
    assert cart_value(with_plan((on_plan(plan=0),))) is None


@pytest.mark.parametrize(("cart", "replaced"), [
    ((on_plan(),), []),
    (a_cart(BOOTS), [variant(BOOTS)]),
    ((on_plan(), *a_cart(BOOTS)), [variant(BOOTS)]),
])  # fmt: skip
def test_only_what_is_bought_once_is_offered_a_subscription(cart, replaced):
    offer = an_offer(kind="subscribe", companions=None)

    found = subscribe.propose(offer, with_plan(cart))

    assert [candidate.replaces_variant_id for candidate in found] == replaced


def sizes():
    small, large = a_variant(BOOTS, title="50 ml", price=Money(2000, "USD")), None
    large = replace(small, variant_id=999, position=2, title="100 ml", price=Money(3000, "USD"))
    return a_product(BOOTS, variants=(small, large), selling_plans=(PLAN,))


@pytest.mark.parametrize(("cart", "replaced"), [
    ((on_plan(),), []),
    (a_cart(BOOTS), [(variant(BOOTS), 1)]),
    ((on_plan(quantity=5), *a_cart(BOOTS)), [(variant(BOOTS), 1)]),
])  # fmt: skip
def test_an_up_sell_replaces_the_line_that_is_bought_once_and_never_a_subscription(cart, replaced):
    offer = an_offer(kind="up_sell", companions=None, anchors=(BOOTS,))
    snapshot = a_snapshot(request=a_request(cart=cart), products=[sizes()])

    found = up_sell.propose(offer, snapshot)

    assert [(one.replaces_variant_id, one.replaced_quantity) for one in found] == replaced


def test_what_is_replaced_is_taken_from_the_line_that_is_bought_once():
    small, large = sizes().variants
    cart = (on_plan(), *a_cart(BOOTS))
    snapshot = a_snapshot(
        request=a_request(cart=cart),
        products=[sizes()],
        discounts=(ActiveDiscount("o", "product", "percentage", 1000, product_ids=(BOOTS,)),),
        knows_discounts=True,
    )
    (candidate,) = up_sell.propose(an_offer(kind="up_sell", companions=None, anchors=(BOOTS,)), snapshot)

    prices = quote(candidate, snapshot)

    assert (candidate.items[0].variant_id, small.variant_id) == (large.variant_id, variant(BOOTS))
    assert (prices.charged, prices.cart_change) == ((2700,), 900)
