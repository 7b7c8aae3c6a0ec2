"""Counts of products and pairs kept order by order, negative edges, and how many orders a row of evidence rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TENANT_TABLES = ("counted_basket", "product_count", "pair_count", "negative_edge")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    op.create_table(
        "counted_basket",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("products", sa.LargeBinary(), nullable=False),
        *_keys("counted_basket", "order_id"),
    )
    op.create_table(
        "product_count",
        _shop(),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        *_keys("product_count", "product_id"),
    )
    op.create_table(
        "pair_count",
        _shop(),
        sa.Column("product_a", sa.BigInteger(), nullable=False),
        sa.Column("product_b", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        *_keys("pair_count", "product_a", "product_b"),
    )
    op.create_table(
        "negative_edge",
        _shop(),
        sa.Column("anchor_product_id", sa.BigInteger(), nullable=False),
        sa.Column("companion_product_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("observed", sa.Double(), nullable=False),
        sa.Column("expected", sa.Double(), nullable=False),
        sa.Column("upper_bound", sa.Double(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        *_keys("negative_edge", "anchor_product_id", "companion_product_id", "source"),
    )
    op.add_column("matrix_row", sa.Column("n", sa.Integer(), nullable=False, server_default="0"))
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    with op.batch_alter_table("matrix_row") as rows:
        rows.drop_column("n")
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
