"""Read the shop's discounts from the Admin API, so that no price is promised that they would change.

A webhook says only that a discount was changed, so each asks for the same: read them all, once. Calls happen outside
any transaction; what was read replaces what was known. A shop has few automatic discounts and may have any number of
codes: of these the newest are kept, and a cart with another one is not predicted.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.gateway.failures import AdminApiRefused
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.cataloguing import shop_currency
from shopify_upsell.ledger.sync import Pages, read_pages
from shopify_upsell.offers.discount_nodes import discounts_of
from shopify_upsell.offers.discount_store import save_discounts
from shopify_upsell.shops.access import ShopAccess

log = logging.getLogger(__name__)

RUNNING = "status:active,scheduled"
AUTOMATIC, WITH_CODE = f"method:automatic {RUNNING}", f"method:code {RUNNING}"
"""Source: admin schema 2026-10, argument `query` of `discountNodes`."""

PAGE = 5
"""Discounts a page. One may name a hundred products and variants, and a query of more than 1,000 points is refused."""

MOST_CODES = 100
"""Discounts with a code that are kept, the newest. Source: our choice; each is part of every stored rulebook."""

ITEMS, MOST_ITEM_PAGES = 250, 8

Node = dict[str, Any]


class DiscountSync:
    """The job that reads a shop's discounts."""

    def __init__(self, access: ShopAccess) -> None:
        self._access = access

    def sync(self, job: Job) -> Callable[[Session], Sequence[Announcement]]:
        """Fetch every discount that runs or will; returns the write."""
        client = self._access.admin_client(job.shop_id, job.now)
        try:
            automatic, codes = _read(client)
        except AdminApiRefused as refused:
            if refused.code != "access_denied":
                raise
            # The merchant has not agreed to the scope yet: the shop goes on, and promises nothing.
            log.warning("discounts_not_readable", extra={"shop_id": job.shop_id})
            return lambda session: _forget(session, job)
        is_whole = automatic.cursor is None

        def write(session: Session) -> Sequence[Announcement]:
            nodes = [*automatic.nodes, *codes]
            discounts = discounts_of(nodes, shop_currency(session, job.shop_id))
            save_discounts(session, job.shop_id, discounts, is_whole=is_whole, read_at=job.now)
            counts = {"discount_count": len(discounts), "is_whole": is_whole}
            log.info("discounts_read", extra={"shop_id": job.shop_id, **counts})
            return []

        return write


def record_discount_change(session: Session, delivery: Delivery) -> list[Announcement]:
    """Have all discounts read again: the body names one and says nothing of what it does."""
    del session, delivery
    return [Announcement("discounts_changed", 0)]


def _read(client: AdminClient) -> tuple[Pages, list[Node]]:
    automatic = read_pages(client, "discounts", "discountNodes", {"query": AUTOMATIC}, first=PAGE)
    with_code = read_pages(client, "discounts", "discountNodes", {"query": WITH_CODE}, first=PAGE)
    codes = with_code.nodes[:MOST_CODES]
    for node in (*automatic.nodes, *codes):
        _add_missing_items(client, node)
    return automatic, codes


def _add_missing_items(client: AdminClient, node: Node) -> None:
    """Read the products and variants of a discount that did not fit its page into the node."""
    items = ((node["discount"].get("customerGets") or {}).get("items")) or {}
    lists = [items[name] for name in ("products", "productVariants") if name in items]
    for _ in range(MOST_ITEM_PAGES):
        if not any(each["pageInfo"]["hasNextPage"] for each in lists):
            return
        more = _more_items(client, node, [each["pageInfo"]["endCursor"] for each in lists])
        if more is None:
            return
        for held, found in zip(lists, more, strict=True):
            if held["pageInfo"]["hasNextPage"]:
                held["nodes"] += found["nodes"]
                held["pageInfo"] = found["pageInfo"]


def _more_items(client: AdminClient, node: Node, cursors: list[str | None]) -> list[Node] | None:
    """The next page of both lists; None when the discount is gone or has changed meanwhile."""
    number = str(node["id"]).rsplit("/", 1)[-1]
    asked = {"query": f"id:{number}", "first": 1, "items": ITEMS}
    asked |= {"productsAfter": cursors[0], "variantsAfter": cursors[1]}
    found = client.run("discounts", asked).whole()["discountNodes"]["nodes"]
    if not found or found[0]["id"] != node["id"]:
        return None
    items = found[0]["discount"]["customerGets"]["items"]
    return [items[name] for name in ("products", "productVariants")] if "products" in items else None


def _forget(session: Session, job: Job) -> Sequence[Announcement]:
    save_discounts(session, job.shop_id, (), is_whole=False, read_at=job.now)
    return []
