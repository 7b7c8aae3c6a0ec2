"""Dismissals as rows, one a name and scope."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Row, Text, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import OfferId, ProductId, ShopId
from shopify_upsell.customers.dismissals import LONGEST_DAYS, Dismissal, Scope, joined, remembered
from shopify_upsell.database import Base, ExternalId, UtcDateTime, dialect_insert


class DismissalRow(Base):
    """One scope that somebody waved away. Ids 0 mean any. The row outlives `until`, so that a repeat is known."""

    __tablename__ = "dismissal"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    anchor_product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    times: Mapped[int] = mapped_column()
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


def dismissals_of(
    session: Session, shop_id: ShopId, subjects: Sequence[str], *, now: datetime
) -> tuple[Dismissal, ...]:
    """List the dismissals still in force of a shopper under all their names, in a fixed order."""
    return tuple(_held(session, shop_id, subjects, DismissalRow.until > now)) if subjects else ()


def remember_dismissal(
    session: Session, shop_id: ShopId, subject: str, scopes: Sequence[Scope], *, now: datetime
) -> tuple[Dismissal, ...]:
    """Keep that a card was waved away, in every scope it is about."""
    held = {one.scope: one for one in _held(session, shop_id, [subject])}
    kept = tuple(remembered(held.get(scope), subject, scope, now=now) for scope in dict.fromkeys(scopes))
    _put(session, shop_id, kept)
    return kept


def move_dismissals(session: Session, shop_id: ShopId, source: str, target: str) -> int:
    """Give one name what was dismissed under another, which keeps nothing; how many dismissals moved."""
    moving = _held(session, shop_id, [source])
    held = {one.scope: one for one in _held(session, shop_id, [target])} if moving else {}
    empty = [one for one in moving if one.scope not in held]
    _put(
        session,
        shop_id,
        [
            *(Dismissal(target, one.scope, one.times, one.last_at, one.until) for one in empty),
            *(joined(one, held[one.scope], target) for one in moving if one.scope in held),
        ],
    )
    erase_dismissals(session, shop_id, source)
    return len(moving)


def erase_dismissals(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget what a person waved away; how many rows there were."""
    return _deleted(session, DismissalRow.shop_id == shop_id, DismissalRow.subject == subject)


def forget_old_dismissals(session: Session, shop_id: ShopId, *, now: datetime) -> int:
    """Delete what is neither in force nor remembered; how many there were."""
    faded = now - timedelta(days=LONGEST_DAYS)
    return _deleted(session, DismissalRow.shop_id == shop_id, DismissalRow.until <= now, DismissalRow.last_at <= faded)


def _held(session: Session, shop_id: ShopId, subjects: Sequence[str], *more: Any) -> list[Dismissal]:
    key = (
        DismissalRow.subject,
        DismissalRow.offer_id,
        DismissalRow.anchor_product_id,
        DismissalRow.product_id,
    )
    rows = session.execute(
        select(DismissalRow.__table__)
        .where(DismissalRow.shop_id == shop_id, DismissalRow.subject.in_(subjects), *more)
        .order_by(*key)
    )
    return [_dismissal(row) for row in rows]


def _dismissal(row: Row[Any]) -> Dismissal:
    scope = Scope(OfferId(row.offer_id), ProductId(row.anchor_product_id), ProductId(row.product_id))
    return Dismissal(row.subject, scope, row.times, row.last_at, row.until)


def _put(session: Session, shop_id: ShopId, dismissals: Sequence[Dismissal]) -> None:
    """Two cards waved away at one moment each write what they know; the longer time stays whoever is last."""
    if not dismissals:
        return
    insert = dialect_insert(session)
    statement = insert(DismissalRow).values(
        [
            {
                "shop_id": shop_id,
                "subject": one.subject,
                "offer_id": one.scope.offer_id,
                "anchor_product_id": one.scope.anchor_product_id,
                "product_id": one.scope.product_id,
                "times": one.times,
                "last_at": one.last_at,
                "until": one.until,
            }
            for one in dismissals
        ]
    )
    changed = {name: statement.excluded[name] for name in ("times", "last_at", "until")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["shop_id", "subject", "offer_id", "anchor_product_id", "product_id"],
            set_=changed,
            where=or_(DismissalRow.until < statement.excluded.until, DismissalRow.times < statement.excluded.times),
        )
    )


def _deleted(session: Session, *conditions: Any) -> int:
    count = session.scalar(select(func.count()).select_from(DismissalRow).where(*conditions))
    session.execute(delete(DismissalRow).where(*conditions))
    return int(count or 0)
