"""Tables of causes: touchpoints, signed changesets, credits, their postings, frozen paths, model fits, locked months.

Rows stay in this folder: `store`, `journeys`, `journal`, `refit` and `months` read and write them for others.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Row, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.attribution.touches import Touch
from shopify_upsell.core import DecisionId, OfferId, ProductId, VariantId
from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime


class TouchpointRow(Base):
    """Something a shopper did with an offer. Said twice, kept once. `product_ids`: JSON list, null if not told."""

    __tablename__ = "touchpoint"
    __table_args__ = (
        UniqueConstraint("shop_id", "decision_id", "offer_id", "variant_id", "kind"),
        Index("ix_touchpoint_unit", "shop_id", "unit", "occurred_at"),
        Index("ix_touchpoint_cart_token", "shop_id", "cart_token", "occurred_at"),
        Index("ix_touchpoint_kind", "shop_id", "kind", "occurred_at"),
    )

    touchpoint_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    decision_id: Mapped[str] = mapped_column(Text)
    offer_id: Mapped[int] = mapped_column(BigInteger)
    variant_id: Mapped[int] = mapped_column(ExternalId)
    kind: Mapped[str] = mapped_column(Text)
    placement: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    unit: Mapped[str | None] = mapped_column(Text)
    cart_token: Mapped[str | None] = mapped_column(Text)
    book: Mapped[str | None] = mapped_column(Text)
    product_ids: Mapped[str | None] = mapped_column(Text)


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


class CreditPathRow(Base):
    """The touches that led to one credited line and their weights, frozen: later fits and purges change no old line.

    `path_key`: digest of what the path was looked up by; facts that come later look up another. JSON columns:
    `touches` as [channel, kind, microseconds before the line], `weights` as integers of 10^9.
    """

    __tablename__ = "credit_path"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    path_key: Mapped[str] = mapped_column(Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    touches: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(Text)
    weights: Mapped[str] = mapped_column(Text)


class CreditPostingRow(Base):
    """One entry of the journal: by how much a credit's share changed. Only ever added to.

    `sequence`: which posting of the order, `part`: which entry of it. `ordered_at` dates it with its order,
    `occurred_at` with the fact that caused it. `presentment_minor_units`: null while the ledger holds none.
    """

    __tablename__ = "credit_posting"
    __table_args__ = (Index("ix_credit_posting_occurred_at", "shop_id", "occurred_at"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId)
    credit_class: Mapped[str] = mapped_column(Text)
    book: Mapped[str | None] = mapped_column(Text)
    offer_id: Mapped[int | None] = mapped_column(BigInteger)
    decision_id: Mapped[str | None] = mapped_column(Text)
    placement: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    model_version: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str | None] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(BigInteger)
    amount_minor_units: Mapped[int] = mapped_column(BigInteger)
    presentment_minor_units: Mapped[int | None] = mapped_column(BigInteger)
    source_key: Mapped[str] = mapped_column(Text)
    facts_digest: Mapped[str] = mapped_column(Text)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PostedFactsRow(Base):
    """Up to which facts an order was posted: what is new since tells what a posting is due to, and its date."""

    __tablename__ = "posted_facts"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    sequence: Mapped[int] = mapped_column()
    facts: Mapped[str] = mapped_column(Text)


class ModelFitRow(Base):
    """Channel weights learned from a shop's journeys. A new fit is a new version; lines keep the version they had."""

    __tablename__ = "credit_model_fit"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    fitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fit: Mapped[str] = mapped_column(Text)


class LockedStatementRow(Base):
    """A month's statement in one currency as it was closed: `document` is canonical JSON, `digest` its SHA-256."""

    __tablename__ = "locked_statement"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    month: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    locked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)


def touch_from(row: Row[Any]) -> Touch:
    """Read a touchpoint row as the rest of the station sees it."""
    return Touch(
        decision_id=DecisionId(row.decision_id),
        offer_id=OfferId(row.offer_id),
        variant_id=VariantId(row.variant_id),
        kind=row.kind,
        placement=row.placement,
        occurred_at=row.occurred_at,
        unit=row.unit,
        cart_token=row.cart_token,
        book=row.book,
        product_ids=tuple(ProductId(number) for number in json.loads(row.product_ids or "[]")),
    )
