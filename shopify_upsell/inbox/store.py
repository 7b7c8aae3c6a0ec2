"""Table and queries of the inbox: every verified webhook delivery, stored once."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, OwnId, UtcDateTime

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
