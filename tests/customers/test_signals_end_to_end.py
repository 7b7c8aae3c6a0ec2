"""A signed webhook becomes a hold while it is being worked off, on a whole application."""

import time
from datetime import timedelta

import pytest
from builders_apps import an_application, parts_of, real_now, work_off
from builders_database import add_shop
from builders_orders import an_order
from builders_proofs import signed_webhook
from sqlalchemy import select

from shopify_upsell import app as joined
from shopify_upsell.customers import signal_intake as intake
from shopify_upsell.customers.order_signals import update_signals
from shopify_upsell.customers.readiness import readiness_of
from shopify_upsell.customers.signal_store import read_shopper
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.worker import Handler
from shopify_upsell.shops.store import ShopRow

HANDLERS = {
    "returns/request": intake.record_return,
    "fulfillment_events/create": intake.record_fulfillment_event,
    "customers_email_marketing_consent/update": intake.record_email_consent,
}


@pytest.fixture
def application(database, tmp_path, monkeypatch):
    """The application with the handlers of signals, whether or not `app` has joined them."""
    for topic, handler in HANDLERS.items():
        monkeypatch.setitem(joined.WEBHOOK_HANDLERS, topic, handler)
    listeners = joined.LISTENERS["order_recorded"]
    monkeypatch.setitem(joined.LISTENERS, "order_recorded", tuple(dict.fromkeys((*listeners, "update_signals"))))
    known = joined.job_handlers
    own = {"update_signals": Handler(together=update_signals)}
    monkeypatch.setattr(joined, "job_handlers", lambda parts: known(parts) | own)
    with database.write() as session:
        add_shop(session)
    return an_application(database, tmp_path)


def send(application, topic, body):
    raw, headers = signed_webhook(body, topic=topic, triggered_at=real_now())
    assert application.test_client().post("/webhooks", data=raw, headers=headers).status_code == 200
    work_off(application)


def gate_of(application, subject="c:5"):
    now = real_now()
    with parts_of(application).database.read() as session:
        shop_id = session.scalar(select(ShopRow.shop_id))
        bind_shop(session, shop_id)
        return readiness_of(read_shopper(session, shop_id, [subject], now=now), now=now).gate


def test_a_return_is_heard_long_before_a_minute_is_over(application):
    ordered = real_now() - timedelta(days=9)
    send(application, "orders/create", an_order(1, customer_id=5, ordered_at=ordered, updated_at=ordered))
    assert gate_of(application) is None

    started = time.monotonic()
    send(application, "returns/request", {"id": 9, "status": "requested", "order": {"id": 1}})

    assert gate_of(application) == "return_in_progress"
    assert time.monotonic() - started < 60


def test_a_parcels_failure_told_before_the_order_holds_once_the_order_is_known(application):
    failed = (real_now() - timedelta(hours=1)).isoformat()
    event = {"id": 3, "fulfillment_id": 2, "order_id": 1, "status": "failure", "happened_at": failed}
    send(application, "fulfillment_events/create", event | {"created_at": failed, "estimated_delivery_at": None})
    assert gate_of(application) is None

    ordered = real_now() - timedelta(days=9)
    send(application, "orders/create", an_order(1, customer_id=5, ordered_at=ordered, updated_at=ordered))

    assert gate_of(application) == "failed_delivery"
