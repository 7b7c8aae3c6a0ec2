"""Terms of offers: what may be written, what is refused and by which field, and one deadline a customer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, SOCKS, WAX, a_snapshot, an_offer
from sqlalchemy import func, select

from shopify_upsell.core import InvalidInput, VariantId
from shopify_upsell.offers.offer import OfferDraft, expires_for
from shopify_upsell.offers.snapshot_json import snapshot_from_json, snapshot_to_json
from shopify_upsell.offers.store import OfferRow, read_offer, save_offer
from shopify_upsell.offers.terms import (
    STANDARD_TERMS,
    Audience,
    Floor,
    Incentive,
    RequiredAttribute,
    Schedule,
    Terms,
)
from shopify_upsell.offers.terms_json import terms_from_json, terms_to_json

EVERY_TERM = Terms(
    objective="Owners of boots keep them dry",
    hypothesis="Wax right after the boots arrive is taken more often than later",
    primary_metric="contribution_per_shopper",
    incentive=Incentive("percentage", basis_points=1000, combines_with=("shipping",)),
    schedule=Schedule(NOW, NOW + timedelta(days=30), lasts_hours=48),
    audience=Audience(
        ("delivered",),
        ("eu",),
        ("DE", "AT"),
        (RequiredAttribute("tag", "walker"), RequiredAttribute("a", "b")),
        "never",
    ),
    floor=Floor(200, 1500),
    max_per_customer=2,
    benefits=("Keeps the water out", "Save {saving}"),
    solves="Dry feet",
    window_days=(3, 40),
    needs_positive_signal=False,
    quantity=3,
    supply_days=45,
)
PURPOSE = {"objective": "Sell wax", "hypothesis": "It helps", "primary_metric": "attach_rate"}


def a_draft(kind="cross_sell", *, companions=None, anchors=None, discount=0, **terms):
    return OfferDraft(kind, "An offer", ("theme/cart",), anchors, companions, discount, terms=Terms(**terms))


def test_every_term_is_stored_and_read_back(session, shop_id):
    saved = save_offer(session, shop_id, replace(a_draft(), terms=EVERY_TERM), now=NOW, needs_purpose=True)
    session.expire_all()

    found = read_offer(session, shop_id, saved.offer_id)

    assert found == saved
    assert found.terms == EVERY_TERM
    assert found.discount_basis_points == 1000


def test_standard_terms_are_an_empty_document():
    assert terms_to_json(STANDARD_TERMS) == "{}"
    assert terms_from_json("{}") == STANDARD_TERMS


def test_row_from_before_there_were_terms_reads_as_standard(session, shop_id):
    session.add(
        OfferRow(
            shop_id=shop_id,
            kind="cross_sell",
            name="Old",
            state="live",
            placements='["a/b"]',
            discount_basis_points=500,
            created_at=NOW,
            updated_at=NOW,
        )
    )
    session.flush()
    offer_id = session.scalar(select(OfferRow.offer_id).where(OfferRow.shop_id == shop_id))

    found = read_offer(session, shop_id, offer_id)

    assert found.terms == STANDARD_TERMS
    assert found.incentive == Incentive("percentage", basis_points=500)


def test_snapshot_keeps_terms_and_a_snapshot_without_them_reads():
    snapshot = a_snapshot(offers=(an_offer(terms=EVERY_TERM),))
    text = snapshot_to_json(snapshot)

    assert snapshot_from_json(text) == snapshot
    older = a_snapshot(offers=(an_offer(),))
    without = snapshot_to_json(older).replace('"terms":', '"terms_of_the_future":')
    assert snapshot_from_json(without) == older


def test_merchants_offer_without_a_purpose_is_refused_and_nothing_is_written(session, shop_id):
    add_shop(session, "two.myshopify.com")
    for missing in PURPOSE:
        draft = a_draft(**(PURPOSE | {missing: "  "}))
        with pytest.raises(InvalidInput, match=missing):
            save_offer(session, shop_id, draft, now=NOW, needs_purpose=True)

    assert session.scalar(select(func.count()).select_from(OfferRow)) == 0
    assert save_offer(session, shop_id, a_draft(**PURPOSE), now=NOW, needs_purpose=True).terms.objective == "Sell wax"


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (a_draft(primary_metric="clicks"), "primary_metric"),
        (a_draft(objective="x" * 201), "objective"),
        (a_draft(incentive=Incentive("coupon")), "incentive.kind"),
        (a_draft(incentive=Incentive("percentage")), "incentive.basis_points"),
        (a_draft(incentive=Incentive("percentage", basis_points=9001)), "incentive.basis_points"),
        (a_draft(incentive=Incentive("none", basis_points=10)), "incentive.basis_points"),
        (a_draft(incentive=Incentive("amount", currency="USD")), "incentive.minor_units"),
        (a_draft(incentive=Incentive("amount", minor_units=-5, currency="USD")), "incentive.minor_units"),
        (a_draft(incentive=Incentive("amount", minor_units=500)), "incentive.currency"),
        (a_draft(incentive=Incentive("none", currency="USD")), "incentive.currency"),
        (a_draft("gift", companions=(SOCKS,), incentive=Incentive("gift")), "incentive.gift_variant_id"),
        (a_draft(incentive=Incentive("none", gift_variant_id=VariantId(1))), "incentive.gift_variant_id"),
        (a_draft("free_shipping", incentive=Incentive("free_shipping")), "incentive.threshold_minor_units"),
        (
            a_draft(incentive=Incentive("none", threshold_minor_units=5, currency="USD")),
            "incentive.threshold_minor_units",
        ),
        (a_draft(incentive=Incentive("none", combines_with=("all",))), "incentive.combines_with"),
        (a_draft(incentive=Incentive("none", is_shop_rate=True)), "incentive.is_shop_rate"),
        (a_draft(discount=500, incentive=Incentive("percentage", basis_points=1000)), "discount_basis_points"),
        (a_draft(schedule=Schedule(NOW, NOW)), "schedule.ends_at"),
        (a_draft(schedule=Schedule(starts_at=NOW.replace(tzinfo=None))), "schedule.starts_at"),
        (a_draft(schedule=Schedule(lasts_hours=0)), "schedule.lasts_hours"),
        (a_draft(audience=Audience(b2b="maybe")), "audience.b2b"),
        (a_draft(max_per_customer=0), "max_per_customer"),
        (a_draft(floor=Floor(basis_points=10_001)), "floor.basis_points"),
        (a_draft(window_days=(9, 3)), "window_days"),
        (a_draft(window_days=(3,)), "window_days"),
        (a_draft(supply_days=0), "supply_days"),
        (a_draft(benefits=("a", "b", "c", "d")), "benefits"),
        (a_draft("up_sell", companions=(SOCKS,)), "companions"),
        (a_draft("up_sell", incentive=Incentive("amount", minor_units=5, currency="USD")), "incentive.kind"),
        (a_draft("quantity"), "quantity"),
        (a_draft("quantity", quantity=1), "quantity"),
        (a_draft("quantity", quantity=3, companions=(SOCKS,)), "companions"),
        (
            a_draft("quantity", quantity=3, incentive=Incentive("amount", minor_units=5, currency="USD")),
            "incentive.kind",
        ),
        (a_draft("replenish", incentive=Incentive("fixed_price", minor_units=5, currency="USD")), "incentive.kind"),
        (a_draft("subscribe", discount=500), "incentive.kind"),
        (a_draft("subscribe", companions=(SOCKS,)), "companions"),
        (a_draft("free_shipping"), "incentive.kind"),
        (a_draft("gift"), "incentive.kind"),
        (a_draft("gift", incentive=Incentive("gift", gift_variant_id=VariantId(1))), "companions"),
        (
            a_draft("cross_sell", incentive=Incentive("gift", gift_variant_id=VariantId(1))),
            "incentive.kind",
        ),
        (a_draft("bundle", companions=tuple(range(10))), "companions"),
        (
            a_draft(
                "bundle", companions=(SOCKS, WAX), incentive=Incentive("fixed_price", minor_units=5, currency="USD")
            ),
            "incentive.kind",
        ),
    ],
)
def test_refused_draft_names_the_field_and_writes_nothing(session, shop_id, draft, field):
    with pytest.raises(InvalidInput) as refused:
        save_offer(session, shop_id, draft, now=NOW)

    assert refused.value.message.startswith(field)
    assert session.scalar(select(func.count()).select_from(OfferRow)) == 0


@pytest.mark.parametrize(
    "draft",
    [
        a_draft("up_sell", discount=500),
        a_draft("quantity", quantity=2, incentive=Incentive("fixed_price", minor_units=5, currency="USD")),
        a_draft("replenish", supply_days=30, discount=500),
        a_draft("subscribe"),
        a_draft("free_shipping", incentive=Incentive("free_shipping", threshold_minor_units=5000, currency="USD")),
        a_draft("gift", companions=(SOCKS,), incentive=Incentive("gift", gift_variant_id=VariantId(1))),
        a_draft(
            "bundle",
            anchors=(BOOTS,),
            companions=(SOCKS, WAX),
            incentive=Incentive("fixed_price", minor_units=5, currency="USD"),
        ),
    ],
)
def test_every_kind_can_be_written(session, shop_id, draft):
    assert save_offer(session, shop_id, draft, now=NOW).kind == draft.kind


def test_missing_attribute_does_not_match():
    audience = Audience(attributes=(RequiredAttribute("company", "7"), RequiredAttribute("tier", "gold")))

    assert audience.has_attributes({"company": "7", "tier": "gold", "else": "x"})
    assert not audience.has_attributes({"company": "7"})
    assert not audience.has_attributes({"company": "7", "tier": "silver"})
    assert Audience().has_attributes({})


def test_deadline_counts_from_the_first_showing_and_never_passes_the_offers_end():
    schedule = Schedule(NOW, NOW + timedelta(hours=60), lasts_hours=48)
    offer = an_offer(terms=Terms(schedule=schedule))

    assert expires_for(offer, NOW) == NOW + timedelta(hours=48)
    assert expires_for(offer, NOW + timedelta(hours=20)) == NOW + timedelta(hours=60)
    assert expires_for(an_offer(), NOW) is None
    assert [schedule.is_open(NOW + timedelta(hours=h)) for h in (-1, 0, 59, 60)] == [False, True, True, False]
