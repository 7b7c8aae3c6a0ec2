"""Tables and queries of offers and of the decisions made about them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, OwnId, UtcDateTime

OFFER_STATES = ("draft", "live", "paused")


class OfferRow(Base):
    """What a merchant may show. JSON columns: `placements`, `anchors` and `companions` (null: any, or the matrix)."""

    __tablename__ = "offer"
    __table_args__ = (Index("ix_offer_shop", "shop_id", "state"),)

    offer_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="draft")
    placements: Mapped[str] = mapped_column(Text)
    anchors: Mapped[str | None] = mapped_column(Text)
    companions: Mapped[str | None] = mapped_column(Text)
    discount_basis_points: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DecisionRow(Base):
    """Our answer to one request. `inputs` is the whole snapshot, so that the pure pipeline replays to `answer`."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_decided_at", "shop_id", "decided_at"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    placement: Mapped[str] = mapped_column(Text)
    unit: Mapped[str | None] = mapped_column(Text)
    is_holdout: Mapped[bool] = mapped_column(default=False)
    offer_count: Mapped[int] = mapped_column()
    engine_version: Mapped[str] = mapped_column(Text)
    inputs: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
