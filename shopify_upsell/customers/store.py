"""Tables and queries of what we may know of a person. `subject` is `c:{customer id}` or `v:{visitor id}`."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, UtcDateTime


class SuppressionRow(Base):
    """A wish not to be shown a product: dismissed or snoozed, until a date. `product_id` 0 means every product."""

    __tablename__ = "suppression"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
