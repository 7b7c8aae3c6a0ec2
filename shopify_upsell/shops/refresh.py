"""Jobs that keep a shop's profile and token fresh, and its schedule set."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from shopify_upsell.jobs.queue import Job
from shopify_upsell.jobs.schedule import set_schedule
from shopify_upsell.shops.access import ShopAccess
from shopify_upsell.shops.profile import refresh_profile


class ShopRefresh:
    """The jobs, given access to shops and what is to be done again and again for each of them."""

    def __init__(self, access: ShopAccess, schedule: Mapping[str, timedelta]) -> None:
        self._access, self._schedule = access, schedule

    def refresh_shop(self, job: Job) -> Callable[[Session], None]:
        """Ask what the shop says of itself; the write also sets its schedule."""
        client = self._access.admin_client(job.shop_id, job.now)
        write_profile = refresh_profile(client, job.shop_id, job.now)

        def write(session: Session) -> None:
            write_profile(session)
            for name, every in self._schedule.items():
                set_schedule(session, job.shop_id, name, every, job.now + every)

        return write

    def keep_token_warm(self, job: Job) -> Callable[[Session], None]:
        """Refresh the token of an idle shop before its ninety days run out. There is nothing else to write."""
        self._access.keep_warm(job.shop_id, job.now)
        return lambda _session: None
