"""The whole decision, over hand-made and over a few hundred random snapshots."""

import random
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
    a_cart,
    a_companion,
    a_product,
    a_request,
    a_snapshot,
    an_edge,
    an_offer,
    variant_id_of,
)

from shopify_upsell.core import CustomerId, ProductId
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.money import Money
from shopify_upsell.offers.codes import REASONS, REJECTIONS
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.snapshot_json import answer_to_json, snapshot_from_json, snapshot_to_json

THREE_OFFERS = (an_offer(1), an_offer(2, "bundle"), an_offer(3, "up_sell"))
SEEDS = range(300)
DAY = timedelta(days=1)


def a_random_snapshot(seed: int, **changes):
    """Any snapshot: odd products, carts, wishes, currencies, placements, offers, holdouts."""
    source = random.Random(seed)
    ids = [ProductId(number) for number in range(1, 13)]
    anchors = tuple(source.sample(ids, source.choice([0, *[1] * 8, 3])))
    request = a_request(
        anchor_product_ids=anchors,
        placement=source.choice([*["theme/product_page", "theme/cart", "post_purchase/offer"] * 3, "theme/elsewhere"]),
        cart=a_cart(
            *source.sample(ids, source.choice([0, 0, 1, 2])),
            *anchors[: source.choice([0, 1])],
            quantity=source.randint(1, 3),
        ),
        customer_id=source.choice([None, CustomerId(seed + 1)]),
        visitor_id=source.choice([None, f"visitor-{seed}"]),
        currency=source.choice([None, *["USD"] * 6, "EUR"]),
        limit=source.choice([0, 1, 2, 3, 3, 3, 3, 6]),
    )
    products = tuple(_a_random_product(source, number) for number in ids[: source.randint(8, 12)])
    snapshot = a_snapshot(
        request=request,
        offers=tuple(_a_random_offer(source, number, ids) for number in range(1, source.randint(2, 6))),
        companions={anchor: _random_companions(source, ids) for anchor in anchors if source.random() < 0.9},
        products=products,
        suppressions=tuple(
            Suppression("v:a", product, source.choice(["dismissed", "snoozed"]), NOW + source.choice([-DAY, DAY]))
            for product in source.sample([ProductId(0), *ids], source.choice([0, 0, 0, 0, 1, 3]))
        ),
        holdout_basis_points=source.choice([0, 5000, 10_000]),
        negative_edges=tuple(
            an_edge(anchor, source.choice(ids), source=source.choice(["learned", "merchant"]))
            for anchor in anchors
            if source.random() < 0.2
        ),
    )  # fmt: skip
    return replace(snapshot, **changes)


def _a_random_product(source, number):
    sizes = source.choice([(("", source.randint(1, 9999)),), (("250 g", 1000), ("500 g", source.randint(900, 2500)))])
    product = a_product(
        number,
        sizes=sizes,
        status=source.choice(["ACTIVE"] * 8 + ["DRAFT", "UNLISTED"]),
        is_published=source.random() < 0.95,
        is_gift_card=source.random() < 0.05,
        requires_selling_plan=source.random() < 0.05,
    )
    variants = tuple(replace(one, is_available=source.random() < 0.9) for one in product.variants)
    return replace(product, variants=variants)


def _a_random_offer(source, number, ids):
    return an_offer(
        number,
        source.choice(["cross_sell", "cross_sell", "bundle", "up_sell"]),
        state=source.choice(["live", "live", "live", "paused"]),
        companions=source.choice([None, None, None, tuple(source.sample(ids, 2))]),
        anchors=source.choice([None, None, None, tuple(source.sample(ids, 6))]),
        discount_basis_points=source.choice([0, 0, 0, 1000]),
    )


def _random_companions(source, ids):
    rows = [
        a_companion(one, round(source.random(), 9), pair_count=source.randint(1, 60)) for one in source.sample(ids, 7)
    ]
    return tuple(sorted(rows, key=lambda one: (-one.score, one.product_id)))


def items_of(answer):
    return [item for offer in answer.chosen + answer.would_have_shown for item in offer.items]


def test_best_companion_is_shown_and_the_others_say_why_not():
    answer = decide_from(a_snapshot())

    assert [[item.product_id for item in offer.items] for offer in answer.chosen] == [[SOCKS]]
    assert [(one.code, one.product_id) for one in answer.rejections] == [("outranked", WAX), ("outranked", LACES)]
    assert (answer.unit, answer.is_holdout, answer.would_have_shown) == (None, False, ())


def test_three_kinds_share_a_page_without_repeating_a_product():
    snapshot = a_snapshot(
        offers=THREE_OFFERS,
        request=a_request(cart=()),
        companions={BOOTS: tuple(a_companion(p, s) for p, s in ((SOCKS, 0.5), (WAX, 0.2), (LACES, 0.15)))},
    )

    answer = decide_from(snapshot)

    assert [(offer.kind, [item.product_id for item in offer.items]) for offer in answer.chosen] == [
        ("cross_sell", [SOCKS]),
        ("bundle", [BOOTS, WAX, LACES]),
    ]


def test_up_sell_replaces_the_line_in_the_cart():
    snapshot = a_snapshot(
        offers=THREE_OFFERS,
        request=a_request(cart=a_cart(BOOTS, quantity=2)),
        products=(a_product(BOOTS, sizes=(("250 g", 1000), ("500 g", 1600))),),
    )

    upgrade = decide_from(snapshot).chosen[-1]

    assert (upgrade.kind, upgrade.replaces_variant_id) == ("up_sell", variant_id_of(BOOTS))
    assert upgrade.total == Money(3200, "USD")


def test_unit_is_the_customer_and_only_then_the_visitor():
    both = a_request(customer_id=CustomerId(7), visitor_id="abc")

    assert decide_from(a_snapshot(request=both)).unit == "c:7"
    assert decide_from(a_snapshot(request=replace(both, customer_id=None))).unit == "v:abc"


def test_shopper_without_a_name_is_in_no_experiment_and_is_shown():
    answer = decide_from(a_snapshot(holdout_basis_points=10_000))

    assert (answer.unit, answer.is_holdout, len(answer.chosen)) == (None, False, 1)


def test_holdout_is_shown_nothing_and_what_it_would_have_seen_is_kept():
    request = a_request(visitor_id="abc")

    shown = decide_from(a_snapshot(request=request))
    held = decide_from(a_snapshot(request=request, holdout_basis_points=10_000))

    assert held.is_holdout
    assert held.chosen == ()
    assert held.would_have_shown == shown.chosen != ()
    assert held.rejections == shown.rejections


def test_unrelated_expensive_product_is_never_shown():
    gold = a_product(99, sizes=(("", 999_999),))

    assert 99 not in [item.product_id for item in items_of(decide_from(a_snapshot(products=(gold,))))]


@pytest.mark.parametrize("factor", [2, 10, 1000])
@pytest.mark.parametrize("product_id", [BOOTS, SOCKS, WAX, LACES, BRUSH])
def test_changing_a_price_changes_no_choice(product_id, factor):
    snapshot = a_snapshot(offers=(an_offer(1), an_offer(2, "bundle")))
    dearer = a_product(product_id, sizes=(("", 2000 * factor),))

    before = decide_from(snapshot)
    after = decide_from(replace(snapshot, products={**snapshot.products, product_id: dearer}))

    assert [item.product_id for item in items_of(after)] == [item.product_id for item in items_of(before)]
    assert after.rejections == before.rejections


@pytest.mark.parametrize("seed", SEEDS)
def test_random_snapshot_replays_to_the_same_bytes_and_breaks_no_promise(seed):
    snapshot = a_random_snapshot(seed)

    answer = decide_from(snapshot)

    text = snapshot_to_json(snapshot)
    assert snapshot_from_json(text) == snapshot
    assert snapshot_to_json(snapshot_from_json(text)) == text
    assert answer_to_json(decide_from(snapshot_from_json(text))) == answer_to_json(answer)
    _promises_hold(snapshot, answer)


def _promises_hold(snapshot, answer):
    shown = answer.chosen + answer.would_have_shown
    assert not (answer.chosen and answer.would_have_shown)
    assert answer.is_holdout or not answer.would_have_shown
    assert len(shown) <= snapshot.request.limit
    assert len({offer.offer_id for offer in shown}) == len(shown)
    shown_products = [item.product_id for offer in shown for item in offer.items]
    assert len(set(shown_products)) == len(shown_products)
    assert {one.code for one in answer.rejections} <= set(REJECTIONS)
    assert {offer.reason_code for offer in shown} <= set(REASONS)
    for offer in shown:
        _offer_keeps_its_promises(snapshot, offer)


def _offer_keeps_its_promises(snapshot, offer):
    replaced = next(
        (line.product_id for line in snapshot.request.cart if line.variant_id == offer.replaces_variant_id), None
    )
    refused = {edge.companion_product_id for edge in snapshot.negative_edges}
    added = {item.product_id for item in offer.items} - set(snapshot.request.anchor_product_ids)
    assert not added & refused
    for item in offer.items:
        product = snapshot.products[item.product_id]
        assert item.product_id not in snapshot.cart_product_ids - {replaced}
        assert (product.status, product.is_published, product.is_gift_card) == ("ACTIVE", True, False)
        assert product.variant(item.variant_id).is_sellable
        assert not [w for w in snapshot.suppressions if w.product_id in (0, item.product_id) and w.until > snapshot.now]
    total = sum(item.price.minor_units * item.quantity for item in offer.items)
    assert offer.total == Money(total, "USD")
    assert offer.discount_basis_points == 0 or snapshot.request.surface == "post_purchase"


def test_random_snapshots_reach_the_rules_of_question_and_shop_and_show_something():
    answers = [decide_from(a_random_snapshot(seed)) for seed in SEEDS]

    codes = {one.code for answer in answers for one in answer.rejections}
    assert codes >= {
        "not_live", "wrong_placement", "no_anchor", "wrong_anchor", "no_evidence", "product_not_active",
        "not_published", "gift_card", "needs_selling_plan", "is_anchor", "already_in_cart", "replaces_nothing",
        "currency_not_supported", "discount_not_backed", "negative_edge", "weak_evidence", "suppressed_dismissed",
        "suppressed_snoozed", "out_of_stock", "outranked", "repeats_product", "limit_reached",
    }  # fmt: skip
    assert sum(bool(answer.chosen) for answer in answers) > 50
    assert sum(bool(answer.would_have_shown) for answer in answers) > 20
    assert {offer.kind for answer in answers for offer in answer.chosen} == {"cross_sell", "bundle", "up_sell"}
