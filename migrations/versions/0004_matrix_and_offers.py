"""Evidence, offers, decisions and suppressions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("placement", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("is_holdout", sa.Boolean(), nullable=False),
        sa.Column("offer_count", sa.Integer(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_decision_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "decision_id", name=op.f("pk_decision")),
    )
    op.create_index("ix_decision_decided_at", "decision", ["shop_id", "decided_at"], unique=False)
    op.create_index("ix_decision_unit", "decision", ["shop_id", "unit"], unique=False)
    op.create_table(
        "matrix_build",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_count", sa.Integer(), nullable=False),
        sa.Column("product_count", sa.Integer(), nullable=False),
        sa.Column("pair_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_matrix_build_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "version", name=op.f("pk_matrix_build")),
    )
    op.create_table(
        "matrix_row",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("companions", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_matrix_row_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "kind", "product_id", name=op.f("pk_matrix_row")),
    )
    op.create_table(
        "offer",
        sa.Column("offer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("placements", sa.Text(), nullable=False),
        sa.Column("anchors", sa.Text(), nullable=True),
        sa.Column("companions", sa.Text(), nullable=True),
        sa.Column("discount_basis_points", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_offer_shop_id_shop")),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_offer")),
    )
    op.create_index("ix_offer_shop", "offer", ["shop_id", "state"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_suppression_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "subject", "product_id", name=op.f("pk_suppression")),
    )


def downgrade() -> None:
    op.drop_table("suppression")
    op.drop_index("ix_offer_shop", table_name="offer")
    op.drop_table("offer")
    op.drop_table("matrix_row")
    op.drop_table("matrix_build")
    op.drop_index("ix_decision_unit", table_name="decision")
    op.drop_index("ix_decision_decided_at", table_name="decision")
    op.drop_table("decision")
