"""Tables and queries of what we may know of a person. `subject` is `c:{customer id}` or `v:{visitor id}`."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import ForeignKey, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import CustomerId, ProductId, ShopId
from shopify_upsell.customers.signal_store import erase_signals_of, move_signals
from shopify_upsell.customers.subjects import customer_subject, visitor_subject
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.database import Base, ExternalId, UtcDateTime, dialect_insert


class SuppressionRow(Base):
    """A wish not to be shown a product: dismissed or snoozed, until a date. `product_id` 0 means every product."""

    __tablename__ = "suppression"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


def suppress(session: Session, shop_id: ShopId, wish: Suppression) -> None:
    """Remember a wish. Of two wishes about the same product the one that lasts longer is kept."""
    _keep_the_longer(session, shop_id, [wish])


def suppressions_of(
    session: Session, shop_id: ShopId, subjects: Sequence[str], *, now: datetime
) -> tuple[Suppression, ...]:
    """List the wishes still in force of a shopper under all their names, in a fixed order."""
    if not subjects:
        return ()
    rows = session.scalars(
        select(SuppressionRow)
        .where(SuppressionRow.shop_id == shop_id, SuppressionRow.subject.in_(subjects), SuppressionRow.until > now)
        .order_by(SuppressionRow.subject, SuppressionRow.product_id)
    )
    return tuple(Suppression(row.subject, ProductId(row.product_id), row.reason, row.until) for row in rows)


def merge_visitor(session: Session, shop_id: ShopId, visitor_id: str, customer_id: CustomerId, now: datetime) -> int:
    """Give the customer what they asked for and did before they logged in; return how many wishes moved.

    The visitor's own rows go: another person may use the same browser after the customer logs out.
    """
    visitor, customer = visitor_subject(visitor_id), customer_subject(customer_id)
    wishes = suppressions_of(session, shop_id, [visitor], now=now)
    _keep_the_longer(session, shop_id, [replace(wish, subject=customer) for wish in wishes])
    move_signals(session, shop_id, visitor, customer)
    erase_subject(session, shop_id, visitor)
    return len(wishes)


def erase_subject(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget a person: delete every row held under this name and return how many there were."""
    count = session.scalar(
        select(func.count())
        .select_from(SuppressionRow)
        .where(SuppressionRow.shop_id == shop_id, SuppressionRow.subject == subject)
    )
    session.execute(delete(SuppressionRow).where(SuppressionRow.shop_id == shop_id, SuppressionRow.subject == subject))
    return int(count or 0) + erase_signals_of(session, shop_id, subject)


def _keep_the_longer(session: Session, shop_id: ShopId, wishes: Sequence[Suppression]) -> None:
    if not wishes:
        return
    insert = dialect_insert(session)
    statement = insert(SuppressionRow).values([{"shop_id": shop_id, **asdict(wish)} for wish in wishes])
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["shop_id", "subject", "product_id"],
            set_={"reason": statement.excluded.reason, "until": statement.excluded.until},
            where=SuppressionRow.until < statement.excluded.until,
        )
    )
