"""Experiments in small shops: what is planted is found, what is not is not, and harm or doubt stops them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import LAUNCH, a_live_offer, an_experiment
from builders_offers import SOCKS, WAX, a_product, add_products
from builders_programmes import Spending, World, live_through
from sqlalchemy import update

from shopify_upsell.core import ConflictingRequest, InvalidInput, NotFound
from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.running import Assigned
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.offers.arms import patched
from shopify_upsell.offers.experiment_store import (
    end_experiment,
    experiments_in,
    read_experiment,
    running_experiments,
    start_experiment,
)
from shopify_upsell.reports.experiment_report import experiment_report, experiment_reports
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.judging import judge_experiment, judge_experiments
from shopify_upsell.reports.outcome_store import put_notes, read_notes
from shopify_upsell.reports.planning import ExperimentRequest, outlook, plan_experiment

DISCOUNT = {"treatment": {"incentive": {"kind": "percentage", "basis_points": 3_000}}}
PLACEMENT = {"treatment": {"placements": ["theme/product_page", "theme/cart"]}}
VISITORS = 800


@pytest.fixture
def offer(session, shop_id):
    """The shop's one offer."""
    return a_live_offer(session, shop_id)


def lived(session, shop_id, offer, experiment, spends, visitors=VISITORS, **world):
    live_through(session, shop_id, offer, World(visitors, spends, **world), (experiment.running,))
    count_exposures(session, shop_id, now=NOW)


def judged(session, shop_id, experiment, days=14):
    found = judge_experiment(session, shop_id, experiment.experiment_id, now=LAUNCH + timedelta(days=days, hours=2))
    return found["treatment"]


def the_report(session, shop_id, experiment):
    report = experiment_report(session, shop_id, experiment.experiment_id, now=NOW)
    return report, {arm.name: arm for arm in report.arms}["treatment"]


def a_basket(chance, share=0.4):
    return max(0, int(5_000 + 1_000 * chance.standard_normal())) if chance.random() < share else 0


def test_arms_that_are_alike_end_without_a_measurable_effect(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", {"treatment": {}}, n_max=VISITORS, salt="s1")
    lived(session, shop_id, offer, experiment, lambda place, chance: Spending(a_basket(chance)), seed=3)

    verdict = judged(session, shop_id, experiment)

    report, arm = the_report(session, shop_id, experiment)
    assert verdict.code == "no_measurable_effect"
    assert (report.state, report.recommended_arm) == ("decided", "control")
    assert arm.effect.low < 0 < arm.effect.high
    assert sum(one.units for one in report.arms) == VISITORS
    assert report.to_json()["arms"][1]["verdict"] == "no_measurable_effect"


def test_a_better_placement_is_found_and_recommended(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT, n_max=VISITORS)

    def spends(place, chance):
        return Spending(a_basket(chance, 0.6 if "treatment" in place else 0.4))

    lived(session, shop_id, offer, experiment, spends, seed=5)

    assert judged(session, shop_id, experiment).code == "better"
    report, arm = the_report(session, shop_id, experiment)
    assert report.recommended_arm == "treatment"
    assert arm.effect.low < 0.2 * 5_000 < arm.effect.high
    assert arm.effect.lift_low < 0.5 < arm.effect.lift_high
    assert arm.sequential_p <= 0.05
    assert running_experiments(session, shop_id) == ()


def test_a_discount_that_sells_more_and_earns_less_is_decided_by_margin(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "discount", DISCOUNT, n_max=VISITORS)

    def spends(place, chance):
        is_treated, takes = "treatment" in place, chance.random()
        if not a_basket(chance, 0.5):
            return Spending()
        if takes > (0.9 if is_treated else 0.3):
            return Spending(3_000 + int(300 * chance.standard_normal()))
        paid = 500 if is_treated else 2_000
        return Spending(3_000 + paid, claimed=paid, listed=5_000)

    lived(session, shop_id, offer, experiment, spends, seed=5)

    assert judged(session, shop_id, experiment).code == "worse"
    report, arm = the_report(session, shop_id, experiment)
    assert report.primary_metric == "contribution_margin_per_unit"
    assert report.recommended_arm == "control"
    taken = next(one for one in arm.secondary if one.effect.metric == "attach_rate")
    assert taken.effect.difference > 0.4
    assert taken.stands_out


def test_before_the_first_look_there_are_sizes_and_what_is_missing_and_no_result(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    spends = lambda place, chance: Spending(a_basket(chance, 0.9 if "treatment" in place else 0.1))  # noqa: E731
    lived(session, shop_id, offer, experiment, spends, visitors=200, days=3)

    verdict = judged(session, shop_id, experiment, days=3)

    report = experiment_report(session, shop_id, experiment.experiment_id, now=LAUNCH + timedelta(days=3, hours=2))
    arm = report.arms[1]
    assert (verdict.code, verdict.stops) == ("not_enough_data", False)
    assert report.missing.code == "too_few_days"
    assert (arm.effect, arm.secondary, arm.sequential_p) == (None, (), None)
    assert "The test has not run for seven full days." in arm.next_look
    assert report.recommended_arm is None


def test_looking_often_is_one_look_a_day(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    lived(session, shop_id, offer, experiment, lambda place, chance: Spending(a_basket(chance)), visitors=400, seed=3)

    for hours in (1, 2, 3):
        now = LAUNCH + timedelta(days=14, hours=hours)
        judge_experiments(session, Job(1, shop_id, "judge_experiments", {}, 1, "lease", now))
        the_report(session, shop_id, experiment)

    notes = read_notes(session, shop_id, experiment.experiment_id, 1)
    assert len(notes["looks"]["treatment"]) == 1
    assert the_report(session, shop_id, experiment)[1].verdict == "running"


def test_units_lost_in_one_arm_block_the_verdict(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    made = replace(experiment.running, arms=tuple(
        replace(arm, basis_points=3_000 if arm.name == "control" else 7_000) for arm in experiment.running.arms
    ))  # fmt: skip
    _plant_shares(session, experiment, made)
    lived(session, shop_id, offer, replace(experiment, running=made),
          lambda place, chance: Spending(a_basket(chance, 0.9 if "treatment" in place else 0.2)))  # fmt: skip
    _plant_shares(session, experiment, experiment.running)

    verdict = judged(session, shop_id, experiment)

    report, arm = the_report(session, shop_id, experiment)
    assert verdict.code == "blocked_sample_ratio"
    assert (report.state, report.reason) == ("stopped", "blocked_sample_ratio")
    assert report.ratio.is_alarmed
    assert (arm.effect, arm.secondary, arm.guardrails) == (None, (), ())
    assert report.recommended_arm is None


def _plant_shares(session, experiment, running):
    from dataclasses import asdict

    from shopify_upsell.core import canonical_json
    from shopify_upsell.offers.experiment_store import ExperimentRow

    session.get(ExperimentRow, experiment.experiment_id).arms = canonical_json([asdict(arm) for arm in running.arms])
    session.flush()


def test_a_guardrail_that_breaks_pauses_the_arm_and_its_units_are_served_as_control(session, shop_id, offer):
    creative = an_experiment(
        session, shop_id, offer, "creative", {"treatment": {"benefits": ["Keeps feet dry"]}}, n_max=5_000
    )

    def spends(place, chance):
        net = a_basket(chance, 0.6)
        is_returned = net and chance.random() < 0.5 and "treatment" in place
        return Spending(0, refunded=net) if is_returned else Spending(net)

    live_through(session, shop_id, offer, World(VISITORS, spends, seed=5), (creative.running,))
    count_exposures(session, shop_id, now=NOW)

    verdict = judged(session, shop_id, creative)

    report, arm = the_report(session, shop_id, creative)
    held = read_experiment(session, shop_id, creative.experiment_id).running
    assert (verdict.code, verdict.reasons) == ("paused_guardrail", ("refund_rate",))
    assert arm.is_paused
    assert patched((offer,), (Assigned(creative.experiment_id, 1, "treatment"),), (held,)) == (offer,)
    assert next(one for one in arm.guardrails if one.metric == "refund_rate").verdict == "pause"
    assert report.recommended_arm == "control"


def test_a_bundle_that_one_arm_cannot_deliver_waits_in_all_arms_until_it_can(session, shop_id, offer):
    add_products(session, shop_id, a_product(WAX), a_product(SOCKS))
    patches = {"treatment": {"companions": [int(WAX)]}}
    listed = a_live_offer(session, shop_id, companions=(SOCKS,))
    experiment = an_experiment(session, shop_id, listed, "bundle_composition", patches)
    wax = update(VariantRow).where(VariantRow.shop_id == shop_id, VariantRow.product_id == WAX)

    session.execute(wax.values(is_available=False))
    verdict = judged(session, shop_id, experiment, days=1)
    waiting = running_experiments(session, shop_id)
    session.execute(wax.values(is_available=True))
    judged(session, shop_id, experiment, days=2)

    assert (verdict.code, verdict.reasons) == ("paused_stock", ("treatment",))
    assert waiting == ()
    assert [one.experiment_id for one in running_experiments(session, shop_id)] == [experiment.experiment_id]


def test_arms_that_were_served_what_their_kind_may_not_vary_are_blocked(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    put_notes(session, shop_id, experiment.experiment_id, 1, {"differences": ["total.minor_units"]})

    assert judged(session, shop_id, experiment).code == "blocked_sample_ratio"
    report, arm = the_report(session, shop_id, experiment)
    assert report.differences == arm.reasons == ("total.minor_units",)


def test_a_time_window_is_judged_by_units_whose_sixty_days_are_over(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "time_window", {"treatment": {"lasts_hours": 24}})
    lived(session, shop_id, offer, experiment, lambda place, chance: Spending(a_basket(chance)), visitors=100)

    units = [
        sum(arm.units for arm in experiment_report(
            session, shop_id, experiment.experiment_id, now=LAUNCH + timedelta(days=days)).arms)
        for days in (59, 67, 80)
    ]  # fmt: skip

    assert units[0] == 0
    assert 40 <= units[1] <= 55
    assert units[2] == 100


def test_two_tests_of_one_field_of_an_offer_run_only_apart(session, shop_id, offer):
    an_experiment(session, shop_id, offer, "placement", PLACEMENT)

    with pytest.raises(ConflictingRequest, match="put both in a group"):
        an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    assert [one.state for one in experiments_in(session, shop_id)] == ["running", "draft"]


def test_an_experiment_starts_once_and_only_on_a_live_offer(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    paused = a_live_offer(session, shop_id, state="paused")

    with pytest.raises(ConflictingRequest):
        start_experiment(session, shop_id, experiment.experiment_id, now=NOW)
    with pytest.raises(ConflictingRequest, match="not live"):
        an_experiment(session, shop_id, paused, "creative", {"treatment": {"benefits": ["Dry feet"]}})


def test_every_experiment_has_a_secret_salt_of_its_own_and_a_group_shares_one(session, shop_id, offer):
    slots = [("prices", 0, 5_000), ("prices", 5_000, 10_000)]
    found = [
        an_experiment(session, shop_id, offer, "placement", PLACEMENT, group=slot, salt=None).running for slot in slots
    ]

    assert len({one.salt for one in found}) == 2
    assert {len(one.salt) for one in found} == {32}
    assert found[0].group.salt == found[1].group.salt


def test_another_shop_sees_and_starts_none_of_it(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)

    assert experiment_reports(session, other, now=NOW) == ()
    with pytest.raises(NotFound):
        experiment_report(session, other, experiment.experiment_id, now=NOW)
    with pytest.raises(NotFound):
        end_experiment(session, other, experiment.experiment_id, now=NOW, reason="")


def a_request(offer, **changes):
    given = {
        "offer_id": offer.offer_id, "kind": "placement", "name": "Where", "objective": "earn more",
        "hypothesis": "the cart is the better place", "patches": PLACEMENT,
    }  # fmt: skip
    return ExperimentRequest(**given | changes)


def test_a_plan_says_what_it_could_find_with_an_assumed_variation_in_a_new_shop(session, shop_id, offer):
    experiment, ahead = plan_experiment(session, shop_id, a_request(offer, n_max=20_000), now=NOW)

    # 2.846 x 5.9 x sqrt(1.05 x 2 / 10,000).
    assert ahead.smallest_lift == pytest.approx(0.2433, abs=0.0005)
    assert (ahead.is_assumed, ahead.days, ahead.units_per_day) == (True, None, 0)
    assert "an assumed variation" in ahead.words
    assert experiment.state == "draft"


def test_a_plan_in_a_shop_with_units_goes_by_how_much_these_differ(session, shop_id, offer):
    spends = lambda place, chance: Spending(a_basket(chance))  # noqa: E731
    live_through(session, shop_id, offer, World(400, spends))
    count_exposures(session, shop_id, now=NOW)

    experiment, ahead = plan_experiment(session, shop_id, a_request(offer, lift=0.2), now=NOW)

    assert not ahead.is_assumed
    assert 1.1 < ahead.coefficient < 1.4
    assert experiment.plan.n_max == min(ahead.units_needed, int(400 / 28 * 90))
    assert ahead.days == pytest.approx(experiment.plan.n_max / (400 / 28), abs=1)
    assert outlook(session, shop_id, experiment, now=NOW, lift=0.2) == ahead


@pytest.mark.parametrize(
    "changes",
    [
        {"lift": 0},
        {"objective": " "},
        {"name": ""},
        {"patches": {}},
        {"patches": {"treatment": {"incentive": {"kind": "none"}}}},
        {"shares": {"control": 5_000, "treatment": 4_000}},
        {"n_max": 10},
        {"alpha": 0.9},
        {"horizon_days": 0},
        {"group": ("g", 9_000, 1_000)},
        {"traffic_basis_points": 10_001},
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(session, shop_id, offer, changes):
    with session.begin_nested() as attempt:
        with pytest.raises(InvalidInput):
            plan_experiment(session, shop_id, a_request(offer, **changes), now=NOW)
        attempt.rollback()

    assert experiments_in(session, shop_id) == ()


def test_a_discount_test_is_planned_for_margin_and_a_window_test_for_sixty_days(session, shop_id, offer):
    discount, _ = plan_experiment(session, shop_id, a_request(offer, kind="discount", patches=DISCOUNT), now=NOW)
    window = {"treatment": {"window_days": [5, 75]}}
    timed, _ = plan_experiment(session, shop_id, a_request(offer, kind="time_window", patches=window), now=NOW)

    assert discount.plan.primary_metric == "contribution_margin_per_unit"
    assert discount.plan.discounts_differ
    assert timed.plan.horizon_days == 75
