"""Months that were closed, and orders whose credits do not add up to the ledger."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import CreditRow, LockedStatementRow
from shopify_upsell.core import ConflictingRequest, OrderId, ShopId
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ordered_within

PAGE = 10_000
"""Orders looked at together, well below 4 s."""


@dataclass(frozen=True, slots=True)
class LockedMonth:
    """A month in one currency as it was closed. `document` is canonical JSON, `digest` its SHA-256."""

    month: str
    currency: str
    locked_at: datetime
    digest: str
    document: str


@dataclass(frozen=True, slots=True)
class UnevenOrder:
    """An order whose credits differ from what the ledger says it is worth. Units: minor units."""

    order_id: OrderId
    currency: str
    ledger: int
    credited: int


def locked_months(session: Session, shop_id: ShopId) -> list[LockedMonth]:
    """Every month that was closed, the earliest first."""
    rows = (
        select(LockedStatementRow.__table__)
        .where(LockedStatementRow.shop_id == shop_id)
        .order_by(LockedStatementRow.month, LockedStatementRow.currency)
    )
    return [
        LockedMonth(row.month, row.currency, row.locked_at, row.digest, row.document) for row in session.execute(rows)
    ]


def lock_month(session: Session, shop_id: ShopId, locked: LockedMonth) -> None:
    """Close a month for good. Raises: ConflictingRequest when it was closed before."""
    insert = dialect_insert(session)
    values = {
        "shop_id": shop_id,
        "month": locked.month,
        "currency": locked.currency,
        "locked_at": locked.locked_at,
        "digest": locked.digest,
        "document": locked.document,
    }
    once = insert(LockedStatementRow).values(values).on_conflict_do_nothing().returning(LockedStatementRow.month)
    if session.execute(once).scalar_one_or_none() is None:
        raise ConflictingRequest(f"{locked.month} {locked.currency} is locked already", code="month_locked")


def uneven_orders(
    session: Session, shop_id: ShopId, *, since: datetime | None = None, until: datetime | None = None
) -> list[UnevenOrder]:
    """Orders placed from `since` to before `until` whose credits do not add up, by id: not settled yet, or spoiled.

    Looks at a page of orders at a time, so that no statement takes long however large the shop is.
    """
    found: list[UnevenOrder] = []
    after = 0
    while True:
        orders = (
            select(OrderRow.order_id, OrderRow.currency, OrderRow.residual_minor_units)
            .where(*ordered_within(shop_id, since, until), OrderRow.order_id > after)
            .order_by(OrderRow.order_id)
            .limit(PAGE)
        )
        page = session.execute(orders).all()
        if not page:
            return found
        first, after = page[0].order_id, page[-1].order_id
        net = _sums(session, shop_id, OrderLineRow.order_id, OrderLineRow.net_minor_units, first, after)
        credited = _sums(session, shop_id, CreditRow.order_id, CreditRow.amount_minor_units, first, after)
        for order_id, currency, residual in page:
            ledger = net.get(order_id, 0) + residual
            if ledger != credited.get(order_id, 0):
                found.append(UnevenOrder(OrderId(order_id), currency, ledger, credited.get(order_id, 0)))


def _sums(session: Session, shop_id: ShopId, order_id: Any, amount: Any, first: int, last: int) -> dict[int, int]:
    """Amounts added up by order, from the first id to the last. On PostgreSQL a sum of integers comes as a Decimal."""
    rows = select(order_id, func.sum(amount)).where(order_id.class_.shop_id == shop_id, order_id.between(first, last))
    return {number: int(total) for number, total in session.execute(rows.group_by(order_id))}
