"""Tables and queries of causes: touchpoints, signed changesets, credits."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime

CREDIT_CLASSES = ("direct", "unattributed", "residual")
TOUCHPOINT_KINDS = ("impression", "click", "accept", "dismiss", "snooze")


class TouchpointRow(Base):
    """Something a shopper did with an offer. Said twice, kept once."""

    __tablename__ = "touchpoint"
    __table_args__ = (UniqueConstraint("shop_id", "decision_id", "offer_id", "variant_id", "kind"),)

    touchpoint_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    decision_id: Mapped[str] = mapped_column(Text)
    offer_id: Mapped[int] = mapped_column(BigInteger)
    variant_id: Mapped[int] = mapped_column(ExternalId)
    kind: Mapped[str] = mapped_column(Text)
    placement: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChangesetRow(Base):
    """A post-purchase change that we signed. One a reference and offer; `order_id` once Shopify confirmed it."""

    __tablename__ = "changeset"
    __table_args__ = (
        UniqueConstraint("shop_id", "reference_id", "offer_id"),
        Index("ix_changeset_order", "shop_id", "order_id"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    changeset_id: Mapped[str] = mapped_column(Text, primary_key=True)
    reference_id: Mapped[str] = mapped_column(Text)
    decision_id: Mapped[str] = mapped_column(Text)
    offer_id: Mapped[int] = mapped_column(BigInteger)
    offer_kind: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[int] = mapped_column(ExternalId)
    quantity: Mapped[int] = mapped_column()
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    token: Mapped[str] = mapped_column(Text)
    order_id: Mapped[int | None] = mapped_column(ExternalId)


class CreditRow(Base):
    """A share of one order line. The parts of an order's lines and its residual add up to the ledger exactly."""

    __tablename__ = "credit"
    __table_args__ = (Index("ix_credit_class", "shop_id", "credit_class"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    credit_class: Mapped[str] = mapped_column(Text, primary_key=True)
    offer_id: Mapped[int | None] = mapped_column(BigInteger)
    decision_id: Mapped[str | None] = mapped_column(Text)
    book: Mapped[str | None] = mapped_column(Text)
    placement: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(BigInteger)
    amount_minor_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
