"""What cards came to, how long products last, and what orders are worth in the shopper's currency."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TENANT_TABLES = ("acceptance_count", "product_supply")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"
SHOWN_COLUMNS = {
    "order_line": {
        "presentment_unit_price_minor_units": sa.BigInteger,
        "presentment_discount_minor_units": sa.BigInteger,
        "presentment_tax_minor_units": sa.BigInteger,
        "presentment_net_minor_units": sa.BigInteger,
    },
    "refund": {"presentment_currency": sa.Text, "presentment_discrepancy": sa.Text},
    "refund_line": {"presentment_subtotal": sa.Text, "presentment_tax": sa.Text},
}


def upgrade() -> None:
    op.create_table(
        "acceptance_count",
        _shop(),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("shown_count", sa.BigInteger(), nullable=False),
        sa.Column("taken_count", sa.BigInteger(), nullable=False),
        sa.Column("expected_anyway", sa.Double(), nullable=False),
        *_keys("acceptance_count", "product_id", "offer_id"),
    )
    op.create_table(
        "product_supply",
        _shop(),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Double(), nullable=False),
        *_keys("product_supply", "product_id"),
    )
    op.create_index("ix_touchpoint_kind", "touchpoint", ["shop_id", "kind", "occurred_at"], unique=False)
    for table, columns in SHOWN_COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    for table, columns in SHOWN_COLUMNS.items():
        with op.batch_alter_table(table) as rows:
            for name in columns:
                rows.drop_column(name)
    op.drop_index("ix_touchpoint_kind", table_name="touchpoint")
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
