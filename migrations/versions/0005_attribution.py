"""Touchpoints, changesets and credits."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changeset",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("changeset_id", sa.Text(), nullable=False),
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_kind", sa.Text(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_changeset_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "changeset_id", name=op.f("pk_changeset")),
        sa.UniqueConstraint(
            "shop_id", "reference_id", "offer_id", name=op.f("uq_changeset_shop_id_reference_id_offer_id")
        ),
    )
    op.create_index("ix_changeset_order", "changeset", ["shop_id", "order_id"], unique=False)
    op.create_table(
        "credit",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_class", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("book", sa.Text(), nullable=True),
        sa.Column("placement", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_credit_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "order_id", "line_id", "credit_class", name=op.f("pk_credit")),
    )
    op.create_index("ix_credit_class", "credit", ["shop_id", "credit_class"], unique=False)
    op.create_table(
        "touchpoint",
        sa.Column(
            "touchpoint_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("placement", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_touchpoint_shop_id_shop")),
        sa.PrimaryKeyConstraint("touchpoint_id", name=op.f("pk_touchpoint")),
        sa.UniqueConstraint(
            "shop_id",
            "decision_id",
            "offer_id",
            "variant_id",
            "kind",
            name=op.f("uq_touchpoint_shop_id_decision_id_offer_id_variant_id_kind"),
        ),
    )


def downgrade() -> None:
    op.drop_table("touchpoint")
    op.drop_index("ix_credit_class", table_name="credit")
    op.drop_table("credit")
    op.drop_index("ix_changeset_order", table_name="changeset")
    op.drop_table("changeset")
