"""Lifecycle sends that were planned, and the merchant's switch for them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TENANT_TABLES = ("planned_send", "send_setting")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"
OPEN = "ended_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "planned_send",
        sa.Column("send_id", _number(), autoincrement=True, nullable=False),
        _shop(),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("customer_id", "anchor_product_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("companion_product_id", "anchor_order_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("relation", "eligible")),
        sa.Column("send_window", sa.Integer(), nullable=False),
        sa.Column("is_random", sa.Boolean(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        *(_moment(name, nullable=False) for name in ("planned_at", "due_at", "closes_at")),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("reason", "decision_id")),
        _moment("claimed_at"),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("offer_id", "offered_product_id")),
        sa.Column("is_holdout", sa.Boolean(), nullable=False),
        *(_moment(name) for name in ("pitched_at", "sent_at", "bought_at", "ended_at")),
        *_keys("planned_send", "send_id"),
    )
    is_open = {"sqlite_where": sa.text(OPEN), "postgresql_where": sa.text(OPEN)}
    op.create_index("ux_planned_send_open", "planned_send", ["shop_id", "customer_id"], unique=True, **is_open)
    op.create_index("ix_planned_send_customer", "planned_send", ["shop_id", "customer_id"], unique=False)
    op.create_index("ix_planned_send_due", "planned_send", ["shop_id", "due_at"], unique=False, **is_open)
    op.create_table(
        "send_setting",
        _shop(),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        _moment("updated_at", nullable=False),
        *_keys("send_setting", "shop_id"),
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


def _number() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _shop() -> sa.Column:
    return sa.Column("shop_id", _number(), nullable=False)


def _moment(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _keys(table: str, key: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
    )
