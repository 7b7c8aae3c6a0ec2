"""Lines taken from offers and what became of them; incidents.

`offer_id` 0 marks the other lines of the same orders: what they are given back is the ordinary rate. No person is
named: an order's id means nothing once the ledger has forgotten whose it was.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Row, Text, case, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import InvalidInput, LineId, NotFound, OfferId, OrderId, ProductId, ShopId, canonical_json
from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime
from shopify_upsell.ledger.tables import put_rows
from shopify_upsell.offers.regret import COMPLAINTS, RegretCounts

OTHER_LINE = OfferId(0)
"""Stands for "no offer of ours" on a line of an order that took one."""

MOST_INCIDENTS = 100


class TakenLineRow(Base):
    """One line of an order with an accepted offer. `given_back` and `complaint`: null while it is kept in peace."""

    __tablename__ = "taken_line"
    __table_args__ = (Index("ix_taken_line_offer", "shop_id", "offer_id", "taken_at"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ExternalId)
    product_id: Mapped[int | None] = mapped_column(ExternalId)
    quantity: Mapped[int] = mapped_column()
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    given_back: Mapped[str | None] = mapped_column(Text)
    complaint: Mapped[str | None] = mapped_column(Text)


class IncidentRow(Base):
    """Something stopped itself. `numbers`: JSON of what was counted. Acknowledged by the merchant, with a note."""

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_offer", "shop_id", "offer_id"),)

    incident_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    kind: Mapped[str] = mapped_column(Text)
    offer_id: Mapped[int] = mapped_column(ExternalId)
    numbers: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True)
class TakenLine:
    """One line of an order with an accepted offer, as it stands. `quantity`: the most units ever credited."""

    order_id: OrderId
    line_id: LineId
    offer_id: OfferId
    product_id: ProductId | None
    quantity: int
    taken_at: datetime
    given_back: str | None
    complaint: str | None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that stopped itself, with the numbers of that moment."""

    incident_id: int
    kind: str
    offer_id: OfferId
    numbers: Mapping[str, float]
    opened_at: datetime
    acknowledged_at: datetime | None
    note: str


def taken_lines(session: Session, shop_id: ShopId, order_id: OrderId) -> dict[LineId, TakenLine]:
    """What is held of an order, by line."""
    rows = session.execute(
        select(TakenLineRow.__table__).where(TakenLineRow.shop_id == shop_id, TakenLineRow.order_id == order_id)
    )
    return {LineId(row.line_id): _line(row) for row in rows}


def put_taken_lines(session: Session, shop_id: ShopId, lines: Sequence[TakenLine]) -> None:
    """Insert or replace lines."""
    put_rows(session, shop_id, TakenLineRow, [{"shop_id": shop_id, **asdict(line)} for line in lines])


def record_complaint(
    session: Session, shop_id: ShopId, order_id: OrderId, complaint: str, *, product_id: ProductId | None = None
) -> tuple[OfferId, ...]:
    """Note a complaint about an order, or about one product in it; the offers it counts against.

    A complaint about a whole order counts against all of its lines, offered or not. Of several the first is kept.
    Raises: InvalidInput for an unknown kind of complaint.
    """
    if complaint not in COMPLAINTS:
        raise InvalidInput("not a kind of complaint")
    about = [TakenLineRow.shop_id == shop_id, TakenLineRow.order_id == order_id]
    if product_id is not None:
        about.append(TakenLineRow.product_id == product_id)
    fresh = update(TakenLineRow).where(*about, TakenLineRow.complaint.is_(None)).values(complaint=complaint)
    session.execute(fresh.execution_options(synchronize_session=False))
    offers = session.scalars(select(TakenLineRow.offer_id).where(*about, TakenLineRow.offer_id != OTHER_LINE))
    return tuple(OfferId(offer_id) for offer_id in sorted(set(offers)))


def regret_counts(session: Session, shop_id: ShopId, offer_id: OfferId) -> RegretCounts:
    """Count an offer's lines since the last incident that the merchant acknowledged, and the shop's ordinary lines."""
    since = session.scalar(
        select(func.max(IncidentRow.acknowledged_at)).where(
            IncidentRow.shop_id == shop_id, IncidentRow.offer_id == offer_id
        )
    )
    taken, regretted = _counted(session, shop_id, offer_id, since)
    ordinary, back = _counted(session, shop_id, OTHER_LINE, None)
    return RegretCounts(taken, regretted, ordinary, back)


def open_incident(
    session: Session, shop_id: ShopId, kind: str, offer_id: OfferId, numbers: Mapping[str, float], *, now: datetime
) -> Incident:
    """Write down that an offer stopped itself; while one is open for it, that one stands."""
    held = session.scalars(
        select(IncidentRow).where(
            IncidentRow.shop_id == shop_id,
            IncidentRow.offer_id == offer_id,
            IncidentRow.kind == kind,
            IncidentRow.acknowledged_at.is_(None),
        )
    ).first()
    if held is not None:
        return _incident(held)
    row = IncidentRow(
        shop_id=shop_id, kind=kind, offer_id=offer_id, numbers=canonical_json(dict(numbers)), opened_at=now, note=""
    )
    session.add(row)
    session.flush()
    return _incident(row)


def incidents(session: Session, shop_id: ShopId, *, only_open: bool = False) -> list[Incident]:
    """Incidents of the shop, the latest first, the last hundred."""
    found = select(IncidentRow).where(IncidentRow.shop_id == shop_id)
    if only_open:
        found = found.where(IncidentRow.acknowledged_at.is_(None))
    rows = session.scalars(found.order_by(IncidentRow.incident_id.desc()).limit(MOST_INCIDENTS))
    return [_incident(row) for row in rows]


def acknowledge_incident(session: Session, shop_id: ShopId, incident_id: int, *, note: str, now: datetime) -> Incident:
    """Note that the merchant has seen an incident. What came before counts no more.

    Raises: NotFound, InvalidInput.
    """
    if not note.strip() or len(note) > 500:
        raise InvalidInput("an incident is acknowledged with a note of at most 500 characters")
    row = session.scalars(
        select(IncidentRow).where(IncidentRow.shop_id == shop_id, IncidentRow.incident_id == incident_id)
    ).first()
    if row is None:
        raise NotFound("no such incident")
    if row.acknowledged_at is None:
        row.acknowledged_at, row.note = now, note.strip()
        session.flush()
    return _incident(row)


def _counted(session: Session, shop_id: ShopId, offer_id: OfferId, since: datetime | None) -> tuple[int, int]:
    is_regretted = or_(TakenLineRow.given_back.is_not(None), TakenLineRow.complaint.is_not(None))
    counted = select(func.count(), func.sum(case((is_regretted, 1), else_=0))).where(
        TakenLineRow.shop_id == shop_id, TakenLineRow.offer_id == offer_id
    )
    if since is not None:
        counted = counted.where(TakenLineRow.taken_at > since)
    row = session.execute(counted).one()
    return int(row[0]), int(row[1] or 0)


def _line(row: Row[Any]) -> TakenLine:
    return TakenLine(
        order_id=OrderId(row.order_id),
        line_id=LineId(row.line_id),
        offer_id=OfferId(row.offer_id),
        product_id=None if row.product_id is None else ProductId(row.product_id),
        quantity=row.quantity,
        taken_at=row.taken_at,
        given_back=row.given_back,
        complaint=row.complaint,
    )


def _incident(row: IncidentRow) -> Incident:
    return Incident(
        incident_id=row.incident_id,
        kind=row.kind,
        offer_id=OfferId(row.offer_id),
        numbers=json.loads(row.numbers),
        opened_at=row.opened_at,
        acknowledged_at=row.acknowledged_at,
        note=row.note,
    )
