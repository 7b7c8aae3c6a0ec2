"""Months that were closed, and orders whose credits do not add up to the ledger."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import CreditRow, LockedStatementRow
from shopify_upsell.core import ConflictingRequest, OrderId, ShopId
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ordered_within


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
    """Orders placed from `since` to before `until` whose credits do not add up, by id: not settled yet, or spoiled."""
    within = ordered_within(shop_id, since, until)
    lines = (
        select(OrderLineRow.order_id, func.sum(OrderLineRow.net_minor_units).label("net"))
        .where(OrderLineRow.shop_id == shop_id)
        .group_by(OrderLineRow.order_id)
        .subquery()
    )
    credits = (
        select(CreditRow.order_id, func.sum(CreditRow.amount_minor_units).label("credited"))
        .where(CreditRow.shop_id == shop_id)
        .group_by(CreditRow.order_id)
        .subquery()
    )
    ledger = func.coalesce(lines.c.net, 0) + OrderRow.residual_minor_units
    credited = func.coalesce(credits.c.credited, 0)
    rows = (
        select(OrderRow.order_id, OrderRow.currency, ledger, credited)
        .join(lines, lines.c.order_id == OrderRow.order_id, isouter=True)
        .join(credits, credits.c.order_id == OrderRow.order_id, isouter=True)
        .where(*within, ledger != credited)
        .order_by(OrderRow.order_id)
    )
    return [UnevenOrder(OrderId(row[0]), row[1], int(row[2]), int(row[3])) for row in session.execute(rows)]
