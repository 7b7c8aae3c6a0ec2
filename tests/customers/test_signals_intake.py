"""Shopify's bodies become signals, whichever comes first, and never twice."""

from itertools import permutations

import pytest
from builders_database import NOW, add_shop
from builders_orders import a_delivery, a_refund, an_order
from builders_signals import ME, days
from sqlalchemy import select

from shopify_upsell.core import CustomerId, OrderId, UnreadableFact
from shopify_upsell.customers import signal_intake as intake
from shopify_upsell.customers.order_signals import refresh_order_signals
from shopify_upsell.customers.readiness import readiness_of
from shopify_upsell.customers.signal_store import read_shopper, signals_of_subject
from shopify_upsell.customers.signal_tables import SignalRow
from shopify_upsell.customers.store import erase_subject
from shopify_upsell.ledger.intake import record_order, record_order_deletion, record_refund
from shopify_upsell.ledger.store import forget_customer

PERSON = {"email": "robin@example.com", "destination": {"name": "Robin Sample", "address1": "1 Example Street"}}


def stamp(age):
    return (NOW - days(age)).isoformat()


def a_fulfillment(age=8.0, **given):
    body = {"id": 31, "order_id": 1, "status": "success", "shipment_status": None, "name": "#1.1"}
    return body | PERSON | {"created_at": stamp(age), "updated_at": stamp(given.pop("updated", age))} | given


def an_event(status, age, number=41, **given):
    body = {"id": number, "fulfillment_id": 31, "order_id": 1, "status": status, "city": "Ottawa"}
    return body | {"happened_at": stamp(age), "created_at": stamp(age), "estimated_delivery_at": None} | given


def a_dispute(**given):
    body = {"id": 61, "order_id": 1, "type": "chargeback", "amount": "11.50", "currency": "CAD", "reason": "fraudulent"}
    return body | {"status": "under_review", "initiated_at": stamp(9), "finalized_on": None} | given


def sold(**given):
    return an_order(1, customer_id=5, ordered_at=NOW - days(10), updated_at=NOW - days(10), **given)


@pytest.fixture
def take(session, shop_id):
    """Hand a body to the handler of its topic, as the inbox and the worker do."""
    add_shop(session, "two.myshopify.com")

    def take(handler, topic, body, age=0.0):
        delivery = a_delivery(shop_id, topic, body, triggered_at=NOW - days(age))
        for announcement in handler(session, delivery):
            if announcement.name == "order_recorded":
                refresh_order_signals(session, shop_id, [OrderId(announcement.subject_id)])

    return take


def told(session, shop_id, subject=ME):
    return [(signal.kind, signal.occurred_at) for signal in signals_of_subject(session, shop_id, subject)]


def gate_of(session, shop_id, now=NOW):
    return readiness_of(read_shopper(session, shop_id, [ME], now=now), now=now).gate


def test_an_orders_signals_are_what_the_ledger_says_in_any_order(session, shop_id, take):
    steps = [
        lambda: take(record_order, "orders/create", sold()),
        lambda: take(record_refund, "refunds/create", a_refund(order_id=1, refunded_at=NOW - days(3), paid="1.00")),
        lambda: take(
            record_order,
            "orders/cancelled",
            sold() | {"cancelled_at": stamp(2), "updated_at": stamp(2)},
        ),
    ]
    expected = [("order_placed", NOW - days(10)), ("refunded", NOW - days(3)), ("order_cancelled", NOW - days(2))]
    for order in permutations(steps):
        with session.begin_nested() as attempt:
            for step in [*order, *order]:
                step()
            assert told(session, shop_id) == expected
            assert gate_of(session, shop_id) == "recent_cancellation"
            attempt.rollback()


def test_a_deleted_order_has_no_signals(session, shop_id, take):
    take(record_order, "orders/create", sold())
    take(record_order_deletion, "orders/delete", {"id": 1})

    assert told(session, shop_id) == []
    assert read_shopper(session, shop_id, [ME], now=NOW).stage == "visitor"


def test_a_test_order_has_no_signals(session, shop_id, take):
    take(record_order, "orders/create", sold() | {"test": True})

    assert told(session, shop_id) == []


def test_an_order_that_changes_hands_takes_its_parcels_along(session, shop_id, take):
    take(record_order, "orders/create", sold())
    take(intake.record_fulfillment, "fulfillments/create", a_fulfillment())
    take(record_order, "orders/updated", sold() | {"customer": {"id": 6}, "updated_at": stamp(1)})

    assert told(session, shop_id) == []
    assert [kind for kind, _ in told(session, shop_id, "c:6")] == ["order_placed", "shipped"]
    assert read_shopper(session, shop_id, ["c:6"], now=NOW).stage == "delivered"
    assert read_shopper(session, shop_id, [ME], now=NOW).stage == "visitor"


def test_parcels_before_the_order_wait_for_it_and_a_late_one_holds(session, shop_id, take):
    estimate = {"estimated_delivery_at": stamp(3)}
    steps = [
        lambda: take(record_order, "orders/create", sold()),
        lambda: take(intake.record_fulfillment, "fulfillments/create", a_fulfillment()),
        lambda: take(
            intake.record_fulfillment_event, "fulfillment_events/create", an_event("confirmed", 7, **estimate)
        ),
        lambda: take(intake.record_fulfillment_event, "fulfillment_events/create", an_event("delivered", 2, 42)),
        lambda: take(
            intake.record_fulfillment,
            "fulfillments/update",
            a_fulfillment(shipment_status="delivered", updated=1.9),
        ),
    ]
    found = set()
    for order in list(permutations(steps))[::7]:
        with session.begin_nested() as attempt:
            for step in order:
                step()
            shopper = read_shopper(session, shop_id, [ME], now=NOW)
            found.add((shopper.signals, shopper.stage, gate_of(session, shop_id)))
            attempt.rollback()

    assert len(found) == 1
    signals, stage, gate = found.pop()
    assert (stage, gate) == ("delivered", "late_delivery")
    late = [signal for signal in signals if signal.kind == "delivered_late"]
    assert [(one.occurred_at, one.reason, one.order_id) for one in late] == [(NOW - days(2), "estimate", 1)]


def test_the_shops_own_median_judges_a_parcel_without_an_estimate(session, shop_id, take):
    for number in range(20):
        parcel = {"id": 100 + number, "order_id": 1000 + number}
        take(intake.record_fulfillment, "fulfillments/create", a_fulfillment(30) | parcel)
        arrival = a_fulfillment(30, shipment_status="delivered", updated=28.0) | parcel
        take(intake.record_fulfillment, "fulfillments/update", arrival)
    take(record_order, "orders/create", sold())
    take(intake.record_fulfillment, "fulfillments/create", a_fulfillment(8))
    take(intake.record_fulfillment_event, "fulfillment_events/create", an_event("delivered", 3.5))

    judged = [one for one in read_shopper(session, shop_id, [ME], now=NOW).signals if one.kind.startswith("delivered_")]

    assert [(one.kind, one.reason) for one in judged] == [("delivered_late", "median")]


def test_a_parcel_the_carrier_gave_up_on_holds_and_an_attempt_does_not(session, shop_id, take):
    take(record_order, "orders/create", sold())
    take(intake.record_fulfillment_event, "fulfillment_events/create", an_event("attempted_delivery", 2))
    assert gate_of(session, shop_id) is None

    take(intake.record_fulfillment_event, "fulfillment_events/create", an_event("failure", 1, 43))
    assert gate_of(session, shop_id) == "failed_delivery"


def test_a_return_holds_from_its_request_until_a_fortnight_after_its_end(session, shop_id, take):
    order = {"order": {"id": 1, "admin_graphql_api_id": "gid://shopify/Order/1"}}
    take(record_order, "orders/create", sold())
    take(intake.record_return, "returns/request", {"id": 51, "status": "requested"} | order, age=9)
    take(intake.record_return, "returns/approve", {"id": 51, "status": "open"} | order, age=8)
    assert gate_of(session, shop_id) == "return_in_progress"

    take(intake.record_return, "returns/close", {"id": 51, "status": "closed", "order_id": 1}, age=1)
    assert gate_of(session, shop_id) == "recent_return"
    assert gate_of(session, shop_id, NOW + days(13)) is None

    take(intake.record_return, "returns/reopen", {"id": 51, "status": "open", "order_id": 1}, age=0.5)
    assert gate_of(session, shop_id) == "return_in_progress"


def test_a_return_called_off_holds_no_longer_and_a_declined_one_for_a_fortnight(session, shop_id, take):
    take(record_order, "orders/create", sold())
    for number, status in ((51, "canceled"), (52, "declined")):
        take(intake.record_return, "returns/request", {"id": number, "status": "requested", "order_id": 1}, age=3)
        take(intake.record_return, "returns/x", {"id": number, "status": status, "order_id": 1}, age=2)
        assert gate_of(session, shop_id) == {"canceled": None, "declined": "recent_return"}[status]


def test_a_dispute_holds_until_it_is_decided_and_a_while_longer(session, shop_id, take):
    take(record_order, "orders/create", sold())
    take(intake.record_dispute, "disputes/create", a_dispute())
    assert gate_of(session, shop_id) == "open_dispute"

    take(intake.record_dispute, "disputes/update", a_dispute(status="won", finalized_on=stamp(1)))
    assert gate_of(session, shop_id) == "recent_dispute"
    assert {one.reason for one in signals_of_subject(session, shop_id, ME) if one.kind == "dispute_opened"} == {
        "fraudulent"
    }


def test_a_dispute_about_no_order_is_nobodys(session, shop_id, take):
    take(intake.record_dispute, "disputes/create", a_dispute(order_id=None))

    assert session.scalars(select(SignalRow.kind)).all() == []


def test_consent_follows_the_last_word(session, shop_id, take):
    def says(state, age):
        body = {"customer_id": 5, "email_address": "robin@example.com", "email_marketing_consent": {"state": state}}
        take(intake.record_email_consent, "customers_email_marketing_consent/update", body, age=age)
        return read_shopper(session, shop_id, [ME], now=NOW).marketing_consent

    assert [says("subscribed", 5), says("unsubscribed", 3), says("subscribed", 4), says("pending", 1)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_an_account_opened_with_the_first_visit_is_a_signal_and_an_old_one_is_not_news(session, shop_id, take):
    body = {"id": 5, "state": "enabled", "first_name": "Robin", "created_at": stamp(2), "updated_at": stamp(1)}
    take(intake.record_customer, "customers/update", body | {"state": "disabled"})
    take(intake.record_customer, "customers/update", body | {"id": 7, "created_at": stamp(500)})
    assert session.scalars(select(SignalRow.kind)).all() == []

    take(intake.record_customer, "customers/update", body)
    take(intake.record_customer, "customers/update", body | {"updated_at": stamp(0)})
    assert told(session, shop_id) == [("account_created", NOW - days(2))]


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (intake.record_fulfillment, {"id": 1, "status": "success", "created_at": stamp(1)}),
        (intake.record_fulfillment, a_fulfillment(created_at="yesterday")),
        (intake.record_fulfillment_event, an_event("delivered", 1, happened_at=None)),
        (intake.record_return, {"id": 1, "status": "open"}),
        (intake.record_return, {"id": 1, "status": "open", "order": {"id": None}}),
        (intake.record_dispute, a_dispute(id="robin@example.com")),
        (intake.record_customer, {"id": 1}),
        (intake.record_email_consent, {"customer_id": 5, "email_marketing_consent": None}),
    ],
)
def test_a_body_that_can_not_be_read_is_refused_and_leaves_nothing(session, shop_id, take, handler, body):
    with pytest.raises(UnreadableFact) as refused:
        take(handler, "some/topic", body)

    assert "robin" not in refused.value.message
    assert session.scalars(select(SignalRow.kind)).all() == []


def test_nothing_of_a_person_is_kept_from_any_body(session, shop_id, take):
    take(record_order, "orders/create", sold())
    take(intake.record_fulfillment, "fulfillments/create", a_fulfillment())
    take(intake.record_dispute, "disputes/create", a_dispute(reason="Robin says it never came"))

    kept = str(session.execute(select(SignalRow.__table__)).all())

    for word in ("robin", "Robin", "Example", "Ottawa"):
        assert word not in kept


def test_a_forgotten_customers_order_stays_without_them(session, shop_id, take):
    take(record_order, "orders/create", sold())
    forget_customer(session, shop_id, CustomerId(5))
    erase_subject(session, shop_id, ME)
    take(record_order, "orders/updated", sold() | {"updated_at": stamp(1)})
    take(intake.record_fulfillment, "fulfillments/create", a_fulfillment())

    assert told(session, shop_id) == []
    assert set(session.scalars(select(SignalRow.subject))) == {"o:1"}
