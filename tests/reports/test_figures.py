"""Reports' figures equal what one counts by hand, and take returns and unfinished windows for what they are."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.estimators import Comparison
from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.lifetime import Forecast
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.reports.contribution import GoodsCost, MarginParts, SoldUnits, goods_cost, incremental_margin
from shopify_upsell.reports.figures import (
    AdditionalPurchases,
    AttachRate,
    Breadth,
    KeptLine,
    UpsellLine,
    UpsellValue,
    additional_purchases,
    as_amount,
    attach_rates,
    breadth_of_products,
    freshness_stamp,
    is_fresh,
    order_attach_rates,
    upsell_values,
)
from shopify_upsell.reports.figures_by_arm import CustomerOutcome, arpu_uplift, lifetime_progress, order_frequency
from shopify_upsell.reports.figures_by_cohort import (
    KeptOrder,
    RecurringBridge,
    RevenueRetention,
    cohort_table,
    recurring_bridge,
    revenue_retention,
)
from shopify_upsell.reports.statement import Freshness

BOOTS, SOCKS, WAX = 1, 2, 3
TODAY = date(2026, 11, 22)


def bought(customer, product, day, *, order=None, kept=1):
    return KeptLine(customer, order or customer * 100 + day.day, product, day, kept)


def test_attach_rate_counts_customers_who_could_and_did():
    september, october = date(2026, 9, 10), date(2026, 10, 1)
    lines = [
        bought(1, BOOTS, september), bought(1, SOCKS, september + timedelta(days=30)),
        bought(2, BOOTS, september), bought(2, SOCKS, september + timedelta(days=31)),
        bought(3, BOOTS, september), bought(3, SOCKS, september - timedelta(days=1)), bought(3, SOCKS, september),
        bought(4, BOOTS, october), bought(4, SOCKS, october),
        bought(5, BOOTS, TODAY - timedelta(days=29)), bought(5, SOCKS, TODAY),
        bought(6, SOCKS, september),
        bought(7, BOOTS, september, kept=0), bought(7, SOCKS, september),
    ]  # fmt: skip

    found = attach_rates(lines, [(BOOTS, SOCKS), (SOCKS, WAX)], window_days=30, today=TODAY)

    assert found[:2] == [AttachRate(BOOTS, SOCKS, "2026-09", 2, 1), AttachRate(BOOTS, SOCKS, "2026-10", 1, 1)]
    assert [part.rate for part in found[:2]] == [0.5, 1.0]
    assert {part.attached for part in found[2:]} == {0}
    assert AttachRate(BOOTS, SOCKS, "", 0, 0).rate is None


def test_a_refund_of_the_companion_takes_the_attach_back():
    day = date(2026, 9, 10)
    kept, returned = ([bought(1, BOOTS, day), bought(1, SOCKS, day, kept=kept)] for kept in (1, 0))

    rates = [attach_rates(lines, [(BOOTS, SOCKS)], window_days=30, today=TODAY)[0] for lines in (kept, returned)]

    assert [(rate.eligible, rate.attached) for rate in rates] == [(1, 1), (1, 0)]
    assert [order_attach_rates(lines, [(BOOTS, SOCKS)])[0].rate for lines in (kept, returned)] == [1.0, 0.0]


def test_a_window_that_ends_today_is_over():
    start = TODAY - timedelta(days=30)
    lines = [bought(1, BOOTS, start), bought(2, BOOTS, start + timedelta(days=1))]

    found = attach_rates(lines, [(BOOTS, SOCKS)], window_days=30, today=TODAY, cohort_of=lambda _: "all")

    assert found == [AttachRate(BOOTS, SOCKS, "all", 1, 0)]


def test_attach_rate_by_order_is_orders_with_both_over_orders_with_the_anchor():
    day = date(2026, 9, 10)
    lines = [
        bought(1, BOOTS, day, order=1), bought(1, SOCKS, day, order=1),
        bought(1, BOOTS, day, order=2),
        bought(2, SOCKS, day, order=3),
    ]  # fmt: skip

    there, back, none = order_attach_rates(lines, [(BOOTS, SOCKS), (SOCKS, BOOTS), (WAX, SOCKS)])

    assert [(rate.eligible, rate.attached) for rate in (there, back, none)] == [(2, 1), (2, 1), (0, 0)]


def test_breadth_and_additional_purchases_are_exact():
    first, later = date(2026, 1, 5), date(2026, 2, 5)
    lines = [
        bought(1, BOOTS, first, order=10), bought(1, SOCKS, later, order=11), bought(1, BOOTS, later, order=11),
        bought(1, WAX, later, order=12, kept=0),
        bought(2, BOOTS, first, order=20), bought(2, SOCKS, first, order=20),
        bought(3, WAX, first, order=30, kept=0),
        bought(4, SOCKS, first, order=40), bought(4, SOCKS, first, order=41), bought(4, WAX, later, order=42),
    ]  # fmt: skip

    assert breadth_of_products(lines) == Breadth(3, 6, {2: 3})
    assert breadth_of_products(lines).mean == 2.0
    assert additional_purchases(lines) == AdditionalPurchases(buyers=3, repeat_buyers=2, orders=3, products=2)
    assert additional_purchases(lines).orders_per_buyer == 1.0
    assert breadth_of_products([]).mean is additional_purchases([]).products_per_buyer is None


def test_the_first_of_two_orders_on_a_day_is_the_one_placed_first():
    day = date(2026, 1, 5)
    lines = [
        KeptLine(1, 900, BOOTS, day, 1, position=0),
        KeptLine(1, 800, SOCKS, day, 1, position=1),
        KeptLine(1, 800, BOOTS, day, 1, position=1),
    ]

    assert additional_purchases(lines) == AdditionalPurchases(1, 1, 1, 1)


def test_upsell_values_keep_groups_and_currencies_apart():
    lines = [
        UpsellLine("cart", 1, "USD", 1000), UpsellLine("cart", 1, "USD", 500), UpsellLine("cart", 2, "USD", 0),
        UpsellLine("cart", 3, "EUR", 70), UpsellLine("account", 4, "USD", 900),
    ]  # fmt: skip

    assert upsell_values(lines) == [
        UpsellValue("account", "USD", 1, 1, 900),
        UpsellValue("cart", "EUR", 1, 1, 70),
        UpsellValue("cart", "USD", 3, 2, 1500),
    ]
    assert as_amount(upsell_values(lines)[2].per_order, "USD") == "7.50 USD"


def test_cohorts_are_followed_by_calendar_month_and_unfinished_months_are_unknown():
    orders = [
        KeptOrder(1, date(2026, 9, 1), 1000), KeptOrder(1, date(2026, 9, 20), 500),
        KeptOrder(1, date(2026, 11, 2), 300),
        KeptOrder(2, date(2026, 9, 30), 500), KeptOrder(2, date(2026, 10, 1), 800),
        KeptOrder(3, date(2026, 10, 31), 100),
        KeptOrder(4, date(2026, 11, 23), 100),
    ]  # fmt: skip

    cells = cohort_table(orders, today=TODAY)

    told = [(cell.cohort, cell.months_since, cell.customers, cell.active, cell.net_minor_units) for cell in cells]
    assert told == [
        ("2026-09", 0, 2, 2, 2000),
        ("2026-09", 1, 2, 1, 800),
        ("2026-09", 2, 2, 1, 300),
        ("2026-10", 0, 1, 1, 100),
        ("2026-10", 1, 1, 0, 0),
    ]
    assert [cell.retention for cell in cells] == [1.0, 0.5, None, 1.0, None]
    assert [cell.revenue_retention for cell in cells] == [1.0, 0.4, None, 1.0, None]
    assert cohort_table(orders, today=date(2026, 11, 30))[2].retention == 0.5


def test_revenue_retention_is_of_those_who_were_there_before():
    orders = [
        KeptOrder(1, TODAY - timedelta(days=365), 1000), KeptOrder(1, TODAY, 1200),
        KeptOrder(2, TODAY - timedelta(days=729), 1000),
        KeptOrder(3, TODAY - timedelta(days=730), 9000), KeptOrder(3, TODAY, 9000),
        KeptOrder(4, TODAY - timedelta(days=364), 5000), KeptOrder(4, TODAY + timedelta(days=1), 5000),
    ]  # fmt: skip

    found = revenue_retention(orders, today=TODAY)

    assert found == RevenueRetention(customers=2, before_minor_units=2000, after_minor_units=1200)
    assert found.rate == 0.6
    assert revenue_retention([], today=TODAY).rate is None


def test_the_recurring_bridge_leaves_no_residual_and_is_absent_without_contracts():
    found = recurring_bridge({1: 1000, 2: 1000, 3: 500, 4: 300}, {1: 1500, 2: 700, 4: 300, 5: 900})

    assert found == RecurringBridge(2800, new=900, expansion=500, contraction=-300, churn=-500, closing=3400)
    parts = (found.opening, found.new, found.expansion, found.contraction, found.churn)
    assert sum(parts) == found.closing
    assert recurring_bridge({}, {}) is None


def customers(seed, count, *, lift=0.0, orders_lift=0.0):
    source = random.Random(seed)
    found = []
    for place in range(count):
        arm = "offers" if place % 2 else "holdout"
        taste = source.lognormvariate(8, 0.8)
        past, now = (round(taste * source.uniform(0.7, 1.3)) for _ in range(2))
        orders = sum(source.random() < 0.3 * (1 + orders_lift * (arm == "offers")) for _ in range(4))
        found.append(CustomerOutcome(arm, round(now * (1 + lift * (arm == "offers"))), orders, 90, past))
    return found


def test_a_planted_uplift_is_recovered_and_history_narrows_it():
    found = arpu_uplift(customers(1, 8000, lift=0.08), treated="offers", control="holdout", horizon_days=90)

    assert found.status == "applied"
    assert found.shown is found.adjusted
    assert found.adjusted.relative.contains(0.08)
    assert found.adjusted.is_measurable
    assert found.plain.relative.contains(0.08)
    assert found.adjusted.absolute.width < 0.5 * found.plain.absolute.width


def test_customers_watched_for_less_than_the_horizon_and_other_arms_do_not_count():
    old = customers(2, 400)
    noise = [CustomerOutcome("offers", 10**7, 1, 89), CustomerOutcome("other", 10**7, 1, 90)] * 50

    plain, noisy = (arpu_uplift(c, treated="offers", control="holdout", horizon_days=90) for c in (old, old + noise))

    assert plain == noisy
    assert isinstance(arpu_uplift([], treated="offers", control="holdout", horizon_days=90).shown, NotEnoughData)


def test_uneven_pasts_hide_the_uplift():
    given = [CustomerOutcome("offers", 10 * k, 1, 90, 9 * k + 900) for k in range(200)]
    given += [CustomerOutcome("holdout", 10 * k, 1, 90, 9 * k) for k in range(200)]

    found = arpu_uplift(given, treated="offers", control="holdout", horizon_days=90)

    assert found.status == "unbalanced_history"
    assert found.shown is None
    assert isinstance(found.plain, Comparison)


def test_order_frequency_is_per_customer_and_thirty_days():
    given = [
        CustomerOutcome("offers", 0, 3, 45),
        CustomerOutcome("offers", 0, 1, 15),
        CustomerOutcome("offers", 0, 0, 60),
    ]
    given += [
        CustomerOutcome("holdout", 0, 1, 60),
        CustomerOutcome("holdout", 0, 1, 30),
        CustomerOutcome("holdout", 0, 9, 0),
    ]

    found = order_frequency(given, treated="offers", control="holdout")

    assert (found.treated, found.control) == (pytest.approx(4 / 120 * 30), pytest.approx(2 / 90 * 30))
    assert found.difference == pytest.approx(found.treated - found.control)
    assert found.interval.contains(found.difference)
    assert order_frequency([], treated="offers", control="holdout") == NotEnoughData("too_few_units", 0, 2)


def test_lifetime_progress_sets_realised_and_expected_beside_the_target():
    ahead = Forecast(mean=3.0, deviation=1.0, interval=Interval(1.0, 5.0))

    found = lifetime_progress("offers", [1000, 3000], ahead, value=800.0, target=4000)

    assert (found.customers, found.realised, found.expected_mean) == (2, 2000.0, 1200.0)
    assert found.expected == Interval(400.0, 2000.0)
    assert found.share_of_target == 0.8
    assert lifetime_progress("offers", [1], ahead, value=1.0).share_of_target is None
    assert lifetime_progress("offers", [], ahead, value=1.0) == NotEnoughData("too_few_units", 0, 1)


def test_contribution_adds_up_to_the_cent():
    parts = MarginParts(
        "USD", net_revenue=10_000, goods=4_000, discount_beyond_lines=500, shipping_subsidy=250, payment_fees=320,
        returns_cost=80, app_fees=99,
    )  # fmt: skip

    assert parts.contribution == 4_751
    assert (parts + parts).contribution == 9_502
    with pytest.raises(InvalidInput):
        parts + MarginParts("EUR")


def test_costs_that_nobody_entered_are_assumed_and_flagged():
    lines = [SoldUnits(2, 5_000, 900), SoldUnits(1, 1_001, None), SoldUnits(1, 2_000, None), SoldUnits(0, 0, 700)]

    assert goods_cost(lines, default_cost_basis_points=4_000) == GoodsCost(
        total=1_800 + 1_200, assumed=1_200, assumed_lines=2
    )
    assert goods_cost(lines, default_cost_basis_points=4_000).is_assumed
    assert not goods_cost(lines[:1], default_cost_basis_points=4_000).is_assumed
    with pytest.raises(InvalidInput):
        goods_cost(lines, default_cost_basis_points=10_001)


def test_incremental_margin_scales_control_and_adds_up_to_the_cent():
    treated = MarginParts("USD", 90_000, 30_000, 4_000, 1_000, 2_700, 500, 900, has_assumed_costs=True)
    control = MarginParts("USD", 10_001, 3_333, 0, 50, 301, 70, 0)

    found = incremental_margin(treated, control, treated_units=900, control_units=130)

    scale = 900 / 130
    assert found.net_revenue == round(90_000 - 10_001 * scale)
    assert found.goods == round(30_000 - 3_333 * scale)
    costs = found.goods + found.discount_beyond_lines + found.shipping_subsidy + found.payment_fees
    assert found.contribution == found.net_revenue - costs - found.returns_cost - found.app_fees
    assert found.contribution == pytest.approx(treated.contribution - control.contribution * scale, abs=4)
    assert found.has_assumed_costs
    with pytest.raises(InvalidInput):
        incremental_margin(treated, control, treated_units=900, control_units=0)
    with pytest.raises(InvalidInput):
        incremental_margin(treated, MarginParts("EUR"), treated_units=1, control_units=1)


def test_the_stamp_says_how_far_behind_the_numbers_are():
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    caught_up = Freshness(now, now - timedelta(hours=5), 0)
    near, far = (Freshness(now, now - timedelta(seconds=seconds), 3) for seconds in (60, 61))

    assert [is_fresh(one) for one in (caught_up, near, far, Freshness(now, None, 1))] == [True, True, False, False]
    assert freshness_stamp(caught_up) == "As of 2026-11-22 12:00:00 UTC. Everything that Shopify sent is in."
    assert freshness_stamp(far) == "As of 2026-11-22 12:00:00 UTC. 3 deliveries wait, 61 seconds behind."
    assert (
        freshness_stamp(Freshness(now, None, 1)) == "As of 2026-11-22 12:00:00 UTC. 1 delivery waits, nothing yet in."
    )
