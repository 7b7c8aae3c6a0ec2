"""Signals that follow from the ledger's orders: placed, cancelled, refunded; and whose every signal of an order is.

A webhook about a parcel names an order only. Until the ledger knows whose order it is, its signals wait under the
order's own name `o:{order id}`, and `refresh_order_signals` hands them over. Both hold the order meanwhile, so that
neither misses the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, CustomerId, OrderId, ShopId
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import OrderSignals, replace_of_orders
from shopify_upsell.customers.signals import SHOPIFY
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.jobs.queue import Job, subjects_of
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderRow, RefundRow, batches, lock_orders

_LEDGER_KINDS = ("order_placed", "order_cancelled", "refunded")


@dataclass(frozen=True, slots=True)
class OwnedOrder:
    """An order as far as signals go: whose it is and what happened to it."""

    subject: str
    placed_at: datetime | None = None
    cancelled_at: datetime | None = None
    refunds: Mapping[int, datetime] = field(default_factory=dict)


def update_signals(session: Session, jobs: Sequence[Job]) -> Sequence[Announcement]:
    """The jobs that follow every change of orders: their signals are what the ledger now says."""
    refresh_order_signals(session, jobs[0].shop_id, [OrderId(number) for number in subjects_of(jobs)])
    return ()


def refresh_order_signals(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> None:
    """Make the signals of orders say what the ledger says, and hand over what else was told of them."""
    lock_orders(session, shop_id, order_ids)
    for batch in batches(order_ids):
        orders = {
            order_id: OrderSignals(order.subject, _signals_of_order(order_id, order))
            for order_id, order in owned_orders(session, shop_id, batch).items()
        }
        replace_of_orders(session, shop_id, SHOPIFY, _LEDGER_KINDS, orders)


def owned_orders(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> dict[OrderId, OwnedOrder]:
    """What the ledger says of orders; one that it does not know, or that does not count, only has a name."""
    columns = (OrderRow.order_id, OrderRow.customer_id, OrderRow.ordered_at, OrderRow.cancelled_at)
    rows = session.execute(
        select(*columns).where(
            OrderRow.shop_id == shop_id,
            OrderRow.order_id.in_(order_ids),
            KNOWN_ORDER,
            ~OrderRow.is_deleted,
            ~OrderRow.is_test,
        )
    ).all()
    refunds: dict[int, dict[int, datetime]] = {}
    given_back = select(RefundRow.order_id, RefundRow.refund_id, RefundRow.refunded_at).where(
        RefundRow.shop_id == shop_id, RefundRow.order_id.in_(order_ids)
    )
    for refund_order_id, refund_id, refunded_at in session.execute(given_back):
        refunds.setdefault(refund_order_id, {})[refund_id] = refunded_at
    found = {order_id: OwnedOrder(f"o:{order_id}") for order_id in order_ids}
    for row in rows:
        subject = f"o:{row.order_id}" if row.customer_id is None else customer_subject(CustomerId(row.customer_id))
        found[OrderId(row.order_id)] = OwnedOrder(
            subject, row.ordered_at, row.cancelled_at, refunds.get(row.order_id, {})
        )
    return found


def _signals_of_order(order_id: OrderId, order: OwnedOrder) -> tuple[Signal, ...]:
    """The signals that follow from an order. Without a moment of placing there are none."""
    if order.placed_at is None:
        return ()

    def told(kind: str, moment: datetime, thing: str) -> Signal:
        return Signal(kind, order.subject, moment, SHOPIFY, thing, order_id=order_id)

    signals = [told("order_placed", order.placed_at, f"order:{order_id}")]
    if order.cancelled_at is not None:
        signals.append(told("order_cancelled", order.cancelled_at, f"order:{order_id}"))
    for refund_id, refunded_at in sorted(order.refunds.items()):
        signals.append(told("refunded", refunded_at, f"refund:{refund_id}"))
    return tuple(signals)
