"""When orders arrived, what customers own and how products fare, when a companion follows, what merchants said."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TENANT_TABLES = ("shipment", "order_delivery", "usual_delivery", "product_health", "matrix_timing", "pair_word_log")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    _deliveries()
    op.create_table(
        "product_health",
        _shop(),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("rating", sa.Double(), nullable=True),
        sa.Column("rating_count", sa.Integer(), nullable=False),
        *_keys("product_health", "product_id"),
    )
    op.create_table(
        "matrix_timing",
        _shop(),
        sa.Column("anchor_product_id", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_keys("matrix_timing", "anchor_product_id"),
    )
    _word_log()
    op.add_column("negative_edge", sa.Column("first_day", sa.Integer(), nullable=True))
    op.add_column("negative_edge", sa.Column("last_day", sa.Integer(), nullable=True))
    op.create_index("ix_sales_order_customer_time", "sales_order", ["shop_id", "customer_id", "ordered_at"])
    op.drop_index("ix_sales_order_customer", "sales_order")
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    op.create_index("ix_sales_order_customer", "sales_order", ["shop_id", "customer_id"])
    op.drop_index("ix_sales_order_customer_time", "sales_order")
    with op.batch_alter_table("negative_edge") as edges:
        edges.drop_column("last_day")
        edges.drop_column("first_day")
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)


def _deliveries() -> None:
    op.create_table(
        "shipment",
        _shop(),
        sa.Column("fulfillment_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        _moment("shipped_at"),
        sa.Column("is_undone", sa.Boolean(), nullable=False),
        *(_moment(name) for name in ("moved_at", "delivered_at", "seen_delivered_at", "failed_at")),
        *(_moment(name) for name in ("estimated_at", "estimate_told_at")),
        sa.Column("version_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_digest", sa.Text(), nullable=False),
        *_keys("shipment", "fulfillment_id"),
    )
    op.create_index("ix_shipment_order", "shipment", ["shop_id", "order_id"])
    op.create_table(
        "order_delivery",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        *(_moment(name) for name in ("shipped_at", "delivered_at", "failed_at", "estimated_at")),
        *_keys("order_delivery", "order_id"),
    )
    op.create_table(
        "usual_delivery",
        _shop(),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("ship_seconds", "transit_seconds")),
        sa.Column("altogether_seconds", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("is_assumed", sa.Boolean(), nullable=False),
        *_keys("usual_delivery"),
    )


def _word_log() -> None:
    op.create_table(
        "pair_word_log",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        _shop(),
        sa.Column("anchor_product_id", sa.BigInteger(), nullable=False),
        sa.Column("companion_product_id", sa.BigInteger(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=True),
        sa.Column("last_day", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_pair_word_log_shop_id_shop")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_pair_word_log")),
    )
    pair = ["shop_id", "anchor_product_id", "companion_product_id"]
    op.create_index("ix_pair_word_log_pair", "pair_word_log", pair)


def _moment(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
