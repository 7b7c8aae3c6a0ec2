"""BG/NBD and Gamma-Gamma say what was published, never fail without saying so, and add up to lifetime value."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from shopify_upsell.experiments.lifetime import (
    PurchaseFit,
    PurchasePrior,
    chance_active,
    expected_of_a_newcomer,
    expected_purchases,
    fit_purchases,
    fit_purchases_without_prior,
    forecast,
    log_likelihood,
    store_prior,
)
from shopify_upsell.experiments.maximum import FIT_FAILURES, NotFitted
from shopify_upsell.experiments.repeat_days import histories_from_orders, repeat_days
from shopify_upsell.experiments.spending import (
    SpendFit,
    ValueTerms,
    customer_lifetime_value,
    expected_value,
    fit_spending,
    fit_spending_without_prior,
    spend_log_likelihood,
)

# Parameters and predictions as published by Fader, Hardie and Lee (2005), and their spreadsheets.
CDNOW = PurchaseFit(0.24259293, 4.41353227, 0.79288597, 2.42575238)
CDNOW_SPENDING = SpendFit(6.25, 3.74, 15.44)
DATA = Path(os.environ.get("MEASUREMENT_DATA", "")) / "cdnow_rfm_bgnbd.csv"


def a_store(rng, customers, truth=(0.6, 10.0, 0.9, 2.5)):
    """Histories drawn from the model itself. Units: weeks."""
    r, alpha, a, b = truth
    watched = rng.uniform(20, 50, customers)
    rows = []
    for end, rate, leaving in zip(watched, rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers), strict=True):
        now, repeats, last = rng.exponential(1 / rate), 0, 0.0
        while now <= end:
            repeats, last = repeats + 1, now
            if rng.random() < leaving:
                break
            now += rng.exponential(1 / rate)
        rows.append((repeats, last, end))
    return repeat_days(*np.array(rows).T)


def test_expected_purchases_are_the_published_ones():
    one = repeat_days([2], [30.43], [38.86])

    assert expected_purchases(CDNOW, one, 39)[0, 0] == pytest.approx(1.2259104, abs=1e-6)
    newcomer = expected_of_a_newcomer(CDNOW, [0.1429, 1, 3, 31.8571, 32, 78])
    assert newcomer == pytest.approx([0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8580], abs=6e-5)


@pytest.mark.skipif(not DATA.is_file(), reason="MEASUREMENT_DATA names no folder with CDNOW's customers")
def test_maximum_likelihood_finds_the_published_fit():
    with DATA.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    histories = repeat_days(*([float(row[name]) for row in rows] for name in ("frequency", "recency", "T")))

    fit = fit_purchases_without_prior(histories)

    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.24259293, 4.41353227, 0.79288597, 2.42575238), abs=1e-5)
    assert fit.log_likelihood == pytest.approx(-9582.425561, abs=1e-5)
    assert fit.customer_count == 2357


def test_the_likelihood_is_the_integral_that_the_model_is_made_of():
    fit, x, t_x, end = PurchaseFit(1.5, 8.0, 1.8, 2.4), 2, 30.43, 38.86
    rate, leaving = np.linspace(1e-9, 2, 1501)[:, None], np.linspace(1e-9, 1 - 1e-9, 1501)

    stayed = (1 - leaving) ** x * rate**x * np.exp(-rate * end)
    left = leaving * (1 - leaving) ** (x - 1) * rate**x * np.exp(-rate * t_x)
    weight = stats.gamma.pdf(rate, fit.r, scale=1 / fit.alpha) * stats.beta.pdf(leaving, fit.a, fit.b)
    integral = integrate.simpson(integrate.simpson((stayed + left) * weight, x=leaving), x=rate[:, 0])

    assert log_likelihood(fit.logs, repeat_days([x], [t_x], [end]))[0] == pytest.approx(np.log(integral), abs=1e-5)


def test_gradients_are_the_slopes_of_their_likelihoods():
    histories = repeat_days([0, 2, 9, 1, 2], [0, 30.43, 20, 1, 30.43], [38, 38.86, 39, 12, 38.86])
    x, z = np.array([1.0, 2.0, 7.0]), np.array([12.0, 22.0, 73.0])
    cases = [
        (lambda at: log_likelihood(at, histories), np.log([0.3, 5.0, 0.7, 2.0])),
        (lambda at: spend_log_likelihood(at, x, z), np.log([6.0, 2.7, 15.0])),
    ]

    for slope, at in cases:
        nudges = 1e-6 * np.eye(len(at))
        measured = [(slope(at + nudge)[0] - slope(at - nudge)[0]) / 2e-6 for nudge in nudges]
        assert slope(at)[1] == pytest.approx(measured, rel=1e-5, abs=1e-6)


def test_the_forecast_is_what_simulated_customers_do():
    rng, draws, ahead = np.random.default_rng(3), 400_000, 26.0
    one = repeat_days([3], [12.0], [20.0])
    fit = PurchaseFit(0.8, 6.0, 0.9, 2.0)
    active = rng.random(draws) < chance_active(fit, one)[0]
    rate = rng.gamma(fit.r + 3, 1 / (fit.alpha + 20.0), draws)
    bought = active * np.minimum(rng.poisson(rate * ahead), rng.geometric(rng.beta(fit.a, fit.b + 3, draws)))

    found = forecast(fit, one, ahead)

    assert found.mean == pytest.approx(bought.mean(), abs=4 * bought.std() / draws**0.5)
    assert found.deviation == pytest.approx(bought.std(), rel=0.01)
    assert found.mean == pytest.approx(expected_purchases(fit, one, ahead)[0, 0])


def test_the_forecast_interval_holds_what_stores_go_on_to_do():
    truth, held = (0.6, 10.0, 0.9, 2.5), 0
    for world in range(60):
        rng = np.random.default_rng([17, world])
        histories = a_store(rng, 150, truth)
        fit = fit_purchases(histories)
        x, end = histories.repeats[histories.place], histories.watched[histories.place]
        active = rng.random(150) < chance_active(PurchaseFit(*truth), histories)
        rate = rng.gamma(truth[0] + x, 1 / (truth[1] + end))
        coming = np.minimum(rng.poisson(rate * 26), rng.geometric(rng.beta(truth[2], truth[3] + x)))
        actual = (active * coming).sum()
        held += forecast(fit, histories, 26).interval.contains(actual)

    assert held >= 53


def test_small_stores_are_fitted_without_one_failure():
    failures = []
    for world in range(60):
        rng = np.random.default_rng([5, world])
        fit = fit_purchases(a_store(rng, 60, ((0.243, 4.4, 0.8, 2.4), (2.0, 20.0, 1.5, 4.0))[world % 2]))
        if isinstance(fit, NotFitted):
            failures.append(world)

    assert failures == []


@pytest.mark.parametrize(
    "rows",
    [
        ([0], [0], [0]),
        ([0] * 50, [0] * 50, [30] * 50),
        ([1], [1], [1]),
        ([400] * 40, [399.5] * 40, [400] * 40),
        ([2000, 0], [720, 0], [730, 730]),
        ([1] * 30, [1e-3] * 30, [3650] * 30),
    ],
)
def test_odd_stores_get_a_finite_answer(rows):
    histories = repeat_days(*rows)

    fit = fit_purchases(histories)

    assert isinstance(fit, PurchaseFit)
    assert np.isfinite(expected_purchases(fit, histories, [1, 30, 365])).all()
    assert np.isfinite(forecast(fit, histories, 90).interval.high)
    assert ((chance_active(fit, histories) >= 0) & (chance_active(fit, histories) <= 1)).all()


def test_a_fit_that_cannot_be_is_a_value_with_a_reason():
    nobody = repeat_days([], [], [])

    assert fit_purchases(nobody) == fit_purchases_without_prior(nobody) == NotFitted("no_customers")
    assert fit_purchases_without_prior(repeat_days([0], [0], [9])) == NotFitted("no_repeats")
    # All customers alike: the likelihood rises for ever towards a store without differences.
    assert fit_purchases_without_prior(repeat_days([3] * 20, [20] * 20, [21] * 20)) == NotFitted("no_maximum")
    assert fit_spending([], []) == NotFitted("no_customers")
    assert fit_spending([0, 2], [0.0, -3.0]) == NotFitted("no_repeats")
    assert {"no_customers", "no_repeats", "no_maximum"} == set(FIT_FAILURES)


def test_duplicates_weigh_what_they_weighed():
    once = repeat_days([2, 0, 2], [5, 0, 5], [9, 9, 9])

    assert once.customers.tolist() == [1, 2]
    assert once.place.tolist() == [1, 0, 1]
    one, other = repeat_days([2], [5], [9]), repeat_days([0], [0], [9])
    apart = 2 * log_likelihood(CDNOW.logs, one)[0] + log_likelihood(CDNOW.logs, other)[0]
    assert log_likelihood(CDNOW.logs, once)[0] == pytest.approx(apart, rel=1e-12)
    assert expected_purchases(CDNOW, once, [4, 8]).shape == (3, 2)


def test_the_unit_of_time_does_not_matter():
    weeks = a_store(np.random.default_rng(1), 200)
    days = repeat_days(
        *(7 ** (name != "repeats") * getattr(weeks, name)[weeks.place] for name in ("repeats", "last", "watched"))
    )

    in_weeks, in_days = fit_purchases(weeks), fit_purchases(days)

    assert in_days.alpha == pytest.approx(7 * in_weeks.alpha, rel=1e-4)
    assert forecast(in_days, days, 70).mean == pytest.approx(forecast(in_weeks, weeks, 10).mean, rel=1e-5)


def test_the_prior_is_the_specified_one_and_can_be_replaced():
    histories = repeat_days([0, 1, 0], [0, 5, 0], [10, 20, 60])

    assert store_prior(histories) == PurchasePrior((0.5, 5.0, 0.8, 2.5), (1.0, 1.0, 0.8, 0.8))
    certain = fit_purchases(histories, PurchasePrior((2.0, 9.0, 1.0, 3.0), (1e-4,) * 4))
    assert (certain.r, certain.alpha, certain.a, certain.b) == pytest.approx((2, 9, 1, 3), rel=1e-4)


@pytest.mark.parametrize(
    "rows",
    [
        ([1], [0], [5]),
        ([0], [1], [5]),
        ([1], [6], [5]),
        ([1.5], [1], [5]),
        ([-1], [1], [5]),
        ([1], [1], [np.nan]),
        ([1], [1], []),
    ],
)
def test_histories_that_cannot_be_are_refused(rows):
    with pytest.raises(ValueError):
        repeat_days(*rows)


def test_orders_become_repeat_days():
    # Customer 7 ordered twice on day 10, and again on 12 and 20; customer 3 once; customer 9 only after the end.
    found = histories_from_orders(
        [7, 3, 7, 7, 9, 7], [12, 15, 10, 10, 40, 20], [500, 100, 900, 50, 100, 700], end_day=30
    )

    assert found.customer.tolist() == [3, 7]
    assert (found.repeats.tolist(), found.last.tolist(), found.watched.tolist()) == ([0, 2], [0, 10], [15, 20])
    assert found.mean_value.tolist() == [0.0, 600.0]
    assert found.compressed().customers.tolist() == [1, 1]
    assert histories_from_orders([], [], [], end_day=1).customer.tolist() == []


def test_conditional_means_are_the_published_ones():
    repeats, means = [2, 1, 0, 0, 0, 7, 1, 0, 2, 0], [22.35, 11.77, 0, 0, 0, 73.74, 11.77, 0, 25.55, 0]

    found = expected_value(CDNOW_SPENDING, repeats, means)

    published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert found == pytest.approx(published, abs=0.05)
    assert CDNOW_SPENDING.mean == pytest.approx(35.22, abs=0.005)


def test_spending_recovers_what_it_was_drawn_from_in_any_currency():
    rng, customers = np.random.default_rng(8), 20_000
    x = rng.integers(1, 8, customers)
    z = rng.gamma(6.0 * x, 1 / (x * rng.gamma(3.7, 1 / 16.0, customers)))

    fit, cents = fit_spending(x, z), fit_spending(x, 100 * z)

    assert (fit.p, fit.q, fit.mean) == pytest.approx((6.0, 3.7, 6.0 * 16.0 / 2.7), rel=0.08)
    assert (cents.p, cents.q, cents.scale) == pytest.approx((fit.p, fit.q, 100 * fit.scale), rel=1e-4)
    assert cents.log_likelihood == pytest.approx(fit.log_likelihood - customers * np.log(100), abs=1e-3)
    assert abs(fit.correlation) < 0.06
    assert fit_spending_without_prior(x, z).mean == pytest.approx(fit.mean, rel=0.01)


def test_a_single_spender_gives_a_finite_mean():
    fit = fit_spending([1], [4000])

    assert fit.q > 1
    assert fit.mean == pytest.approx(4000, rel=0.35)
    assert np.isnan(fit.correlation)


def test_lifetime_value_is_discounted_month_by_month():
    histories = repeat_days([2, 0], [30.43, 0], [38.86, 38.86])
    terms = ValueTerms(months=2, margin=0.4, monthly_discount=0.02, days_per_unit=7)

    found = customer_lifetime_value(CDNOW, histories, [24.65, 35.17], terms)

    month = 365 / 12 / 7
    by_then = expected_purchases(CDNOW, histories, [month, 2 * month])
    expected = 0.4 * (by_then[:, 0] / 1.02 + (by_then[:, 1] - by_then[:, 0]) / 1.02**2) * [24.65, 35.17]
    assert found == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="one value per customer"):
        customer_lifetime_value(CDNOW, histories, [1.0], terms)


@pytest.mark.parametrize("wrong", [{"months": 0}, {"margin": 1.1}, {"monthly_discount": -0.1}, {"days_per_unit": 0}])
def test_terms_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        ValueTerms(**wrong)
