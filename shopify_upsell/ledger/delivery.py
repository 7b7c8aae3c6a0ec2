"""Use case: hear how orders travel: fulfilments and their events become what is known of an order's delivery.

Of a delivery's document only ids, times and states are read; the address and mail that Shopify sends along are not.
Topics: `fulfillments/create`, `fulfillments/update`, `fulfillment_events/create`, all under the scope
`read_fulfillments`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from marshmallow import ValidationError, post_load
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery, InvalidInput, OrderId, ProductId, ShopId, UnreadableFact
from shopify_upsell.ledger.delivered import (
    DELIVERED,
    FAILED,
    MOVING,
    SHIPPED,
    UNDONE,
    Shipment,
    UsualDelivery,
    order_delivery,
    usual_delivery,
)
from shopify_upsell.ledger.delivery_store import (
    find_shipment,
    order_deliveries,
    put_order_delivery,
    put_shipment,
    put_usual_delivery,
    recent_journeys,
    shipments_of,
)
from shopify_upsell.ledger.facts import Version
from shopify_upsell.ledger.fields import FactSchema, Moment, ShopifyId, Words
from shopify_upsell.ledger.ownership import count_health, put_health
from shopify_upsell.ledger.tables import lock_orders

HEALTH_SPAN = timedelta(days=365)
"""Sales that a product's refund rate is taken over."""


class FulfillmentSchema(FactSchema):
    """A fulfilment as far as it is kept."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    status = Words(load_default="", allow_none=True)
    shipment_status = Words(load_default="", allow_none=True)
    created_at = Moment(required=True)
    updated_at = Moment(load_default=None, allow_none=True)

    @post_load
    def to_shipment(self, found: dict[str, Any], **_: Any) -> Shipment:
        """Say what this version of the fulfilment says; its digest is stamped on later."""
        updated_at = found["updated_at"] or found["created_at"]
        state = found["shipment_status"] or ""
        return Shipment(
            fulfillment_id=found["id"],
            order_id=OrderId(found["order_id"]),
            version=Version(updated_at, updated_at, ""),
            shipped_at=found["created_at"] if found["status"] == SHIPPED else None,
            is_undone=found["status"] in UNDONE,
            seen_delivered_at=updated_at if state in DELIVERED else None,
            failed_at=updated_at if state in FAILED else None,
        )


class FulfillmentEventSchema(FactSchema):
    """What a carrier said of a fulfilment."""

    fulfillment_id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    status = Words(required=True)
    happened_at = Moment(load_default=None, allow_none=True)
    created_at = Moment(required=True)
    estimated_delivery_at = Moment(load_default=None, allow_none=True)

    @post_load
    def to_shipment(self, found: dict[str, Any], **_: Any) -> Shipment:
        """Say what this event adds."""
        moment: datetime = found["happened_at"] or found["created_at"]
        state, estimate = found["status"], found["estimated_delivery_at"]
        return Shipment(
            fulfillment_id=found["fulfillment_id"],
            order_id=OrderId(found["order_id"]),
            moved_at=moment if state in MOVING | DELIVERED else None,
            delivered_at=moment if state in DELIVERED else None,
            failed_at=moment if state in FAILED else None,
            estimated_at=estimate,
            estimate_told_at=moment if estimate is not None else None,
        )


_FULFILLMENT, _EVENT = FulfillmentSchema(), FulfillmentEventSchema()


def record_fulfillment(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep what a fulfilment says of its order's delivery. Raises: UnreadableFact, and nothing is kept."""
    told = _read(_FULFILLMENT, delivery)
    version = Version(told.version.at, delivery.triggered_at, delivery.digest)
    return _record(session, delivery.shop_id, _stamped(told, version))


def record_fulfillment_event(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep what a carrier says, also of a fulfilment not heard of yet. Raises: UnreadableFact, and nothing is kept."""
    return _record(session, delivery.shop_id, _read(_EVENT, delivery))


@dataclass(frozen=True, slots=True)
class Experience:
    """What a shop's past orders say of deliveries and products: counted by one job, read by decisions."""

    usual: UsualDelivery
    health: Mapping[ProductId, tuple[int, int]]


def read_experience(session: Session, shop_id: ShopId, now: datetime) -> Experience:
    """Take the medians of deliveries and count how products fared in the last year. Writes nothing."""
    usual = usual_delivery(recent_journeys(session, shop_id))
    return Experience(usual, count_health(session, shop_id, since=now - HEALTH_SPAN))


def put_experience(session: Session, shop_id: ShopId, experience: Experience) -> None:
    """Keep what was counted. The learning job calls this, in the transaction that writes its build."""
    put_usual_delivery(session, shop_id, experience.usual)
    put_health(session, shop_id, experience.health)


def _record(session: Session, shop_id: ShopId, told: Shipment) -> list[Announcement]:
    """Add news to a shipment and fold its order anew; say so if the order's delivery changed.

    A fulfilment that moved to another order would leave a stale fold behind, so both orders are folded.
    """
    held = find_shipment(session, shop_id, told.fulfillment_id)
    lock_orders(session, shop_id, {told.order_id, *([held.order_id] if held else [])})
    # Read again under the lock: another writer may have added to it meanwhile.
    held = find_shipment(session, shop_id, told.fulfillment_id)
    known = told if held is None else held.merged(told)
    if known == held:
        return []
    put_shipment(session, shop_id, known)
    touched = sorted({known.order_id, told.order_id, *([held.order_id] if held else [])})
    return [Announcement("delivery_recorded", order_id) for order_id in touched if _refold(session, shop_id, order_id)]


def _refold(session: Session, shop_id: ShopId, order_id: OrderId) -> bool:
    before = order_deliveries(session, shop_id, [order_id]).get(order_id)
    after = order_delivery(order_id, shipments_of(session, shop_id, order_id))
    if after == before:
        return False
    put_order_delivery(session, shop_id, after)
    return True


def _stamped(told: Shipment, version: Version) -> Shipment:
    return replace(told, version=version)


def _read(schema: FactSchema, delivery: Delivery) -> Shipment:
    try:
        shipment: Shipment = schema.load(delivery.payload)
    except ValidationError as broken:
        where = min(broken.messages, key=str) if isinstance(broken.messages, dict) else ""
        raise UnreadableFact(f"{where}: not readable") from None
    except InvalidInput as broken:
        raise UnreadableFact(broken.message) from None
    return shipment
