"""Webhooks about parcels, returns, disputes and consent become signals.

Handlers repeat harmlessly and do not care what came first. `order_signals` knows whose an order is.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, cast

from marshmallow import Schema, ValidationError
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, CustomerId, Delivery, OrderId, ShopId, UnreadableFact
from shopify_upsell.customers.derived import parcel_of
from shopify_upsell.customers.order_signals import owned_orders
from shopify_upsell.customers.product_ratings import rate_products
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_schemas import (
    CustomerSchema,
    DisputeSchema,
    EmailConsentSchema,
    FulfillmentEventSchema,
    FulfillmentSchema,
    ReturnSchema,
)
from shopify_upsell.customers.signal_store import erase_old_signals, latest_of_kinds, record_signals
from shopify_upsell.customers.signals import LONGEST_REASON, SHOPIFY
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import lock_orders

ARRIVED, FAILED, MOVING = frozenset({"delivered", "picked_up"}), frozenset({"failure"}), frozenset({"in_transit"})
"""Carriers' words. Source: FulfillmentEventStatus of the Admin API. An attempt that failed once is no failure yet."""

RETURN_KINDS = {
    "requested": "return_requested",
    "open": "return_requested",
    "closed": "return_closed",
    "declined": "return_closed",
    "canceled": "return_cancelled",
}
"""Source: ReturnStatus of the Admin API, in lower case."""

DISPUTE_ENDS = frozenset({"won", "lost", "accepted", "charge_refunded", "prevented"})
"""Source: ShopifyPaymentsDispute status; every other one is still open."""

CONSENT_KINDS = {
    "subscribed": "marketing_consent_given",
    "unsubscribed": "marketing_consent_withdrawn",
    "not_subscribed": "marketing_consent_withdrawn",
    "redacted": "marketing_consent_withdrawn",
    "invalid": "marketing_consent_withdrawn",
}
"""Source: CustomerEmailMarketingState, in lower case. A pending agreement is none yet."""

ENOUGH_PARCELS, PARCELS_READ = 20, 400
"""How many parcels a shop's median transit needs, and how many signals are read for it. Our choice."""


def record_fulfillment(session: Session, delivery: Delivery) -> list[Announcement]:
    """A parcel was handed over, or the carrier said how it ended. Raises: UnreadableFact."""
    body = _load(FulfillmentSchema(), delivery.payload)
    thing, told = f"fulfillment:{body['id']}", []
    if body["status"] == "success":
        told.append(("shipped", body["created_at"], thing))
    kind = _carrier_kind(body["shipment_status"])
    if kind in ("delivered", "delivery_failed"):
        told.append((kind, body["updated_at"] or delivery.triggered_at, thing))
    _record_parcel(session, delivery.shop_id, body["order_id"], told)
    return []


def record_fulfillment_event(session: Session, delivery: Delivery) -> list[Announcement]:
    """A carrier said where a parcel is, or when it will arrive. Raises: UnreadableFact."""
    body = _load(FulfillmentEventSchema(), delivery.payload)
    thing, kind = f"fulfillment:{body['fulfillment_id']}:event:{body['id']}", _carrier_kind(body["status"])
    told = [(kind, body["happened_at"], thing)] if kind else []
    estimate = body["estimated_delivery_at"]
    values = {"delivery_estimated": estimate.timestamp()} if estimate else {}
    if estimate:
        told.append(("delivery_estimated", body["happened_at"], thing))
    _record_parcel(session, delivery.shop_id, body["order_id"], told, values)
    return []


def record_return(session: Session, delivery: Delivery) -> list[Announcement]:
    """A return was asked for, or ended. The body has no time: the delivery's counts. Raises: UnreadableFact."""
    body = _load(ReturnSchema(), delivery.payload)
    kind = RETURN_KINDS.get(body["status"])
    if kind is not None:
        reason = "declined" if body["status"] == "declined" else None
        told = [(kind, delivery.triggered_at, f"return:{body['id']}")]
        _record(session, delivery.shop_id, body["order_id"], told, reason=reason)
    return []


def record_dispute(session: Session, delivery: Delivery) -> list[Announcement]:
    """A bank disputes a payment, or has decided. Raises: UnreadableFact."""
    body = _load(DisputeSchema(), delivery.payload)
    thing = f"dispute:{body['id']}"
    told = [("dispute_opened", body["initiated_at"], thing)]
    if body["status"] in DISPUTE_ENDS:
        told.append(("dispute_closed", body["finalized_on"] or delivery.triggered_at, thing))
    if body["order_id"] is not None:
        _record(session, delivery.shop_id, body["order_id"], told, reason=_word(body["reason"]))
    return []


def record_customer(session: Session, delivery: Delivery) -> list[Announcement]:
    """A customer opened an account when they became a customer. Raises: UnreadableFact.

    Shopify does not say when an older customer activated one, so their moment is the earlier: too old to count.
    """
    body = _load(CustomerSchema(), delivery.payload)
    if body["state"] == "enabled":
        customer = CustomerId(body["id"])
        _of_customer(session, delivery, customer, "account_created", body["created_at"], f"customer:{customer}")
    return []


def record_email_consent(session: Session, delivery: Delivery) -> list[Announcement]:
    """A customer agreed to marketing, or no longer does. Raises: UnreadableFact."""
    body = _load(EmailConsentSchema(), delivery.payload)
    consent, customer = body["email_marketing_consent"], CustomerId(body["customer_id"])
    kind = CONSENT_KINDS.get(consent["state"])
    if kind is not None:
        moment = consent["consent_updated_at"] or delivery.triggered_at
        _of_customer(session, delivery, customer, kind, moment, f"email:{customer}")
    return []


def retain_signals(session: Session, job: Job) -> Sequence[Announcement]:
    """The job that erases signals which no longer count, and averages reviews over those that are left."""
    erase_old_signals(session, job.shop_id, job.now)
    rate_products(session, job.shop_id)
    return ()


def median_transit(session: Session, shop_id: ShopId) -> timedelta | None:
    """How long the shop's parcels usually travel; None before there are enough to tell."""
    shipped: dict[str, datetime] = {}
    arrived: dict[str, datetime] = {}
    for signal in latest_of_kinds(session, shop_id, ("shipped", "delivered"), SHOPIFY, PARCELS_READ):
        moments = shipped if signal.kind == "shipped" else arrived
        moments[parcel_of(signal)] = min(signal.occurred_at, moments.get(parcel_of(signal), signal.occurred_at))
    seconds = [(arrived[parcel] - shipped[parcel]).total_seconds() for parcel in arrived.keys() & shipped.keys()]
    return timedelta(seconds=median(seconds)) if len(seconds) >= ENOUGH_PARCELS else None


def _record_parcel(
    session: Session,
    shop_id: ShopId,
    order_id: int,
    told: Sequence[tuple[str, datetime, str]],
    values: Mapping[str, float] | None = None,
) -> None:
    """Record what was told of a parcel; with its arrival, how long parcels usually took at that time."""
    known = dict(values or {})
    if any(kind == "delivered" for kind, _, _ in told):
        usual = median_transit(session, shop_id)
        if usual is not None:
            known["delivered"] = usual / timedelta(days=1)
    _record(session, shop_id, order_id, told, known)


def _record(
    session: Session,
    shop_id: ShopId,
    order_id: int,
    told: Sequence[tuple[str, datetime, str]],
    values: Mapping[str, float] | None = None,
    *,
    reason: str | None = None,
) -> None:
    """Record what was told of an order: kinds with their moments and things."""
    if not told:
        return
    lock_orders(session, shop_id, [OrderId(order_id)])
    owned = owned_orders(session, shop_id, [OrderId(order_id)])[OrderId(order_id)]
    signals = [
        Signal(kind, owned.subject, moment, SHOPIFY, thing, (values or {}).get(kind), order_id, None, reason)
        for kind, moment, thing in told
    ]
    record_signals(session, shop_id, signals, now=max(moment for _, moment, _ in told))


def _of_customer(
    session: Session, delivery: Delivery, customer: CustomerId, kind: str, moment: datetime, thing: str
) -> None:
    signal = Signal(kind, customer_subject(customer), moment, SHOPIFY, thing)
    record_signals(session, delivery.shop_id, [signal], now=delivery.triggered_at)


def _carrier_kind(status: str | None) -> str | None:
    if status in ARRIVED:
        return "delivered"
    if status in FAILED:
        return "delivery_failed"
    return "shipped" if status in MOVING else None


def _word(text: str | None) -> str | None:
    """A code of Shopify's, or nothing: free text might name somebody."""
    return text if text and re.fullmatch(rf"[a-z0-9_.-]{{1,{LONGEST_REASON}}}", text) else None


def _load(schema: Schema, payload: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", schema.load(payload))
    except ValidationError as broken:
        # Names of fields only: their values may be personal.
        names = ", ".join(sorted(map(str, broken.messages_dict)))
        raise UnreadableFact(f"not readable: {names}"[:200]) from None
