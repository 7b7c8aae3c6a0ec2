"""Numbers that people read: one critical value for all intervals, pasts taken out, doubt instead of a false figure."""

import numpy as np
import pytest

from shopify_upsell.experiments.assignment import Arm
from shopify_upsell.experiments.kinds import ExperimentPlan
from shopify_upsell.experiments.moments import NO_UNITS, UnitTotals, of_units
from shopify_upsell.reports.experiment_numbers import guardrail_reports, ratio_report
from shopify_upsell.reports.incremental import Missing, claim, effect, nominal_alpha
from shopify_upsell.reports.measures import NOTHING, Totals, moments_of


def customers(seed, lift):
    """Customers whose past explains most of what they do."""
    chance = np.random.default_rng(seed)
    past = chance.gamma(4, 2_500, 1_500)
    now = past * (1 + lift) + chance.normal(0, 2_000, 1_500)
    return of_units(UnitTotals(int(y), 1, int(x), 1, has_history=True) for x, y in zip(past, now, strict=True))


def test_a_planted_eight_per_cent_is_recovered_and_the_past_narrows_the_interval():
    treated, control = customers(1, 0.08), customers(2, 0.0)

    bare, adjusted = effect("revenue", treated, control), effect("revenue", treated, control, uses_past=True)

    assert adjusted.lift_low < 0.08 < adjusted.lift_high
    assert adjusted.adjustment == "applied"
    assert adjusted.is_measurable
    assert (adjusted.high - adjusted.low) < 0.5 * (bare.high - bare.low)


def test_the_interval_is_the_difference_plus_and_minus_critical_times_error():
    found = effect("revenue", customers(1, 0.08), customers(2, 0.0), critical=3.0)

    assert found.high - found.difference == pytest.approx(3.0 * found.standard_error)
    assert found.z == pytest.approx(found.difference / found.standard_error)
    assert nominal_alpha(1.959963984540054) == pytest.approx(0.05)


def test_an_empty_arm_is_missing_units_and_no_number():
    found = effect("revenue", NO_UNITS, customers(1, 0.0))

    assert (found.missing, found.difference, found.is_measurable) == (Missing("too_few_units", 0, 2), None, False)
    assert claim(NO_UNITS, NO_UNITS, critical=2.0).missing is not None


def test_a_wide_kappa_is_pulled_towards_what_is_usual_and_says_so():
    chance = np.random.default_rng(3)
    arms = [of_units(UnitTotals(int(y), int(y) // 20) for y in chance.gamma(1, 5_000, 300)) for _ in range(2)]

    found = claim(*arms, critical=2.5)

    assert found.is_kappa_shrunk
    assert 0.5 < found.kappa < found.caused / found.claimed
    assert found.claimed == arms[0].total("d")


def a_plan():
    return ExperimentPlan(
        kind="creative", objective="o", hypothesis="h", primary_metric="net_revenue_per_unit",
        arms=(Arm("control", 5_000), Arm("treatment", 5_000)), n_max=2_000,
    )  # fmt: skip


def test_returns_in_one_arm_are_harm_also_where_the_other_arm_never_had_any():
    sold = Totals(net=5_000, orders=1)
    back = Totals(refunded=5_000, orders=1, refunded_orders=1)
    arms = {
        "control": moments_of([sold] * 400 + [NOTHING] * 100),
        "treatment": moments_of([sold] * 300 + [back] * 100 + [NOTHING] * 100),
    }

    found = {one.metric: one for one in guardrail_reports(a_plan(), arms, "treatment")}

    assert found["refund_rate"].verdict == "pause"
    assert found["refund_rate"].harm == 0.25
    assert found["dismissal_rate"].verdict == "ok"


def test_an_alarm_stays_though_later_counts_look_sound():
    shares = {"control": 0.5, "treatment": 0.5}

    sound = ratio_report(shares, {"control": 500, "treatment": 501}, {})
    once = ratio_report(shares, {"control": 500, "treatment": 501}, {}, peak=5.0)
    hidden = ratio_report(
        shares, {"control": 1_000, "treatment": 1_000},
        {"theme": {"control": 700, "treatment": 300}, "cart": {"control": 300, "treatment": 700}},
    )  # fmt: skip

    assert (sound.is_alarmed, once.is_alarmed) == (False, True)
    assert hidden.alarmed_surfaces == ("cart", "theme")
