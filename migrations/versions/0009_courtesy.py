"""How often a shopper was asked, and what they prefer; how offers are taken, and what was regretted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "courtesy",
    "courtesy_rule",
    "preference",
    "dismissal",
    "reaction_count",
    "taken_line",
    "incident",
)
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    _courtesy_tables()
    _regret_tables()
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)


def _courtesy_tables() -> None:
    op.create_table(
        "courtesy",
        _shop(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("courtesy", "subject"),
    )
    op.create_index("ix_courtesy_touched_at", "courtesy", ["shop_id", "touched_at"])
    op.create_table(
        "courtesy_rule",
        _shop(),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("caps", sa.Text(), nullable=False),
        sa.Column("throttle", sa.Text(), nullable=False),
        *_keys("courtesy_rule", "offer_id"),
    )
    op.create_table(
        "preference",
        _shop(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("preference", "subject"),
    )
    op.create_table(
        "dismissal",
        _shop(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("anchor_product_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        *_keys("dismissal", "subject", "offer_id", "anchor_product_id", "product_id"),
    )
    op.create_table(
        "reaction_count",
        _shop(),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("show_count", sa.Integer(), nullable=False),
        sa.Column("refusal_count", sa.Integer(), nullable=False),
        *_keys("reaction_count", "offer_id", "day", "slot"),
    )


def _regret_tables() -> None:
    op.create_table(
        "taken_line",
        _shop(),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_back", sa.Text(), nullable=True),
        sa.Column("complaint", sa.Text(), nullable=True),
        *_keys("taken_line", "order_id", "line_id"),
    )
    op.create_index("ix_taken_line_offer", "taken_line", ["shop_id", "offer_id", "taken_at"])
    op.create_table(
        "incident",
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        _shop(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_incident_shop_id_shop")),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident")),
    )
    op.create_index("ix_incident_offer", "incident", ["shop_id", "offer_id"])


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
