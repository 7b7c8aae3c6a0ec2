"""The shop's own discounts, as they were read last."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    op.create_table(
        "shop_discount",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("discounts", sa.Text(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_shop_discount_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_discount")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE shop_discount ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE shop_discount FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON shop_discount USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    op.drop_table("shop_discount")
