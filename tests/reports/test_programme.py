"""The holdout beside the claim: planted lift is found, planted nothing is called nothing, and doubt comes first."""

from datetime import UTC, datetime, timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import LAUNCH, a_decision, a_live_offer, store
from builders_programmes import Spending, World, live_through

from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.assignment import is_in_holdout
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.incremental import Missing
from shopify_upsell.reports.outcome_store import arm_totals
from shopify_upsell.reports.programme import programme_report, quarters_of
from shopify_upsell.reports.programme_text import programme_text
from shopify_upsell.reports.retention import Watched, retention
from shopify_upsell.reports.statement import Freshness

HALF = 5_000
FRESH = Freshness(as_of=NOW, newest_event_at=NOW, waiting_events=0)


def buyers(share, basket=5_000, spread=1_000):
    """A base of buyers: the same in every arm."""

    def spends(chance):
        net = int(basket + spread * chance.standard_normal()) if chance.random() < share else 0
        return max(net, 0)

    return spends


def lived(session, shop_id, spends, **world):
    given = {"visitors": 1_200, "holdout_basis_points": HALF, "seed": 7} | world
    live_through(session, shop_id, a_live_offer(session, shop_id), World(spends=spends, **given))
    count_exposures(session, shop_id, now=NOW)
    return programme_report(session, shop_id, now=NOW, holdout_basis_points=given["holdout_basis_points"])


def test_a_planted_lift_is_covered_and_what_was_caused_stands_beside_what_is_claimed(session, shop_id):
    base = buyers(0.5)

    def spends(place, chance):
        net, takes = base(chance), chance.random() < 0.6
        return Spending(net + 2_000, claimed=2_000) if "open" in place and net and takes else Spending(net)

    report = lived(session, shop_id, spends)

    truth = 0.5 * 0.6 * 2_000
    assert report.verdict == "helps"
    assert report.revenue.low < truth < report.revenue.high
    claimed, units = report.claimed_revenue, report.units["open"]
    assert claimed.claimed == pytest.approx(units * truth, rel=0.15)
    assert claimed.caused_low < units * truth < claimed.caused_high
    assert claimed.kappa_low < 1 < claimed.kappa_high
    assert claimed.claimed_over_caused_low < 1 < claimed.claimed_over_caused_high
    assert report.attach_rate == pytest.approx(0.6, abs=0.06)
    assert report.assumed == ("cost", "payment_fee", "shipping", "returns", "app")


def test_a_programme_that_changes_nothing_reads_no_measurable_effect_while_much_is_attributed_to_it(session, shop_id):
    base = buyers(0.5)

    def spends(place, chance):
        net, takes = base(chance), chance.random() < 0.6
        return Spending(net, claimed=1_500 if "open" in place and net and takes else 0)

    report = lived(session, shop_id, spends)

    assert report.verdict == "no_measurable_effect"
    assert report.claimed_revenue.claimed > 200_000
    assert report.claimed_revenue.caused_low < 0 < report.claimed_revenue.caused_high
    assert report.claimed_revenue.claimed_over_caused is None
    assert "no measurable effect" in programme_text(report, FRESH)
    assert "nothing need have been caused" in programme_text(report, FRESH)


def test_a_shop_with_few_orders_is_told_what_is_missing_and_no_number(session, shop_id):
    base = buyers(0.5)

    report = lived(session, shop_id, lambda place, chance: Spending(base(chance), claimed=0), visitors=60)

    assert report.verdict == "not_enough_data"
    assert report.missing.code == "too_few_converters"
    assert report.missing.needed == 25
    assert (report.revenue, report.margin) == (None, None)
    assert "25 units with an order in each arm" in programme_text(report, FRESH)


def test_before_seven_days_nothing_is_said(session, shop_id):
    base = buyers(0.5)
    live_through(
        session, shop_id, a_live_offer(session, shop_id),
        World(400, lambda place, chance: Spending(base(chance)), holdout_basis_points=HALF, days=6),
    )  # fmt: skip
    early = LAUNCH + timedelta(days=6, hours=2)
    count_exposures(session, shop_id, now=early)

    report = programme_report(session, shop_id, now=early, holdout_basis_points=HALF)

    assert report.missing == Missing("too_few_days", 6, 7)


def test_a_holdout_that_lost_units_on_the_way_hides_every_result(session, shop_id):
    base = buyers(0.5)

    # Made with a third held out, said to be a half: as if a sixth of the decisions had never been stored.
    live_through(
        session, shop_id, a_live_offer(session, shop_id),
        World(1_200, lambda place, chance: Spending(base(chance)), holdout_basis_points=3_333),
    )  # fmt: skip
    count_exposures(session, shop_id, now=NOW)
    report = programme_report(session, shop_id, now=NOW, holdout_basis_points=HALF)

    assert report.verdict == "blocked_sample_ratio"
    assert report.ratio.is_alarmed
    assert (report.revenue, report.retention_of_everyone) == (None, None)


def test_without_a_holdout_nobody_can_tell(session, shop_id):
    base = buyers(0.5)

    report = lived(session, shop_id, lambda place, chance: Spending(base(chance)), visitors=50, holdout_basis_points=0)

    assert report.verdict == "no_holdout"


def test_an_empty_shop_has_nothing_to_say_and_no_quarter(session, shop_id):
    report = programme_report(session, shop_id, now=NOW, holdout_basis_points=1_000)

    assert report.verdict == "not_enough_data"
    assert report.units == {"holdout": 0, "open": 0}
    assert quarters_of(session, shop_id) == []
    assert report.to_json()["quarter"] == 20264


def test_every_quarter_holds_out_others_and_is_counted_apart(session, shop_id):
    autumn, winter = datetime(2026, 9, 30, 23, tzinfo=UTC), datetime(2026, 10, 1, 1, tzinfo=UTC)
    offer = a_live_offer(session, shop_id)
    names = [f"v:w{n}" for n in range(2_000)]
    held = [
        {name for name in names if is_in_holdout(quarter_holdout("salt", at).salt, name, 1_000)}
        for at in (autumn, winter)
    ]
    for at in (autumn, winter):
        for visitor in range(40):
            made = a_decision(shop_id, (offer,), at, visitor=f"w{visitor}", holdout_basis_points=HALF)
            store(session, shop_id, made)
    count_exposures(session, shop_id, now=NOW)

    assert [150 < len(one) < 250 for one in held] == [True, True]
    assert len(held[0] & held[1]) < 40
    assert quarters_of(session, shop_id) == [20264, 20263]
    for quarter in (20263, 20264):
        arms = arm_totals(session, shop_id, 0, quarter)
        assert sum(one.units for one in arms.values()) == 40
        assert sum(one.crossed for one in arms.values()) == 0


def test_one_shops_programme_knows_nothing_of_anothers(session, shop_id):
    base = buyers(0.5)
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    lived(session, other, lambda place, chance: Spending(base(chance)), visitors=60)
    bind_shop(session, shop_id)

    assert programme_report(session, shop_id, now=NOW, holdout_basis_points=HALF).units == {"holdout": 0, "open": 0}


def test_buyers_who_took_an_offer_come_back_more_often_and_yet_the_offer_changed_nothing():
    # Loyal shoppers take offers and come back; others do neither. Chance put as many of them in each arm.
    since, day = LAUNCH - timedelta(days=60), timedelta(days=1)
    units, takers, rest = [], [], []
    for number in range(2_000):
        is_loyal, arm = number % 4 == 0, "open" if number % 20 < 10 else "holdout"
        came_back = number % 3 != 0 if is_loyal else number % 5 == 0
        unit = Watched(arm, since, since + 10 * day if came_back else None)
        units.append(unit)
        (takers if is_loyal and arm == "open" else rest).append(came_back)

    found = retention(units, until=LAUNCH)

    naive = sum(takers) / len(takers) - sum(rest) / len(rest)
    assert naive > 0.3
    assert [one.is_measurable for one in found.lapse] == [False, False, False]
    assert found.lapse[0].low < 0 < found.lapse[0].high
    assert found.lapse[2].missing is not None
    assert found.curves["open"][0].day == 14
