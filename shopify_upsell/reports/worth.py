"""What orders were worth to the shop: net revenue, what of it is left, and how much of it offers claim.

Comes in: order ids. Goes out: one `OrderWorth` each. Goods cost what they cost when the order was first measured; what
nobody told is assumed, the same assumptions that decisions use, and named with every margin.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import DIRECT
from shopify_upsell.attribution.tables import CreditRow
from shopify_upsell.core import CustomerId, OrderId, ShopId
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow, VariantRow, batches, put_rows
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.terms import WHOLE
from shopify_upsell.reports.outcome_tables import OrderCostRow


@dataclass(frozen=True, slots=True)
class OrderWorth:
    """One booked order as it is worth now. Units: minor units of the order's currency, without tax and shipping."""

    order_id: OrderId
    ordered_at: datetime
    customer_id: CustomerId | None
    cart_token: str | None
    currency: str
    net: int
    margin: int
    attributed: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Which orders to look at: of these customers or carts, placed from `since` to before `until`."""

    customers: Collection[CustomerId]
    carts: Collection[str]
    since: datetime
    until: datetime


def orders_of(session: Session, shop_id: ShopId, placed: Placed) -> list[Row[Any]]:
    """Booked orders of customers and carts, by order id, each once."""
    found: dict[int, Row[Any]] = {}
    names: tuple[tuple[Any, list[Any]], ...] = (
        (OrderRow.customer_id, sorted(set(placed.customers))),
        (OrderRow.cart_token, sorted(set(placed.carts))),
    )
    for column, wanted in names:
        for batch in batches(wanted):
            rows = select(OrderRow.__table__).where(
                OrderRow.shop_id == shop_id,
                column.in_(batch),
                OrderRow.ordered_at >= placed.since,
                OrderRow.ordered_at < placed.until,
                OrderRow.is_booked,
                KNOWN_ORDER,
            )
            found |= {row.order_id: row for row in session.execute(rows)}
    return [found[order_id] for order_id in sorted(found)]


def worth_of(session: Session, shop_id: ShopId, orders: Sequence[Row[Any]], costs: Costs) -> list[OrderWorth]:
    """Value orders, in the order given. Costs not seen before are kept with the order."""
    order_ids = [order.order_id for order in orders]
    lines = _lines(session, shop_id, order_ids)
    goods = _goods(session, shop_id, lines, costs)
    claimed = _claimed(session, shop_id, order_ids)
    found = []
    for order in orders:
        order_id = order.order_id
        known = (goods.get(order_id, 0), claimed.get(order_id, 0))
        found.append(_worth(order, lines.get(order_id, []), known, costs))
    return found


def _worth(order: Row[Any], lines: Sequence[Row[Any]], known: tuple[int, int], costs: Costs) -> OrderWorth:
    goods, claimed = known
    net = sum(line.net_minor_units for line in lines) + order.residual_minor_units
    fee = costs.fee_minor_units if any(line.net_quantity for line in lines) else 0
    share = costs.fee_basis_points + costs.app_basis_points
    return OrderWorth(
        order_id=order.order_id,
        ordered_at=order.ordered_at,
        customer_id=order.customer_id,
        cart_token=order.cart_token,
        currency=order.currency,
        net=net,
        margin=net - goods - _share(net, share) - fee,
        attributed=claimed,
        refunded=sum(line.refunded_minor_units for line in lines),
    )


def _goods(session: Session, shop_id: ShopId, lines: Mapping[int, Sequence[Row[Any]]], costs: Costs) -> dict[int, int]:
    """What the goods of each order cost, by order. What is not known yet of an order is looked up, and kept."""
    held = _kept_costs(session, shop_id, list(lines))
    missing = [
        line
        for order_id, rows in sorted(lines.items())
        for line in rows
        if line.variant_id is not None and (order_id, line.variant_id) not in held
    ]
    told = _told_costs(session, shop_id, {line.variant_id for line in missing})
    fresh: dict[tuple[int, int], dict[str, Any]] = {}
    for line in missing:
        cost, is_assumed = told.get(line.variant_id), False
        if cost is None:
            cost, is_assumed = _share(line.unit_price_minor_units, costs.goods_basis_points), True
        key = (line.order_id, line.variant_id)
        values = {"order_id": key[0], "variant_id": key[1], "unit_cost": cost, "is_assumed": is_assumed}
        fresh.setdefault(key, {"shop_id": shop_id, **values})
    put_rows(session, shop_id, OrderCostRow, list(fresh.values()))
    held |= {key: values["unit_cost"] for key, values in fresh.items()}
    return {
        order_id: sum(_line_cost(line, held, costs) for line in rows if not line.is_gift_card)
        for order_id, rows in lines.items()
    }


def _line_cost(line: Row[Any], held: Mapping[tuple[int, int], int], costs: Costs) -> int:
    if line.variant_id is None:
        return _share(line.unit_price_minor_units, costs.goods_basis_points) * int(line.net_quantity)
    return held[line.order_id, line.variant_id] * int(line.net_quantity)


def _lines(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for batch in batches(order_ids):
        rows = select(OrderLineRow.__table__).where(OrderLineRow.shop_id == shop_id, OrderLineRow.order_id.in_(batch))
        for row in session.execute(rows.order_by(OrderLineRow.order_id, OrderLineRow.line_id)):
            found.setdefault(row.order_id, []).append(row)
    return found


def _kept_costs(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for batch in batches(order_ids):
        rows = select(OrderCostRow.order_id, OrderCostRow.variant_id, OrderCostRow.unit_cost).where(
            OrderCostRow.shop_id == shop_id, OrderCostRow.order_id.in_(batch)
        )
        found |= {(row.order_id, row.variant_id): row.unit_cost for row in session.execute(rows)}
    return found


def _told_costs(session: Session, shop_id: ShopId, variant_ids: Collection[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for batch in batches(sorted(variant_ids)):
        rows = select(VariantRow.variant_id, VariantRow.unit_cost_minor_units).where(
            VariantRow.shop_id == shop_id,
            VariantRow.variant_id.in_(batch),
            VariantRow.unit_cost_minor_units.is_not(None),
        )
        found |= {row.variant_id: row.unit_cost_minor_units for row in session.execute(rows)}
    return found


def _claimed(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[int, int]:
    """Direct credits by order."""
    found: dict[int, int] = {}
    for batch in batches(order_ids):
        rows = (
            select(CreditRow.order_id, func.sum(CreditRow.amount_minor_units))
            .where(CreditRow.shop_id == shop_id, CreditRow.order_id.in_(batch), CreditRow.credit_class == DIRECT)
            .group_by(CreditRow.order_id)
        )
        found |= {order_id: int(amount) for order_id, amount in session.execute(rows)}
    return found


def _share(amount: int, basis_points: int) -> int:
    """A share of an amount, rounded half up."""
    return (2 * amount * basis_points + WHOLE) // (2 * WHOLE)
