"""Tables of evidence: what is counted of every order, the counts, what was learned from them, and what is refused.

Rows stay in this folder; `store` and `recording` give out plain values.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime


class MatrixRow(Base):
    """The best companions of one product, packed as JSON, best first. `n`: orders with the product."""

    __tablename__ = "matrix_row"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    companions: Mapped[str] = mapped_column(Text)
    n: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column()


class MatrixBuildRow(Base):
    """One learning run of a shop: what it saw and when. Its version is on every row it wrote."""

    __tablename__ = "matrix_build"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    learned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    order_count: Mapped[int] = mapped_column()
    product_count: Mapped[int] = mapped_column()
    pair_count: Mapped[int] = mapped_column()


class CountedBasketRow(Base):
    """The products of one order that the counts hold now: ascending ids, 8 bytes each, little-endian."""

    __tablename__ = "counted_basket"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    products: Mapped[bytes] = mapped_column(LargeBinary)


class ProductCountRow(Base):
    """Orders with one product. There is no row for none."""

    __tablename__ = "product_count"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    n: Mapped[int] = mapped_column()


class PairCountRow(Base):
    """Orders with both of two products, `product_a` < `product_b`. There is no row for none."""

    __tablename__ = "pair_count"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_a: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    product_b: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    n: Mapped[int] = mapped_column()


class NegativeEdgeRow(Base):
    """What is said of a directed pair: learned (replaced by every build), or by the merchant, whose word wins.

    `reason` of a learned edge is `pair` or `kind`, of a merchant's word one of `said.MERCHANT_WORDS`. `observed`
    and `expected` are purchases of the companion by owners of the anchor; `n` counts orders with the anchor.
    """

    __tablename__ = "negative_edge"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    anchor_product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    companion_product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    source: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    observed: Mapped[float] = mapped_column()
    expected: Mapped[float] = mapped_column()
    upper_bound: Mapped[float] = mapped_column()
    n: Mapped[int] = mapped_column()
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)
    review_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
    first_day: Mapped[int | None] = mapped_column()
    last_day: Mapped[int | None] = mapped_column()


class PairWordLogRow(Base):
    """One thing that the merchant said of a pair, or that they took it back. Rows are added and never changed."""

    __tablename__ = "pair_word_log"
    __table_args__ = (Index("ix_pair_word_log_pair", "shop_id", "anchor_product_id", "companion_product_id"),)

    entry_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    anchor_product_id: Mapped[int] = mapped_column(ExternalId)
    companion_product_id: Mapped[int] = mapped_column(ExternalId)
    word: Mapped[str] = mapped_column(Text)
    first_day: Mapped[int | None] = mapped_column()
    last_day: Mapped[int | None] = mapped_column()
    note: Mapped[str] = mapped_column(Text, default="")
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MatrixTimingRow(Base):
    """When the companions of one anchor may follow it, packed as JSON. Anchors without companions have no row."""

    __tablename__ = "matrix_timing"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    anchor_product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    words: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column()
