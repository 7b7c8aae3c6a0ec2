"""Every eligibility rule: a case that breaks it and the same case put right."""

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
from shopify_upsell.customers.suppression import EVERY_PRODUCT, dismissal, snooze
from shopify_upsell.money import Money
from shopify_upsell.offers import eligibility
from shopify_upsell.offers.candidate import CandidateItem, CartLine, Rejection
from shopify_upsell.offers.codes import REJECTIONS

BUNDLE = a_candidate(BOOTS, SOCKS, offer=an_offer(kind="bundle"), includes_anchor=True)
UPGRADE = a_candidate(
    offer=an_offer(kind="up_sell"),
    items=(CandidateItem(BOOTS, variant_id_of(BOOTS, 2)),),
    evidence=(),
    includes_anchor=True,
    replaces_variant_id=variant_id_of(BOOTS),
)
BOTH_SIZES = (*a_cart(BOOTS), CartLine(variant_id_of(BOOTS, 2), BOOTS, 1))
CHEAPER = a_candidate(offer=an_offer(discount_basis_points=500))
UNTIL = {days: {"until": (NOW + timedelta(days=days)).isoformat()} for days in (7, 30)}
NO_VARIANT = a_candidate(items=(CandidateItem(SOCKS, None),))


def socks(**changes):
    return a_snapshot(products=(a_product(SOCKS, **changes),))


def socks_variant(**changes):
    return socks(variants=(a_variant(SOCKS, **changes),))


def wished(*wishes):
    return a_snapshot(suppressions=wishes)


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

BREAKS = [
    # code, candidate, snapshot, product of the rejection, detail
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
    ("discount_not_backed", CHEAPER, a_snapshot(), SOCKS, {"discount_basis_points": 500}),
    ("negative_edge", a_candidate(), refused(), SOCKS, AGAINST),
    ("negative_edge", a_candidate(), refused(source="merchant", reason="blocked", review_at=None), SOCKS, MERCHANTS),
    ("negative_edge", BUNDLE, refused(), SOCKS, None),
    ("negative_edge", a_candidate(), refused(WAX, cart=a_cart(WAX)), SOCKS, {**AGAINST, "anchor_product_id": WAX}),
    ("negative_edge", a_candidate(), refused(reason="apart"), SOCKS, {**AGAINST, "reason": "apart"}),
    ("weak_evidence", paired(pair_count=1), a_snapshot(), SOCKS, {"pair_count": 1, "association_lift": 0.208}),
    ("weak_evidence", paired(companion_count=500), a_snapshot(), SOCKS, {"pair_count": 30, "association_lift": 1.0}),
    ("suppressed_dismissed", a_candidate(), wished(dismissal("v:a", SOCKS, now=NOW)), SOCKS, UNTIL[30]),
    ("suppressed_snoozed", a_candidate(), wished(snooze("v:a", EVERY_PRODUCT, 7, now=NOW)), SOCKS, UNTIL[7]),
    ("suppressed_snoozed", BUNDLE, wished(snooze("v:a", SOCKS, 7, now=NOW)), SOCKS, None),
    ("requires_components", a_candidate(), socks_variant(requires_components=True), SOCKS, {}),
    ("out_of_stock", a_candidate(), socks_variant(is_available=False), SOCKS, {}),
    ("out_of_stock", NO_VARIANT, a_snapshot(), SOCKS, {}),
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
    ("a dismissal that ended", a_candidate(), wished(dismissal("v:a", SOCKS, now=NOW - timedelta(days=30)))),
    ("a dismissal of something else", a_candidate(), wished(dismissal("v:a", LACES, now=NOW))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "candidate", "snapshot", "product_id", "detail"), BREAKS)
def test_rule_refuses_with_its_code_and_names_the_product(code, candidate, snapshot, product_id, detail):
    refused = getattr(eligibility, code)(candidate, snapshot)

    expected = refused.detail if detail is None else detail
    assert refused == Rejection(code, candidate.offer.offer_id, ProductId(product_id), expected)


@pytest.mark.parametrize(("candidate", "snapshot"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES])
def test_candidate_that_breaks_nothing_passes_every_rule(candidate, snapshot):
    assert [rule(candidate, snapshot) for rule in eligibility.RULES] == [None] * len(eligibility.RULES)


def test_every_rule_is_named_after_its_code_and_has_a_case_that_breaks_it():
    names = [rule.__name__ for rule in eligibility.RULES]

    assert set(names) == {case[0] for case in BREAKS}
    assert set(names) <= set(REJECTIONS)
    assert len(names) == len(set(names))


def test_only_the_first_broken_rule_is_told():
    snapshot = socks(status="DRAFT", is_gift_card=True)

    assert eligibility.refusal(a_candidate(), snapshot).code == "product_not_active"


def test_stock_is_the_last_rule():
    assert eligibility.RULES[-1] is eligibility.out_of_stock


def test_rejection_of_a_bundle_lists_its_parts():
    snapshot = a_snapshot(products=(a_product(SOCKS, is_published=False),))

    assert eligibility.refusal(BUNDLE, snapshot).detail == {"items": "1+2"}


def test_code_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="no such rejection"):
        eligibility.reject(a_candidate(), "because", a_candidate().items[0])
