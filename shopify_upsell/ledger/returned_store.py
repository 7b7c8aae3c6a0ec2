"""Queries of what was wholly given back, and when: learning takes it for an ending, not for something still owned."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow, RefundLineRow, RefundRow

AT_ONCE = 10_000
"""Rows fetched together."""


class ReturnedLine(NamedTuple):
    """One line of a booked order of which nothing is left after refunds, by a known customer."""

    order_id: int
    customer_id: int
    ordered_at: datetime
    product_id: int
    unit_price: int
    refunded_at: datetime


def returned_lines(session: Session, shop_id: ShopId) -> Iterator[ReturnedLine]:
    """Every line that was wholly given back, by order id, with the moment of the refund that took the last of it.

    Lines that only edits emptied were never sold, and a cancelled order was never in hand: neither is listed.
    """
    line, order, refund, part = OrderLineRow, OrderRow, RefundRow, RefundLineRow
    wanted = (
        select(
            line.order_id,
            order.customer_id,
            order.ordered_at,
            line.product_id,
            line.unit_price_minor_units,
            func.max(refund.refunded_at),
        )
        .join(order, (order.shop_id == line.shop_id) & (order.order_id == line.order_id))
        .join(refund, (refund.shop_id == line.shop_id) & (refund.order_id == line.order_id))
        .join(
            part,
            (part.shop_id == line.shop_id) & (part.refund_id == refund.refund_id) & (part.line_id == line.line_id),
        )
        .where(
            line.shop_id == shop_id,
            KNOWN_ORDER,
            order.is_booked,
            order.customer_id.is_not(None),
            line.net_quantity == 0,
            line.product_id.is_not(None),
            ~line.is_gift_card,
            part.quantity > 0,
        )
        .group_by(
            line.order_id,
            line.line_id,
            order.customer_id,
            order.ordered_at,
            line.product_id,
            line.unit_price_minor_units,
        )
        .order_by(line.order_id, line.line_id)
    )
    for row in session.execute(wanted.execution_options(yield_per=AT_ONCE)):
        yield ReturnedLine._make(row)
