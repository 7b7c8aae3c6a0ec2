"""Readiness: every gate, its end to the second, the score with its reasons, and that bad news never helps."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_signals import a_shopper, a_signal, an_order, any_negative_signal, any_signal, days
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_upsell.customers.readiness import (
    GATES,
    HOLD,
    NOT_YET,
    READY,
    REASONS,
    Readiness,
    has_fresh_positive,
    readiness_of,
    undelivered_until,
)
from shopify_upsell.customers.shopper import ANONYMOUS, Profile, shopper_of
from shopify_upsell.customers.stage import history_of

HOLDS = [
    ("open_ticket", a_signal("ticket_opened"), 60),
    ("unhappy_ticket", a_signal("ticket_solved_unhappy"), 14),
    ("recent_refund", a_signal("refunded"), 14),
    ("return_in_progress", a_signal("return_requested"), 60),
    ("recent_return", a_signal("return_closed"), 14),
    ("recent_cancellation", a_signal("order_cancelled"), 14),
    ("open_dispute", a_signal("dispute_opened"), 120),
    ("recent_dispute", a_signal("dispute_closed"), 30),
    ("late_delivery", a_signal("delivered_late"), 7),
    ("failed_delivery", a_signal("delivery_failed"), 14),
    ("low_review", a_signal("review", value=2.0), 30),
    ("low_csat", a_signal("csat", value=1.0), 14),
    ("low_nps", a_signal("nps", value=6.0), 30),
    ("payment_failed", a_signal("subscription_payment_failed"), 30),
    ("referral_shown", a_signal("referral_shown"), 1),
    ("opted_out", a_signal("preference_none"), None),
]


def judged(*signals, now=NOW):
    return readiness_of(a_shopper(*signals), now=now)


def test_the_table_of_holds_names_every_gate():
    assert {gate for gate, _, _ in HOLDS} == set(GATES)


@pytest.mark.parametrize(("gate", "signal", "length"), HOLDS)
def test_a_gate_holds_until_its_end_and_not_a_moment_longer(gate, signal, length):
    until = None if length is None else NOW + days(length)

    held = judged(signal)

    assert (held.state, held.gate, held.reasons, held.until) == (HOLD, gate, (gate,), until)
    if until is not None:
        assert judged(signal, now=until - timedelta(microseconds=1)).state == HOLD
        assert judged(signal, now=until).gate is None


def test_somebody_who_wants_no_offers_is_left_alone_for_ever_or_until_they_say_otherwise():
    none = a_signal("preference_none", 3000)

    assert judged(none).gate == "opted_out"
    assert judged(none, a_signal("preference_lifted", 0.5)).state == READY
    assert judged(none, a_signal("preference_lifted", 3001)).gate == "opted_out"
    assert judged(none, a_signal("preference_lifted", 3000)).gate == "opted_out"


@pytest.mark.parametrize(
    ("opening", "closing", "then"),
    [
        ("ticket_opened", "ticket_solved", None),
        ("ticket_opened", "ticket_solved_happy", None),
        ("ticket_opened", "ticket_solved_unhappy", "unhappy_ticket"),
        ("return_requested", "return_closed", "recent_return"),
        ("return_requested", "return_cancelled", None),
        ("dispute_opened", "dispute_closed", "recent_dispute"),
        ("subscription_payment_failed", "subscription_renewed", None),
        ("subscription_payment_failed", "subscription_cancelled", None),
    ],
)
def test_a_closing_ends_its_own_thing_only(opening, closing, then):
    opened = a_signal(opening, 3, external_id="thing:1")
    gate = judged(opened).gate

    assert judged(opened, a_signal(closing, 1, external_id="thing:1")).gate == then
    assert gate in judged(opened, a_signal(closing, 1, external_id="thing:2")).reasons
    assert gate in judged(opened, a_signal(closing, 1, external_id="thing:1", source="other")).reasons


def test_a_return_that_is_reopened_holds_again():
    told = [a_signal("return_closed", 20, external_id="r"), a_signal("return_requested", 2, external_id="r")]

    assert judged(*told).gate == "return_in_progress"


@pytest.mark.parametrize(
    ("trouble", "recovery"),
    [
        (a_signal("review", 3, value=1.0), a_signal("review", 1, value=4.0, external_id="other")),
        (a_signal("csat", 3, value=1.0), a_signal("csat", 1, value=4.0, external_id="other")),
        (a_signal("nps", 3, value=2.0), a_signal("nps", 1, value=9.0, external_id="other")),
        (a_signal("ticket_solved_unhappy", 3), a_signal("csat", 1, value=5.0)),
        (a_signal("delivery_failed", 3, order_id=1), a_signal("delivered", 1, order_id=1)),
    ],
)
def test_a_recovery_ends_the_cool_off_and_only_when_it_comes_later(trouble, recovery):
    assert judged(trouble).state == HOLD
    assert judged(trouble, recovery).state != HOLD
    assert judged(trouble, replace(recovery, occurred_at=NOW - days(4))).state == HOLD


def test_another_orders_arrival_does_not_mend_a_failed_delivery():
    failed, other = a_signal("delivery_failed", 3, order_id=1), a_signal("delivered", 1, order_id=2)

    assert judged(failed, other).gate == "failed_delivery"


def test_the_gate_that_holds_longest_is_named_first():
    held = judged(a_signal("delivered_late", 1), a_signal("ticket_opened", 1), a_signal("refunded", 2))

    assert held.reasons == ("open_ticket", "recent_refund", "late_delivery")
    assert (held.gate, held.until) == ("open_ticket", NOW + days(59))


def test_what_happens_later_is_not_known_yet():
    assert judged(a_signal("ticket_opened", -0.01)).state == READY


def test_a_stranger_is_ready_and_nothing_personal_is_said():
    assert readiness_of(ANONYMOUS, now=NOW) == Readiness(READY, 0.5, ("anonymous",), None, None)


def test_a_browser_that_wants_no_offers_is_left_alone_without_an_account():
    assert readiness_of(replace(ANONYMOUS, signals=(a_signal("preference_none", 1),)), now=NOW).gate == "opted_out"


def test_a_customer_with_one_order_is_ready_but_no_lifecycle_offer_may_follow():
    shopper = a_shopper(an_order(1, 1))

    assert readiness_of(shopper, now=NOW) == Readiness(READY, 0.5, ("no_signals",), None, None)
    assert not has_fresh_positive(shopper, now=NOW)


def test_score_is_the_logistic_of_fading_weights_and_names_the_weightiest_first():
    told = judged(a_signal("review", 60, value=5.0), a_signal("delivered_on_time"), a_signal("offer_dismissed"))

    assert told.score == pytest.approx(1 / (1 + 2.718281828459045 ** -(0.4 + 0.3 - 0.4)))
    assert told.reasons == ("good_review", "offer_dismissed", "delivered_on_time")


def test_each_dismissal_counts_but_one_kind_of_praise_counts_once():
    praise = [a_signal("review", value=5.0, external_id=str(n)) for n in range(5)]
    dismissals = [a_signal("offer_dismissed", external_id=str(n)) for n in range(2)]

    assert judged(*praise).score == judged(praise[0]).score
    assert judged(*dismissals).score == pytest.approx(1 / (1 + 2.718281828459045**0.8))


def test_two_fresh_dismissals_mean_not_yet_with_the_day_on_which_they_have_faded():
    told = judged(*(a_signal("offer_dismissed", external_id=str(n)) for n in range(2)))

    assert (told.state, told.gate, told.reasons) == (NOT_YET, None, ("offer_dismissed",))
    assert told.until == NOW + days(12)
    assert judged(*(a_signal("offer_dismissed", 12, external_id=str(n)) for n in range(2))).state == READY


@pytest.mark.parametrize(
    "kind", ["delivered_on_time", "kept_past_return_window", "repeat_order", "ticket_solved_happy"]
)
def test_good_news_is_fresh_until_half_its_weight_is_gone(kind):
    shopper = a_shopper(a_signal(kind, 29.99))

    assert has_fresh_positive(shopper, now=NOW)
    assert not has_fresh_positive(shopper, now=NOW + days(90))


def test_taking_an_offer_is_not_satisfaction():
    assert not has_fresh_positive(a_shopper(a_signal("offer_accepted")), now=NOW)


def test_an_order_under_way_ends_with_its_arrival_or_when_it_must_have_arrived():
    placed, shipped = an_order(1, 3), a_signal("shipped", 1, order_id=1)
    estimate = (NOW + days(2)).timestamp()
    promised = a_signal("delivery_estimated", 1, order_id=1, value=estimate)

    assert undelivered_until(a_shopper(placed), now=NOW) == NOW + days(7)
    assert undelivered_until(a_shopper(placed, shipped), now=NOW) == NOW + days(6)
    assert undelivered_until(a_shopper(placed, shipped, promised), now=NOW) == NOW + days(2)
    assert undelivered_until(a_shopper(placed, shipped, promised), now=NOW + days(2)) is None
    assert undelivered_until(a_shopper(placed, a_signal("delivered", 0, order_id=1)), now=NOW) is None
    assert undelivered_until(a_shopper(placed, a_signal("order_cancelled", 0, order_id=1)), now=NOW) is None


def shopper_told(signals):
    return shopper_of(Profile(history_of(signals)), signals, is_known=True, now=NOW)


RANK = {HOLD: 0, NOT_YET: 1, READY: 2}


@settings(max_examples=250)
@given(st.lists(any_signal, max_size=10), any_negative_signal)
def test_bad_news_never_raises_the_score_and_never_frees_anybody(signals, bad):
    for told, worse in (
        (a_shopper(*signals), a_shopper(*signals, bad)),
        (shopper_told(signals), shopper_told([*signals, bad])),
    ):
        before, after = readiness_of(told, now=NOW), readiness_of(worse, now=NOW)

        assert after.score <= before.score + 1e-12
        assert RANK[after.state] <= RANK[before.state]
        assert has_fresh_positive(told, now=NOW) or not has_fresh_positive(worse, now=NOW)


@settings(max_examples=200)
@given(st.lists(any_signal, max_size=10), st.randoms(use_true_random=False))
def test_readiness_is_the_same_in_whatever_order_things_were_told(signals, shuffler):
    shuffled = list(signals)
    shuffler.shuffle(shuffled)

    assert readiness_of(shopper_told(shuffled), now=NOW) == readiness_of(shopper_told(signals), now=NOW)


@settings(max_examples=200)
@given(st.lists(any_signal, max_size=10))
def test_every_reason_is_in_the_vocabulary_and_a_hold_ends_at_its_date(signals):
    shopper = shopper_told(signals)
    told = readiness_of(shopper, now=NOW)

    assert 1 <= len(told.reasons) <= 3
    assert set(told.reasons) <= set(REASONS)
    assert (told.state == HOLD) == (told.gate in GATES)
    if told.state == HOLD and told.until is not None:
        assert told.until > NOW
        assert readiness_of(shopper, now=told.until - timedelta(microseconds=1)).state == HOLD
