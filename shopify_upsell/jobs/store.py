"""Tables of background work: jobs with lease and fencing, and the schedule any number of clocks may share."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, OwnId, UtcDateTime

STATES = ("new", "done", "dead")


class JobRow(Base):
    """One piece of work. `lease_token` fences: only the worker holding it may finish the row."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("shop_id", "dedupe_key"),
        Index(
            "ix_job_waiting",
            "shop_id",
            "dedupe_key",
            postgresql_ops={"dedupe_key": "text_pattern_ops"},
            sqlite_where=text("state = 'new'"),
            postgresql_where=text("state = 'new'"),
        ),
        Index(
            "ix_job_due",
            "not_before",
            "job_id",
            sqlite_where=text("state = 'new'"),
            postgresql_where=text("state = 'new'"),
        ),
    )

    job_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    kind: Mapped[str] = mapped_column(Text)
    dedupe_key: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="new")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ScheduleRow(Base):
    """One recurring job of one shop. A clock claims a slot by moving `next_at` in the transaction that enqueues."""

    __tablename__ = "schedule"
    __table_args__ = (Index("ix_schedule_next_at", "next_at"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    every_seconds: Mapped[int] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
