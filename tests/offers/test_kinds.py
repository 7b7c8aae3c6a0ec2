"""What each kind of offer proposes."""

from dataclasses import replace

import pytest
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
    an_offer,
    variant_id_of,
)

from shopify_upsell.core import ProductId
from shopify_upsell.offers.kinds import bundle, cross_sell, up_sell
from shopify_upsell.offers.kinds.registry import KINDS

SIZES = (("250 g", 1000), ("500 g", 1600), ("1 kg", 2400))
UP_SELL, BUNDLE = an_offer(kind="up_sell"), an_offer(kind="bundle")


def products_of(candidates):
    return [tuple(item.product_id for item in candidate.items) for candidate in candidates]


@pytest.mark.parametrize("kind", KINDS)
def test_kind_proposes_nothing_without_anchors_or_evidence(kind):
    nothing_asked = a_snapshot(request=a_request(anchor_product_ids=()))
    nothing_known = a_snapshot(companions={})

    assert KINDS[kind](an_offer(kind=kind), nothing_asked) == []
    assert KINDS[kind](an_offer(kind=kind), nothing_known) == []


@pytest.mark.parametrize("kind", KINDS)
def test_kind_proposes_nothing_for_anchors_the_offer_is_not_meant_for(kind):
    assert KINDS[kind](an_offer(kind=kind, anchors=(BRUSH,)), a_snapshot()) == []


def test_cross_sell_proposes_each_companion_with_its_evidence():
    proposed = cross_sell.propose(an_offer(), a_snapshot())

    assert products_of(proposed) == [(SOCKS,), (WAX,), (LACES,)]
    assert proposed[0].evidence == (a_companion(SOCKS, 0.3),)
    assert proposed[0].reason_code == "often_bought_together"
    assert not proposed[0].includes_anchor


def test_cross_sell_after_a_purchase_says_so():
    proposed = cross_sell.propose(an_offer(), a_snapshot(request=a_request(placement="post_purchase/offer")))

    assert {candidate.reason_code for candidate in proposed} == {"goes_with_purchase"}


def test_companion_of_two_anchors_scores_above_a_companion_of_one():
    snapshot = a_snapshot(
        request=a_request(BOOTS, BRUSH),
        companions={BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2)), BRUSH: (a_companion(WAX, 0.25),)},
    )

    best, second = cross_sell.propose(an_offer(), snapshot)

    assert (best.items[0].product_id, best.score, best.anchor_product_id) == (WAX, 0.4, BRUSH)
    assert (second.items[0].product_id, second.score) == (SOCKS, 0.3)


def test_merchants_list_replaces_the_matrix_and_keeps_its_order():
    proposed = cross_sell.propose(an_offer(companions=(BRUSH, SOCKS)), a_snapshot())

    assert products_of(proposed) == [(BRUSH,), (SOCKS,)]
    assert [(one.reason_code, one.score, one.position) for one in proposed] == [
        ("picked_by_shop", 0.0, 0),
        ("often_bought_together", 0.3, 1),
    ]


def test_cross_sell_takes_the_first_variant_that_can_be_bought():
    sold_out = a_product(SOCKS, sizes=(("S", 500), ("M", 500)))
    first, second = sold_out.variants
    snapshot = a_snapshot(products=(a_product(SOCKS, variants=(_without_stock(first), second)),))

    assert cross_sell.propose(an_offer(), snapshot)[0].items[0].variant_id == variant_id_of(SOCKS, 2)


def test_bundle_proposes_singles_and_pairs_of_the_best_companions_with_the_anchor():
    proposed = bundle.propose(BUNDLE, a_snapshot())

    assert products_of(proposed) == [
        (BOOTS, SOCKS, WAX),
        (BOOTS, SOCKS, LACES),
        (BOOTS, WAX, LACES),
        (BOOTS, SOCKS),
        (BOOTS, WAX),
        (BOOTS, LACES),
    ]
    assert [one.score for one in proposed] == [0.2, 0.1, 0.1, 0.15, 0.1, 0.05]
    assert all(one.includes_anchor for one in proposed)


def test_bundle_is_not_built_from_what_cannot_be_bought_or_is_in_the_cart():
    snapshot = a_snapshot(
        request=a_request(cart=a_cart(WAX)),
        products=(a_product(SOCKS, variants=(_without_stock(a_product(SOCKS).variants[0]),)),),
    )

    assert products_of(bundle.propose(BUNDLE, snapshot)) == [(BOOTS, LACES)]


def test_merchants_bundle_is_one_bundle_of_everything_listed():
    proposed = bundle.propose(an_offer(kind="bundle", companions=(BRUSH, BOOTS, WAX)), a_snapshot())

    assert products_of(proposed) == [(BOOTS, BRUSH, WAX)]
    assert proposed[0].reason_code == "picked_by_shop"


def test_up_sell_replaces_the_variant_in_the_cart_in_the_same_number():
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS, quantity=3)), products=(a_product(BOOTS, sizes=SIZES),))

    (upgrade,) = up_sell.propose(UP_SELL, snapshot)

    assert (upgrade.items[0].variant_id, upgrade.items[0].quantity) == (variant_id_of(BOOTS, 2), 3)
    assert upgrade.replaces_variant_id == variant_id_of(BOOTS, 1)


def test_up_sell_beside_an_empty_cart_replaces_nothing():
    (upgrade,) = up_sell.propose(UP_SELL, a_snapshot(products=(a_product(BOOTS, sizes=SIZES),)))

    assert upgrade.replaces_variant_id is None


def test_what_is_paid_for_is_not_replaced():
    request = a_request(cart=a_cart(BOOTS), placement="post_purchase/offer")

    (upgrade,) = up_sell.propose(UP_SELL, a_snapshot(request=request, products=(a_product(BOOTS, sizes=SIZES),)))

    assert upgrade.replaces_variant_id is None


def test_up_sell_skips_a_size_that_is_sold_out():
    sized = a_product(BOOTS, sizes=SIZES)
    first, second, third = sized.variants
    snapshot = a_snapshot(
        request=a_request(cart=a_cart(BOOTS)),
        products=(a_product(BOOTS, variants=(first, _without_stock(second), third)),),
    )

    (upgrade,) = up_sell.propose(UP_SELL, snapshot)

    assert upgrade.items[0].variant_id == variant_id_of(BOOTS, 3)


def test_up_sell_proposes_nothing_for_the_largest_size():
    snapshot = a_snapshot(request=a_request(ProductId(SOCKS), cart=a_cart(SOCKS)))

    assert up_sell.propose(UP_SELL, snapshot) == []


def _without_stock(variant):
    return replace(variant, is_available=False)
