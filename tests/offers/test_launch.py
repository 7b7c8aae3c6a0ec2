"""Launch checks: what is known to be wrong with an offer is named before the first shopper sees it."""

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
    a_companion,
    a_product,
    a_snapshot,
    a_variant,
    an_edge,
    an_offer,
)

from shopify_upsell.ledger.owned import ProductHealth
from shopify_upsell.money import Money
from shopify_upsell.offers.choice import LIMITS
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.launch import CHECKS, LaunchFacts, failing, launch_checks
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.terms import Audience, Floor, Incentive, Schedule, Terms

PURPOSE = Terms(objective="Sell socks with boots", hypothesis="Dry feet", primary_metric="attach_rate")


def the_facts(*, products=(), **changes):
    """Boots with socks, wax and laces; a tenth held out; the regret limit at 10 %."""
    shop = {name: changes.pop(name) for name in tuple(changes) if name in a_snapshot().__slots__}
    snapshot = a_snapshot(products=tuple(products), **{"holdout_basis_points": 1000} | shop)
    known = {"anchors": (BOOTS,), "placements": frozenset(LIMITS), "regret_limit": 0.1}
    return LaunchFacts(shop=snapshot, **known | changes)


def a_picked_offer(**changes):
    """Socks beside boots on the product page, picked by the merchant, with all that it is for."""
    whole = {"anchors": (BOOTS,), "companions": (SOCKS,), "placements": ("theme/product_page",), "terms": PURPOSE}
    return an_offer(state="draft", **whole | changes)


def failed(offer, facts=None):
    """Codes of the checks that keep it from going live."""
    return [check.code for check in failing(launch_checks(offer, facts or the_facts()))]


def advised(offer, facts=None):
    """Codes of the checks that did not pass, and whether each blocks."""
    return {check.code: check.is_blocking for check in launch_checks(offer, facts or the_facts()) if not check.passed}


def detail_of(code, offer, facts=None):
    return next(check.detail for check in launch_checks(offer, facts or the_facts()) if check.code == code)


def test_an_offer_without_defects_passes_every_check_and_each_check_is_answered_once():
    checks = launch_checks(a_picked_offer(), the_facts())

    assert [check.code for check in checks] == list(CHECKS)
    assert [check.code for check in checks if not check.passed] == []
    assert {check.detail for check in checks} == {""}


def test_a_draft_without_a_number_is_checked_like_a_stored_offer():
    draft = OfferDraft("cross_sell", "Socks", ("theme/product_page",), (BOOTS,), (SOCKS,), state="draft", terms=PURPOSE)

    assert failed(draft) == []
    assert failed(replace(draft, companions=(WAX, BRUSH, 99))) == ["products_known", "product_status"]


@pytest.mark.parametrize("field", ["objective", "hypothesis", "primary_metric"])
def test_an_offer_that_does_not_say_what_it_is_for_cannot_go_live(field):
    offer = a_picked_offer(terms=replace(PURPOSE, **{field: " "}))

    assert failed(offer) == ["purpose"]
    assert detail_of("purpose", offer) == f"{field} is missing"


def test_a_variant_that_is_sold_out_keeps_the_offer_from_going_live():
    facts = the_facts(products=[a_product(SOCKS, variants=(a_variant(SOCKS, is_available=False),))])

    assert failed(a_picked_offer(), facts) == ["stock"]
    assert detail_of("stock", a_picked_offer(), facts) == "product 2: out_of_stock"


def test_with_one_of_two_targets_in_stock_the_other_is_only_named():
    facts = the_facts(products=[a_product(SOCKS, variants=(a_variant(SOCKS, is_available=False),))])

    assert advised(a_picked_offer(companions=(SOCKS, WAX)), facts) == {"stock": False}


def test_a_price_below_the_floor_keeps_the_offer_from_going_live():
    cheap = a_product(SOCKS, variants=(a_variant(SOCKS, unit_cost_minor_units=1990),))
    facts = the_facts(products=[cheap])

    assert failed(a_picked_offer(), facts) == ["margin_floor"]
    assert detail_of("margin_floor", a_picked_offer(), facts).startswith("product 2: below_margin_floor, assumed ")


def test_the_merchants_own_floor_counts():
    assert failed(a_picked_offer(terms=replace(PURPOSE, floor=Floor(minor_units=5000)))) == ["margin_floor"]


def test_a_picked_product_below_the_floor_blocks_although_another_is_fine_and_one_of_the_matrix_does_not():
    facts = the_facts(products=[a_product(SOCKS, variants=(a_variant(SOCKS, unit_cost_minor_units=1990),))])

    assert advised(a_picked_offer(companions=(SOCKS, WAX)), facts) == {"margin_floor": True}
    assert advised(a_picked_offer(companions=None), facts) == {"margin_floor": False}


def test_another_discount_that_would_change_the_promised_price_is_a_conflict():
    offer = a_picked_offer(terms=replace(PURPOSE, incentive=Incentive(kind="percentage", basis_points=1000)))
    other = ActiveDiscount("d1", "product", "percentage", basis_points=2000)

    assert failed(offer, the_facts(discounts=(other,), knows_discounts=True)) == ["discount_conflict"]


def test_a_promise_that_nothing_would_charge_at_a_placement_is_named():
    offer = a_picked_offer(terms=replace(PURPOSE, incentive=Incentive(kind="percentage", basis_points=1000)))

    assert failed(offer) == ["discount_backed", "discount_conflict"]
    assert failed(replace(offer, placements=("post_purchase/offer",))) == []


def test_an_opaque_discount_makes_the_promised_price_unpredictable():
    offer = a_picked_offer(terms=replace(PURPOSE, incentive=Incentive(kind="percentage", basis_points=1000)))
    opaque = ActiveDiscount("d1", "product", "opaque")
    facts = the_facts(discounts=(opaque,), knows_discounts=True)

    assert failed(offer, facts) == ["discount_conflict"]
    assert "discount_unpredictable, reason opaque" in detail_of("discount_conflict", offer, facts)


def test_a_language_of_the_shop_that_the_card_does_not_speak_is_a_missing_translation():
    assert failed(a_picked_offer(), the_facts(locales=("en", "de-AT"))) == []
    assert failed(a_picked_offer(), the_facts(locales=("en", "fr"))) == ["translations"]
    assert "fr: headline cross_sell" in detail_of("translations", a_picked_offer(), the_facts(locales=("fr",)))


def test_lines_written_in_one_language_are_missing_in_the_others():
    offer = a_picked_offer(terms=replace(PURPOSE, benefits=("Keeps feet dry",)))

    assert failed(offer) == []
    assert failed(offer, the_facts(locales=("en", "de"))) == ["translations"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_headline_in_both_languages_that_ship(kind):
    offer = a_picked_offer(kind=kind)

    assert detail_of("translations", offer, the_facts(locales=("en", "de"))) == ""


def test_an_unknown_placement_and_an_unknown_product_are_named():
    offer = a_picked_offer(placements=("theme/product_page", "fridge/door"), anchors=(BOOTS, 77))

    assert failed(offer)[:2] == ["placements", "products_known"]
    assert detail_of("placements", offer) == "fridge/door is not served"
    assert detail_of("products_known", offer) == "product 77"


def test_nothing_to_offer_blocks_what_a_merchant_picked_and_advises_an_automatic_offer():
    picked = a_picked_offer(anchors=(LACES,), companions=None)
    automatic = a_picked_offer(anchors=None, companions=None)

    assert failed(picked) == ["something_to_offer"]
    assert advised(automatic, the_facts(companions={})) == {"something_to_offer": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "DRAFT"},
        {"status": "UNLISTED"},
        {"is_published": False},
        {"is_gift_card": True},
        {"is_deleted": True},
    ],
)
def test_a_product_that_cannot_be_sold_here_blocks(changes):
    assert failed(a_picked_offer(), the_facts(products=[a_product(SOCKS, **changes)])) == ["product_status"]


def test_a_line_that_claims_a_number_nobody_computed_is_refused_by_name():
    offer = a_picked_offer(terms=replace(PURPOSE, benefits=("Save 20 % today",)))

    assert failed(offer) == ["claims"]
    assert "has a number that is not computed" in detail_of("claims", offer)


def test_a_pair_that_buyers_turn_away_from_blocks_a_pick():
    assert failed(a_picked_offer(), the_facts(negative_edges=(an_edge(),))) == ["negative_edges"]


def test_a_product_that_many_send_back_blocks_a_pick():
    assert failed(a_picked_offer(), the_facts(health={SOCKS: ProductHealth(100, 40)})) == ["product_health"]


def test_an_offer_that_has_ended_cannot_go_live_and_one_that_starts_later_can():
    ended = replace(PURPOSE, schedule=Schedule(ends_at=NOW))
    later = replace(PURPOSE, schedule=Schedule(starts_at=NOW + timedelta(days=3), ends_at=NOW + timedelta(days=9)))

    assert failed(a_picked_offer(terms=ended)) == ["schedule"]
    assert failed(a_picked_offer(terms=later)) == []


def test_a_card_that_is_too_long_to_be_read_out_or_shouts_is_refused():
    long = a_picked_offer(terms=replace(PURPOSE, benefits=("a" * 89, "b" * 89, "c" * 89)))
    loud = a_picked_offer(terms=replace(PURPOSE, benefits=("BUY DRY FEET",)))

    assert failed(long) == ["text_lengths"]
    assert failed(loud) == ["text_lengths"]


def test_without_a_holdout_the_offer_may_go_live_and_is_told_that_nothing_will_be_proved():
    assert advised(a_picked_offer(), the_facts(holdout_basis_points=0)) == {"holdout": False}


def test_an_offer_with_an_open_incident_or_without_a_limit_of_regret_cannot_go_live():
    assert failed(a_picked_offer(), the_facts(has_open_incident=True)) == ["stop_rule"]
    assert failed(a_picked_offer(), the_facts(regret_limit=1.0)) == ["stop_rule"]


def test_several_defects_are_all_named():
    sold_out_and_dear = a_product(
        SOCKS, variants=(a_variant(SOCKS, is_available=False, unit_cost_minor_units=1999, price=Money(2000, "USD")),)
    )
    offer = a_picked_offer(terms=replace(PURPOSE, schedule=Schedule(ends_at=NOW)))

    assert failed(offer, the_facts(products=[sold_out_and_dear], locales=("fr",))) == [
        "stock",
        "margin_floor",
        "schedule",
        "translations",
    ]


def test_offers_for_a_cart_are_tried_with_their_anchor_in_it():
    sizes = a_product(BOOTS, sizes=(("100 ml", 2000), ("200 ml", 3500)))
    up_sell = a_picked_offer(kind="up_sell", companions=None)

    assert failed(up_sell, the_facts(products=[sizes])) == []
    assert failed(up_sell) == ["something_to_offer"]


def test_a_bundle_is_tried_whole_and_blocked_by_its_missing_part():
    bundle = a_picked_offer(kind="bundle", companions=(SOCKS, WAX))

    assert failed(bundle) == []
    assert failed(bundle, the_facts(products=[a_product(WAX, is_deleted=True)])) == ["product_status"]


def test_a_reserved_line_needs_an_audience():
    line = replace(PURPOSE, benefits=("Reserved for members only",))

    assert failed(a_picked_offer(terms=line)) == ["claims"]
    assert failed(a_picked_offer(terms=replace(line, audience=Audience(stages=("subscriber",))))) == []


def test_the_checks_read_evidence_as_decisions_do():
    weak = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2))}

    assert failed(a_picked_offer(companions=None), the_facts(companions=weak)) == []
