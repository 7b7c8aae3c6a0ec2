"""Tables of the ledger. Natural keys only and none of our own clock, so that the same facts give the same bytes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, UtcDateTime


class ProductRow(Base):
    """A product as Shopify last described it."""

    __tablename__ = "product"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    handle: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    is_published: Mapped[bool] = mapped_column()
    is_gift_card: Mapped[bool] = mapped_column(default=False)
    requires_selling_plan: Mapped[bool] = mapped_column(default=False)
    product_type: Mapped[str] = mapped_column(Text, default="")
    vendor: Mapped[str] = mapped_column(Text, default="")
    image_url: Mapped[str | None] = mapped_column(Text)
    is_deleted: Mapped[bool] = mapped_column(default=False)
    version_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_digest: Mapped[str] = mapped_column(Text)


class VariantRow(Base):
    """A variant and its price in the shop's currency."""

    __tablename__ = "variant"
    __table_args__ = (Index("ix_variant_product", "shop_id", "product_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    variant_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId)
    position: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(Text, default="")
    sku: Mapped[str] = mapped_column(Text, default="")
    price_minor_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    is_available: Mapped[bool] = mapped_column(default=True)
    requires_components: Mapped[bool] = mapped_column(default=False)


class OrderRow(Base):
    """The newest version of an order. `residual_minor_units`: refunded beyond what its lines can carry (≤ 0)."""

    __tablename__ = "sales_order"
    __table_args__ = (
        Index("ix_sales_order_customer", "shop_id", "customer_id"),
        Index("ix_sales_order_ordered_at", "shop_id", "ordered_at"),
        Index("ix_sales_order_checkout", "shop_id", "checkout_token"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_deleted: Mapped[bool] = mapped_column(default=False)
    is_test: Mapped[bool] = mapped_column(default=False)
    is_booked: Mapped[bool] = mapped_column(default=False)
    financial_status: Mapped[str] = mapped_column(Text)
    source_name: Mapped[str] = mapped_column(Text, default="")
    currency: Mapped[str] = mapped_column(Text)
    presentment_currency: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None] = mapped_column(ExternalId)
    cart_token: Mapped[str | None] = mapped_column(Text)
    checkout_token: Mapped[str | None] = mapped_column(Text)
    residual_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    version_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_digest: Mapped[str] = mapped_column(Text)


class OrderLineRow(Base):
    """One line of an order and what it is worth now. All amounts: shop currency, ex tax and shipping."""

    __tablename__ = "order_line"
    __table_args__ = (
        Index("ix_order_line_product", "shop_id", "product_id"),
        Index("ix_order_line_offer_token", "shop_id", "offer_token"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    position: Mapped[int] = mapped_column()
    product_id: Mapped[int | None] = mapped_column(ExternalId)
    variant_id: Mapped[int | None] = mapped_column(ExternalId)
    quantity: Mapped[int] = mapped_column(BigInteger)
    net_quantity: Mapped[int] = mapped_column(BigInteger)
    unit_price_minor_units: Mapped[int] = mapped_column(BigInteger)
    gross_minor_units: Mapped[int] = mapped_column(BigInteger)
    discount_minor_units: Mapped[int] = mapped_column(BigInteger)
    tax_minor_units: Mapped[int] = mapped_column(BigInteger)
    refunded_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    removed_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    net_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    current_quantity: Mapped[int | None] = mapped_column(BigInteger)
    is_gift_card: Mapped[bool] = mapped_column(default=False)
    offer_token: Mapped[str | None] = mapped_column(Text)


class RefundRow(Base):
    """A refund. `discrepancy_minor_units`: what it gave back beyond (negative) or short of (positive) its lines."""

    __tablename__ = "refund"
    __table_args__ = (Index("ix_refund_order", "shop_id", "order_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    refund_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    refunded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    currency: Mapped[str | None] = mapped_column(Text)
    discrepancy: Mapped[str] = mapped_column(Text, default="0")
    content_digest: Mapped[str] = mapped_column(Text)


class RefundLineRow(Base):
    """Units of one order line given back. Amounts are Shopify's decimal strings: the order names the currency."""

    __tablename__ = "refund_line"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    refund_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    refund_line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    line_id: Mapped[int] = mapped_column(ExternalId)
    quantity: Mapped[int] = mapped_column(BigInteger)
    subtotal: Mapped[str] = mapped_column(Text)
    tax: Mapped[str] = mapped_column(Text, default="0")


class OrderEditRow(Base):
    """A committed order edit, and the change of quantity it made to one line."""

    __tablename__ = "order_edit_change"
    __table_args__ = (Index("ix_order_edit_change_order", "shop_id", "order_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    edit_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    delta: Mapped[int] = mapped_column(BigInteger)
    committed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RedactedCustomerRow(Base):
    """A customer who asked to be forgotten: later webhooks of theirs are stored without the link."""

    __tablename__ = "redacted_customer"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    customer_digest: Mapped[str] = mapped_column(Text, primary_key=True)
