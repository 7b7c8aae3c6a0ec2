"""The interval without an end is the normal mixture's, and holds at all looks together."""

from math import inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.always_valid import (
    anytime_p,
    critical_value,
    mixture_scale,
    one_sided_bound,
    one_sided_critical_value,
    one_sided_log_mixture,
    two_sided_bound,
    two_sided_log_mixture,
)

BOUNDS = (
    (1, 0.05, 100, 9.0843794373105791, 8.8832592727048905),
    (1000, 0.05, 5000, 106.37547006557504, 98.705832729535814),
    (1000000, 0.05, 100, 4156.1357079646104, 3957.3943010218218),
    (1, 0.01, 5000, 76.242926940192348, 78.702848824847024),
    (10000, 0.01, 100, 398.85108365576315, 378.13529381452327),
    (10, 0.001, 100, 18.040019158745373, 18.257638755030712),
    (1000000, 0.001, 5000, 4604.2626236824053, 4425.9368133516837),
)
LOG_MIXTURES = (
    (0.5, 100, -1.0939425625054533, -0.95844131526130361),
    (10, 1000, -2.1438900773319833, -1.8122931801122901),
    (50, 100, 10.006135351229418, 10.491649575357703),
    (50, 1000, -0.95882259243990009, -0.2181070630384952),
)


@pytest.mark.parametrize(("variance", "alpha", "tuned", "two_sided", "one_sided"), BOUNDS)
def test_bounds_equal_an_independent_implementation(variance, alpha, tuned, two_sided, one_sided):
    assert float(two_sided_bound(variance, alpha, mixture_scale(tuned, 0.05))) == pytest.approx(two_sided, rel=1e-14)
    assert float(one_sided_bound(variance, alpha, mixture_scale(tuned, 0.10))) == pytest.approx(one_sided, rel=1e-11)


@pytest.mark.parametrize(("total", "variance", "two_sided", "one_sided"), LOG_MIXTURES)
def test_logarithms_of_the_mixture_equal_an_independent_implementation(total, variance, two_sided, one_sided):
    assert float(two_sided_log_mixture(total, variance, mixture_scale(100, 0.05))) == pytest.approx(
        two_sided, rel=1e-13
    )
    assert float(one_sided_log_mixture(total, variance, mixture_scale(100, 0.10))) == pytest.approx(
        one_sided, rel=1e-13
    )


@given(st.integers(1, 10**7), st.floats(1e-4, 0.5), st.integers(10, 10**6))
def test_critical_value_is_the_closed_form_of_the_two_arm_sequence(units, alpha, expected):
    spread = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / expected
    a = units * spread + 1
    closed = sqrt(units) * sqrt(2 * a * log(sqrt(a) / alpha) / (units**2 * spread))

    assert float(critical_value(units, alpha, expected_units=expected)) == pytest.approx(closed, rel=1e-12)


def test_interval_is_narrowest_where_the_decision_is_expected():
    at_ten_thousand = [float(critical_value(10_000, expected_units=tuned)) for tuned in (1_000, 10_000, 100_000)]

    assert min(at_ten_thousand) == at_ten_thousand[1]
    assert at_ten_thousand[1] == pytest.approx(3.035, abs=0.001)


def test_nothing_counted_means_an_interval_without_end():
    assert float(critical_value(0)) == inf
    assert float(one_sided_critical_value(0)) == inf


@given(st.integers(1, 10**6), st.floats(0.001, 0.2))
def test_p_equals_alpha_exactly_where_the_interval_ends(units, alpha):
    z = float(critical_value(units, alpha))

    assert float(anytime_p(z, units, alpha=alpha)) == pytest.approx(alpha, rel=1e-9)
    assert float(anytime_p(-z, units, alpha=alpha)) == pytest.approx(alpha, rel=1e-9)


def test_p_never_exceeds_one():
    assert float(anytime_p(0.0, 10_000)) == 1.0


def test_one_sided_value_is_below_the_two_sided_one_at_the_same_alpha():
    assert float(one_sided_critical_value(5_000, 0.05)) < float(critical_value(5_000, 0.05))


def test_values_of_many_looks_are_found_at_once():
    assert critical_value([100, 1_000], 0.05).shape == (2,)
    assert one_sided_critical_value([[100, 1_000]], 0.05).shape == (1, 2)


def test_two_hundred_looks_at_nothing_find_something_in_less_than_five_of_a_hundred_worlds():
    random = np.random.default_rng(3)
    z = np.cumsum(random.normal(size=(5_000, 200)), axis=1) / np.sqrt(np.arange(1, 201))

    found = (np.abs(z) > critical_value(np.arange(1, 201) * 50, expected_units=5_000)).any(axis=1).mean()

    assert found < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda: critical_value(-1),
        lambda: critical_value(nan),
        lambda: critical_value(10, alpha=0.0),
        lambda: critical_value(10, alpha=1.0),
        lambda: mixture_scale(0),
        lambda: one_sided_critical_value(10, alpha=0.5),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(InvalidInput):
        make()
