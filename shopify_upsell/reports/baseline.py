"""Where a shop stands before any offer is live: what later growth is held against.

Comes in: the ledger. Goes out: customers, order value, how many come back, how much of revenue comes from people who
had bought before, and what is bought together. All from booked orders, net of discounts, taxes and refunds.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow
from shopify_upsell.matrix.recording import pair_columns, product_counts
from shopify_upsell.reports.incremental import plain
from shopify_upsell.shops.store import get_shop

MOST_PAIRS = 10

LEAST_ORDERS = 20
"""Orders with the anchor below which an attach rate is not shown. Source: our choice."""


@dataclass(frozen=True, slots=True)
class AttachRate:
    """Orders with both products of those with the anchor, returns taken out. Units: rate 0 to 1, orders."""

    anchor_product_id: ProductId
    companion_product_id: ProductId
    rate: float
    anchor_orders: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """A shop's starting point, in its own currency.

    Units: minor units; rates 0 to 1, None where there is nothing to divide by. `repeat_rate`: customers with two orders
    or more. `expansion_share`: of the net revenue of known customers, what came with orders after their first.
    `items_per_order`: pieces kept.
    """

    currency: str | None
    customers: int
    orders: int
    net_minor_units: int
    average_order_minor_units: float | None
    items_per_order: float | None
    repeat_rate: float | None
    expansion_minor_units: int
    expansion_share: float | None
    attach_rates: tuple[AttachRate, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = plain(self)
        return found


def read_baseline(session: Session, shop_id: ShopId) -> Baseline:
    """Work out where the shop stands, in four queries."""
    currency = get_shop(session, shop_id).currency
    worth = _worth(shop_id, currency)
    orders, net, pieces = session.execute(
        select(func.count(), func.sum(worth.c.net), func.sum(worth.c.pieces)).select_from(worth)
    ).one()
    customers, repeating, known, expansion = _customers(session, worth)
    net = int(net or 0)
    return Baseline(
        currency=currency,
        customers=customers,
        orders=orders,
        net_minor_units=net,
        average_order_minor_units=net / orders if orders else None,
        items_per_order=int(pieces or 0) / orders if orders else None,
        repeat_rate=repeating / customers if customers else None,
        expansion_minor_units=expansion,
        expansion_share=expansion / known if known > 0 else None,
        attach_rates=_attach_rates(session, shop_id),
    )


def _worth(shop_id: ShopId, currency: str | None) -> Any:
    """Booked orders in one currency, with what is left of each, numbered within their customer."""
    lines = (
        select(
            OrderLineRow.order_id,
            func.sum(OrderLineRow.net_minor_units).label("net"),
            func.sum(OrderLineRow.net_quantity).label("pieces"),
        )
        .where(OrderLineRow.shop_id == shop_id)
        .group_by(OrderLineRow.order_id)
        .subquery()
    )
    place = func.row_number().over(partition_by=OrderRow.customer_id, order_by=(OrderRow.ordered_at, OrderRow.order_id))
    wanted = select(
        OrderRow.customer_id,
        (func.coalesce(lines.c.net, 0) + OrderRow.residual_minor_units).label("net"),
        func.coalesce(lines.c.pieces, 0).label("pieces"),
        place.label("place"),
    ).outerjoin(lines, lines.c.order_id == OrderRow.order_id)
    wanted = wanted.where(OrderRow.shop_id == shop_id, KNOWN_ORDER, OrderRow.is_booked)
    return (wanted if currency is None else wanted.where(OrderRow.currency == currency)).subquery()


def _customers(session: Session, worth: Any) -> tuple[int, int, int, int]:
    """Customers, those who came again, the net revenue of all of them, and of that what came after first orders."""
    known = worth.c.customer_id.is_not(None)
    found = session.execute(
        select(
            func.count(worth.c.customer_id.distinct()),
            func.sum(case((worth.c.place == 2, 1), else_=0)),
            func.sum(worth.c.net),
            func.sum(case((worth.c.place > 1, worth.c.net), else_=0)),
        ).where(known)
    ).one()
    return int(found[0]), int(found[1] or 0), int(found[2] or 0), int(found[3] or 0)


def _attach_rates(session: Session, shop_id: ShopId) -> tuple[AttachRate, ...]:
    """The pairs most often bought together, in the direction in which it happens more often."""
    orders = product_counts(session, shop_id)
    found = []
    for first, second, both in zip(*pair_columns(session, shop_id), strict=True):
        anchor, companion = sorted((first, second), key=lambda product: (orders[product], product))
        if orders[anchor] >= LEAST_ORDERS:
            rate = both / orders[anchor]
            found.append(AttachRate(ProductId(anchor), ProductId(companion), rate, orders[anchor]))
    found.sort(key=lambda one: (-one.rate, -one.anchor_orders, one.anchor_product_id, one.companion_product_id))
    return tuple(found[:MOST_PAIRS])
