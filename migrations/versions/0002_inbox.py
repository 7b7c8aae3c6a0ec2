"""The inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbox_event",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("shopify_event_id", sa.Text(), nullable=True),
        sa.Column("api_version", sa.Text(), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_inbox_event_shop_id_shop")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_inbox_event")),
        sa.UniqueConstraint("shop_id", "topic", "webhook_id", name=op.f("uq_inbox_event_shop_id_topic_webhook_id")),
    )
    op.create_index("ix_inbox_event_received_at", "inbox_event", ["received_at"], unique=False)
    op.create_index("ix_inbox_event_subject", "inbox_event", ["shop_id", "subject"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_inbox_event_subject", table_name="inbox_event")
    op.drop_index("ix_inbox_event_received_at", table_name="inbox_event")
    op.drop_table("inbox_event")
