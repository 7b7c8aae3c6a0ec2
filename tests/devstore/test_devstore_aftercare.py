"""What the dev store tells after an order: with the fields the app asks for, the app reads it and stops asking."""

import json
from datetime import timedelta

import pytest
from builders_devstore import buy, variant_of
from builders_orders import a_delivery

from shopify_upsell.core import CustomerId, OrderId
from shopify_upsell.customers import signal_intake as intake
from shopify_upsell.customers.order_signals import refresh_order_signals
from shopify_upsell.customers.readiness import readiness_of
from shopify_upsell.customers.signal_store import read_shopper
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.ledger.intake import record_order

RETURNS = [f"returns/{action}" for action in ("request", "approve", "decline", "reopen", "close", "cancel")]
HANDLERS = {
    "fulfillments/create": intake.record_fulfillment,
    "fulfillments/update": intake.record_fulfillment,
    "fulfillment_events/create": intake.record_fulfillment_event,
    "disputes/create": intake.record_dispute,
    "disputes/update": intake.record_dispute,
    "customers/update": intake.record_customer,
    "customers_email_marketing_consent/update": intake.record_email_consent,
    **dict.fromkeys(RETURNS, intake.record_return),
}
DECLARED = """
[webhooks]
api_version = "2026-10"
  [[webhooks.subscriptions]]
  topics = ["orders/create"]
  uri = "/webhooks"
  [[webhooks.subscriptions]]
  topics = ["fulfillments/create", "fulfillments/update"]
  uri = "/webhooks"
  include_fields = ["id", "order_id", "status", "shipment_status", "created_at", "updated_at"]
  [[webhooks.subscriptions]]
  topics = ["fulfillment_events/create"]
  uri = "/webhooks"
  include_fields = ["id", "fulfillment_id", "order_id", "status", "happened_at", "estimated_delivery_at"]
  [[webhooks.subscriptions]]
  topics = ["returns/request", "returns/approve", "returns/decline"]
  uri = "/webhooks"
  include_fields = ["id", "status", "order.id"]
  [[webhooks.subscriptions]]
  topics = ["returns/reopen", "returns/close", "returns/cancel"]
  uri = "/webhooks"
  include_fields = ["id", "status", "order_id"]
  [[webhooks.subscriptions]]
  topics = ["disputes/create", "disputes/update"]
  uri = "/webhooks"
  include_fields = ["id", "order_id", "status", "reason", "initiated_at", "finalized_on"]
  [[webhooks.subscriptions]]
  topics = ["customers/update"]
  uri = "/webhooks"
  include_fields = ["id", "state", "created_at", "updated_at"]
  [[webhooks.subscriptions]]
  topics = ["customers_email_marketing_consent/update"]
  uri = "/webhooks"
  include_fields = ["customer_id", "email_marketing_consent.state", "email_marketing_consent.consent_updated_at"]
"""
"""The subscriptions that `shopify.app.toml` is to have, with the optional ones."""


@pytest.fixture
def store(start, tmp_path):
    declared = tmp_path / "shopify.app.toml"
    declared.write_text(DECLARED)
    client = start(app_toml=declared)
    chosen = min(
        order.customer_id for order in client.application.extensions["devstore"].world.orders if order.customer_id
    )
    client.post("/account", data={"customer_id": str(chosen)})
    return client


@pytest.fixture
def customer(store):
    """Somebody who bought a serum, and what the app knows of them once it has read every webhook."""
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))
    return order["order_id"]


@pytest.fixture
def known(store, listener, session, shop_id, clock):
    """Read what has come since the last time, and judge the customer."""

    def known(customer_id, *, later=0):
        assert store.post("/_dev/webhooks/flush?timeout=10").status_code == 200
        heard, listener.got[:] = list(listener.got), []
        for got in heard:
            topic = got["headers"]["X-Shopify-Topic"]
            delivery = a_delivery(shop_id, topic, json.loads(got["raw"]), triggered_at=clock())
            if topic.startswith("orders/"):
                for announcement in record_order(session, delivery):
                    refresh_order_signals(session, shop_id, [OrderId(announcement.subject_id)])
            else:
                for word in ("obin", "example.com", "Example Street"):
                    assert word not in got["raw"].decode(), topic
                assert HANDLERS[topic](session, delivery) == []
        now = clock() + timedelta(days=later, seconds=1)
        shopper = read_shopper(session, shop_id, [customer_subject(CustomerId(customer_id))], now=now)
        return shopper, readiness_of(shopper, now=now)

    return known


def buyer_of(store, order_id):
    return store.application.extensions["devstore"].orders[order_id].customer_id


def say(store, path, **body):
    answer = store.post(f"/_dev/{path}", json=body)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def test_a_return_holds_offers_back_and_calling_it_off_frees_them(store, customer, known):
    buyer = buyer_of(store, customer)
    assert buyer is not None
    assert known(buyer)[1].state == "ready"

    asked = say(store, f"orders/{customer}/return", action="request")
    assert known(buyer)[1].gate == "return_in_progress"
    say(store, f"orders/{customer}/return", action="approve", **asked)
    assert known(buyer)[1].gate == "return_in_progress"
    say(store, f"orders/{customer}/return", action="cancel", **asked)
    assert known(buyer)[1].state == "ready"
    say(store, f"orders/{customer}/return", action="reopen", **asked)
    say(store, f"orders/{customer}/return", action="close", **asked)
    assert known(buyer)[1].gate == "recent_return"


def test_a_parcel_that_arrives_late_holds_offers_back_for_a_week(store, customer, known, clock):
    buyer = buyer_of(store, customer)
    parcel = say(store, f"orders/{customer}/ship")
    clock.now += timedelta(days=1)
    promised = (clock.now + timedelta(days=2)).isoformat()
    say(store, f"orders/{customer}/track", status="in_transit", estimated_delivery_at=promised, **parcel)
    assert known(buyer)[0].stage == "first_order"

    clock.now += timedelta(days=3)
    say(store, f"orders/{customer}/track", status="delivered", **parcel)

    shopper, readiness = known(buyer)
    assert shopper.stage in ("delivered", "established")
    assert readiness.gate == "late_delivery"
    assert known(buyer, later=7)[1].gate is None


def test_a_parcel_lost_a_dispute_and_a_withdrawn_consent_are_heard(store, customer, known):
    buyer = buyer_of(store, customer)
    parcel = say(store, f"orders/{customer}/ship")
    say(store, f"orders/{customer}/track", status="failure", **parcel)
    assert known(buyer)[1].gate == "failed_delivery"

    dispute = say(store, f"orders/{customer}/dispute", status="needs_response")
    assert known(buyer)[1].gate == "open_dispute"
    say(store, f"orders/{customer}/dispute", status="won", **dispute)
    assert known(buyer)[1].gate == "recent_dispute"

    say(store, f"customers/{buyer}/consent", state="subscribed")
    assert known(buyer)[0].marketing_consent is True
    say(store, f"customers/{buyer}/account", state="enabled")
    assert "account_created" in {signal.kind for signal in known(buyer)[0].signals}


def test_what_can_not_happen_is_refused_by_name(store, customer):
    for path, body in (
        (f"orders/{customer}/return", {"action": "burn"}),
        (f"orders/{customer}/track", {"status": "teleported"}),
        (f"orders/{customer}/dispute", {"status": "lots"}),
        ("customers/5/consent", {"state": "maybe"}),
    ):
        answer = store.post(f"/_dev/{path}", json=body)
        assert answer.status_code == 422
        assert "must be one of" in answer.get_json()["error"]["message"]
    assert store.post("/_dev/orders/1/ship").status_code == 404
