"""How current reports are: what the inbox has handled, and what still waits in it.

The inbox stands above reports, so its table is read by its name, as the open export reads all of them.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Base
from shopify_upsell.reports.month import Freshness

INBOX = "inbox_event"


def read_freshness(session: Session, shop_id: ShopId, *, now: datetime) -> Freshness:
    """When the newest handled delivery came in, and how many wait. Before the inbox exists nothing was heard."""
    table = Base.metadata.tables.get(INBOX)
    if table is None:
        return Freshness(as_of=now, newest_event_at=None, waiting_events=0)
    mine = table.c.shop_id == shop_id
    newest = session.scalar(select(func.max(table.c.received_at)).where(mine, table.c.state == "done"))
    waiting = session.scalar(select(func.count()).select_from(table).where(mine, table.c.state == "stored"))
    return Freshness(as_of=now, newest_event_at=newest, waiting_events=int(waiting or 0))
