"""An arm changes what its kind may change and nothing else, in the offer as written and as served."""

import json
from dataclasses import replace

import pytest
from builders_offers import BOOTS, SOCKS, WAX, a_request, a_snapshot, an_offer

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.kinds import KINDS
from shopify_upsell.experiments.running import ArmPlan, Assigned, RunningExperiment
from shopify_upsell.money import Money
from shopify_upsell.offers.arms import (
    PATCHABLE,
    arm_plans,
    changed_fields,
    companions_by_arm,
    discounts_differ,
    patched,
    placements_of,
)
from shopify_upsell.offers.counterfactual import is_triggered, payload_of, served_differences, shown_by_arm
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.terms import Incentive, Schedule, Terms

PATCHES = {
    "placement": {"placements": ["theme/cart"]},
    "discount": {"incentive": {"kind": "percentage", "basis_points": 1_000}},
    "creative": {"benefits": ["Keeps feet dry"]},
    "personalisation": {"companions": [int(WAX)]},
    "bundle_composition": {"companions": [int(WAX), int(SOCKS)]},
    "time_window": {"lasts_hours": 24},
}
SHARES = {"control": 5_000, "treatment": 5_000}
TREATED = (Assigned(1, 1, "treatment"),)


def a_running(kind="placement", patch=None, **changes):
    """A running test on the first offer."""
    text = json.dumps(PATCHES[kind] if patch is None else patch)
    arms = (ArmPlan("control", 5_000), ArmPlan("treatment", 5_000, text))
    return RunningExperiment(1, kind, 1, 1, "salt", arms, **changes)


def test_every_kind_of_experiment_says_what_it_may_change():
    assert set(PATCHABLE) == set(KINDS)


@pytest.mark.parametrize("kind", PATCHES)
def test_an_arm_differs_from_control_in_the_factor_alone(kind):
    offer = an_offer()

    arms = arm_plans(kind, offer, SHARES, {"treatment": PATCHES[kind]})
    (treated,) = patched((offer,), TREATED, (replace(a_running(kind), arms=arms),))

    assert changed_fields(offer, treated) == set(PATCHES[kind])
    assert patched((offer,), (Assigned(1, 1, "control"),), (a_running(kind),)) == (offer,)


@pytest.mark.parametrize("kind", PATCHES)
@pytest.mark.parametrize("other", PATCHES)
def test_an_arm_that_changes_what_its_kind_may_not_is_refused(kind, other):
    if set(PATCHES[other]) <= set(PATCHABLE[kind]):
        return

    with pytest.raises(InvalidInput, match="alone"):
        arm_plans(kind, an_offer(), SHARES, {"treatment": PATCHES[kind] | PATCHES[other]})


@pytest.mark.parametrize(
    "patches",
    [
        {"control": {"placements": ["theme/cart"]}},
        {"third": {"placements": ["theme/cart"]}},
        {"treatment": {"placements": []}},
        {"treatment": {"placements": ["nowhere"]}},
        {"treatment": {"placements": 7}},
        {"treatment": {"unheard_of": 1}},
    ],
)
def test_a_patch_that_makes_no_sense_is_refused(patches):
    with pytest.raises(InvalidInput):
        arm_plans("placement", an_offer(), SHARES, patches)


def test_a_discount_patch_says_the_whole_incentive_also_for_an_offer_with_a_short_one():
    offer = an_offer(discount_basis_points=2_000)
    none = a_running("discount", {"incentive": {"kind": "none"}})
    fixed = a_running("discount", {"incentive": {"kind": "amount", "minor_units": 300, "currency": "USD"}})

    assert patched((offer,), TREATED, (none,))[0].incentive == Incentive()
    assert patched((offer,), TREATED, (fixed,))[0].incentive.minor_units == 300
    assert discounts_differ(offer, none.arms)
    assert not discounts_differ(offer, a_running("placement").arms)


def test_a_patch_leaves_every_other_term_and_every_other_offer_alone():
    terms = Terms(objective="more", schedule=Schedule(lasts_hours=48))
    mine, other = an_offer(1, terms=terms), an_offer(2)

    found = patched((mine, other), TREATED, (a_running("time_window"),))

    assert found == (replace(mine, terms=replace(terms, schedule=Schedule(lasts_hours=24))), other)


def test_a_paused_arm_is_served_as_control():
    offer = an_offer()

    assert patched((offer,), TREATED, (a_running(paused_arms=("treatment",)),)) == (offer,)


def test_another_phases_arm_changes_nothing():
    offer = an_offer()

    assert patched((offer,), (Assigned(1, 2, "treatment"),), (a_running(),)) == (offer,)


def test_what_the_arms_name_is_known_without_a_shopper():
    running = a_running("bundle_composition")

    assert companions_by_arm(an_offer(), running.arms) == {"control": (), "treatment": (WAX, SOCKS)}
    assert placements_of(an_offer(placements=("theme/product_page",)), a_running().arms) == {
        "theme/product_page",
        "theme/cart",
    }


def test_every_arm_is_asked_what_it_would_have_shown_also_to_who_is_held_out():
    offers = (an_offer(placements=("theme/product_page",)),)
    snapshot = a_snapshot(request=a_request(BOOTS, visitor_id="v"), offers=offers, holdout_basis_points=10_000)

    shown = shown_by_arm(snapshot, a_running(paused_arms=("treatment",)))

    assert {arm: offer is not None for arm, offer in shown.items()} == {"control": True, "treatment": False}
    assert is_triggered(shown)
    assert not is_triggered(shown_by_arm(snapshot, a_running(patch={}), ()) | {"control": None, "treatment": None})


def test_a_price_that_differs_in_a_test_of_texts_is_named():
    shown = decide_from(a_snapshot(request=a_request(BOOTS, visitor_id="v"))).chosen[0]
    cheaper = {"control": shown, "treatment": replace(shown, total=Money(1_800, "USD")), "absent": None}

    assert served_differences("discount", cheaper) == ()
    assert served_differences("creative", cheaper) == ("total.minor_units",)


def test_a_payload_names_every_product_that_the_shopper_sees():
    answer = decide_from(a_snapshot(request=a_request(BOOTS, visitor_id="v")))

    payload = payload_of(answer.chosen[0])

    assert [item["product_id"] for item in payload["items"]] == [int(SOCKS)]
    assert payload["total"] == {"minor_units": 2_000, "currency": "USD"}
