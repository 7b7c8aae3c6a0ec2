"""What the ledger knows of a page of customers: who has an order to speak of, what they kept, and how a shop trades."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import case, exists, func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, OrderId, ProductId, ShopId
from shopify_upsell.customers.profile_store import profiles_of
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.ledger.delivered import UsualDelivery, delivered_at
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow
from shopify_upsell.ledger.owned import OwnedLine
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow
from shopify_upsell.sends.fit import LOOKED_BACK, Trade
from shopify_upsell.sends.plan import Delivered
from shopify_upsell.sends.tables import SendRow


def customers_to_plan(
    session: Session, shop_id: ShopId, *, after: CustomerId, limit: int, since: datetime
) -> list[CustomerId]:
    """Customers with an order since then and no open send: some after the one named, in the order of their numbers."""
    has_open = exists().where(
        SendRow.shop_id == shop_id, SendRow.customer_id == OrderRow.customer_id, SendRow.ended_at.is_(None)
    )
    rows = (
        select(OrderRow.customer_id)
        .where(
            OrderRow.shop_id == shop_id,
            OrderRow.customer_id > after,
            OrderRow.ordered_at >= since,
            KNOWN_ORDER,
            OrderRow.is_booked,
            ~has_open,
        )
        .group_by(OrderRow.customer_id)
        .order_by(OrderRow.customer_id)
        .limit(limit)
    )
    return [CustomerId(number) for number in session.scalars(rows) if number is not None]


def who_consent(session: Session, shop_id: ShopId, customer_ids: Sequence[CustomerId]) -> list[CustomerId]:
    """Those who agreed to be written to."""
    subjects = {customer_subject(one): one for one in customer_ids}
    profiles = profiles_of(session, shop_id, list(subjects))
    return [one for name, one in subjects.items() if name in profiles and profiles[name].marketing_consent is True]


def kept_lines(
    session: Session, shop_id: ShopId, customer_ids: Sequence[CustomerId], *, since: datetime
) -> dict[CustomerId, list[OwnedLine]]:
    """What customers bought since then and kept, line by line, in two reads by index however many they are."""
    line, arrival = OrderLineRow, OrderDeliveryRow
    same_line = (line.shop_id == OrderRow.shop_id) & (line.order_id == OrderRow.order_id)
    same_arrival = (arrival.shop_id == OrderRow.shop_id) & (arrival.order_id == OrderRow.order_id)
    columns = (line.product_id, line.order_id, OrderRow.ordered_at, line.net_quantity)
    rows = (
        select(OrderRow.customer_id, *columns, arrival.shipped_at, arrival.delivered_at)
        .join(line, same_line)
        .join(arrival, same_arrival, isouter=True)
        .where(
            OrderRow.shop_id == shop_id,
            OrderRow.customer_id.in_(customer_ids),
            OrderRow.ordered_at >= since,
            KNOWN_ORDER,
            OrderRow.is_booked,
            line.net_quantity > 0,
            line.product_id.is_not(None),
            ~line.is_gift_card,
        )
    )
    found: dict[CustomerId, list[OwnedLine]] = {one: [] for one in customer_ids}
    for row in session.execute(rows):
        customer, *fields = cast("tuple[Any, ...]", row)
        found[CustomerId(customer)].append(OwnedLine(*fields))
    return found


def delivered_from(lines: Iterable[OwnedLine], usual: UsualDelivery) -> tuple[Delivered, ...]:
    """The last order of each product, and when it arrived."""
    last: dict[ProductId, OwnedLine] = {}
    for one in lines:
        held = last.get(one.product_id)
        if held is None or (held.ordered_at, held.order_id) < (one.ordered_at, one.order_id):
            last[one.product_id] = one
    return tuple(
        Delivered(
            product_id, OrderId(one.order_id), delivered_at(one.ordered_at, one.shipped_at, one.arrived_at, usual)[0]
        )
        for product_id, one in sorted(last.items())
    )


def trade_of(session: Session, shop_id: ShopId, *, now: datetime) -> Trade:
    """A year of the shop in three counts."""
    year = (OrderRow.shop_id == shop_id, OrderRow.ordered_at >= now - LOOKED_BACK, KNOWN_ORDER, OrderRow.is_booked)
    orders = session.scalar(select(func.count()).select_from(OrderRow).where(*year))
    by_customer = (
        select(func.count().label("n"))
        .where(*year, OrderRow.customer_id.is_not(None))
        .group_by(OrderRow.customer_id)
        .subquery()
    )
    again = func.coalesce(func.sum(case((by_customer.c.n > 1, 1), else_=0)), 0)
    customers, repeaters = session.execute(select(func.count(), again).select_from(by_customer)).one()
    return Trade(int(orders or 0), int(customers), int(repeaters))
