"""Hand a stored delivery to the handler of its topic, and write what became of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery, InvalidInput, ShopId, UnreadableFact
from shopify_upsell.inbox.receive import dispatch_request
from shopify_upsell.inbox.store import (
    StoredEvent,
    erase_old,
    mark_done,
    mark_event,
    parked_events,
    read_event,
    read_events,
    unpark,
)
from shopify_upsell.jobs.queue import Job, enqueue, erase_old_jobs
from shopify_upsell.shops.store import Shop, get_shop

WebhookHandler = Callable[[Session, Delivery], Sequence[Announcement]]

KEEP_BODIES, KEEP_ROWS = timedelta(days=7), timedelta(days=30)
"""Bodies hold personal data and are needed for replay only; rows outlive Shopify's redeliveries as dedupe keys."""


class Dispatcher:
    """The jobs of the inbox, given the handlers that `app` joined.

    `readers`: how some of the handlers read a delivery; what they read, `record` keeps at once for many.
    """

    def __init__(
        self,
        handlers: Mapping[str, WebhookHandler],
        readers: Mapping[WebhookHandler, Callable[[Delivery], Any]],
        record: Callable[[Session, ShopId, Sequence[Any]], Sequence[Announcement]],
    ) -> None:
        self._handlers, self._readers, self._record = handlers, readers, record

    def dispatch_event(self, session: Session, job: Job) -> Sequence[Announcement]:
        """Apply one delivery. A body that can never become a fact leaves the event dead with its reason."""
        event = read_event(session, job.shop_id, int(job.payload["event_id"]))
        if event is None or event.state != "stored":
            return ()
        subject = None
        try:
            payload = parse_body(event.body or b"")
            subject = subject_of(event.topic, payload)
            announcements = self._apply(session, job, event, payload)
        except (UnreadableFact, InvalidInput) as broken:
            # Its subject too: the body of a dead delivery holds personal data like any other.
            reason = f"{broken.code}: {broken.message}"
            self._mark(session, job, event, state="dead", reason=reason, subject=subject)
            return ()
        self._mark(session, job, event, state="done", subject=subject)
        return announcements

    def dispatch_events(self, session: Session, jobs: Sequence[Job]) -> Sequence[Announcement]:
        """Apply several deliveries. One that can not be applied is found, and buried, when each is applied alone."""
        shop = get_shop(session, jobs[0].shop_id)
        events = read_events(session, shop.shop_id, [int(job.payload["event_id"]) for job in jobs])
        told: list[Any] = []
        announcements: list[Announcement] = []
        subjects: dict[int, str | None] = {}
        for event in events:
            if event.state != "stored":
                continue
            delivery = _delivery(shop, event, parse_body(event.body or b""))
            handler = self._handlers[event.topic]
            if handler in self._readers:
                told.append(self._readers[handler](delivery))
            else:
                announcements += handler(session, delivery)
            subjects[event.event_id] = subject_of(event.topic, delivery.payload)
        announcements += self._record(session, shop.shop_id, told)
        mark_done(session, shop.shop_id, subjects, now=jobs[0].now)
        return announcements

    def release_parked(self, session: Session, job: Job) -> Sequence[Announcement]:
        """After an install, apply what came in too early."""
        event_ids = parked_events(session, job.shop_id, ("unknown_shop", "shop_not_installed"))
        unpark(session, job.shop_id, event_ids)
        for event_id in event_ids:
            enqueue(session, job.shop_id, dispatch_request(event_id), job.now)
        return ()

    def retain(self, session: Session, job: Job) -> Sequence[Announcement]:
        """Erase what is past its retention."""
        erase_old(session, job.shop_id, bodies_before=job.now - KEEP_BODIES, rows_before=job.now - KEEP_ROWS)
        erase_old_jobs(session, job.shop_id, job.now - KEEP_ROWS)
        return ()

    def _apply(
        self, session: Session, job: Job, event: StoredEvent, payload: Mapping[str, Any]
    ) -> Sequence[Announcement]:
        delivery = _delivery(get_shop(session, job.shop_id), event, payload)
        # A savepoint of its own: a handler that refuses half-way must leave nothing but the reason.
        with session.begin_nested():
            return self._handlers[event.topic](session, delivery)

    def _mark(
        self,
        session: Session,
        job: Job,
        event: StoredEvent,
        *,
        state: str,
        reason: str | None = None,
        subject: str | None = None,
    ) -> None:
        now: datetime = job.now
        mark_event(session, job.shop_id, event.event_id, state=state, reason=reason, subject=subject, now=now)


def parse_body(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object with Decimal for every number with a point.

    Raises: UnreadableFact for anything else: other encodings, NaN, endless digits, endless nesting.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as broken:
        raise UnreadableFact("the body is not JSON") from broken
    if not isinstance(document, dict):
        raise UnreadableFact("the body is not a JSON object")
    return document


def subject_of(topic: str, payload: Mapping[str, Any]) -> str | None:
    """Name the order or customer a delivery is about, so that its body can be erased on request."""
    if topic == "orders/edited":
        edit = payload.get("order_edit")
        return _named("order", edit.get("order_id") if isinstance(edit, dict) else None)
    if topic.startswith("orders/"):
        return _named("order", payload.get("id"))
    if topic.startswith(("refunds/", "fulfillments/", "fulfillment_events/", "disputes/")):
        return _named("order", payload.get("order_id"))
    if topic.startswith("returns/"):
        order = payload.get("order")
        return _named("order", order.get("id") if isinstance(order, dict) else payload.get("order_id"))
    if topic == "customers_email_marketing_consent/update":
        return _named("customer", payload.get("customer_id"))
    if topic.startswith("customers/"):
        customer = payload.get("customer")
        return _named("customer", customer.get("id") if isinstance(customer, dict) else payload.get("id"))
    return None


def _delivery(shop: Shop, event: StoredEvent, payload: Mapping[str, Any]) -> Delivery:
    return Delivery(
        shop_id=shop.shop_id,
        shop_domain=shop.domain,
        topic=event.topic,
        webhook_id=event.webhook_id,
        triggered_at=event.triggered_at,
        payload=payload,
        digest=event.digest,
    )


def _named(kind: str, number: object) -> str | None:
    return f"{kind}:{number}" if isinstance(number, (int, str)) and len(str(number)) <= 20 else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
