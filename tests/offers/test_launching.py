"""Going live happens through the checks alone, on what the database holds, and a refusal writes nothing."""

from dataclasses import replace

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion, a_product, add_products
from builders_past import A_DRAFT, plant_past
from sqlalchemy import update

from shopify_upsell.core import ConflictingRequest, NotFound, ProductId
from shopify_upsell.ledger.owned import ProductHealth
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.matrix.said import MERCHANT, PairWord
from shopify_upsell.matrix.store import MatrixBuild, replace_rows
from shopify_upsell.matrix.words_store import say
from shopify_upsell.offers.health import HealthLimits, check_limits, is_poor
from shopify_upsell.offers.launch import failing
from shopify_upsell.offers.launching import Launch, check_offer, edit_offer, go_live, likely_anchors
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import read_offer, save_offer

HOLDOUT = 1000


@pytest.fixture
def draft(session, shop_id):
    plant_past(session, shop_id)
    return save_offer(session, shop_id, A_DRAFT, now=NOW)


def launch_of(shop_id):
    return Launch(shop_id, NOW, HOLDOUT)


def test_a_draft_goes_live_as_a_new_version_of_itself(session, shop_id, draft):
    live, checks = go_live(session, shop_id, draft.offer_id, NOW, holdout_basis_points=HOLDOUT)

    assert live == replace(draft, state="live", version=2)
    assert failing(checks) == ()


def test_a_draft_with_defects_stays_exactly_as_it_was_and_every_failing_check_is_named(session, shop_id, draft):
    session.execute(update(VariantRow).where(VariantRow.shop_id == shop_id).values(is_available=False))

    with pytest.raises(ConflictingRequest, match="stock: product 3: out_of_stock; product 4: out_of_stock") as refused:
        go_live(session, shop_id, draft.offer_id, NOW, holdout_basis_points=HOLDOUT)

    assert refused.value.code == "launch_checks_failed"
    assert read_offer(session, shop_id, draft.offer_id) == draft


def test_another_shops_offer_is_not_there(session, shop_id, draft):
    stranger = add_shop(session, "stranger.myshopify.com")

    with pytest.raises(NotFound):
        go_live(session, stranger, draft.offer_id, NOW, holdout_basis_points=HOLDOUT)

    assert read_offer(session, shop_id, draft.offer_id).state == "draft"


def test_what_the_merchant_said_of_a_pair_is_a_failing_check_although_no_live_offer_makes_it(session, shop_id, draft):
    say(session, shop_id, PairWord(BOOTS, WAX, MERCHANT, "blocked", 0.0, 0, None), NOW)

    wrong = failing(check_offer(session, launch_of(shop_id), draft))

    assert [(check.code, check.detail.split(":")[0]) for check in wrong] == [("negative_edges", "product 3")]


def test_a_long_list_of_products_is_read_in_pieces_and_checked_whole(session, shop_id):
    numbers = [ProductId(number) for number in range(1, 46)]
    add_products(
        session, shop_id, *(a_product(number, status="DRAFT" if number == 45 else "ACTIVE") for number in numbers)
    )
    many = replace(A_DRAFT, anchors=(BOOTS,), companions=tuple(numbers[1:]))
    stored = save_offer(session, shop_id, many, now=NOW)

    wrong = failing(check_offer(session, launch_of(shop_id), stored))

    assert [(check.code, check.detail) for check in wrong] == [
        ("product_status", "product 45: product_not_active, status draft")
    ]


def test_an_offer_for_any_product_is_tried_beside_those_with_the_clearest_evidence(session, shop_id):
    plant_past(session, shop_id)
    rows = {WAX: (a_companion(LACES, 0.9),), BOOTS: (a_companion(SOCKS, 0.3),)}
    replace_rows(session, shop_id, MatrixBuild(2, NOW, 1000, 4, 2), rows)

    assert likely_anchors(session, shop_id) == (WAX, BOOTS)


def test_in_a_shop_that_has_not_learned_other_products_than_the_picked_ones_are_tried(session, shop_id):
    add_products(session, shop_id, *(a_product(number) for number in (BOOTS, SOCKS)))

    assert likely_anchors(session, shop_id, besides=(SOCKS,)) == (BOOTS,)


def test_an_automatic_offer_may_go_live_before_anything_was_learned(session, shop_id):
    add_products(session, shop_id, a_product(BOOTS))
    automatic = replace(A_DRAFT, anchors=None, companions=None)
    stored = save_offer(session, shop_id, automatic, now=NOW)

    live, checks = go_live(session, shop_id, stored.offer_id, NOW, holdout_basis_points=HOLDOUT)

    assert live.state == "live"
    assert [check.code for check in checks if not check.passed] == ["something_to_offer"]


def test_a_live_offer_that_is_edited_stays_live_or_stays_as_it_was(session, shop_id, draft):
    live, _ = go_live(session, shop_id, draft.offer_id, NOW, holdout_basis_points=HOLDOUT)

    better = edit_offer(session, launch_of(shop_id), replace(A_DRAFT, name="Better"), live)
    with pytest.raises(ConflictingRequest, match="products_known: product 99"):
        edit_offer(session, launch_of(shop_id), replace(A_DRAFT, companions=(ProductId(99),)), better)

    assert (better.state, better.name, better.version) == ("live", "Better", 3)
    assert read_offer(session, shop_id, draft.offer_id) == better


def test_limits_of_health_decide_what_is_poor_at_their_exact_edge():
    limits = check_limits(
        HealthLimits(fewest_sold=10, most_refunded_basis_points=2000, fewest_ratings=2, least_rating=4)
    )

    assert not is_poor(ProductHealth(10, 2), limits)
    assert is_poor(ProductHealth(10, 3), limits)
    assert not is_poor(ProductHealth(9, 9), limits)
    assert is_poor(ProductHealth(0, 0, 3.9, 2), limits)
    assert not is_poor(ProductHealth(0, 0, 3.9, 1), limits)
    assert not is_poor(ProductHealth(0, 0, 4.0, 2), limits)


def test_a_draft_without_a_purpose_cannot_go_live(session, shop_id):
    plant_past(session, shop_id)
    aimless = OfferDraft("cross_sell", "Wax", ("theme/cart",), (BOOTS,), (WAX,), state="draft")
    stored = save_offer(session, shop_id, aimless, now=NOW)

    with pytest.raises(ConflictingRequest, match="purpose: objective is missing; hypothesis is missing; "):
        go_live(session, shop_id, stored.offer_id, NOW, holdout_basis_points=HOLDOUT)
