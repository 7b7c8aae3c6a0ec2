"""Guardrails that no order shows: by assigned arm, from the trigger to the horizon, pausing when harm is proved."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import LAUNCH, a_live_offer, an_experiment, book_order

from shopify_upsell.attribution.store import add_touchpoint
from shopify_upsell.attribution.touches import Touch
from shopify_upsell.core import CustomerId, DecisionId, OfferId, VariantId
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.experiment_store import RUNNING, read_experiment
from shopify_upsell.offers.unit_store import Sighting, link_subjects
from shopify_upsell.reports import watched
from shopify_upsell.reports.experiment_numbers import guardrail_reports
from shopify_upsell.reports.judging import judge_experiment, standing_of, verdicts
from shopify_upsell.reports.measures import Totals
from shopify_upsell.reports.outcome_store import Change, UnitRecord, put_changes
from shopify_upsell.reports.outcomes import measure_orders

GENERIC = {"treatment": {"companions": [2]}}
SHOP_WINDOW = {"treatment": {"lasts_hours": 24}}
PLACEMENT = {"treatment": {"placements": ["theme/product_page", "theme/cart"]}}
CUSTOMERS = 600
AT = LAUNCH + timedelta(hours=1)


@pytest.fixture
def offer(session, shop_id):
    """The shop's one offer."""
    return a_live_offer(session, shop_id)


def asked(session, shop_id, experiment):
    """Put customers into arms, one here and one there, as counting exposures does; return who is where."""
    names = [customer_subject(CustomerId(n)) for n in range(1, CUSTOMERS + 1)]
    person_of = link_subjects(session, shop_id, [Sighting((name,)) for name in names]).person_by_subject
    found = {"control": [], "treatment": []}
    changes = []
    for number, name in enumerate(names, 1):
        arm = "treatment" if number % 2 else "control"
        found[arm].append(number)
        totals = Totals(has_history=True)
        record = UnitRecord(experiment.experiment_id, 1, person_of[name], arm, AT, AT, "theme", CustomerId(number),
                            totals=totals)  # fmt: skip
        changes.append(Change(None, record))
    put_changes(session, shop_id, changes)
    return found


def tell(session, shop_id, customers, kind, *, after=timedelta(days=1), value=None, source="helpdesk"):
    signals = [Signal(kind, f"c:{n}", AT + after, source, f"{kind}-{n}", value) for n in customers]
    record_signals(session, shop_id, signals, NOW)


def stands(session, shop_id, experiment, days):
    """Judge it if it still runs, and see where it stands."""
    now = LAUNCH + timedelta(days=days, hours=2)
    if read_experiment(session, shop_id, experiment.experiment_id).state == RUNNING:
        judge_experiment(session, shop_id, experiment.experiment_id, now=now)
    return standing_of(session, shop_id, experiment.experiment_id, now=now)


def the_rail(session, shop_id, experiment, metric, days=14):
    standing = stands(session, shop_id, experiment, days)
    found = guardrail_reports(experiment.plan, standing.arms, "treatment", standing.watched)
    return next(one for one in found if one.metric == metric)


def judged(session, shop_id, experiment, days=14):
    return verdicts(stands(session, shop_id, experiment, days))["treatment"]


def test_complaints_of_one_arm_pause_it(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    tell(session, shop_id, arms["treatment"][:60], "ticket_solved_unhappy")
    tell(session, shop_id, arms["control"][:3], "review", value=1.0)

    verdict = judged(session, shop_id, experiment)

    rail = the_rail(session, shop_id, experiment, "complaint_rate")
    assert (verdict.code, verdict.reasons) == ("paused_guardrail", ("complaint_rate",))
    assert rail.verdict == "pause"
    assert rail.harm == pytest.approx(60 / len(arms["treatment"]) - 3 / len(arms["control"]))
    assert rail.at_least > rail.margin == 0.005


def test_as_many_complaints_in_both_arms_pause_none(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    for listed in arms.values():
        tell(session, shop_id, listed[:60], "dispute_opened")

    assert judged(session, shop_id, experiment).code == "not_enough_data"
    assert the_rail(session, shop_id, experiment, "complaint_rate").verdict == "not_enough_data"


def test_what_is_no_complaint_or_came_too_early_or_too_late_or_from_elsewhere_does_not_count(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    treated = arms["treatment"]
    tell(session, shop_id, treated[:60], "ticket_opened")
    tell(session, shop_id, treated[:60], "review", value=4.0)
    tell(session, shop_id, treated[60:120], "ticket_solved_unhappy", after=timedelta(minutes=-1))
    tell(session, shop_id, treated[120:180], "ticket_solved_unhappy", after=timedelta(days=14))
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    tell(session, other, treated, "ticket_solved_unhappy")
    bind_shop(session, shop_id)

    assert the_rail(session, shop_id, experiment, "complaint_rate").harm == 0.0
    assert judged(session, shop_id, experiment).code == "not_enough_data"


def test_a_customer_who_complains_twice_counts_once(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    tell(session, shop_id, arms["treatment"][:5], "ticket_solved_unhappy")
    tell(session, shop_id, arms["treatment"][:5], "csat", value=1.0, after=timedelta(days=2))

    assert the_rail(session, shop_id, experiment, "complaint_rate").harm == 5 / len(arms["treatment"])


def test_where_nobody_tells_of_complaints_their_rate_is_not_measured_and_the_report_says_what_it_needs(
    session, shop_id, offer
):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    asked(session, shop_id, experiment)

    complaint = the_rail(session, shop_id, experiment, "complaint_rate")
    coverage = the_rail(session, shop_id, experiment, "coverage_rate")

    assert (complaint.verdict, complaint.harm) == ("not_measured", None)
    assert complaint.needs.startswith("a helpdesk, a review app or Shopify Flow")
    assert (coverage.verdict, coverage.needs[:11]) == ("not_measured", "impressions")


def test_an_arm_whose_offer_reaches_fewer_pauses(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    seen = [*arms["control"], *arms["treatment"][:200]]
    for customer in seen:
        touch = Touch(
            decision_id=DecisionId(f"d{customer}"), offer_id=offer.offer_id, variant_id=VariantId(0),
            kind="impression", placement="theme/product_page", occurred_at=AT + timedelta(seconds=2),
            unit=f"c:{customer}",
        )  # fmt: skip
        add_touchpoint(session, shop_id, touch)
    other = Touch(DecisionId("x"), OfferId(offer.offer_id + 99), VariantId(0), "impression", "theme/cart", AT,
                  unit=f"c:{arms['treatment'][-1]}")  # fmt: skip
    add_touchpoint(session, shop_id, other)

    rail = the_rail(session, shop_id, experiment, "coverage_rate")

    assert rail.harm == pytest.approx(1 - 200 / len(arms["treatment"]))
    assert (rail.verdict, judged(session, shop_id, experiment).reasons) == ("pause", ("coverage_rate",))


def test_customers_who_unsubscribe_in_one_arm_pause_it_once_their_sixty_days_are_over(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "time_window", SHOP_WINDOW)
    arms = asked(session, shop_id, experiment)
    tell(session, shop_id, arms["treatment"][:40], "marketing_consent_withdrawn", source="shopify")
    tell(session, shop_id, arms["treatment"][40:60], "preference_none", source="wellpaired")

    early = the_rail(session, shop_id, experiment, "unsubscribe_rate", days=59)
    late = the_rail(session, shop_id, experiment, "unsubscribe_rate", days=61)

    assert (early.verdict, early.harm) == ("not_enough_data", None)
    assert late.harm == pytest.approx(60 / len(arms["treatment"]))
    assert judged(session, shop_id, experiment, days=61).reasons == ("unsubscribe_rate",)


def test_a_placement_after_which_fewer_check_out_pauses_and_page_loads_say_what_they_need(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PLACEMENT)
    arms = asked(session, shop_id, experiment)
    for customer in [*arms["control"][:200], *arms["treatment"][:100]]:
        book_order(session, shop_id, customer, 5_000 + customer, AT + timedelta(hours=1), customer=customer)
    measure_orders(session, shop_id, range(1, CUSTOMERS + 1))

    rail = the_rail(session, shop_id, experiment, "checkout_completion_rate")
    load = the_rail(session, shop_id, experiment, "page_load_milliseconds")

    assert rail.harm == pytest.approx(200 / len(arms["control"]) - 100 / len(arms["treatment"]))
    assert rail.margin == pytest.approx(0.05 * 200 / len(arms["control"]))
    assert judged(session, shop_id, experiment).reasons == ("checkout_completion_rate",)
    assert (load.verdict, load.needs) == (
        "not_measured",
        "how long pages take to load, which no part of this app in the storefront tells",
    )


def test_units_are_looked_at_in_pages_and_counted_once(session, shop_id, offer, monkeypatch):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    tell(session, shop_id, arms["treatment"][:7], "ticket_solved_unhappy")
    monkeypatch.setattr(watched, "PAGE", 101)

    assert the_rail(session, shop_id, experiment, "complaint_rate").harm == 7 / len(arms["treatment"])


def test_before_the_first_judgement_nothing_is_said_of_complaints(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "personalisation", GENERIC)
    arms = asked(session, shop_id, experiment)
    tell(session, shop_id, arms["treatment"][:60], "ticket_solved_unhappy")

    standing = standing_of(session, shop_id, experiment.experiment_id, now=NOW)
    found = guardrail_reports(experiment.plan, standing.arms, "treatment", standing.watched)

    assert {one.metric: one.verdict for one in found}["complaint_rate"] == "not_enough_data"
