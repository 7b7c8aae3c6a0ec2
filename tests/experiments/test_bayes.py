"""Past tests make a prior, a prior tames luck, and the view says what shipping may cost."""

from math import exp, inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.bayes import (
    DEFAULT_PRIOR,
    LEAST_SPREAD,
    PastTest,
    Prior,
    believe,
    log_ratio,
    prior_of,
)


def past_tests(mean, spread, count, error=0.04, seed=1):
    random = np.random.default_rng(seed)
    return [PastTest(float(value), error) for value in random.normal(mean, sqrt(spread**2 + error**2), count)]


def test_fewer_than_twenty_past_tests_keep_the_default_prior():
    assert prior_of(past_tests(0.3, 0.2, 19)) == DEFAULT_PRIOR == Prior(0.0, 0.05)
    assert prior_of(past_tests(0.3, 0.2, 20)) != DEFAULT_PRIOR


def test_with_equal_errors_the_spread_is_the_variance_left_over():
    past = past_tests(0.02, 0.06, 50)
    estimates = [test.estimate for test in past]

    prior = prior_of(past)

    assert prior.mean == pytest.approx(np.mean(estimates), rel=1e-9)
    assert prior.spread == pytest.approx(sqrt(np.var(estimates, ddof=1) - 0.04**2), rel=1e-5)


def test_prior_of_a_thousand_unequal_tests_is_near_the_truth():
    random = np.random.default_rng(4)
    errors = random.uniform(0.01, 0.1, 1_000)
    past = [PastTest(float(random.normal(0.01, sqrt(0.05**2 + e**2))), float(e)) for e in errors]

    prior = prior_of(past)

    assert prior.mean == pytest.approx(0.01, abs=0.008)
    assert prior.spread == pytest.approx(0.05, abs=0.006)


def test_past_tests_that_differ_by_luck_alone_leave_a_little_hope():
    past = [PastTest(0.01 * (-1) ** number, 0.05) for number in range(40)]

    assert prior_of(past).spread == LEAST_SPREAD


def test_belief_in_a_test_worked_by_hand():
    belief = believe(0.10, 0.05)

    assert belief.mean == pytest.approx(0.05, rel=1e-12)
    assert belief.spread == pytest.approx(0.05 / sqrt(2), rel=1e-12)
    assert belief.chance_better == pytest.approx(0.921350, abs=1e-6)
    assert belief.shrunk_lift == pytest.approx(exp(0.05) - 1, rel=1e-12)
    # The standard normal's mean beyond sqrt(2): density 0.146763 less sqrt(2) times tail 0.078650.
    assert belief.loss_if_shipped == pytest.approx(0.05 / sqrt(2) * (0.1467627 - sqrt(2) * 0.0786496), abs=1e-7)


def test_what_is_lost_either_way_differs_by_the_mean():
    belief = believe(-0.03, 0.02)

    assert belief.loss_if_shipped - belief.loss_if_kept == pytest.approx(-belief.mean, rel=1e-9)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(-0.1, 0.1), st.floats(0.005, 0.5))
def test_belief_lies_between_the_prior_and_the_estimate(estimate, error, mean, spread):
    belief = believe(estimate, error, Prior(mean, spread))

    assert min(mean, estimate) - 1e-12 <= belief.mean <= max(mean, estimate) + 1e-12
    assert belief.spread <= min(error, spread)
    assert belief.loss_if_shipped >= 0
    assert belief.loss_if_kept >= 0
    assert 0 <= belief.chance_better <= 1


def test_ratio_of_two_means_goes_to_the_log_scale():
    estimate, error = log_ratio(110.0, 100.0, 0.04)

    assert estimate == pytest.approx(0.0953102, abs=1e-7)
    assert error == 0.04


@pytest.mark.parametrize(
    "make",
    [
        lambda: believe(0.1, 0.0),
        lambda: believe(0.1, inf),
        lambda: believe(nan, 0.1),
        lambda: believe(0.1, 0.1, Prior(0.0, inf)),
        lambda: believe(0.1, 0.1, Prior(0.0, 0.0)),
        lambda: prior_of([PastTest(0.1, 0.0)]),
        lambda: prior_of([PastTest(nan, 0.1)] * 30),
        lambda: log_ratio(0.0, 1.0, 0.1),
        lambda: log_ratio(1.0, -1.0, 0.1),
    ],
)
def test_flat_priors_and_missing_errors_are_refused(make):
    with pytest.raises(InvalidInput):
        make()


def test_shipping_what_is_ninety_five_percent_sure_is_right_nineteen_times_in_twenty_even_when_peeking():
    random = np.random.default_rng(21)
    truth = random.normal(0, 0.05, 4_000)
    looks = np.arange(1, 29)
    estimates = np.cumsum(random.normal(truth[:, None], 0.04 * sqrt(28), (4_000, 28)), axis=1) / looks
    shipped = []
    for world, lift in enumerate(truth):
        for look in range(0, 28, 3):
            if believe(float(estimates[world, look]), 0.04 * sqrt(28 / looks[look])).chance_better >= 0.95:
                shipped.append(lift > 0)
                break

    assert np.mean(shipped) > 0.94
