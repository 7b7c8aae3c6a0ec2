"""The registry of signals: what each kind does, and who may tell it."""

from datetime import timedelta

import pytest
from builders_database import NOW
from builders_signals import a_signal, an_order, days

from shopify_upsell.core import InvalidInput
from shopify_upsell.customers.derived import derived_signals
from shopify_upsell.customers.readiness import GATES, REASONS
from shopify_upsell.customers.signals import SIGNALS, effect_of, is_negative, require_outside, weight_at

EFFECTS = [(kind, effect) for kind, found in SIGNALS.items() for effect in found.effects]


@pytest.mark.parametrize(("kind", "effect"), EFFECTS)
def test_every_effect_that_counts_has_a_reason_merchants_can_read(kind, effect):
    counts = effect.weight != 0 or effect.holds

    assert (effect.says in REASONS) == counts
    assert not effect.holds or effect.says in GATES


def test_every_gate_is_raised_by_some_kind():
    raised = {effect.says for _, effect in EFFECTS if effect.holds}
    raised |= {found.opens.gate for found in SIGNALS.values() if found.opens is not None}

    assert raised == set(GATES)


def test_every_thing_that_opens_can_be_closed():
    closed = {kind for found in SIGNALS.values() for kind in found.closes}

    assert closed == {kind for kind, found in SIGNALS.items() if found.opens is not None}


@pytest.mark.parametrize(
    ("kind", "value", "weight", "half_life"),
    [
        ("review", 4, 0.8, 60), ("nps", 9, 0.8, 90), ("repeat_order", None, 0.6, 90),
        ("delivered_on_time", None, 0.3, 30), ("ticket_solved_happy", None, 0.4, 30),
        ("offer_accepted", None, 0.5, 120), ("delivered_late", None, -0.6, 30),
        ("review", 2, -1.5, 120), ("offer_dismissed", None, -0.4, 30),
    ],
)  # fmt: skip
def test_starting_weights_are_those_of_the_measurement(kind, value, weight, half_life):
    effect = effect_of(a_signal(kind, value=value))

    assert (effect.weight, effect.half_life) == (weight, days(half_life))


@pytest.mark.parametrize(
    ("value", "says"), [(1, "low_review"), (2, "low_review"), (3, ""), (4, "good_review"), (5, "good_review")]
)
def test_what_a_review_does_depends_on_its_stars(value, says):
    assert effect_of(a_signal("review", value=value)).says == says


@pytest.mark.parametrize(("value", "says"), [(0, "low_nps"), (6, "low_nps"), (7, ""), (8, ""), (9, "good_nps")])
def test_nine_recommends_and_six_does_not(value, says):
    assert effect_of(a_signal("nps", value=value)).says == says


def test_an_opinion_without_a_value_does_nothing():
    assert effect_of(a_signal("review")).weight == 0


def test_weight_halves_every_half_life_and_ends_after_a_year():
    review = a_signal("review", 60, value=5.0)

    assert weight_at(review, effect_of(review), NOW) == pytest.approx(0.4)
    assert weight_at(review, effect_of(review), NOW + days(305)) == 0


def test_what_ends_trouble_is_not_negative_even_when_it_hurts():
    assert is_negative(a_signal("delivered_late"))
    assert is_negative(a_signal("review", value=1.0))
    assert not is_negative(a_signal("review", value=5.0))
    assert not is_negative(a_signal("ticket_solved_unhappy"))


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("mood", None, "kind: unknown"), ("order_placed", None, "kind: told by Shopify"),
        ("offer_dismissed", None, "kind: told by Shopify"), ("review", None, "value: must be 1 to 5"),
        ("review", 6, "value: must be 1 to 5"), ("nps", -1, "value: must be 0 to 10"),
        ("ticket_opened", 1, "value: this kind takes none"),
    ],
)  # fmt: skip
def test_callers_may_not_tell(kind, value, says):
    with pytest.raises(InvalidInput, match=says):
        require_outside(kind, value)


def kinds(signals):
    return {(signal.kind, signal.external_id, signal.reason) for signal in signals}


def derived(*signals, order_count=0, now=NOW):
    return kinds(derived_signals(signals, order_count=order_count, now=now))


def test_second_order_is_a_repeat_and_the_third_a_milestone_whatever_came_first():
    orders = [an_order(3, 10), an_order(1, 50), an_order(2, 30)]

    assert derived(*orders, order_count=3) == {
        ("repeat_order", "order:2", None), ("repeat_order", "order:3", None), ("milestone", "orders:3", None),
    }  # fmt: skip


def test_orders_no_longer_remembered_are_counted_before_the_others():
    assert derived(an_order(9, 1), order_count=5) == {
        ("repeat_order", "order:9", None),
        ("milestone", "orders:5", None),
    }


def test_a_cancelled_order_is_neither_repeat_nor_milestone():
    cancelled = a_signal("order_cancelled", 9, order_id=2)

    assert derived(an_order(1, 50), an_order(2, 10), cancelled, order_count=1) == set()


def a_parcel(shipped=20, arrived=10, estimate=None, median=None):
    told = [a_signal("shipped", shipped, external_id="fulfillment:1", order_id=1)]
    told.append(a_signal("delivered", arrived, external_id="fulfillment:1:event:2", order_id=1, value=median))
    if estimate is not None:
        value = (NOW - days(estimate)).timestamp()
        told.append(
            a_signal("delivery_estimated", shipped - 1, external_id="fulfillment:1:event:1", order_id=1, value=value)
        )
    return told


@pytest.mark.parametrize(
    ("parcel", "kind", "basis"),
    [
        (a_parcel(arrived=10, estimate=10), "delivered_on_time", "estimate"),
        (a_parcel(arrived=9.9, estimate=10), "delivered_late", "estimate"),
        (a_parcel(arrived=11), "delivered_on_time", "assumed"),
        (a_parcel(arrived=10.9), "delivered_late", "assumed"),
        (a_parcel(arrived=10, median=8.0), "delivered_on_time", "median"),
        (a_parcel(arrived=9.9, median=8.0), "delivered_late", "median"),
    ],
)
def test_on_time_rests_on_the_estimate_then_the_shops_median_then_an_assumption(parcel, kind, basis):
    assert derived(*parcel) == {(kind, "fulfillment:1", basis)}
    assert derived(*reversed(parcel)) == {(kind, "fulfillment:1", basis)}


def test_the_first_estimate_is_the_promise():
    told = a_parcel(arrived=10, estimate=12)
    corrected = a_signal(
        "delivery_estimated", 11, external_id="fulfillment:1:event:9", order_id=1, value=NOW.timestamp()
    )

    assert derived(*told, corrected) == {("delivered_late", "fulfillment:1", "estimate")}


def test_kept_past_the_return_window_begins_exactly_at_its_end():
    arrived = a_signal("delivered", 30, order_id=1)

    assert derived(arrived) == {("kept_past_return_window", "order:1", None)}
    assert derived(arrived, now=NOW - timedelta(seconds=1)) == set()


@pytest.mark.parametrize(
    "kind", ["refunded", "return_requested", "order_cancelled", "dispute_opened", "delivered_late"]
)
def test_what_came_back_or_came_late_was_not_kept(kind):
    arrived = a_signal("delivered", 40, order_id=1)

    assert derived(arrived, a_signal(kind, 20, order_id=1)) == set()
    assert derived(arrived, a_signal(kind, 20, order_id=2)) == {("kept_past_return_window", "order:1", None)}
