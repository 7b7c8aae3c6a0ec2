import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shopify_upsell.experiments.fieller import (
    DIVISOR_NEGATIVE,
    DIVISOR_NOT_CLEAR_OF_ZERO,
    Interval,
    Quotient,
    Unbounded,
    fieller_interval,
)

POSITIVE = st.floats(0.01, 100)


def statistic(quotient: Quotient, ratio: float) -> float:
    """Test the statement top = ratio x bottom."""
    variance = quotient.top_variance - 2 * ratio * quotient.covariance + ratio**2 * quotient.bottom_variance
    return abs(quotient.top - ratio * quotient.bottom) / math.sqrt(variance)


def test_worked_example():
    found = fieller_interval(Quotient(top=12.0, bottom=10.0, top_variance=1.0, bottom_variance=1.0), 2.0)

    # 96 r² - 240 r + 140 = 0
    assert isinstance(found, Interval)
    assert found.low == pytest.approx((240 - math.sqrt(240**2 - 4 * 96 * 140)) / 192)
    assert found.high == pytest.approx((240 + math.sqrt(240**2 - 4 * 96 * 140)) / 192)


@given(st.floats(-100, 100), POSITIVE, POSITIVE, POSITIVE, st.floats(-0.99, 0.99), st.floats(1, 4))
def test_the_interval_holds_exactly_the_ratios_that_the_test_does_not_reject(top, bottom, v_top, v_bottom, r, critical):
    quotient = Quotient(top, bottom, v_top, v_bottom, covariance=r * math.sqrt(v_top * v_bottom))
    found = fieller_interval(quotient, critical)
    assume(isinstance(found, Interval) and found.width < 1e4)

    step = 0.001 * found.width
    for inside in (found.low + step, found.high - step, top / bottom):
        assert statistic(quotient, inside) < critical * (1 + 1e-6)
    for outside in (found.low - step, found.high + step, found.low - 1e3, found.high + 1e3):
        assert statistic(quotient, outside) > critical * (1 - 1e-6)


def test_ends_agree_with_bisection_of_the_test():
    quotient = Quotient(top=3.0, bottom=5.0, top_variance=0.7, bottom_variance=0.9, covariance=0.3)
    inside, outside = 0.6, 50.0

    for _ in range(200):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if statistic(quotient, middle) <= 1.96 else (inside, middle)

    found = fieller_interval(quotient, 1.96)
    assert isinstance(found, Interval)
    assert found.high == pytest.approx(inside, rel=1e-12)


def test_a_divisor_that_may_be_zero_leaves_the_ratio_unbounded():
    assert fieller_interval(Quotient(5.0, 1.0, 1.0, 0.3), 1.96) == Unbounded(DIVISOR_NOT_CLEAR_OF_ZERO)
    assert fieller_interval(Quotient(0.0, 0.0, 1.0, 0.0), 1.96) == Unbounded(DIVISOR_NOT_CLEAR_OF_ZERO)
    assert isinstance(fieller_interval(Quotient(5.0, 1.0, 1.0, 0.25), 1.96), Interval)


def test_a_ratio_to_something_negative_is_not_a_ratio():
    assert fieller_interval(Quotient(5.0, -10.0, 1.0, 1.0), 1.96) == Unbounded(DIVISOR_NEGATIVE)
