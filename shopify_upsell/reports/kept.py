"""What known customers bought and kept: the one read of the ledger that figures about customers are counted from.

Comes in: booked orders in the shop's currency, net of returns, edits and discounts. Goes out: their lines and what each
order was worth, by day of the shop's time zone. A shop too large to read whole is read as a sample of customers, each
with the whole of their history, and the sample's share is told with every figure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow
from shopify_upsell.reports.figures import KeptLine
from shopify_upsell.reports.figures_by_cohort import KeptOrder
from shopify_upsell.shops.store import get_shop

MOST_LINES = 100_000
"""Order lines read for a report: three seconds on a busy small machine. Source: our choice, after measuring."""

PARTS = 997
"""Parts that customers are dealt into by number. Source: a prime: numbers handed out in steps fill all parts."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One booked order of which a piece was kept. Units: minor units, net; a day in the shop's time zone."""

    customer_id: int
    order_id: int
    ordered_at: datetime
    ordered_on: date
    net_minor_units: int

    @property
    def kept(self) -> KeptOrder:
        """What cohorts are counted from."""
        return KeptOrder(self.customer_id, self.ordered_on, self.net_minor_units)


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """What customers kept, in time. Units: `today` the last full day of the shop; `sampled_parts` of PARTS read.

    Shape: `lines` those of products, gift cards left out; `orders` those with a piece kept.
    """

    currency: str | None
    is_zone_assumed: bool
    today: date
    sampled_parts: int
    lines: tuple[KeptLine, ...]
    orders: tuple[PlacedOrder, ...]

    @property
    def sample_share(self) -> float:
        """Give the share of customers that were read."""
        return self.sampled_parts / PARTS

    def holds(self, customer_id: int) -> bool:
        """Tell whether a customer is in the sample, with or without orders."""
        return customer_id % PARTS < self.sampled_parts


def read_kept(session: Session, shop_id: ShopId, *, now: datetime, most_lines: int = MOST_LINES) -> KeptHistory:
    """Read the history up to `now`: one count, then one scan of orders with their lines."""
    shop = get_shop(session, shop_id)
    zone = zone_of(shop.time_zone)
    count = int(session.scalar(_joined(select(func.count()), shop_id, shop.currency, now)) or 0)
    parts = PARTS if count <= most_lines else max(1, PARTS * most_lines // count)
    wanted = select(
        OrderRow.customer_id,
        OrderRow.order_id,
        OrderRow.ordered_at,
        OrderRow.residual_minor_units,
        OrderLineRow.product_id,
        OrderLineRow.net_quantity,
        OrderLineRow.net_minor_units,
        OrderLineRow.is_gift_card,
    )
    rows = _joined(wanted, shop_id, shop.currency, now)
    if parts < PARTS:
        rows = rows.where(OrderRow.customer_id % PARTS < parts)
    ordered = rows.order_by(OrderRow.ordered_at, OrderRow.order_id, OrderLineRow.line_id)
    lines: list[KeptLine] = []
    orders: list[PlacedOrder] = []
    for place, group in enumerate(_by_order(session.execute(ordered.execution_options(yield_per=5_000)))):
        day = group[0].ordered_at.astimezone(zone).date()
        lines += _lines(group, day, place)
        if any(row.net_quantity > 0 for row in group):
            orders.append(_order(group, day))
    today = now.astimezone(zone).date() - timedelta(days=1)
    return KeptHistory(shop.currency, shop.time_zone is None, today, parts, tuple(lines), tuple(orders))


def zone_of(name: str | None) -> ZoneInfo:
    """The shop's time zone; UTC while it is not known, or when this machine has no data about it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _joined(wanted: Any, shop_id: ShopId, currency: str | None, now: datetime) -> Any:
    """Lines of booked orders of known customers, in the shop's currency; none while that is not known."""
    same = (OrderLineRow.shop_id == OrderRow.shop_id) & (OrderLineRow.order_id == OrderRow.order_id)
    return (
        wanted.select_from(OrderRow)
        .join(OrderLineRow, same)
        .where(
            OrderRow.shop_id == shop_id,
            KNOWN_ORDER,
            OrderRow.is_booked,
            OrderRow.customer_id.is_not(None),
            OrderRow.currency == (currency or ""),
            OrderRow.ordered_at <= now.astimezone(UTC),
        )
    )


def _by_order(rows: Any) -> Iterator[list[Row[Any]]]:
    group: list[Row[Any]] = []
    for row in rows:
        if group and row.order_id != group[0].order_id:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _lines(group: Sequence[Row[Any]], day: date, place: int) -> Iterator[KeptLine]:
    for row in group:
        if row.product_id is not None and not row.is_gift_card:
            kept = max(0, row.net_quantity)
            yield KeptLine(row.customer_id, row.order_id, row.product_id, day, kept, row.net_minor_units, place)


def _order(group: Sequence[Row[Any]], day: date) -> PlacedOrder:
    first = group[0]
    net = sum(row.net_minor_units for row in group) + first.residual_minor_units
    return PlacedOrder(first.customer_id, first.order_id, first.ordered_at, day, net)
