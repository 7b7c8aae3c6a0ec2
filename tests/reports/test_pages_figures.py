"""Figures about customers and pairs, read from the ledger, equal what one counts by hand; other shops are left out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from builders_database import NOW, add_shop
from builders_kept import a_catalogue, keep

from shopify_upsell.core import InvalidInput, NotFound
from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.matrix.cohorts import shares_of_products
from shopify_upsell.matrix.upkeep import shop_lines
from shopify_upsell.reports.customer_figures import customer_figures, share_of
from shopify_upsell.reports.incremental import Missing
from shopify_upsell.reports.kept import PARTS, read_kept
from shopify_upsell.reports.lifetime_by_arm import lifetimes
from shopify_upsell.reports.pair_figures import attach_figures, pairs_to_tell, require_pair
from shopify_upsell.reports.pair_timing import pair_cohorts, pair_timing
from shopify_upsell.reports.unit_curves import Waited, survival_steps, uplift_as_units_came

BOOTS, SOCKS, WAX = 1, 2, 3
PAIR = (BOOTS, SOCKS)


def days_ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture
def shop(session, shop_id):
    """A shop with five customers and a guest, beside one with the same numbers."""
    other = add_shop(session, "two.myshopify.com")
    keep(session, other, (900, 1, days_ago(200), {BOOTS: 77_777}), (901, 1, days_ago(190), {SOCKS: 77_777}))
    bind_shop(session, shop_id)
    keep(
        session, shop_id,
        (1, 1, days_ago(200), {BOOTS: 1000}), (2, 1, days_ago(180), {SOCKS: 500}),
        (3, 2, days_ago(200), {BOOTS: 1000, SOCKS: 500}),
        (4, 3, days_ago(200), {BOOTS: 1000}), (5, 3, days_ago(150), {SOCKS: 0, WAX: 200}),
        (6, 4, days_ago(300), {SOCKS: 500}), (7, 4, days_ago(200), {BOOTS: 1000}),
        (8, 5, days_ago(30), {BOOTS: 1000}),
        (9, None, days_ago(20), {BOOTS: 1000, SOCKS: 500}),
    )  # fmt: skip
    a_catalogue(session, shop_id)
    return shop_id


def test_both_attach_rates_are_counted_and_returns_count_in_neither(session, shop):
    history = read_kept(session, shop, now=NOW)

    (found,) = attach_figures(session, shop, history, [PAIR], window_days=90)

    # Customer 4 owned socks before, customer 5 has not been watched for 90 days, customer 3 sent the socks back.
    assert (found.customers.count, found.customers.of, found.customers.value) == (2, 3, 2 / 3)
    assert found.customers.is_few
    # Of six orders with boots, customer 2's and the guest's hold socks too.
    assert (found.orders.count, found.orders.of) == (2, 6)
    assert found.customers.low < 2 / 3 < found.customers.high
    assert found.titles == ("Boots", "Socks <b>&")


def test_nobody_eligible_is_not_enough_data_and_no_rate_of_zero(session, shop):
    history = read_kept(session, shop, now=NOW)

    (found,) = attach_figures(session, shop, history, [(WAX, BOOTS)], window_days=500)

    assert (found.customers.of, found.customers.value) == (0, None)
    assert found.customers.missing == Missing("no_denominator", 0, 1)
    assert share_of(0, 10).value == 0.0


def test_pairs_nobody_asked_for_are_those_bought_together_with_the_rarer_product_first(session, shop):
    assert pairs_to_tell(session, shop) == [(SOCKS, BOOTS)]


def test_a_pair_needs_two_products_of_this_shop(session, shop):
    assert require_pair(session, shop, BOOTS, SOCKS) == PAIR
    with pytest.raises(NotFound):
        require_pair(session, shop, BOOTS, 999)
    with pytest.raises(InvalidInput):
        require_pair(session, shop, BOOTS, BOOTS)


def test_cohorts_retention_breadth_and_frequency_are_those_of_this_shop(session, shop):
    found = customer_figures(read_kept(session, shop, now=NOW - timedelta(days=5)))

    assert found.customers == 5
    assert (found.breadth.customers, found.breadth.customers_by_count) == (5, {1: 1, 2: 4})
    assert (found.additional.orders, found.additional.repeat_buyers, found.additional.products) == (3, 3, 3)
    assert sum(cell.net_minor_units for cell in found.cohorts) == 6700
    document = found.to_json()
    assert document["revenue_retention"]["rate"] is None
    assert document["revenue_retention"]["missing"] == {"code": "no_denominator", "seen": 0, "needed": 1}
    assert document["cohorts"][-1]["retention"] is None
    assert document["cohorts"][-1]["missing"]["code"] == "month_not_over"


def test_days_are_the_shops_own_and_today_is_not_over(session, shop_id):
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    keep(session, shop_id, (1, 1, late, {BOOTS: 1000}))
    a_catalogue(session, shop_id, time_zone="Europe/Berlin")

    history = read_kept(session, shop_id, now=datetime(2026, 11, 22, 23, 30, tzinfo=UTC))

    assert history.orders[0].ordered_on == date(2026, 11, 1)
    assert (history.today, history.is_zone_assumed) == (date(2026, 11, 22), False)


def test_a_shop_too_large_is_read_as_a_sample_of_whole_customers(session, shop_id):
    keep(
        session, shop_id,
        *((2 * c, c, days_ago(50), {BOOTS: 1000}) for c in range(1, PARTS + 1)),
        *((2 * c + 1, c, days_ago(40), {SOCKS: 1000}) for c in range(1, PARTS + 1)),
    )  # fmt: skip
    a_catalogue(session, shop_id)

    history = read_kept(session, shop_id, now=NOW, most_lines=PARTS)

    customers = {order.customer_id for order in history.orders}
    assert history.sample_share == pytest.approx(0.5, abs=0.01)
    assert len(customers) == history.sampled_parts
    assert len(history.orders) == len(history.lines) == 2 * len(customers)
    assert all(history.holds(customer) for customer in customers)


def test_tenure_shares_are_those_that_the_matrix_tells(session, shop):
    found = pair_cohorts(session, shop, PAIR, now=NOW)

    expected = shares_of_products(shop_lines(session, shop, NOW), *PAIR, now=int(NOW.timestamp()))
    assert found == expected
    # Customers 1 and 3 wait from day 0; 2 bought both at once, 4 had socks before.
    assert [(one.tenure_days, one.customer_count, one.bought_count) for one in found] == [
        (30, 3, 1),
        (60, 2, 1),
        (90, 2, 1),
        (180, 2, 1),
    ]


def test_waiting_begins_with_the_delivery_and_the_window_in_use_is_labelled_as_assumed(session, shop):
    found = pair_timing(session, shop, PAIR, now=NOW)

    # Delivery is assumed five days after the order: socks came 15 days after the boots were in hand.
    assert [(one.first_day, one.last_day, one.bought) for one in found.windows if one.bought] == [(15, 30, 1)]
    assert (found.buyers, found.bought, found.missing) == (5, 1, None)
    assert found.is_delivery_assumed
    assert found.to_json()["window_in_use"] | {"days": None} == {
        "days": None, "blocked_days": [], "source": "prior", "level": "shop", "n": 0, "interval": [0.0, 1.0],
        "assumed": True,
    }  # fmt: skip
    first = found.windows[0]
    assert (first.at_risk, first.bought, first.daily) == (3, 0, 0.0)
    assert first.daily_high > 0


def test_a_pair_nobody_bought_is_not_enough_data(session, shop):
    found = pair_timing(session, shop, (WAX, BOOTS), now=NOW)

    assert found.missing == Missing("no_purchases", 0, 1)


def many_customers(session, shop_id, *, until, count=240, repeats=3):
    """Customers who order every 40 days, the last of their orders before `until` days ago."""
    orders = [
        (c * 10 + k, c, days_ago(until + 20 + c % 30 + 40 * (repeats - k)), {BOOTS: 1000 + 10 * (c % 7)})
        for c in range(1, count + 1)
        for k in range(repeats if c % 3 else 1)
    ]
    keep(session, shop_id, *orders)
    a_catalogue(session, shop_id)


def test_lifetime_is_fitted_before_the_programme_and_tells_realised_and_expected_by_arm(session, shop_id):
    many_customers(session, shop_id, until=60)
    keep(session, shop_id, (9_001, 1, days_ago(10), {BOOTS: 3000}))
    history = read_kept(session, shop_id, now=NOW)
    members = {OPEN: dict.fromkeys(range(1, 101), days_ago(30)), HOLDOUT: dict.fromkeys(range(101, 131), days_ago(30))}

    treated, held_out = lifetimes(history, members, started_on=days_ago(40).date(), target=5_000)

    assert (treated.fitted_on, treated.customers, held_out.customers) == ("before_the_programme", 100, 30)
    assert (treated.realised, held_out.realised) == (30.0, 0.0)
    assert treated.expected_low < treated.expected < treated.expected_high
    assert treated.share_of_target == pytest.approx((treated.realised + treated.expected) / 5_000)


def test_customers_who_saw_offers_never_train_the_model(session, shop_id):
    many_customers(session, shop_id, until=0)
    history = read_kept(session, shop_id, now=NOW)
    everyone = dict.fromkeys(range(1, 241), days_ago(400))

    alone = lifetimes(history, {OPEN: everyone, HOLDOUT: {}}, started_on=days_ago(400).date())
    held_out = lifetimes(history, {OPEN: {}, HOLDOUT: everyone}, started_on=days_ago(400).date())

    assert [one.missing for one in alone] == [Missing("too_few_units", 0, 100)] * 2
    assert [one.expected for one in alone] == [None, None]
    assert held_out[1].fitted_on == "holdout"


def test_survival_falls_from_one_and_nobody_watched_is_no_curve():
    waited = [Waited(OPEN, NOW, float(day), day < 20, 0) for day in range(1, 41)]

    steps = survival_steps(waited)

    assert (steps[0].x, steps[0].value) == (0.0, 1.0)
    assert [step.value for step in steps] == sorted((step.value for step in steps), reverse=True)
    assert steps[-1].value == pytest.approx(21 / 40)
    assert steps[-1].x == 40.0
    assert survival_steps([]) == ()


def test_the_difference_is_told_once_both_arms_have_buyers_and_its_band_narrows():
    waited = [
        Waited(OPEN if place % 2 else HOLDOUT, days_ago(30) + timedelta(minutes=place), 1.0, True, 1000 + place % 7)
        for place in range(2_000)
    ]

    steps = uplift_as_units_came(waited)

    assert steps[-1].x == 2_000
    assert all(step.low <= step.value <= step.high for step in steps)
    assert steps[-1].high - steps[-1].low < steps[0].high - steps[0].low
    assert uplift_as_units_came(waited[:40]) == ()
