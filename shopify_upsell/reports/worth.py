"""What orders were worth to the shop: net revenue, what of it is left, and how much of it offers claim.

Comes in: order ids, and the shop's costs as the merchant states them now. Goes out: one `OrderWorth` each. Goods that
the catalogue gives a cost for cost what they cost when the order was first measured; all other costs are the
merchant's, or assumed, the same assumptions that decisions use, and named with every margin.
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
from shopify_upsell.ledger.tables import (
    KNOWN_ORDER,
    OrderLineRow,
    OrderRow,
    RefundLineRow,
    RefundRow,
    VariantRow,
    batches,
    put_rows,
)
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.store import all_offers
from shopify_upsell.offers.terms import FREE_SHIPPING, WHOLE
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
    """Value orders, in the order given. Costs of goods not seen before are kept with the order."""
    order_ids = [order.order_id for order in orders]
    lines = _lines(session, shop_id, order_ids)
    known = _unit_costs(session, shop_id, lines)
    back = _given_back(session, shop_id, order_ids)
    claimed = _claimed(session, shop_id, order_ids)
    giving = _giving_shipping(session, shop_id)
    found = []
    for order in orders:
        sold = [_sold(line, known, back, costs) for line in lines.get(order.order_id, []) if not line.is_gift_card]
        spent = _spent(sold, back.returns.get(order.order_id, 0), costs)
        credited = claimed.get(order.order_id, {})
        spent += 0 if giving.isdisjoint(credited) else costs.free_shipping_minor_units
        found.append(_worth(order, lines.get(order.order_id, []), (spent, sum(credited.values())), costs))
    return found


def has_assumed_goods(session: Session, shop_id: ShopId) -> bool:
    """Tell whether any order was measured with goods that the catalogue gave no cost for."""
    row = OrderCostRow
    return session.scalar(select(row.order_id).where(row.shop_id == shop_id, row.is_assumed).limit(1)) is not None


@dataclass(frozen=True, slots=True)
class _Back:
    """What came back: pieces by order and line; by order how many refunds brought pieces back."""

    pieces: Mapping[tuple[int, int], int]
    returns: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Sold:
    """One line: pieces kept and given back, and what one piece cost."""

    kept: int
    back: int
    unit_cost: int


def _worth(order: Row[Any], lines: Sequence[Row[Any]], known: tuple[int, int], costs: Costs) -> OrderWorth:
    spent, claimed = known
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
        margin=net - spent - _share(net, share) - fee,
        attributed=claimed,
        refunded=sum(line.refunded_minor_units for line in lines),
    )


def _sold(line: Row[Any], known: Mapping[tuple[int, int], int | None], back: _Back, costs: Costs) -> _Sold:
    kept = int(line.net_quantity)
    # An edit takes pieces off a line as well; those were never sent.
    returned = min(back.pieces.get((line.order_id, line.line_id), 0), max(0, int(line.quantity) - kept))
    cost = known[_cost_key(line)]
    if cost is None:
        cost = _share(line.unit_price_minor_units, costs.goods_basis_points)
    return _Sold(kept, returned, cost)


def _spent(sold: Sequence[_Sold], returns: int, costs: Costs) -> int:
    """What goods, parcels and returns of one order cost. Units: minor units; what is lost is rounded once a line."""
    goods = sum(line.kept * line.unit_cost for line in sold)
    lost = sum(_share(line.back * line.unit_cost, costs.goods_lost_basis_points) for line in sold)
    pieces = sum(line.kept + line.back for line in sold)
    return goods + lost + costs.handling_minor_units * returns + costs.extra_shipping_minor_units * max(0, pieces - 1)


def _unit_costs(
    session: Session, shop_id: ShopId, lines: Mapping[int, Sequence[Row[Any]]]
) -> dict[tuple[int, int], int | None]:
    """What a piece cost, by order and variant, None where nobody told. What the catalogue tells first is kept."""
    held = _kept_costs(session, shop_id, list(lines))
    open_ones = {
        _cost_key(line): line
        for _, rows in sorted(lines.items())
        for line in rows[::-1]
        if held.get(_cost_key(line)) is None
    }
    told = _told_costs(session, shop_id, {variant_id for _, variant_id in open_ones})
    fresh = {key: told.get(key[1]) for key in sorted(open_ones) if key not in held or key[1] in told}
    rows = [
        {
            "shop_id": shop_id,
            "order_id": order_id,
            "variant_id": variant_id,
            "unit_cost": 0 if cost is None else cost,
            "is_assumed": cost is None,
        }
        for (order_id, variant_id), cost in fresh.items()
    ]
    put_rows(session, shop_id, OrderCostRow, rows)
    return held | fresh


def _cost_key(line: Row[Any]) -> tuple[int, int]:
    """Order and variant; lines without a variant share number 0, which no variant has."""
    return (line.order_id, line.variant_id or 0)


def _given_back(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> _Back:
    """Pieces that refunds brought back. Money given back without pieces brings nothing back."""
    pieces: dict[tuple[int, int], int] = {}
    refunds: dict[int, set[int]] = {}
    same = (RefundLineRow.shop_id == RefundRow.shop_id) & (RefundLineRow.refund_id == RefundRow.refund_id)
    for batch in batches(order_ids):
        rows = (
            select(RefundRow.order_id, RefundRow.refund_id, RefundLineRow.line_id, RefundLineRow.quantity)
            .join(RefundLineRow, same)
            .where(RefundRow.shop_id == shop_id, RefundRow.order_id.in_(batch), RefundLineRow.quantity > 0)
        )
        for row in session.execute(rows):
            key = (row.order_id, row.line_id)
            pieces[key] = pieces.get(key, 0) + int(row.quantity)
            refunds.setdefault(row.order_id, set()).add(row.refund_id)
    return _Back(pieces, {order_id: len(found) for order_id, found in refunds.items()})


def _lines(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for batch in batches(order_ids):
        rows = select(OrderLineRow.__table__).where(OrderLineRow.shop_id == shop_id, OrderLineRow.order_id.in_(batch))
        for row in session.execute(rows.order_by(OrderLineRow.order_id, OrderLineRow.line_id)):
            found.setdefault(row.order_id, []).append(row)
    return found


def _kept_costs(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[tuple[int, int], int | None]:
    """Costs kept with orders; None where nobody had told when the order was measured."""
    found: dict[tuple[int, int], int | None] = {}
    row = OrderCostRow
    for batch in batches(order_ids):
        rows = select(row.order_id, row.variant_id, row.unit_cost, row.is_assumed).where(
            row.shop_id == shop_id, row.order_id.in_(batch)
        )
        found |= {
            (each.order_id, each.variant_id): None if each.is_assumed else each.unit_cost
            for each in session.execute(rows)
        }
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


def _claimed(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Direct credits by order and offer."""
    found: dict[int, dict[int, int]] = {}
    row = CreditRow
    for batch in batches(order_ids):
        rows = (
            select(row.order_id, row.offer_id, func.sum(row.amount_minor_units))
            .where(row.shop_id == shop_id, row.order_id.in_(batch), row.credit_class == DIRECT)
            .group_by(row.order_id, row.offer_id)
        )
        for order_id, offer_id, amount in session.execute(rows):
            found.setdefault(order_id, {})[offer_id or 0] = int(amount)
    return found


def _giving_shipping(session: Session, shop_id: ShopId) -> frozenset[int]:
    """Offers that give shipping away: their kind says so for good, and no experiment varies it.

    Order documents that we keep say nothing of shipping, so the offer has to.
    """
    return frozenset(one.offer_id for one in all_offers(session, shop_id) if one.incentive.kind == FREE_SHIPPING)


def _share(amount: int, basis_points: int) -> int:
    """A share of an amount, rounded half up."""
    return (2 * amount * basis_points + WHOLE) // (2 * WHOLE)
