"""Terms of offers, costs of a shop; costs, stock policy and selling plans of products."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


TENANT_TABLES = ("shop_costs",)
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    op.add_column("offer", sa.Column("terms", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("product", sa.Column("selling_plans", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("product", sa.Column("details_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("variant", sa.Column("unit_cost_minor_units", sa.BigInteger(), nullable=True))
    op.add_column("variant", sa.Column("inventory_policy", sa.Text(), nullable=False, server_default="deny"))
    op.add_column("variant", sa.Column("stock", sa.BigInteger(), nullable=True))
    op.create_table(
        "shop_costs",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("costs", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_shop_costs_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_costs")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)
    with op.batch_alter_table("variant") as variants:
        for name in ("stock", "inventory_policy", "unit_cost_minor_units"):
            variants.drop_column(name)
    with op.batch_alter_table("product") as products:
        for name in ("details_at", "selling_plans"):
            products.drop_column(name)
    with op.batch_alter_table("offer") as offers:
        offers.drop_column("terms")
