"""How an order travels is heard in any order, told once, and never holds a name or an address."""

from datetime import timedelta
from itertools import permutations

import pytest
from builders_database import NOW, add_shop
from builders_orders import a_delivery
from sqlalchemy import select

from shopify_upsell.core import Announcement, OrderId, UnreadableFact
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.delivered import ASSUMED, OrderDelivery, UsualDelivery
from shopify_upsell.ledger.delivery import put_experience, read_experience, record_fulfillment, record_fulfillment_event
from shopify_upsell.ledger.delivery_store import ShipmentRow, order_deliveries, shop_usual_delivery
from shopify_upsell.ledger.tables import OrderRow

DAY = timedelta(days=1)
ORDER = OrderId(1)


def day(number):
    return (NOW + number * DAY).isoformat()


def a_fulfillment(fulfillment_id=5, order_id=1, *, created=1, updated=1, **given):
    return {
        "id": fulfillment_id,
        "order_id": order_id,
        "status": "success",
        "shipment_status": None,
        "created_at": day(created),
        "updated_at": day(updated),
        "email": "jon@example.com",
        "destination": {"first_name": "Steve", "address1": "123 Shipping Street", "phone": "555-555-SHIP"},
        **given,
    }


def an_event(status="delivered", happened=4, *, fulfillment_id=5, order_id=1, **given):
    return {
        "id": 77,
        "fulfillment_id": fulfillment_id,
        "order_id": order_id,
        "status": status,
        "message": "left with Mrs Miller",
        "city": "Ottawa",
        "happened_at": day(happened),
        "created_at": day(happened),
        "estimated_delivery_at": None,
        **given,
    }


def hear(session, shop_id, *news):
    said = []
    for document in news:
        is_event = "fulfillment_id" in document
        topic = "fulfillment_events/create" if is_event else "fulfillments/update"
        handler = record_fulfillment_event if is_event else record_fulfillment
        said += handler(session, a_delivery(shop_id, topic, document))
    return said


def of_order(session, shop_id, order_id=ORDER):
    return order_deliveries(session, shop_id, [order_id]).get(order_id)


STORY = (
    a_fulfillment(),
    an_event("in_transit", 2, estimated_delivery_at=day(3)),
    an_event("delayed", 3, estimated_delivery_at=day(5)),
    an_event("failure", 4),
    an_event("delivered", 6),
    a_fulfillment(updated=7, shipment_status="delivered"),
)


def test_the_first_shipping_and_the_carriers_arrival_are_kept(session, shop_id):
    hear(session, shop_id, *STORY)

    assert of_order(session, shop_id) == OrderDelivery(ORDER, NOW + DAY, NOW + 6 * DAY, None, None)


@pytest.mark.parametrize("places", [p for n, p in enumerate(permutations(range(6))) if n % 40 == 0])
def test_news_in_any_order_and_twice_gives_the_same(session, shop_id, places):
    hear(session, shop_id, *(STORY[place] for place in places), STORY[places[0]], STORY[3])

    assert of_order(session, shop_id) == OrderDelivery(ORDER, NOW + DAY, NOW + 6 * DAY, None, None)


def test_a_change_is_told_once_and_a_repetition_is_not(session, shop_id):
    assert hear(session, shop_id, a_fulfillment()) == [Announcement("delivery_recorded", 1)]
    assert hear(session, shop_id, a_fulfillment()) == []
    assert hear(session, shop_id, an_event("label_printed", 1)) == []
    assert hear(session, shop_id, an_event()) == [Announcement("delivery_recorded", 1)]


def test_a_failed_delivery_is_told_until_it_arrives_after_all(session, shop_id):
    hear(session, shop_id, a_fulfillment(), an_event("failure", 4))
    assert of_order(session, shop_id) == OrderDelivery(ORDER, NOW + DAY, None, NOW + 4 * DAY, None)

    hear(session, shop_id, an_event("picked_up", 5))
    assert of_order(session, shop_id) == OrderDelivery(ORDER, NOW + DAY, NOW + 5 * DAY, None, None)


def test_the_carriers_newest_estimate_counts_while_it_is_out(session, shop_id):
    hear(session, shop_id, *STORY[1:3][::-1])

    assert of_order(session, shop_id).estimated_at == NOW + 5 * DAY
    assert of_order(session, shop_id).shipped_at == NOW + 2 * DAY


def test_an_order_in_two_parcels_has_arrived_with_the_second(session, shop_id):
    hear(session, shop_id, a_fulfillment(5), a_fulfillment(6, created=2), an_event(fulfillment_id=5))
    assert of_order(session, shop_id).delivered_at is None

    hear(session, shop_id, an_event(happened=9, fulfillment_id=6))
    assert of_order(session, shop_id) == OrderDelivery(ORDER, NOW + DAY, NOW + 9 * DAY)


def test_a_cancelled_fulfillment_no_longer_counts_whichever_is_heard_first(session, shop_id):
    hear(session, shop_id, a_fulfillment(updated=3, status="cancelled"), a_fulfillment(updated=1), an_event())

    assert of_order(session, shop_id) == OrderDelivery(ORDER)


def test_nothing_personal_is_kept_and_other_shops_hear_nothing(session, shop_id):
    other = add_shop(session, "three.myshopify.com")

    hear(session, shop_id, *STORY)

    kept = str(session.execute(select(ShipmentRow.__table__)).all())
    assert not any(word in kept for word in ("Steve", "jon@", "Miller", "Ottawa", "555"))
    bind_shop(session, other)
    assert of_order(session, other) is None


@pytest.mark.parametrize(
    ("handler", "document", "complaint"),
    [
        (record_fulfillment, {}, "created_at: not readable"),
        (record_fulfillment, a_fulfillment(order_id=None), "order_id: not readable"),
        (record_fulfillment, a_fulfillment(created_at="yesterday"), "created_at: not readable"),
        (record_fulfillment_event, an_event(status=["x"]), "status: not readable"),
        (record_fulfillment_event, an_event(happened_at="2026-11-01T12:00:00"), "happened_at: not readable"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_and_nothing_is_kept(session, shop_id, handler, document, complaint):
    with pytest.raises(UnreadableFact, match=complaint):
        handler(session, a_delivery(shop_id, "any", document))

    assert session.execute(select(ShipmentRow.__table__)).all() == []


def add_orders(session, shop_id, count):
    for number in range(1, count + 1):
        row = {"ordered_at": NOW, "is_booked": True, "financial_status": "paid", "version_digest": str(number)}
        currency = {"currency": "USD", "presentment_currency": "USD", "version_at": NOW, "version_triggered_at": NOW}
        session.add(OrderRow(shop_id=shop_id, order_id=number, **row, **currency))
    session.flush()


def test_the_shops_medians_are_its_own_from_ten_deliveries_and_assumed_before(session, shop_id):
    add_orders(session, shop_id, 12)
    assert shop_usual_delivery(session, shop_id) == ASSUMED
    for number in range(1, 10):
        hear(
            session,
            shop_id,
            a_fulfillment(number, number),
            an_event(happened=5, fulfillment_id=number, order_id=number),
        )
    assert read_experience(session, shop_id, NOW).usual.is_assumed

    hear(session, shop_id, a_fulfillment(10, 10), an_event(happened=50, fulfillment_id=10, order_id=10))
    put_experience(session, shop_id, read_experience(session, shop_id, NOW))

    assert shop_usual_delivery(session, shop_id) == UsualDelivery(DAY, 4 * DAY, 5 * DAY, 10, False)
