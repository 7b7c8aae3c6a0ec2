"""What is known of a customer: signals, profile, api keys."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TENANT_TABLES = ("customer_signal", "customer_profile", "shop_api_key")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    op.create_table(
        "customer_signal",
        _shop(),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        *_keys("customer_signal", "source", "external_id", "kind"),
    )
    op.create_index("ix_customer_signal_subject", "customer_signal", ["shop_id", "subject", "occurred_at"])
    op.create_index("ix_customer_signal_order", "customer_signal", ["shop_id", "order_id"])
    op.create_index("ix_customer_signal_kind", "customer_signal", ["shop_id", "kind", "occurred_at"])
    op.create_table(
        "customer_profile",
        _shop(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("order_count", sa.BigInteger(), nullable=False),
        sa.Column("first_ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_count", sa.BigInteger(), nullable=False),
        sa.Column("last_delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("marketing_consent", sa.Boolean(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("affinities", sa.Text(), nullable=False),
        *_keys("customer_profile", "subject"),
    )
    op.create_table(
        "shop_api_key",
        _shop(),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        *_keys("shop_api_key", "key_id"),
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


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
