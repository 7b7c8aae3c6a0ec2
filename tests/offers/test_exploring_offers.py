"""A pair without evidence is shown by lot alone, behind every gate, honestly, and its chance is kept."""

from dataclasses import replace
from random import Random

import pytest
from builders_offers import (
    BOOTS,
    LACES,
    SOCKS,
    WAX,
    a_candidate,
    a_cart,
    a_companion,
    a_decision,
    a_dismissal,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    an_edge,
    an_offer,
)
from builders_worlds import IDS, a_world, visits
from judge import Diary, broken_promises, overspent

from shopify_upsell.core import ProductId
from shopify_upsell.customers.courtesy import spend
from shopify_upsell.customers.suppression import snooze
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.exploring import Exploration
from shopify_upsell.offers.explain import explain_decision, explanation_fields
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.ranking import rank
from shopify_upsell.offers.snapshot import AcceptanceCount
from shopify_upsell.offers.snapshot_json import (
    answer_to_json,
    own_to_json,
    part_to_json,
    snapshot_from_parts,
)
from shopify_upsell.offers.terms import FREE_SHIPPING, Incentive, Terms
from shopify_upsell.offers.texts import UNTRIED, WHY, headline_of, reason_of
from shopify_upsell.offers.worth import worths_of

LOT, NO_LOT = Exploration(is_allowed=True, propensity=0.05), Exploration(is_allowed=False, propensity=0.05)


def untried(*products):
    """Companions of the boots of which no order tells."""
    return {BOOTS: tuple(Companion(ProductId(one), 0, 0, 0, 0, 1e-6) for one in products)}


def a_new_shop(*products, exploration=LOT, **changes):
    return a_snapshot(
        **{"companions": {}, "matrix_version": 1, "untried": untried(*products or (SOCKS,))}
        | {"exploration": exploration, "request": a_request(visitor_id="visitor-1")}
        | changes
    )


def shown(decision):
    return [(offer.reason_code, offer.items[-1].product_id) for offer in decision.chosen]


def codes(decision):
    return [(one.code, one.product_id) for one in decision.rejections]


def test_the_lot_shows_one_card_with_its_reason_its_chance_and_no_claim():
    decision = a_decision(a_new_shop())

    assert shown(decision) == [("cold_start", SOCKS)]
    assert decision.chosen[0].evidence == {}
    assert decision.inputs.exploration == LOT
    card = explanation_fields(decision)["shown"][0]
    assert card["exploration"] == {"propensity": 0.05, "is_assumed": True}
    assert "no order tells; tried by lot, with a chance of 5.00%" in explain_decision(decision)


@pytest.mark.parametrize("exploration", [NO_LOT, None])
def test_without_the_lot_the_same_candidate_is_refused_with_its_code(exploration):
    decision = a_decision(a_new_shop(exploration=exploration))

    assert (shown(decision), codes(decision)) == ([], [("not_explored", SOCKS)])
    chance = 0.0 if exploration is None else 0.05
    assert decision.answer.refused[0].detail == {"propensity": chance}
    assert explanation_fields(decision)["summary"][0]["code"] == "not_explored"


def test_it_replays_to_the_same_answer_from_what_is_stored():
    decision = a_decision(a_new_shop(SOCKS, WAX))

    parts = [part_to_json(decision.inputs, part) for part in ("rulebook", "shelf")]
    again = snapshot_from_parts(*parts, own_to_json(decision.inputs))

    assert again == decision.inputs
    assert answer_to_json(decide_from(again)) == answer_to_json(decision.answer)
    assert '"exploration":{"is_allowed":true,"propensity":0.05}' in own_to_json(decision.inputs)


def poor(**changes):
    return (a_product(SOCKS, variants=(a_variant(SOCKS, **changes),)),)


REFUSED = {
    "out_of_stock": {"products": poor(is_available=False)},
    "requires_components": {"products": poor(requires_components=True)},
    "product_not_active": {"products": (a_product(SOCKS, status="UNLISTED"),)},
    "not_published": {"products": (a_product(SOCKS, is_published=False),)},
    "gift_card": {"products": (a_product(SOCKS, is_gift_card=True),)},
    "needs_selling_plan": {"products": (a_product(SOCKS, requires_selling_plan=True),)},
    "already_in_cart": {"request": a_request(visitor_id="visitor-1", cart=a_cart(SOCKS))},
    "currency_not_supported": {"request": a_request(visitor_id="visitor-1", currency="EUR")},
    "negative_edge": {"negative_edges": (an_edge(),)},
    "discount_not_backed": {"offers": (an_offer(discount_basis_points=1000),)},
    "below_margin_floor": {"products": poor(unit_cost_minor_units=1999)},
    "suppressed_dismissed": {"dismissals": (a_dismissal(subject="v:visitor-1", product_id=SOCKS),)},
    "suppressed_snoozed": {"suppressions": None},
    "not_live": {"offers": (an_offer(state="paused"),)},
    "preference_none": {"preference": "none"},
    "preference_restock_only": {"preference": "restock_only"},
    "budget_taken": {"lost_race": True},
}


@pytest.mark.parametrize("code", REFUSED)
def test_the_lot_opens_no_gate(code):
    snapshot = a_new_shop()
    changes = REFUSED[code]
    if code == "suppressed_snoozed":
        changes = {"suppressions": (snooze("v:visitor-1", SOCKS, 7, now=snapshot.now),)}

    decision = a_decision(a_new_shop(**changes))

    assert shown(decision) == []
    assert {one.code for one in decision.rejections} == {code}


def test_beside_evidence_a_try_goes_first_in_its_offer_and_without_the_lot_nothing_changes():
    known = {"companions": {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2))}, "untried": untried(LACES)}

    with_lot = a_decision(a_new_shop(**known))
    without = a_decision(a_new_shop(**known, exploration=NO_LOT))
    never = a_decision(a_new_shop(**known | {"untried": {}}, exploration=None))

    assert shown(with_lot) == [("cold_start", LACES)]
    assert shown(without) == shown(never) == [("often_bought_together", SOCKS)]
    assert [one for one in codes(without) if one not in codes(never)] == [("not_explored", LACES)]


def test_a_page_shows_one_try_at_most():
    decision = a_decision(a_new_shop(SOCKS, WAX, offers=(an_offer(1), an_offer(2))))

    assert shown(decision) == [("cold_start", SOCKS)]
    assert ("not_explored", WAX) in codes(decision)


def test_the_merchants_pin_and_evidence_are_no_try():
    tried_beside_a_pin = a_new_shop(
        companions={BOOTS: (a_companion(SOCKS, 0.3),)}, untried=untried(WAX), pins=((BOOTS, SOCKS),)
    )
    known_after_all = a_new_shop(companions={BOOTS: (a_companion(SOCKS, 0.3),)}, untried=untried(SOCKS))

    assert shown(a_decision(tried_beside_a_pin)) == [("often_bought_together", SOCKS)]
    assert shown(a_decision(known_after_all)) == [("often_bought_together", SOCKS)]


def test_a_merchants_pick_is_the_merchants_and_bundles_and_gaps_are_never_tries():
    picked = a_decision(a_new_shop(offers=(an_offer(companions=(SOCKS,)),), exploration=NO_LOT))
    gap = Terms(incentive=Incentive(FREE_SHIPPING, threshold_minor_units=5000))
    others = (an_offer(1, "bundle"), an_offer(2, "free_shipping", terms=gap, placements=("theme/product_page",)))
    in_cart = a_request(visitor_id="visitor-1", cart=a_cart(BOOTS))
    never = a_decision(a_new_shop(offers=others, request=in_cart))

    assert shown(picked) == [("picked_by_shop", SOCKS)]
    assert shown(never) == []
    assert {code for code, _ in codes(never)} == {"no_evidence"}


def test_a_try_that_was_shown_without_being_taken_makes_way_for_the_next():
    tries = [a_candidate(one, reason_code="cold_start", score=1e-6, evidence=()) for one in (SOCKS, WAX)]
    counted = a_new_shop(SOCKS, WAX, acceptance=(AcceptanceCount(an_offer().offer_id, SOCKS, 500, 0),))

    worths = dict(zip(map(id, tries), worths_of(tries, counted), strict=True))

    assert [one.items[0].product_id for one in rank(tries, worths)] == [WAX, SOCKS]


@pytest.mark.parametrize("language", UNTRIED)
def test_the_shopper_reads_that_it_is_a_try_and_never_that_others_buy_both(language):
    headline = headline_of("cross_sell", "post_purchase/offer", language, "cold_start")
    texts = (headline, reason_of("cold_start", language))

    assert set(UNTRIED) == set(WHY)
    assert not any(word in text.lower() for text in texts for word in ("bought", "goes", "gekauft", "passt", "often"))
    assert headline != headline_of("cross_sell", "post_purchase/offer", language, "goes_with_purchase")


def test_in_random_worlds_no_try_breaks_a_promise_and_no_page_has_two():
    tries = 0
    for seed in range(12):
        world, source = a_world(Random(seed)), Random(f"tries/{seed}")
        cold = {
            anchor: tuple(Companion(one, 0, 0, 0, 0, 1e-6) for one in source.sample(IDS, 4))
            for anchor in source.sample(IDS, 6)
        }
        changes = {"untried": cold, "exploration": LOT, "holdout_basis_points": 0}
        offers = (an_offer(90), *world.template.offers)
        world = replace(world, template=replace(world.template, offers=offers, **changes))
        weeks, diary = visits(source, world, 40), Diary()
        snapshot, number = next(weeks)
        while snapshot is not None:
            cards = decide_from(snapshot).chosen
            tried = tuple(card for card in cards if card.reason_code == "cold_start")
            tries += len(tried)
            diary.write(snapshot.now, cards)
            assert len(tried) <= 1
            broken = broken_promises(snapshot, tried, is_quiet=world.quiet[number])
            # That no order relates the two is what a try is.
            assert not [one for one in broken if "has nothing to do with what is there" not in one]
            assert not cards or not [*overspent(snapshot, diary, cards)]
            courtesy = spend(snapshot.courtesy, [one.offer_id for one in cards], now=snapshot.now)
            snapshot, number = next_of(weeks, courtesy)
    assert tries >= 15


def next_of(weeks, courtesy):
    try:
        return weeks.send(courtesy)
    except StopIteration:
        return None, 0
