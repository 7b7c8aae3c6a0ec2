"""The ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_edit_change",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("edit_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_order_edit_change_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "edit_id", "line_id", name=op.f("pk_order_edit_change")),
    )
    op.create_index("ix_order_edit_change_order", "order_edit_change", ["shop_id", "order_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("variant_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("net_quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("gross_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("removed_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("net_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("current_quantity", sa.BigInteger(), nullable=True),
        sa.Column("is_gift_card", sa.Boolean(), nullable=False),
        sa.Column("offer_token", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_order_line_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "order_id", "line_id", name=op.f("pk_order_line")),
    )
    op.create_index("ix_order_line_offer_token", "order_line", ["shop_id", "offer_token"], unique=False)
    op.create_index("ix_order_line_product", "order_line", ["shop_id", "product_id"], unique=False)
    op.create_table(
        "product",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.Column("is_gift_card", sa.Boolean(), nullable=False),
        sa.Column("requires_selling_plan", sa.Boolean(), nullable=False),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_product_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "product_id", name=op.f("pk_product")),
    )
    op.create_table(
        "redacted_customer",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_redacted_customer_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "customer_digest", name=op.f("pk_redacted_customer")),
    )
    op.create_table(
        "refund",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("discrepancy", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_refund_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "refund_id", name=op.f("pk_refund")),
    )
    op.create_index("ix_refund_order", "refund", ["shop_id", "order_id"], unique=False)
    op.create_table(
        "refund_line",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("subtotal", sa.Text(), nullable=False),
        sa.Column("tax", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_refund_line_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "refund_id", "line_id", name=op.f("pk_refund_line")),
    )
    op.create_table(
        "sales_order",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("is_booked", sa.Boolean(), nullable=False),
        sa.Column("financial_status", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("presentment_currency", sa.Text(), nullable=False),
        sa.Column("taxes_included", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("cart_token", sa.Text(), nullable=True),
        sa.Column("checkout_token", sa.Text(), nullable=True),
        sa.Column("residual_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("version_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_sales_order_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "order_id", name=op.f("pk_sales_order")),
    )
    op.create_index("ix_sales_order_checkout", "sales_order", ["shop_id", "checkout_token"], unique=False)
    op.create_index("ix_sales_order_customer", "sales_order", ["shop_id", "customer_id"], unique=False)
    op.create_index("ix_sales_order_ordered_at", "sales_order", ["shop_id", "ordered_at"], unique=False)
    op.create_table(
        "variant",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("price_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("requires_components", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_variant_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "product_id", "variant_id", name=op.f("pk_variant")),
    )
    op.create_index("ix_variant_variant", "variant", ["shop_id", "variant_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_variant_variant", table_name="variant")
    op.drop_table("variant")
    op.drop_index("ix_sales_order_ordered_at", table_name="sales_order")
    op.drop_index("ix_sales_order_customer", table_name="sales_order")
    op.drop_index("ix_sales_order_checkout", table_name="sales_order")
    op.drop_table("sales_order")
    op.drop_table("refund_line")
    op.drop_index("ix_refund_order", table_name="refund")
    op.drop_table("refund")
    op.drop_table("redacted_customer")
    op.drop_table("product")
    op.drop_index("ix_order_line_product", table_name="order_line")
    op.drop_index("ix_order_line_offer_token", table_name="order_line")
    op.drop_table("order_line")
    op.drop_index("ix_order_edit_change_order", table_name="order_edit_change")
    op.drop_table("order_edit_change")
