"""Tables of lifecycle sends: each that was planned and what became of it, and the merchant's switch."""

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime

_OPEN = text("ended_at IS NULL")


class SendRow(Base):
    """One planned send and what became of it.

    `eligible`: numbers of the windows that were possible, with commas; `send_window` the one drawn, with `propensity`.
    `due_at`: when it is next looked at; `closes_at`: the end of its window. `claimed_at`: `decision_id` is being
    decided since then; null: that decision is made. `pitched_at`: handed over, or withheld from the holdout at the
    same point. `ended_at` null: open, and a customer has at most one such row.
    """

    __tablename__ = "planned_send"
    __table_args__ = (
        Index(
            "ux_planned_send_open",
            "shop_id",
            "customer_id",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("ix_planned_send_customer", "shop_id", "customer_id"),
        Index("ix_planned_send_due", "shop_id", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    send_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    customer_id: Mapped[int] = mapped_column(ExternalId)
    anchor_product_id: Mapped[int] = mapped_column(ExternalId)
    companion_product_id: Mapped[int] = mapped_column(ExternalId)
    anchor_order_id: Mapped[int] = mapped_column(ExternalId)
    relation: Mapped[str] = mapped_column(Text)
    eligible: Mapped[str] = mapped_column(Text)
    send_window: Mapped[int] = mapped_column()
    is_random: Mapped[bool] = mapped_column()
    propensity: Mapped[float] = mapped_column(Double)
    planned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    decision_id: Mapped[str | None] = mapped_column(Text)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    offer_id: Mapped[int | None] = mapped_column(ExternalId)
    offered_product_id: Mapped[int | None] = mapped_column(ExternalId)
    is_holdout: Mapped[bool] = mapped_column(default=False)
    pitched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bought_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SendSettingRow(Base):
    """The merchant's switch. No row: off. `source`: whose API key may fetch sends; null: nobody's."""

    __tablename__ = "send_setting"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    is_on: Mapped[bool] = mapped_column()
    source: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
