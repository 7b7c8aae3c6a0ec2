"""Find jobs that wait by how their key starts, byte by byte, whatever collation the database has."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX ix_job_waiting ON job (shop_id, dedupe_key text_pattern_ops) WHERE state = 'new'")
    else:
        op.execute("CREATE INDEX ix_job_waiting ON job (shop_id, dedupe_key) WHERE state = 'new'")


def downgrade() -> None:
    op.drop_index("ix_job_waiting", table_name="job")
