"""Attribution as append-only postings; statements that are locked."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TENANT_TABLES = ("credit_path", "credit_posting", "posted_facts", "credit_model_fit", "locked_statement")
TOUCH_COLUMNS = ("unit", "cart_token", "book", "product_ids")
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    for column in TOUCH_COLUMNS:
        op.add_column("touchpoint", sa.Column(column, sa.Text(), nullable=True))
    op.create_index("ix_touchpoint_unit", "touchpoint", ["shop_id", "unit", "occurred_at"], unique=False)
    op.create_index("ix_touchpoint_cart_token", "touchpoint", ["shop_id", "cart_token", "occurred_at"], unique=False)
    _create_paths()
    _create_postings()
    op.create_table(
        "credit_model_fit",
        _shop(),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fit", sa.Text(), nullable=False),
        *_keys("credit_model_fit", "model", "version"),
    )
    op.create_table(
        "locked_statement",
        _shop(),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        *_keys("locked_statement", "month", "currency"),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    op.drop_table("locked_statement")
    op.drop_table("credit_model_fit")
    op.drop_table("posted_facts")
    op.drop_index("ix_credit_posting_occurred_at", table_name="credit_posting")
    op.drop_table("credit_posting")
    op.drop_table("credit_path")
    op.drop_index("ix_touchpoint_cart_token", table_name="touchpoint")
    op.drop_index("ix_touchpoint_unit", table_name="touchpoint")
    with op.batch_alter_table("touchpoint") as rows:
        for column in reversed(TOUCH_COLUMNS):
            rows.drop_column(column)


def _create_paths() -> None:
    op.create_table(
        "credit_path",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("path_key", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touches", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        *_keys("credit_path", "order_id", "line_id", "path_key"),
    )


def _create_postings() -> None:
    op.create_table(
        "credit_posting",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_class", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=True),
        sa.Column("offer_id", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("placement", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("presentment_minor_units", sa.BigInteger(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("facts_digest", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("credit_posting", "order_id", "sequence", "part"),
    )
    op.create_index("ix_credit_posting_occurred_at", "credit_posting", ["shop_id", "occurred_at"], unique=False)
    op.create_table(
        "posted_facts",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        *_keys("posted_facts", "order_id"),
    )


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
