"""Take a verified delivery in: store it once, and ask for its dispatch, in one transaction."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.gateway.verify import WebhookProof
from shopify_upsell.inbox.store import NewEvent, store_event
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.schedule import RETENTION, set_schedule
from shopify_upsell.shops.store import Shop, find_shop, remember_unknown_shop

ALWAYS_HANDLED = frozenset(
    {"app/uninstalled", "customers/data_request", "customers/redact", "shop/redact", "app/scopes_update"}
)
"""Topics that concern a shop whether or not it is installed: they come after an uninstall by design."""


def receive(session: Session, proof: WebhookProof, body: bytes, *, topics: frozenset[str], now: datetime) -> str:
    """Keep the delivery and return what became of it: `stored`, `parked` or `duplicate`."""
    shop = find_shop(session, proof.shop_domain) or remember_unknown_shop(session, proof.shop_domain, now)
    reason = park_reason(shop, proof.topic, topics)
    event = NewEvent(
        topic=proof.topic,
        webhook_id=proof.webhook_id,
        shopify_event_id=proof.event_id,
        api_version=proof.api_version,
        triggered_at=proof.triggered_at,
        digest=hashlib.sha256(body).hexdigest(),
        body=body,
        park_reason=reason,
    )
    event_id = store_event(session, shop.shop_id, event, now)
    if event_id is None:
        return "duplicate"
    if reason is None:
        enqueue(session, shop.shop_id, dispatch_request(event_id), now)
        return "stored"
    if shop.state == "unknown":
        # Nothing else is scheduled for a shop that never installed; what it parked must age out all the same.
        set_schedule(session, shop.shop_id, RETENTION, timedelta(days=1), now + timedelta(days=1))
    return "parked"


def park_reason(shop: Shop, topic: str, topics: frozenset[str]) -> str | None:
    """Why this delivery may not be applied; None when it may."""
    if topic not in topics:
        return "unknown_topic"
    if shop.state == "installed" or (topic in ALWAYS_HANDLED and shop.state != "unknown"):
        return None
    return "unknown_shop" if shop.state == "unknown" else "shop_not_installed"


def dispatch_request(event_id: int) -> JobRequest:
    """The job that hands a delivery to the handler of its topic."""
    return JobRequest("dispatch_event", f"dispatch_event:{event_id}", {"event_id": event_id})
