"""Table and queries of the inbox: every verified webhook delivery, stored once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ShopId
from shopify_upsell.database import Base, OwnId, UtcDateTime, dialect_insert

STATES = ("stored", "done", "parked", "dead")


class EventRow(Base):
    """One delivery. `body` is the raw bytes until retention or redaction erases it; `subject` names the resource."""

    __tablename__ = "inbox_event"
    __table_args__ = (
        UniqueConstraint("shop_id", "topic", "webhook_id"),
        Index("ix_inbox_event_subject", "shop_id", "subject"),
        Index("ix_inbox_event_received_at", "received_at"),
    )

    event_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    topic: Mapped[str] = mapped_column(Text)
    webhook_id: Mapped[str] = mapped_column(Text)
    shopify_event_id: Mapped[str | None] = mapped_column(Text)
    api_version: Mapped[str | None] = mapped_column(Text)
    triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, default="stored")
    reason: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A verified delivery as it came in. `park_reason` says why it may not be applied now, if so."""

    topic: str
    webhook_id: str
    shopify_event_id: str | None
    api_version: str | None
    triggered_at: datetime
    digest: str
    body: bytes
    park_reason: str | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A delivery to be dispatched."""

    event_id: int
    topic: str
    webhook_id: str
    triggered_at: datetime
    digest: str
    body: bytes | None
    state: str


def store_event(session: Session, shop_id: ShopId, event: NewEvent, now: datetime) -> int | None:
    """Keep the delivery. Returns its event id, or None when this delivery is already kept."""
    insert = dialect_insert(session)
    statement = insert(EventRow).values(
        shop_id=shop_id,
        topic=event.topic,
        webhook_id=event.webhook_id,
        shopify_event_id=event.shopify_event_id,
        api_version=event.api_version,
        triggered_at=event.triggered_at,
        received_at=now,
        digest=event.digest,
        body=event.body,
        state="parked" if event.park_reason else "stored",
        reason=event.park_reason,
    )
    statement = statement.on_conflict_do_nothing(index_elements=["shop_id", "topic", "webhook_id"])
    return session.execute(statement.returning(EventRow.event_id)).scalar_one_or_none()


def read_event(session: Session, shop_id: ShopId, event_id: int) -> StoredEvent | None:
    """The delivery with that key, if this shop has it."""
    row = session.scalar(select(EventRow).where(EventRow.shop_id == shop_id, EventRow.event_id == event_id))
    if row is None:
        return None
    return StoredEvent(row.event_id, row.topic, row.webhook_id, row.triggered_at, row.digest, row.body, row.state)


def read_events(session: Session, shop_id: ShopId, event_ids: Sequence[int]) -> list[StoredEvent]:
    """The shop's deliveries with these keys, oldest first."""
    row = EventRow
    columns = (row.event_id, row.topic, row.webhook_id, row.triggered_at, row.digest, row.body, row.state)
    rows = select(*columns).where(row.shop_id == shop_id, row.event_id.in_(event_ids)).order_by(row.event_id)
    return [StoredEvent(*found) for found in session.execute(rows)]


def mark_done(session: Session, shop_id: ShopId, subject_by_event: Mapping[int, str | None], *, now: datetime) -> None:
    """Write that deliveries were applied, and whom each was about."""
    table: Any = EventRow.__table__
    one = table.c.event_id == bindparam("one", type_=BigInteger)
    marks = update(table).where(table.c.shop_id == shop_id, one)
    done = marks.values(state="done", reason=None, subject=bindparam("about", type_=Text), handled_at=now)
    rows = [{"one": event_id, "about": subject} for event_id, subject in subject_by_event.items()]
    if rows:
        session.connection().execute(done, rows)


def mark_event(
    session: Session,
    shop_id: ShopId,
    event_id: int,
    *,
    state: str,
    reason: str | None,
    subject: str | None,
    now: datetime,
) -> None:
    """Write what became of the delivery."""
    session.execute(
        update(EventRow)
        .where(EventRow.shop_id == shop_id, EventRow.event_id == event_id)
        .values(state=state, reason=reason[:500] if reason else None, subject=subject, handled_at=now)
    )


def parked_events(session: Session, shop_id: ShopId, reasons: Sequence[str]) -> list[int]:
    """Deliveries that waited for one of these reasons, oldest first."""
    found = select(EventRow.event_id).where(
        EventRow.shop_id == shop_id, EventRow.state == "parked", EventRow.reason.in_(reasons)
    )
    return list(session.scalars(found.order_by(EventRow.event_id)))


def unpark(session: Session, shop_id: ShopId, event_ids: Sequence[int]) -> None:
    """Let parked deliveries be dispatched."""
    session.execute(
        update(EventRow)
        .where(EventRow.shop_id == shop_id, EventRow.event_id.in_(event_ids))
        .values(state="stored", reason=None)
    )


def erase_bodies_of(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> int:
    """Erase the raw bytes that came in about these subjects, and whom they were about. Returns the count of rows."""
    about = update(EventRow).where(EventRow.shop_id == shop_id, EventRow.subject.in_(subjects))
    return _count(session.execute(about.values(body=None, subject=None)))


def erase_old(session: Session, shop_id: ShopId, *, bodies_before: datetime, rows_before: datetime) -> int:
    """Erase handled bodies and then whole rows past their retention; parked ones age out too."""
    handled = EventRow.state.in_(("done", "dead", "parked"))
    old = update(EventRow).where(EventRow.shop_id == shop_id, handled, EventRow.received_at < bodies_before)
    erased = _count(session.execute(old.where(EventRow.body.is_not(None)).values(body=None)))
    session.execute(delete(EventRow).where(EventRow.shop_id == shop_id, handled, EventRow.received_at < rows_before))
    return erased


def freshness(session: Session, shop_id: ShopId) -> tuple[datetime | None, int]:
    """Up to when everything that came in is handled, and how many deliveries wait.

    While some wait, that is when the oldest of them came in: a newer one that was handled before it says nothing.
    """
    oldest = session.scalar(
        select(func.min(EventRow.received_at)).where(EventRow.shop_id == shop_id, EventRow.state == "stored")
    )
    newest = oldest or session.scalar(
        select(func.max(EventRow.received_at)).where(EventRow.shop_id == shop_id, EventRow.state == "done")
    )
    waiting = session.scalar(
        select(func.count()).where(EventRow.shop_id == shop_id, EventRow.state == "stored").select_from(EventRow)
    )
    return newest, int(waiting or 0)


def count_by_state(session: Session, shop_id: ShopId) -> dict[str, int]:
    """Deliveries of the shop by state."""
    counted = select(EventRow.state, func.count()).where(EventRow.shop_id == shop_id).group_by(EventRow.state)
    return {state: int(count) for state, count in session.execute(counted)}


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
