"""Read products and orders from the Admin API and record them as if their webhooks had come.

Calls happen outside any transaction. A job reads some pages, writes them, and asks for its own continuation, so that
a large shop neither fills the memory nor holds a transaction. Reading again changes nothing: the ledger keeps a
version only if it is newer than what it holds.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.gateway.failures import AdminApiRefused
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue
from shopify_upsell.ledger.backfill import record_order_nodes, record_product_nodes
from shopify_upsell.ledger.store import newest_order_version
from shopify_upsell.shops.access import ShopAccess

log = logging.getLogger(__name__)

PAGES_A_JOB = 20
FIRST_BACKFILL = timedelta(days=60)
"""Without `read_all_orders` Shopify answers orders of the last 60 days only."""
OVERLAP = timedelta(days=2)
"""Deliveries may be a day late; reading two days again costs little and misses nothing."""
MOST_LINE_PAGES = 20

Node = dict[str, Any]
Record = Callable[[Session, ShopId, Sequence[Node]], Sequence[Announcement]]
Write = Callable[[Session], Sequence[Announcement]]


@dataclass(frozen=True, slots=True)
class Pages:
    """Nodes of some pages of a connection, and where to go on; None at the end."""

    nodes: list[Node]
    cursor: str | None


class CatalogueSync:
    """The job that reads the whole catalogue."""

    def __init__(self, access: ShopAccess) -> None:
        self._access = access

    def sync(self, job: Job) -> Write:
        """Fetch products; returns the write."""
        client = self._access.admin_client(job.shop_id, job.now)
        found = read_pages(client, "products", "products", {"after": job.payload.get("after")}, first=50)
        return _write(job, found, {}, record_product_nodes)


class OrderReconciliation:
    """The job that finds orders whose webhooks never came."""

    def __init__(self, access: ShopAccess, database: Database) -> None:
        self._access, self._database = access, database

    def reconcile(self, job: Job) -> Write:
        """Fetch orders updated since shortly before the newest one held; returns the write."""
        since = job.payload.get("since") or self._since(job).strftime("%Y-%m-%dT%H:%M:%SZ")
        client = self._access.admin_client(job.shop_id, job.now)
        asked = {"query": f"updated_at:>='{since}'", "after": job.payload.get("after")}
        found = read_pages(client, "orders_updated", "orders", asked, first=10)
        for node in found.nodes:
            add_missing_lines(client, node)
        return _write(job, found, {"since": since}, record_order_nodes)

    def _since(self, job: Job) -> datetime:
        """After an install everything is read: a first webhook may have come before this job."""
        earliest = job.now - FIRST_BACKFILL
        if job.payload.get("is_first"):
            return earliest
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            newest = newest_order_version(session, job.shop_id)
        # A version dated in the future must not hide what came meanwhile.
        return max(earliest, min(newest, job.now) - OVERLAP) if newest else earliest


def read_pages(
    client: AdminClient, operation: str, connection: str, variables: Mapping[str, Any], *, first: int
) -> Pages:
    """Walk up to `PAGES_A_JOB` pages of a connection. A page that costs too much is asked for in halves.

    Raises: what `AdminClient.run` raises.
    """
    nodes: list[Node] = []
    cursor = variables.get("after")
    for _ in range(PAGES_A_JOB):
        try:
            answer = client.run(operation, {**variables, "after": cursor, "first": first}).whole()
        except AdminApiRefused as refused:
            if refused.code != "max_cost_exceeded" or first == 1:
                raise
            first = max(1, first // 2)
            continue
        page = answer[connection]
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return Pages(nodes, None)
        cursor = page["pageInfo"]["endCursor"]
    return Pages(nodes, cursor)


def add_missing_lines(client: AdminClient, node: Node) -> None:
    """Read the lines of an order that did not fit its page into the node."""
    lines = node["lineItems"]
    number = str(node["id"]).rsplit("/", 1)[-1]
    for _ in range(MOST_LINE_PAGES):
        if not lines["pageInfo"]["hasNextPage"]:
            return
        asked = {"query": f"id:{number}", "first": 1, "linesAfter": lines["pageInfo"]["endCursor"]}
        found = client.run("orders_updated", asked).whole()["orders"]["nodes"]
        if not found or found[0]["id"] != node["id"]:
            log.warning("order_lines_incomplete", extra={"order_id": number})
            return
        more = found[0]["lineItems"]
        lines["nodes"] += more["nodes"]
        lines["pageInfo"] = more["pageInfo"]


def _write(job: Job, found: Pages, carried: Mapping[str, Any], record: Record) -> Write:
    def write(session: Session) -> Sequence[Announcement]:
        announcements = record(session, job.shop_id, found.nodes)
        if found.cursor is not None:
            payload = {**carried, "after": found.cursor}
            enqueue(session, job.shop_id, JobRequest(job.kind, f"{job.kind}:after:{job.job_id}", payload), job.now)
        return announcements

    return write
