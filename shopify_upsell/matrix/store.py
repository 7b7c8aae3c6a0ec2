"""Tables and queries of evidence: one packed row of companions a product, versioned so that decisions replay."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, UtcDateTime

KINDS = ("with", "upgrade")


class MatrixRow(Base):
    """The best companions of one product, packed as JSON, best first."""

    __tablename__ = "matrix_row"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    companions: Mapped[str] = mapped_column(Text)
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
