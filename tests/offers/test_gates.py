"""Every gate: what closes it, until when to the second, and what leaves it open. One answer for all offers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    SOCKS,
    a_decision,
    a_request,
    a_snapshot,
    an_offer,
    having_seen,
)
from builders_signals import a_shopper, a_signal, days

from shopify_upsell.customers.courtesy import DEFAULT_CAPS, Caps
from shopify_upsell.customers.dismissals import Dismissal, Scope
from shopify_upsell.customers.readiness import GATES as CUSTOMER_GATES
from shopify_upsell.customers.suppression import EVERY_PRODUCT, dismissal, snooze
from shopify_upsell.offers import gates
from shopify_upsell.offers.candidate import Rejection
from shopify_upsell.offers.codes import GATES, REJECTIONS
from shopify_upsell.offers.gates import EVERY_OFFER, Gate, caps_of, closed_gate
from shopify_upsell.offers.snapshot import ThrottledOffer

MOMENT = timedelta(microseconds=1)
HALF_AN_HOUR = timedelta(minutes=30)
THREE_HOURS_ON = NOW + timedelta(hours=3)
"""The oldest card of the day is 22 hours old; its hour counts until all of it is a day old."""

SEVERAL = tuple(an_offer(number) for number in range(1, 4))


def on_page(page=None, path=None, *signals):
    return a_snapshot(request=a_request(page=page, path=path), shopper=a_shopper(*signals))


def feeling(*signals):
    return a_snapshot(shopper=a_shopper(*signals))


def wishing(*wishes):
    return a_snapshot(suppressions=wishes)


def after(*cards, **changes):
    return a_snapshot(courtesy=having_seen(*cards), **changes)


PROMISED = a_signal("delivery_estimated", 5, order_id=1, value=(NOW - days(2)).timestamp())
ARRIVED = a_signal("delivered", 1, order_id=1)
OLD_PROMISE = replace(PROMISED, value=(NOW - days(14)).timestamp())
OTHERS_ARRIVED = a_signal("delivered", 1, order_id=2)

CLOSED = [
    # gate, code, snapshot, not before
    ("budget_taken", "budget_taken", a_snapshot(lost_race=True), None),
    ("quiet_zone", "quiet_returns", on_page(path="/pages/returns"), None),
    ("quiet_zone", "quiet_cancel", on_page(path="/account/cancel-order"), None),
    ("quiet_zone", "quiet_order_tracking", on_page(path="/apps/track-my-order"), None),
    ("quiet_zone", "quiet_order_tracking", on_page("order_status", None, PROMISED), None),
    ("quiet_zone", "quiet_order_tracking", on_page("thank_you", None, PROMISED, OTHERS_ARRIVED), None),
    ("quiet_zone", "quiet_payment", on_page(path="/checkouts/cn/1"), None),
    ("quiet_zone", "quiet_login", on_page("customers/login"), None),
    ("quiet_zone", "quiet_policy", on_page("policy"), None),
    ("quiet_zone", "quiet_accessibility", on_page(path="/pages/accessibility"), None),
    ("preference_none", "preference_none", a_snapshot(preference="none"), None),
    ("paused", "suppressed_snoozed", wishing(snooze("v:a", EVERY_PRODUCT, 7, now=NOW)), NOW + days(7)),
    ("paused", "suppressed_snoozed", wishing(
        snooze("v:a", EVERY_PRODUCT, 7, now=NOW), snooze("c:5", EVERY_PRODUCT, 90, now=NOW)), NOW + days(90)),
    ("unhappy", "recent_refund", feeling(a_signal("refunded", 3)), NOW + days(11)),
    ("unhappy", "opted_out", feeling(a_signal("preference_none", 400)), None),
    ("unhappy", "low_review", feeling(
        a_signal("review", 10, value=1.0), a_signal("refunded", 3)), NOW + days(20)),
    ("asked_enough", "cap_session", after(*[(1, 0.1)] * 12), NOW - timedelta(hours=0.1) + HALF_AN_HOUR),
    ("asked_enough", "cap_day", after(*[(n, 2 + n) for n in range(1, 21)], *[(1, 1.5)] * 4), THREE_HOURS_ON),
    ("asked_enough", "cap_month", after(*[(n % 9 + 1, 24 * n + 30) for n in range(10)] * 12), None),
]  # fmt: skip

OPEN = [
    ("a page where nobody is disturbed", on_page("product", "/products/return-address-stamp")),
    ("the order page, and nobody promised a day", on_page("order_status")),
    ("the order page, and the parcel came", on_page("order_status", None, PROMISED, ARRIVED)),
    ("the order page two weeks after the promised day", on_page("order_status", None, OLD_PROMISE)),
    ("the order page before the promised day", on_page(
        "order_status", None, replace(PROMISED, value=(NOW + days(1)).timestamp()))),
    ("a late parcel, and a page that is not about it", on_page("product", None, PROMISED)),
    ("fewer offers wanted", a_snapshot(preference="fewer")),
    ("restock only", a_snapshot(preference="restock_only")),
    ("a pause about one product", wishing(snooze("v:a", SOCKS, 90, now=NOW))),
    ("a pause that ends at this very moment", wishing(snooze("v:a", EVERY_PRODUCT, 7, now=NOW - days(7)))),
    ("a dismissal, which is no pause", wishing(dismissal("v:a", EVERY_PRODUCT, now=NOW))),
    ("a dismissed offer", a_snapshot(dismissals=(Dismissal("v:a", Scope(1), 1, NOW, NOW + days(30)),))),
    ("nobody known", a_snapshot()),
    ("a cool-off that ends at this very moment", feeling(a_signal("refunded", 14))),
    ("one card less than a session's cap", after(*[(1, 0.1)] * 11)),
    ("a session that ended half an hour ago", after(*[(1, 0.5)] * 12)),
    ("cards of a day that is over", after(*[(n, 25 + n) for n in range(24)])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "snapshot", "until"), CLOSED, ids=[f"{c[0]}-{c[1]}" for c in CLOSED])
def test_gate_closes_with_its_code_and_its_date(name, code, snapshot, until):
    gate = getattr(gates, name)(snapshot)

    assert gate.code == code
    assert gate == closed_gate(snapshot)
    if until is not None:
        assert gate.until == until


@pytest.mark.parametrize("snapshot", [case[1] for case in OPEN], ids=[case[0] for case in OPEN])
def test_gate_stays_open(snapshot):
    assert closed_gate(snapshot) is None


@pytest.mark.parametrize("snapshot", [case[2] for case in CLOSED if case[0] in ("paused", "unhappy", "asked_enough")])
def test_gate_is_closed_until_its_date_and_open_at_that_very_moment(snapshot):
    gate = closed_gate(snapshot)
    if gate.until is None:
        return

    assert closed_gate(replace(snapshot, now=gate.until - MOMENT)) is not None
    at_the_end = closed_gate(replace(snapshot, now=gate.until))
    assert at_the_end is None or at_the_end.until > gate.until or at_the_end.code == "not_ready"


def test_pause_and_cool_off_are_over_at_their_end_and_not_a_moment_before():
    for snapshot, end in (
        (wishing(snooze("v:a", EVERY_PRODUCT, 30, now=NOW)), NOW + days(30)),
        (feeling(a_signal("ticket_solved_unhappy", 0)), NOW + days(14)),
        (after(*[(1, 0)] * 12), NOW + HALF_AN_HOUR),
    ):
        assert closed_gate(replace(snapshot, now=end - MOMENT)).until == end
        assert closed_gate(replace(snapshot, now=end)) is None


@pytest.mark.parametrize("code", CUSTOMER_GATES)
def test_every_gate_of_readiness_is_in_the_vocabulary(code):
    assert GATES[code] == CUSTOMER_GATES[code]
    assert code not in REJECTIONS


def test_bad_memories_close_the_gate_until_the_day_they_have_faded():
    snapshot = feeling(a_signal("review", 31, value=1.0))

    gate = closed_gate(snapshot)

    assert gate.code == "not_ready"
    assert closed_gate(replace(snapshot, now=gate.until)) is None
    assert closed_gate(replace(snapshot, now=gate.until - days(1))).code == "not_ready"


def test_place_is_asked_first_then_the_word_then_the_feeling_then_the_budget():
    everything = replace(
        on_page("customers/login", None, a_signal("refunded", 3)),
        lost_race=True,
        preference="none",
        suppressions=(snooze("v:a", EVERY_PRODUCT, 7, now=NOW),),
        courtesy=having_seen(*[(1, 0.1)] * 12),
    )
    codes = []
    for undo in (
        {"lost_race": False},
        {"request": a_request()},
        {"preference": "all"},
        {"suppressions": ()},
        {"shopper": a_shopper()},
        {"courtesy": having_seen()},
    ):
        codes.append(closed_gate(everything).code)
        everything = replace(everything, **undo)

    assert codes == [
        "budget_taken", "quiet_login", "preference_none", "suppressed_snoozed", "recent_refund", "cap_session",
    ]  # fmt: skip
    assert closed_gate(everything) is None


def test_closed_gate_is_the_one_rejection_of_every_offer():
    decision = a_decision(offers=SEVERAL, shopper=a_shopper(a_signal("refunded", 3)))

    until = NOW + days(11)
    assert decision.rejections == (Rejection("recent_refund", EVERY_OFFER, None, {"until": until.isoformat()}),)
    assert (decision.answer.gate, decision.answer.next_at) == ("recent_refund", until)
    assert decision.chosen == decision.would_have_shown == ()


def test_preference_and_throttles_lower_caps_each_in_its_own_place():
    caps = Caps(session=12, day=24, month=120, offer_day=4, offer_month=12)
    throttles = (ThrottledOffer(EVERY_OFFER, 1), ThrottledOffer(an_offer(1).offer_id, 2))

    def under(offer_id, **changes):
        return caps_of(a_snapshot(caps=caps, **changes), an_offer(offer_id).offer_id)

    assert under(1) == caps_of(a_snapshot(caps=caps)) == caps
    assert under(1, preference="fewer") == Caps(4, 8, 40, 2, 4)
    assert under(2, throttles=throttles) == Caps(6, 12, 60, 2, 6)
    assert under(1, throttles=throttles) == Caps(6, 12, 60, 1, 2)
    assert caps_of(a_snapshot(caps=caps, throttles=throttles)) == Caps(6, 12, 60, 2, 6)
    assert under(1, throttles=throttles, preference="fewer") == Caps(2, 4, 20, 1, 1)


def test_throttle_of_one_offer_closes_no_gate_for_the_others():
    seen = after(*[(2, 0.1)] * 4, throttles=(ThrottledOffer(an_offer(1).offer_id, 3),))

    assert closed_gate(seen) is None
    assert closed_gate(replace(seen, throttles=(ThrottledOffer(EVERY_OFFER, 2),))).code == "cap_session"


def test_cap_of_nothing_closes_the_gate_before_anything_was_shown():
    silent = replace(DEFAULT_CAPS, session=0, day=0, month=0, offer_day=0, offer_month=0)

    gate = closed_gate(a_snapshot(caps=silent))

    assert gate == Gate("cap_month", NOW + days(30))
    assert gate.code in GATES


def test_every_code_of_a_gate_is_met_here_or_belongs_to_a_customer():
    met = {code for _, code, _, _ in CLOSED} | set(CUSTOMER_GATES) | {"not_ready"}

    # The cap of the whole shop is counted where cards are charged, not read by a decision.
    assert set(GATES) - met == {"cap_shop_day"}
    assert met - set(GATES) == {"suppressed_snoozed"}


def test_anchor_of_the_question_opens_no_gate():
    assert closed_gate(a_snapshot(request=a_request(BOOTS, SOCKS), preference="none")) == Gate("preference_none")
