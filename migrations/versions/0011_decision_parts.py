"""Decisions whose shared inputs are stored once: rulebook, shelf, and the rejections that hold for everybody."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"
DIGESTS = ("rulebook_digest", "shelf_digest", "shared_digest")


def upgrade() -> None:
    op.create_table(
        "decision_part",
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_decision_part_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", "digest", name=op.f("pk_decision_part")),
    )
    with op.batch_alter_table("decision") as decision:
        for name in DIGESTS:
            decision.add_column(sa.Column(name, sa.Text(), nullable=True))
        decision.add_column(sa.Column("gate", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE decision_part ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE decision_part FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON decision_part USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    with op.batch_alter_table("decision") as decision:
        for name in ("gate", *DIGESTS):
            decision.drop_column(name)
    op.drop_table("decision_part")
