"""Tables and queries of deliveries: shipments, how far orders have come, and how long they usually take."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Row, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import OrderId, ShopId
from shopify_upsell.database import Base, ExternalId, UtcDateTime
from shopify_upsell.ledger.delivered import ASSUMED, Journey, OrderDelivery, Shipment, UsualDelivery
from shopify_upsell.ledger.facts import Version
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderRow, batches, put_rows

RECENT_ORDERS = 2_000
"""Newest orders that the shop's medians are taken over."""

PAGE = 10_000


class ShipmentRow(Base):
    """All that is known of one fulfilment; see `delivered.Shipment`."""

    __tablename__ = "shipment"
    __table_args__ = (Index("ix_shipment_order", "shop_id", "order_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    fulfillment_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    shipped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_undone: Mapped[bool] = mapped_column(default=False)
    moved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    estimated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    estimate_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_digest: Mapped[str] = mapped_column(Text)


class OrderDeliveryRow(Base):
    """How far an order has come: its shipments folded. No row: nothing was heard of it."""

    __tablename__ = "order_delivery"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    shipped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    estimated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UsualDeliveryRow(Base):
    """The shop's medians, refreshed by the learning job. Units: seconds; `n` delivered orders."""

    __tablename__ = "usual_delivery"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    ship_seconds: Mapped[int] = mapped_column(BigInteger)
    transit_seconds: Mapped[int] = mapped_column(BigInteger)
    altogether_seconds: Mapped[int] = mapped_column(BigInteger)
    n: Mapped[int] = mapped_column()
    is_assumed: Mapped[bool] = mapped_column()


def find_shipment(session: Session, shop_id: ShopId, fulfillment_id: int) -> Shipment | None:
    """What is known of one fulfilment; None before any news."""
    rows = select(ShipmentRow.__table__).where(
        ShipmentRow.shop_id == shop_id, ShipmentRow.fulfillment_id == fulfillment_id
    )
    row = session.execute(rows).one_or_none()
    return None if row is None else _shipment(row)


def shipments_of(session: Session, shop_id: ShopId, order_id: OrderId) -> list[Shipment]:
    """The shipments of one order, by id."""
    rows = select(ShipmentRow.__table__).where(ShipmentRow.shop_id == shop_id, ShipmentRow.order_id == order_id)
    return [_shipment(row) for row in session.execute(rows.order_by(ShipmentRow.fulfillment_id))]


def put_shipment(session: Session, shop_id: ShopId, shipment: Shipment) -> None:
    """Keep a shipment in the place of what was held of it."""
    version = shipment.version
    values = {
        **{name: getattr(shipment, name) for name in _SHIPMENT_COLUMNS},
        "shop_id": shop_id,
        "version_at": version.at,
        "version_triggered_at": version.triggered_at,
        "version_digest": version.digest,
    }
    put_rows(session, shop_id, ShipmentRow, [values])


def order_deliveries(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, OrderDelivery]:
    """How far orders have come. Orders of which nothing was heard are absent."""
    found: dict[OrderId, OrderDelivery] = {}
    for batch in batches(sorted(set(order_ids))):
        rows = select(OrderDeliveryRow.__table__).where(
            OrderDeliveryRow.shop_id == shop_id, OrderDeliveryRow.order_id.in_(batch)
        )
        found.update({OrderId(row.order_id): _delivery(row) for row in session.execute(rows)})
    return found


def all_deliveries(session: Session, shop_id: ShopId) -> Iterator[OrderDelivery]:
    """How far every order has come of which anything was heard, by order id, a page in memory at a time."""
    after = 0
    while True:
        row = OrderDeliveryRow
        rows = select(row.__table__).where(row.shop_id == shop_id, row.order_id > after)
        page = session.execute(rows.order_by(row.order_id).limit(PAGE)).all()
        if not page:
            return
        yield from (_delivery(one) for one in page)
        after = page[-1].order_id


def put_order_delivery(session: Session, shop_id: ShopId, delivery: OrderDelivery) -> None:
    """Keep how far an order has come."""
    names = ("order_id", "shipped_at", "delivered_at", "failed_at", "estimated_at")
    values = {name: getattr(delivery, name) for name in names}
    put_rows(session, shop_id, OrderDeliveryRow, [{"shop_id": shop_id, **values}])


def recent_journeys(session: Session, shop_id: ShopId) -> list[Journey]:
    """Ordered, shipped, delivered, of the newest orders of which a shipment is known."""
    newest = (
        select(OrderRow.shop_id, OrderRow.order_id, OrderRow.ordered_at)
        .where(OrderRow.shop_id == shop_id, KNOWN_ORDER, OrderRow.is_booked)
        .order_by(OrderRow.ordered_at.desc())
        .limit(RECENT_ORDERS)
        .subquery()
    )
    same = (OrderDeliveryRow.shop_id == newest.c.shop_id) & (OrderDeliveryRow.order_id == newest.c.order_id)
    rows = select(newest.c.ordered_at, OrderDeliveryRow.shipped_at, OrderDeliveryRow.delivered_at)
    return [Journey(*row) for row in session.execute(rows.join(OrderDeliveryRow, same))]


def shop_usual_delivery(session: Session, shop_id: ShopId) -> UsualDelivery:
    """The shop's medians as last refreshed; our assumptions before that."""
    row = session.execute(select(UsualDeliveryRow.__table__).where(UsualDeliveryRow.shop_id == shop_id)).one_or_none()
    return ASSUMED if row is None else usual_from(row)


def put_usual_delivery(session: Session, shop_id: ShopId, usual: UsualDelivery) -> None:
    """Keep the shop's medians."""
    seconds = [round(wait.total_seconds()) for wait in (usual.to_ship, usual.in_transit, usual.altogether)]
    names = ("ship_seconds", "transit_seconds", "altogether_seconds")
    values = {"shop_id": shop_id, "n": usual.n, "is_assumed": usual.is_assumed}
    put_rows(session, shop_id, UsualDeliveryRow, [values | dict(zip(names, seconds, strict=True))])


_SHIPMENT_COLUMNS = (
    "fulfillment_id", "order_id", "shipped_at", "is_undone", "moved_at", "delivered_at", "seen_delivered_at",
    "failed_at", "estimated_at", "estimate_told_at",
)  # fmt: skip


def _shipment(row: Row[Any]) -> Shipment:
    version = Version(row.version_at, row.version_triggered_at, row.version_digest)
    return Shipment(version=version, **{name: getattr(row, name) for name in _SHIPMENT_COLUMNS})


def _delivery(row: Row[Any]) -> OrderDelivery:
    return OrderDelivery(OrderId(row.order_id), row.shipped_at, row.delivered_at, row.failed_at, row.estimated_at)


def usual_from(row: Any) -> UsualDelivery:
    """The medians of a row that has their columns."""
    ship, transit, whole = (
        timedelta(seconds=s) for s in (row.ship_seconds, row.transit_seconds, row.altogether_seconds)
    )
    return UsualDelivery(ship, transit, whole, row.n, row.is_assumed)
