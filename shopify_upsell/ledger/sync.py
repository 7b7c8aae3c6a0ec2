"""Read products and orders from the Admin API and record them as if their webhooks had come.

Calls happen outside any transaction; the pages are written in one. Reconciling again changes nothing: the ledger
keeps a version only if it is newer than what it holds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.backfill import record_order_nodes, record_product_nodes
from shopify_upsell.ledger.store import newest_order_version
from shopify_upsell.shops.access import ShopAccess

MOST_PAGES = 500
FIRST_BACKFILL = timedelta(days=60)
"""Without `read_all_orders` Shopify answers orders of the last 60 days only."""
OVERLAP = timedelta(days=2)
"""Deliveries may be a day late; reading two days again costs little and misses nothing."""

Write = Callable[[Session], Sequence[Announcement]]


class CatalogueSync:
    """The job that reads the whole catalogue."""

    def __init__(self, access: ShopAccess) -> None:
        self._access = access

    def sync(self, job: Job) -> Write:
        """Fetch every product; returns the write."""
        client = self._access.admin_client(job.shop_id, job.now)
        nodes = [node for page in pages(client, "products", {}) for node in page]
        return lambda session: record_product_nodes(session, job.shop_id, nodes)


class OrderReconciliation:
    """The job that finds orders whose webhooks never came."""

    def __init__(self, access: ShopAccess, database: Database) -> None:
        self._access, self._database = access, database

    def reconcile(self, job: Job) -> Write:
        """Fetch orders updated since shortly before the newest one held; returns the write."""
        since = self._since(job.shop_id, job.now)
        client = self._access.admin_client(job.shop_id, job.now)
        search = {"query": f"updated_at:>='{since:%Y-%m-%dT%H:%M:%SZ}'"}
        nodes = [node for page in pages(client, "orders", search) for node in page]
        return lambda session: record_order_nodes(session, job.shop_id, nodes)

    def _since(self, shop_id: ShopId, now: datetime) -> datetime:
        with self._database.read() as session:
            bind_shop(session, shop_id)
            newest = newest_order_version(session, shop_id)
        earliest = now - FIRST_BACKFILL
        return max(earliest, newest - OVERLAP) if newest else earliest


OPERATIONS = {"products": "products", "orders": "orders_updated"}


def pages(client: AdminClient, connection: str, variables: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Walk a connection page by page. Units: at most `MOST_PAGES` pages of 50."""
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        answer = client.run(OPERATIONS[connection], {**variables, "after": cursor})
        found = answer.data[connection]
        yield found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return
        cursor = found["pageInfo"]["endCursor"]
