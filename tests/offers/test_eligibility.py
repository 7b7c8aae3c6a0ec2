"""Every rule that holds whoever asks: cases that break it, and cases beside them that do not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    BRUSH,
    SOCKS,
    WAX,
    a_candidate,
    a_cart,
    a_companion,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    an_edge,
    an_offer,
    variant_id_of,
)

from shopify_upsell.core import ProductId
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.ledger.owned import ProductHealth
from shopify_upsell.money import Money
from shopify_upsell.offers import eligibility, money_rules
from shopify_upsell.offers.candidate import CandidateItem, CartLine, Rejection
from shopify_upsell.offers.codes import REJECTIONS
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.health import HealthLimits
from shopify_upsell.offers.terms import Floor, Incentive, Terms

BUNDLE = a_candidate(BOOTS, SOCKS, offer=an_offer(kind="bundle"), includes_anchor=True)
UPGRADE = a_candidate(
    offer=an_offer(kind="up_sell"),
    items=(CandidateItem(BOOTS, variant_id_of(BOOTS, 2)),),
    evidence=(),
    includes_anchor=True,
    replaces_variant_id=variant_id_of(BOOTS),
)
AFTER = a_request(placement="post_purchase/offer")
BOTH_SIZES = (*a_cart(BOOTS), CartLine(variant_id_of(BOOTS, 2), BOOTS, 1))
CHEAPER = a_candidate(offer=an_offer(discount_basis_points=500))
JUST_ENOUGH = a_candidate(offer=an_offer(terms=Terms(floor=Floor(minor_units=912))))
DEAR = a_candidate(offer=an_offer(terms=Terms(floor=Floor(minor_units=913))))
FREE_FROM_50 = Incentive("free_shipping", threshold_minor_units=5000, currency="USD", is_shop_rate=True)
CLOSES_THE_GAP = a_candidate(offer=an_offer(kind="free_shipping", terms=Terms(incentive=FREE_FROM_50)))
PLAN = SellingPlan(71, "Monthly", "recurring", 1000)
REGULARLY = a_candidate(offer=an_offer(kind="subscribe"), items=(CandidateItem(SOCKS, variant_id_of(SOCKS), 1, 71),))
TWO_PAIRS = a_candidate(items=(CandidateItem(SOCKS, variant_id_of(SOCKS), 2),))
NO_VARIANT = a_candidate(items=(CandidateItem(SOCKS, None),))


def socks(**changes):
    return a_snapshot(products=(a_product(SOCKS, **changes),))


def socks_variant(**changes):
    return socks(variants=(a_variant(SOCKS, **changes),))


def on_plan(**changes):
    return a_snapshot(products=(a_product(SOCKS, selling_plans=(replace(PLAN, **changes),)),), request=AFTER)


def in_stock(quantity, policy="deny"):
    return socks_variant(quantity=quantity, inventory_policy=policy)


def discounted(*discounts):
    return a_snapshot(discounts=discounts, knows_discounts=True)


def five_off(**changes):
    return replace(ActiveDiscount("five", "product", "percentage", 500, product_ids=(SOCKS,)), **changes)


def faring(product_id, **changes):
    health = ProductHealth(sold=100, refunded=0, rating=4.5, rating_count=50)
    return a_snapshot(health={product_id: replace(health, **changes)})


def paired(**changes):
    return a_candidate(evidence=(a_companion(**changes),))


def asked(**changes):
    return a_snapshot(request=a_request(**changes))


def refused(anchor=BOOTS, cart=(), **changes):
    edge = replace(an_edge(anchor), **changes)
    return a_snapshot(request=a_request(cart=cart), negative_edges=(edge,))


AGAINST = {
    "anchor_product_id": BOOTS,
    "source": "learned",
    "reason": "pair",
    "review_at": (NOW + timedelta(days=90)).isoformat(),
    "observed": 1.0,
    "expected": 20.0,
    "upper_bound": 0.28,
    "n": 60,
}
MERCHANTS = {"anchor_product_id": BOOTS, "source": "merchant", "reason": "blocked"}

POOR = {"refund_rate": 0.0, "sold": 100, "rating": 4.5, "poor_product_id": SOCKS}
OVER_THE_LINE = {"cart": 6000, "threshold": 5000}
ASSUMED = "cost+payment_fee+refunds+returns+shipping+tax"

BREAKS = [
    # code, candidate, snapshot, product of the rejection, detail
    ("not_explored", a_candidate(reason_code="cold_start", evidence=()), a_snapshot(), SOCKS, {"propensity": 0.0}),
    ("bundle_component_missing", replace(BUNDLE, items=BUNDLE.items[:1]), a_snapshot(), BOOTS, {}),
    ("bundle_component_missing", a_candidate(BOOTS, 99, offer=an_offer(kind="bundle")), a_snapshot(), 99, None),
    ("product_not_active", a_candidate(), socks(status="DRAFT"), SOCKS, {"status": "draft"}),
    ("product_not_active", a_candidate(), socks(status="ARCHIVED"), SOCKS, {"status": "archived"}),
    ("product_not_active", a_candidate(), socks(status="UNLISTED"), SOCKS, {"status": "unlisted"}),
    ("product_not_active", a_candidate(), socks(status=""), SOCKS, {"status": ""}),
    ("product_not_active", a_candidate(), socks(is_deleted=True), SOCKS, {"status": "deleted"}),
    ("product_not_active", a_candidate(99), a_snapshot(), 99, {"status": "unknown"}),
    ("not_published", a_candidate(), socks(is_published=False), SOCKS, {}),
    ("gift_card", a_candidate(), socks(is_gift_card=True), SOCKS, {}),
    ("needs_selling_plan", a_candidate(), socks(requires_selling_plan=True), SOCKS, {}),
    ("is_anchor", a_candidate(BOOTS), a_snapshot(), BOOTS, {}),
    ("already_in_cart", a_candidate(), asked(cart=a_cart(WAX, SOCKS)), SOCKS, {}),
    ("already_in_cart", BUNDLE, asked(cart=a_cart(BOOTS)), BOOTS, None),
    ("already_in_cart", UPGRADE, asked(cart=BOTH_SIZES), BOOTS, {}),
    ("replaces_nothing", replace(UPGRADE, replaces_variant_id=None), a_snapshot(), BOOTS, {}),
    ("currency_not_supported", a_candidate(), asked(currency="EUR"), SOCKS, {"asked": "EUR"}),
    ("currency_not_supported", a_candidate(), socks_variant(price=Money(900, "EUR")), SOCKS, {"asked": "EUR"}),
    ("no_selling_plan", REGULARLY, a_snapshot(), SOCKS, {}),
    ("no_selling_plan", REGULARLY, on_plan(percentage_off_basis_points=None), SOCKS, {}),
    ("subscription_in_order", REGULARLY, on_plan(), SOCKS, {}),
    ("cart_value_unknown", CLOSES_THE_GAP, asked(cart=a_cart(BOOTS, 999)), SOCKS, {}),
    ("threshold_reached", CLOSES_THE_GAP, asked(cart=a_cart(BOOTS, quantity=3)), SOCKS, OVER_THE_LINE),
    ("threshold_missed", CLOSES_THE_GAP, asked(cart=a_cart(BOOTS)), SOCKS, {"cart": 4000, "threshold": 5000}),
    ("discount_not_backed", CHEAPER, a_snapshot(), SOCKS, {"discount_basis_points": 500}),
    ("discount_unpredictable", CHEAPER, a_snapshot(), SOCKS, {"reason": "unknown_discounts"}),
    ("discount_conflict", CHEAPER, discounted(five_off(basis_points=700)), SOCKS, {"promised": 1900, "charged": 1860}),
    ("below_margin_floor", DEAR, a_snapshot(), SOCKS, {"contribution": 912, "assumed": ASSUMED}),
    ("negative_edge", a_candidate(), refused(), SOCKS, AGAINST),
    ("negative_edge", a_candidate(), refused(source="merchant", reason="blocked", review_at=None), SOCKS, MERCHANTS),
    ("negative_edge", BUNDLE, refused(), SOCKS, None),
    ("negative_edge", a_candidate(), refused(WAX, cart=a_cart(WAX)), SOCKS, {**AGAINST, "anchor_product_id": WAX}),
    ("negative_edge", a_candidate(), refused(reason="apart"), SOCKS, {**AGAINST, "reason": "apart"}),
    ("weak_evidence", paired(pair_count=1), a_snapshot(), SOCKS, {"pair_count": 1, "association_lift": 0.208}),
    ("weak_evidence", paired(companion_count=500), a_snapshot(), SOCKS, {"pair_count": 30, "association_lift": 1.0}),
    ("unhealthy_product", a_candidate(), faring(SOCKS, refunded=16), SOCKS, POOR | {"refund_rate": 0.16}),
    ("unhealthy_product", a_candidate(), faring(SOCKS, rating=2.9, rating_count=5), SOCKS, POOR | {"rating": 2.9}),
    ("unhealthy_product", a_candidate(), faring(BOOTS, refunded=25), SOCKS,
        POOR | {"refund_rate": 0.25, "poor_product_id": BOOTS}),
    ("requires_components", a_candidate(), socks_variant(requires_components=True), SOCKS, {}),
    ("out_of_stock", a_candidate(), socks_variant(is_available=False), SOCKS, {}),
    ("out_of_stock", NO_VARIANT, a_snapshot(), SOCKS, {}),
    ("too_few_in_stock", TWO_PAIRS, in_stock(1), SOCKS, {"quantity": 2, "stock": 1}),
]  # fmt: skip

PASSES = [
    ("a plain companion", a_candidate(), a_snapshot()),
    ("a lower-case status, as webhooks send it", a_candidate(), socks(status="active")),
    ("another product in the cart", a_candidate(), asked(cart=a_cart(WAX, BOOTS))),
    ("a bundle with its anchor", BUNDLE, a_snapshot()),
    ("an upgrade of what is in the cart", UPGRADE, a_snapshot(
        request=a_request(cart=a_cart(BOOTS)),
        products=(a_product(BOOTS, sizes=(("250 g", 1000), ("500 g", 1600))),),
    )),
    ("the shop's own currency", a_candidate(), asked(currency="USD")),
    ("a discount that the changeset charges", CHEAPER, asked(placement="post_purchase/offer")),
    ("a merchant's pick without evidence", a_candidate(BRUSH, evidence=(), reason_code="picked_by_shop"), a_snapshot()),
    ("a pair refused beside something else", a_candidate(), refused(WAX)),
    ("a pair refused the other way round", a_candidate(), refused(SOCKS, companion_product_id=BOOTS)),
    ("a pick that merely never met", a_candidate(offer=an_offer(companions=(SOCKS,))), refused(reason="apart")),
    ("a discount that a discount of the shop charges", CHEAPER, discounted(five_off())),
    ("free shipping that the product reaches to the cent", CLOSES_THE_GAP, a_snapshot(
        request=a_request(cart=a_cart(BOOTS)),
        products=(a_product(BOOTS, variants=(a_variant(BOOTS, price=Money(3000, "USD")),)),),
    )),
    ("an offer that leaves exactly its floor", JUST_ENOUGH, a_snapshot()),
    ("a product of which 15 % come back", a_candidate(), faring(SOCKS, refunded=15)),
    ("a product sold too seldom to judge", a_candidate(), faring(SOCKS, sold=19, refunded=4)),
    ("a bad rating that four people gave", a_candidate(), faring(SOCKS, rating=1.0, rating_count=4)),
    ("a rating of exactly three stars", a_candidate(), faring(SOCKS, rating=3.0)),
    ("a product that does badly and is not here", a_candidate(), faring(WAX, refunded=90)),
    ("a product sold by subscription only, on its plan", REGULARLY, a_snapshot(products=(
        a_product(SOCKS, selling_plans=(PLAN,), requires_selling_plan=True),))),
    ("as many pieces as there are", TWO_PAIRS, in_stock(2)),
    ("more pieces than there are where stock may go below 0", TWO_PAIRS, in_stock(1, "continue")),
    ("pieces that nobody counts", TWO_PAIRS, in_stock(None)),
]  # fmt: skip


RULES = (*eligibility.FIRST_RULES, *eligibility.LAST_RULES)


@pytest.mark.parametrize(("name", "candidate", "snapshot", "product_id", "detail"), BREAKS)
def test_rule_refuses_with_its_code_and_names_the_product(name, candidate, snapshot, product_id, detail):
    rule = getattr(eligibility, name, None) or getattr(money_rules, name)

    refused = rule(candidate, snapshot)

    expected = refused.detail if detail is None else detail
    assert refused == Rejection(name, candidate.offer.offer_id, ProductId(product_id), expected)


@pytest.mark.parametrize(("candidate", "snapshot"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES])
def test_candidate_that_breaks_nothing_passes_every_rule(candidate, snapshot):
    assert eligibility.refusal(candidate, snapshot) is None
    assert [rule(candidate, snapshot) for rule in RULES] == [None] * len(RULES)


def test_every_rule_is_named_after_its_code_and_has_a_case_that_breaks_it():
    names = [rule.__name__ for rule in RULES]

    assert set(names) == {case[0] for case in BREAKS}
    assert set(names) <= set(REJECTIONS)
    assert len(names) == len(set(names))


def test_no_rule_reads_who_asks_or_when():
    later = timedelta(days=1000)
    for name, candidate, snapshot, *_ in BREAKS:
        rule = getattr(eligibility, name, None) or getattr(money_rules, name)
        request = replace(snapshot.request, customer_id=7, visitor_id="abc", country="DE", is_b2b=True)
        other = replace(snapshot, now=NOW + later, request=request, preference="none")

        assert rule(candidate, other) == rule(candidate, snapshot)


def test_only_the_first_broken_rule_is_told():
    snapshot = socks(status="DRAFT", is_gift_card=True)

    assert eligibility.refusal(a_candidate(), snapshot).code == "product_not_active"


def test_stock_is_asked_last_but_for_the_lot_so_that_out_of_stock_means_that_all_else_passed():
    last = {"requires_components", "out_of_stock", "too_few_in_stock", "not_explored"}

    assert {rule.__name__ for rule in eligibility.LAST_RULES} == last
    assert eligibility.RULES[-len(last) :] == eligibility.LAST_RULES
    assert eligibility.RULES[-1] is eligibility.not_explored
    assert len(set(eligibility.RULES)) == len(eligibility.RULES)


def test_rejection_of_a_bundle_lists_its_parts():
    snapshot = a_snapshot(products=(a_product(SOCKS, is_published=False),))

    assert eligibility.refusal(BUNDLE, snapshot).detail == {"items": "1+2"}


def test_code_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="no such rejection"):
        eligibility.reject(a_candidate(), "because", a_candidate().items[0])


def test_the_merchants_limits_say_which_product_is_to_be_mended_first():
    sends_back_a_tenth = faring(SOCKS, sold=20, refunded=2)
    strict = replace(sends_back_a_tenth, health_limits=HealthLimits(most_refunded_basis_points=999))

    assert eligibility.unhealthy_product(a_candidate(), sends_back_a_tenth) is None
    assert eligibility.unhealthy_product(a_candidate(), strict).code == "unhealthy_product"
