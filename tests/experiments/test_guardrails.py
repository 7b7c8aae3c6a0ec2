"""A guardrail pauses when harm is proved, is content when its absence is, and says so when neither is."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.guardrails import (
    GUARDRAILS,
    NOT_ENOUGH_DATA,
    OK,
    PAUSE,
    Guardrail,
    GuardrailReading,
    judge,
    paused_by,
)
from shopify_upsell.experiments.kinds import KINDS

REFUNDS = GUARDRAILS["refund_rate"]


def a_reading(control=0.03, treatment=0.03, error=0.002, units=20_000, fewest_units=10_000):
    return GuardrailReading(control, treatment, error, units, fewest_units)


def test_default_margins_are_the_agreed_ones():
    margins = {name: GUARDRAILS[name].margin for name in
               ("refund_rate", "unsubscribe_rate", "dismissal_rate", "support_ticket_rate")}  # fmt: skip

    assert margins == {
        "refund_rate": 0.01,
        "unsubscribe_rate": 0.002,
        "dismissal_rate": 0.02,
        "support_ticket_rate": 0.005,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_guardrail_of_every_kind_has_a_margin(kind):
    assert set(KINDS[kind].guardrails) <= GUARDRAILS.keys()


def test_harm_that_surely_exceeds_the_margin_pauses():
    found = judge(REFUNDS, a_reading(treatment=0.06))

    assert found.verdict == PAUSE
    assert found.harm == pytest.approx(0.03)
    assert found.at_least > found.margin == 0.01


def test_harm_that_surely_stays_below_the_margin_is_ok():
    assert judge(REFUNDS, a_reading(error=0.001)).verdict == OK


def test_harm_in_doubt_is_not_enough_data():
    assert judge(REFUNDS, a_reading(treatment=0.04, error=0.004)).verdict == NOT_ENOUGH_DATA


def test_harm_below_the_margin_does_not_pause_however_sure():
    assert judge(REFUNDS, a_reading(treatment=0.038, error=0.0001)).verdict == OK


def test_metric_that_should_not_fall_is_read_the_other_way_round():
    rail = GUARDRAILS["checkout_completion_rate"]

    assert judge(rail, a_reading(control=0.50, treatment=0.45)).verdict == PAUSE
    assert judge(rail, a_reading(control=0.45, treatment=0.50)).verdict == OK


def test_relative_margin_is_a_share_of_the_control():
    found = judge(GUARDRAILS["order_value_without_offer"], a_reading(control=5_000.0, treatment=4_700.0, error=20.0))

    assert found.margin == pytest.approx(100.0)
    assert found.verdict == PAUSE


@pytest.mark.parametrize(
    "reading",
    [a_reading(treatment=0.9, fewest_units=99), a_reading(control=0.0, treatment=0.0, error=0.0)],
)
def test_few_units_or_no_variation_yet_say_nothing(reading):
    found = judge(REFUNDS, reading)

    assert (found.verdict, found.at_least, found.at_most) == (NOT_ENOUGH_DATA, -inf, inf)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1e-5, 0.1), st.integers(200, 10**6))
def test_more_harm_never_turns_a_pause_into_an_ok(control, treatment, error, units):
    order = (OK, NOT_ENOUGH_DATA, PAUSE)
    less = judge(REFUNDS, GuardrailReading(control, treatment, error, units, units // 2)).verdict
    more = judge(REFUNDS, GuardrailReading(control, treatment + 0.02, error, units, units // 2)).verdict

    assert order.index(more) >= order.index(less)


def test_names_of_what_pauses_are_sorted():
    bad, good = judge(REFUNDS, a_reading(treatment=0.06)), judge(REFUNDS, a_reading(error=0.001))

    assert paused_by({"refund_rate": bad, "complaint_rate": bad, "coverage_rate": good}) == (
        "complaint_rate",
        "refund_rate",
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Guardrail("refund_rate", 0.0),
        lambda: Guardrail("refund_rate", -0.1),
        lambda: Guardrail("refund_rate", nan),
        lambda: judge(REFUNDS, a_reading(error=-0.1)),
        lambda: judge(REFUNDS, a_reading(treatment=nan)),
        lambda: judge(REFUNDS, a_reading(units=100, fewest_units=101)),
    ],
)
def test_guardrails_that_make_no_sense_are_refused(make):
    with pytest.raises(InvalidInput):
        make()


def test_harm_at_the_margin_read_every_day_pauses_in_less_than_three_of_a_hundred_worlds():
    random = np.random.default_rng(5)
    per_day, days, worlds = 200, 60, 1_000
    looks = per_day * np.arange(1, days + 1)
    treatment = np.cumsum(random.binomial(per_day, 0.06, (worlds, days)), axis=1) / looks
    control = np.cumsum(random.binomial(per_day, 0.05, (worlds, days)), axis=1) / looks
    error = np.sqrt(treatment * (1 - treatment) / looks + control * (1 - control) / looks)

    paused = 0
    for world in range(worlds):
        for day in range(0, days, 4):
            units = int(looks[day])
            reading = a_reading(control[world, day], treatment[world, day], error[world, day], 2 * units, units)
            if judge(REFUNDS, reading, expected_units=24_000).verdict == PAUSE:
                paused += 1
                break

    assert paused <= 0.03 * worlds
