"""Stages of a customer, whatever order the webhooks came in."""

from datetime import timedelta

import pytest
from builders_database import NOW
from builders_signals import a_signal, an_order, any_signal, days
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_upsell.customers.stage import STAGES, history_of, stage_of


def stage(*signals, now=NOW):
    return stage_of(history_of(signals), now=now)


def arrived(number, age):
    return a_signal("delivered", age, external_id=f"f:{number}", order_id=number)


def test_a_visitor_has_no_orders():
    assert stage() == "visitor"
    assert stage(a_signal("review", value=5.0)) == "visitor"


def test_one_order_is_delivered_once_it_arrives():
    assert stage(an_order(1, 5)) == "first_order"
    assert stage(an_order(1, 5), arrived(1, 1)) == "delivered"


def test_an_order_nobody_reported_counts_as_delivered_after_ten_days():
    assert stage(an_order(1, 10)) == "delivered"
    assert stage(an_order(1, 10), now=NOW - timedelta(seconds=1)) == "first_order"


def test_a_second_order_makes_an_established_customer():
    assert stage(an_order(1, 40), arrived(1, 35), an_order(2, 2)) == "established"


def test_two_orders_of_the_last_days_without_delivery_are_still_the_beginning():
    assert stage(an_order(1, 3), an_order(2, 2)) == "first_order"


@pytest.mark.parametrize(
    ("age", "expected"), [(89.9, "delivered"), (90, "at_risk"), (179.9, "at_risk"), (180, "lapsed")]
)
def test_silence_of_ninety_days_is_a_risk_and_twice_that_is_lapsed(age, expected):
    assert stage(an_order(1, age)) == expected


def test_a_customer_with_a_rhythm_is_measured_by_it():
    yearly = [an_order(number, 100 + 150 * number) for number in range(4)]
    weekly = [an_order(number, 60 + 7 * number) for number in range(4)]

    assert stage(*yearly) == "established"
    assert stage(*weekly) == "at_risk"


def test_a_cancelled_order_never_was():
    assert stage(an_order(1, 5), a_signal("order_cancelled", 4, order_id=1)) == "visitor"


def test_a_subscriber_is_one_until_they_cancel_and_at_risk_while_unpaid():
    began = a_signal("subscription_started", 60, external_id="s:1")
    failed = a_signal("subscription_payment_failed", 5, external_id="s:1")
    orders = [an_order(1, 60), an_order(2, 30)]

    assert stage(*orders, began) == "subscriber"
    assert stage(*orders, began, failed) == "at_risk"
    assert stage(*orders, began, failed, a_signal("subscription_renewed", 4, external_id="s:1")) == "subscriber"
    assert stage(*orders, began, failed, a_signal("subscription_cancelled", 4, external_id="s:1")) == "established"
    assert stage(*orders, began, failed, a_signal("subscription_started", 90, external_id="s:2")) == "subscriber"


@settings(max_examples=300)
@given(st.lists(any_signal, max_size=12), st.randoms(use_true_random=False), st.integers(0, 400))
def test_stage_does_not_depend_on_the_order_in_which_things_were_told(signals, shuffler, age):
    shuffled = list(signals)
    shuffler.shuffle(shuffled)
    now = NOW + days(age)

    assert history_of(shuffled) == history_of(signals)
    assert stage(*shuffled, now=now) == stage(*signals, now=now)
    assert stage(*signals, now=now) in STAGES


@given(st.lists(any_signal, max_size=12))
def test_told_twice_is_told_once(signals):
    assert history_of([*signals, *signals]) == history_of(signals)
