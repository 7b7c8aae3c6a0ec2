"""Row level security: on PostgreSQL a transaction sees the rows of the shop it is bound to, and no others.

Without a bound shop it sees none. Tables that serve every shop before one is known have no policy: `shop`, `job`,
`schedule` and `inbox_event`. FORCE makes the policies hold for the tables' owner too; only a superuser or a role with
BYPASSRLS is exempt, so the app's role must be neither.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "shop_token",
    "privacy_request",
    "product",
    "variant",
    "sales_order",
    "order_line",
    "refund",
    "refund_line",
    "order_edit_change",
    "redacted_customer",
    "matrix_build",
    "matrix_row",
    "offer",
    "decision",
    "suppression",
    "touchpoint",
    "changeset",
    "credit",
)
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"DROP POLICY own_shop ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
