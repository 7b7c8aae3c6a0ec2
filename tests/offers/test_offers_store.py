"""Offers and decisions are kept per shop, versioned, expirable and erasable."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, SOCKS, a_request, a_snapshot
from sqlalchemy import func, select

from shopify_upsell.core import ConflictingRequest, CustomerId, DecisionId, InvalidInput, NotFound, OfferId, ProductId
from shopify_upsell.jobs.queue import Job
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import DecisionRow, erase_decisions_of, read_decision, read_served, save_decision
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.setup import create_default_offers, set_up_offers
from shopify_upsell.offers.store import OfferRow, all_offers, live_offers, pause_offer, read_offer, save_offer

DRAFT = OfferDraft("cross_sell", "Beside boots", ("theme/product_page",), (BOOTS,), (SOCKS, ProductId(2**62)), 0)


def a_decision(shop_id, decision_id="d1", **changes):
    inputs = a_snapshot(request=a_request(shop_id=shop_id, **changes))
    placement = inputs.request.placement
    return Decision(DecisionId(decision_id), shop_id, NOW, placement, decide_from(inputs), inputs, ENGINE_VERSION)


def test_offer_is_read_back_as_it_was_written(session, shop_id):
    saved = save_offer(session, shop_id, DRAFT, now=NOW)
    session.expire_all()

    assert read_offer(session, shop_id, saved.offer_id) == saved
    assert (saved.kind, saved.name, saved.state, saved.version) == ("cross_sell", "Beside boots", "live", 1)
    assert (saved.placements, saved.anchors) == (("theme/product_page",), (BOOTS,))
    assert saved.companions == (SOCKS, 2**62)


def test_editing_and_pausing_count_up_the_version(session, shop_id):
    offer_id = save_offer(session, shop_id, DRAFT, now=NOW).offer_id

    edited = save_offer(session, shop_id, OfferDraft("bundle", "Set", ("a/b",)), now=NOW, offer_id=offer_id)
    paused = pause_offer(session, shop_id, offer_id, now=NOW)

    assert (edited.version, edited.kind, edited.anchors, edited.companions) == (2, "bundle", None, None)
    assert (paused.version, paused.state) == (3, "paused")


def test_only_live_offers_of_this_shop_are_live(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    save_offer(session, other_shop, DRAFT, now=NOW)
    first = save_offer(session, shop_id, DRAFT, now=NOW)
    second = save_offer(session, shop_id, DRAFT, now=NOW)
    save_offer(session, shop_id, OfferDraft("bundle", "Draft", ("a/b",), state="draft"), now=NOW)
    pause_offer(session, shop_id, first.offer_id, now=NOW)

    assert live_offers(session, shop_id) == (second,)
    assert len(all_offers(session, shop_id)) == 3


def test_offer_of_another_shop_is_not_found(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    theirs = save_offer(session, other_shop, DRAFT, now=NOW).offer_id

    for attempt in (
        lambda: read_offer(session, shop_id, theirs),
        lambda: pause_offer(session, shop_id, theirs, now=NOW),
        lambda: save_offer(session, shop_id, DRAFT, now=NOW, offer_id=theirs),
        lambda: read_offer(session, shop_id, OfferId(2**40)),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert read_offer(session, other_shop, theirs).version == 1


@pytest.mark.parametrize(
    "broken",
    [
        OfferDraft("gift", "x", ("a/b",)),
        OfferDraft("bundle", " ", ("a/b",)),
        OfferDraft("bundle", "x" * 201, ("a/b",)),
        OfferDraft("bundle", "x", ()),
        OfferDraft("bundle", "x", ("everywhere",)),
        OfferDraft("bundle", "x", ("a/b",), state="gone"),
        OfferDraft("bundle", "x", ("a/b",), discount_basis_points=-1),
        OfferDraft("bundle", "x", ("a/b",), discount_basis_points=9001),
        OfferDraft("bundle", "x", ("a/b",), companions=tuple(ProductId(n) for n in range(51))),
    ],
)
def test_offer_that_could_never_be_shown_is_refused_and_not_written(session, shop_id, broken):
    with pytest.raises(InvalidInput):
        save_offer(session, shop_id, broken, now=NOW)

    assert session.scalar(select(func.count()).select_from(OfferRow)) == 0


def test_decision_is_read_back_as_it_was_made(session, shop_id):
    decision = a_decision(shop_id, visitor_id="abc", currency="USD")
    save_decision(session, shop_id, decision)
    session.expire_all()

    assert read_decision(session, shop_id, decision.decision_id) == decision
    row = session.scalars(select(DecisionRow)).one()
    assert (row.unit, row.is_holdout, row.offer_count, row.engine_version) == ("v:abc", False, 1, ENGINE_VERSION)


def test_withheld_offers_are_counted_too(session, shop_id):
    inputs = a_snapshot(request=a_request(shop_id=shop_id, visitor_id="abc"), holdout_basis_points=10_000)
    decision = Decision(DecisionId("d1"), shop_id, NOW, "theme/product_page", decide_from(inputs), inputs, "1")
    save_decision(session, shop_id, decision)

    row = session.scalars(select(DecisionRow)).one()
    assert (row.is_holdout, row.offer_count) == (True, 1)


def test_decision_of_another_shop_is_not_found(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    save_decision(session, other_shop, a_decision(other_shop))

    with pytest.raises(NotFound):
        read_decision(session, shop_id, DecisionId("d1"))
    with pytest.raises(NotFound):
        read_decision(session, shop_id, DecisionId("never"))


def test_decision_past_its_age_limit_is_refused(session, shop_id):
    save_decision(session, shop_id, a_decision(shop_id))
    limit = timedelta(minutes=30)

    assert read_served(session, shop_id, DecisionId("d1"), age_limit=limit, now=NOW + limit).decision_id == "d1"
    with pytest.raises(ConflictingRequest) as refused:
        read_served(session, shop_id, DecisionId("d1"), age_limit=limit, now=NOW + limit + timedelta(seconds=1))
    assert refused.value.code == "offer_expired"


def test_post_purchase_decision_expires_after_half_an_hour_and_a_theme_one_by_its_tokens(session, shop_id):
    after_purchase = a_decision(shop_id, placement="post_purchase/offer", reference_id="r1")

    assert after_purchase.expires_at == NOW + timedelta(minutes=30)
    assert a_decision(shop_id).expires_at is None


def test_shown_offer_is_found_by_its_id(shop_id):
    decision = a_decision(shop_id)

    assert decision.chosen_offer(OfferId(1)) == decision.chosen[0]
    assert decision.chosen_offer(OfferId(9)) is None


def test_erasing_a_person_deletes_their_decisions_and_no_others(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    save_decision(session, shop_id, a_decision(shop_id, "d1", customer_id=CustomerId(7), visitor_id="abc"))
    save_decision(session, shop_id, a_decision(shop_id, "d2", visitor_id="abc"))
    save_decision(session, other_shop, a_decision(other_shop, "d3", customer_id=CustomerId(7)))

    assert erase_decisions_of(session, shop_id, "c:7") == 1

    assert set(session.scalars(select(DecisionRow.decision_id))) == {"d2", "d3"}


def test_new_shop_gets_live_automatic_offers_of_every_kind(session, shop_id):
    created = create_default_offers(session, shop_id, NOW)

    assert [(one.kind, one.placements, one.discount_basis_points) for one in created] == [
        ("cross_sell", ("theme/product_page", "theme/cart"), 0),
        ("bundle", ("theme/product_page",), 0),
        ("up_sell", ("theme/product_page", "theme/cart"), 0),
        ("cross_sell", ("post_purchase/offer",), 1000),
    ]
    assert live_offers(session, shop_id) == created
    assert {(one.anchors, one.companions) for one in created} == {(None, None)}


def test_shop_that_comes_back_keeps_its_own_offers(session, shop_id):
    mine = save_offer(session, shop_id, OfferDraft("bundle", "Mine", ("a/b",), state="paused"), now=NOW)

    set_up_offers(session, Job(1, shop_id, "set_up_offers", {}, 1, "lease", NOW))

    assert all_offers(session, shop_id) == (mine,)
