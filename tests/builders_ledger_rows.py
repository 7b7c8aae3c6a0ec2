"""Every row of the ledger and of credits, for tests that compare whole states."""

from sqlalchemy import select

from shopify_upsell.attribution import store as attribution_store
from shopify_upsell.database import Base

assert attribution_store.CREDIT_CLASSES  # imported so that its tables are known

LEDGER_TABLES = (
    "product",
    "variant",
    "sales_order",
    "order_line",
    "refund",
    "refund_line",
    "order_edit_change",
    "redacted_customer",
    "credit",
)


def rows_of_tables(session, shop_id):
    """Rows of one shop by table, in the order of their keys."""
    found = {}
    for name in LEDGER_TABLES:
        table = Base.metadata.tables[name]
        rows = session.execute(select(table).where(table.c.shop_id == shop_id).order_by(*table.primary_key.columns))
        found[name] = [tuple(row) for row in rows]
    return found
