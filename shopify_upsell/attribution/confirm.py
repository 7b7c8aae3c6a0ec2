"""Confirm a post-purchase change: ask Shopify which changeset of ours an edited order carries, then settle again.

The changeset's id travels in an order metafield that our signed changeset sets, so only Shopify's answer ties it to
an order. Asking happens outside any transaction.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from shopify_upsell.attribution.store import confirm_changeset, has_untied_changeset
from shopify_upsell.core import Announcement, ConflictingRequest, NotFound, OrderId, gid
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.shops.access import ShopAccess

log = logging.getLogger(__name__)

LONGEST_DELAY = timedelta(days=3)
"""A delivery about the edit may be a day late; a changeset older than this was never applied."""

Write = Callable[[Session], Sequence[Announcement]]


class PostPurchaseConfirmation:
    """The job that follows an order edit that added something."""

    def __init__(self, access: ShopAccess) -> None:
        self._access = access

    def confirm(self, job: Job) -> Write:
        """Ask for the order's changeset; returns the write that ties it."""
        if not self._may_be_ours(job):
            return lambda _session: ()
        order_id = OrderId(int(job.payload["subject_id"]))
        client = self._access.admin_client(job.shop_id, job.now)
        order = client.run("order_changeset", {"id": gid("Order", order_id)}).data.get("order") or {}
        changeset_id = (order.get("metafield") or {}).get("value")
        return lambda session: _tie(session, job, order_id, changeset_id)

    def _may_be_ours(self, job: Job) -> bool:
        """Tell whether any changeset waits to be tied: most edits are the merchant's own and need no call."""
        with self._access.database.read() as session:
            bind_shop(session, job.shop_id)
            return has_untied_changeset(session, job.shop_id, since=job.now - LONGEST_DELAY)


def _tie(session: Session, job: Job, order_id: OrderId, changeset_id: str | None) -> list[Announcement]:
    """Most edits are the merchant's own and carry no changeset of ours: nothing to do."""
    if not changeset_id:
        return []
    try:
        is_new = confirm_changeset(session, job.shop_id, order_id, changeset_id)
    except (NotFound, ConflictingRequest) as refused:
        fields = {"shop_id": job.shop_id, "order_id": order_id, "code": refused.code}
        log.warning("changeset_not_confirmed", extra=fields)
        return []
    return [Announcement("order_recorded", order_id)] if is_new else []
