"""Tables of what is known of customers: signals, the profile that follows from them, and who may tell signals.

Rows stay in this folder. `subject` is `c:{customer id}`, `v:{visitor id}`, or `o:{order id}` for what concerns an order
whose customer is not known yet: nobody reads those until the order names one.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Row, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.customers.signal import Signal
from shopify_upsell.database import Base, ExternalId, UtcDateTime


class SignalRow(Base):
    """Something that happened to a person. `digest` decides between two tellings of one moment."""

    __tablename__ = "customer_signal"
    __table_args__ = (
        Index("ix_customer_signal_subject", "shop_id", "subject", "occurred_at"),
        Index("ix_customer_signal_order", "shop_id", "order_id"),
        Index("ix_customer_signal_kind", "shop_id", "kind", "occurred_at"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    source: Mapped[str] = mapped_column(Text, primary_key=True)
    external_id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    value: Mapped[float | None] = mapped_column(Double)
    order_id: Mapped[int | None] = mapped_column(ExternalId)
    product_id: Mapped[int | None] = mapped_column(ExternalId)
    reason: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)


class ProfileRow(Base):
    """What follows from a customer's lasting signals, and what the merchant lets us know. JSON in the last two."""

    __tablename__ = "customer_profile"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    order_count: Mapped[int] = mapped_column(BigInteger, default=0)
    first_ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_count: Mapped[int] = mapped_column(BigInteger, default=0)
    last_delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    subscription: Mapped[str] = mapped_column(Text, default="none")
    marketing_consent: Mapped[bool | None] = mapped_column()
    attributes: Mapped[str] = mapped_column(Text, default="{}")
    affinities: Mapped[str] = mapped_column(Text, default="{}")


class ApiKeyRow(Base):
    """A key of a shop's signals API: the hash of its secret, never the secret."""

    __tablename__ = "shop_api_key"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


SIGNAL_COLUMNS: tuple[Any, ...] = (
    SignalRow.kind,
    SignalRow.subject,
    SignalRow.occurred_at,
    SignalRow.source,
    SignalRow.external_id,
    SignalRow.value,
    SignalRow.order_id,
    SignalRow.product_id,
    SignalRow.reason,
)
"""What a signal is read from."""


def signal_of(row: Row[Any]) -> Signal:
    """A row of `SIGNAL_COLUMNS` as a signal."""
    return Signal(
        kind=row.kind,
        subject=row.subject,
        occurred_at=row.occurred_at,
        source=row.source,
        external_id=row.external_id,
        value=row.value,
        order_id=row.order_id,
        product_id=row.product_id,
        reason=row.reason,
    )
