"""The log of what merchants changed: who, when, what it was and what it is. Rows are added and never changed.

Whoever changes something for a merchant says so here in the same transaction: the API and the command.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ShopId, canonical_json
from shopify_upsell.database import Base, OwnId, UtcDateTime

WHATS = ("offer", "incident", "caps", "costs", "settings", "pair_word", "target", "experiment")
"""Kinds of things that a merchant changes."""

MOST_CHANGES = 200


class MerchantChangeRow(Base):
    """One change. `user_id`: the person of the shop's staff; null where the operator's command made it."""

    __tablename__ = "merchant_change"
    __table_args__ = (Index("ix_merchant_change_what", "shop_id", "what", "subject"),)

    change_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    what: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Editor:
    """Who changes something, and when. `user_id` None: the operator's command."""

    user_id: int | None
    now: datetime


@dataclass(frozen=True, slots=True)
class MerchantChange:
    """One entry of the log. `before` None: it was not there; `after` None: it is there no more."""

    change_id: int
    changed_at: datetime
    user_id: int | None
    what: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def log_change(
    session: Session,
    shop_id: ShopId,
    editor: Editor,
    about: tuple[str, str],
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Write down a change. `about`: what kind of thing, and which one. What changed nothing is not written down."""
    what, subject = about
    if what not in WHATS:
        raise ValueError(f"nothing that a merchant changes: {what}")
    if before == after:
        return
    values = {"before": _written(before), "after": _written(after), "what": what, "subject": subject}
    row = insert(MerchantChangeRow).values(shop_id=shop_id, changed_at=editor.now, user_id=editor.user_id, **values)
    session.execute(row)


def merchant_changes(
    session: Session,
    shop_id: ShopId,
    *,
    what: str | None = None,
    subject: str | None = None,
    before_id: int | None = None,
) -> list[MerchantChange]:
    """Entries of the log, the latest first, at most MOST_CHANGES. `before_id` continues a list."""
    row = MerchantChangeRow
    wanted = select(row.__table__).where(row.shop_id == shop_id)
    for column, value in ((row.what, what), (row.subject, subject)):
        wanted = wanted.where(column == value) if value is not None else wanted
    if before_id is not None:
        wanted = wanted.where(row.change_id < before_id)
    found = session.execute(wanted.order_by(row.change_id.desc()).limit(MOST_CHANGES))
    return [
        MerchantChange(
            change_id=one.change_id,
            changed_at=one.changed_at,
            user_id=one.user_id,
            what=one.what,
            subject=one.subject,
            before=_read(one.before),
            after=_read(one.after),
        )
        for one in found
    ]


def _written(document: Mapping[str, Any] | None) -> str | None:
    return None if document is None else canonical_json(dict(document))


def _read(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else dict(json.loads(text))
