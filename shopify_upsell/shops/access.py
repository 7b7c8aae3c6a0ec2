"""Act for a shop: hand out Admin API clients whose token is good, refreshing it at most once however many ask.

Opens its own short transactions and holds none while Shopify is asked, so call it outside of any. A new pair is
committed before it is used. When an answer is lost, the old refresh token is tried again later: Shopify keeps it good
until its replacement is first used.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shopify_upsell.core import RetryLater, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.gateway.failures import NeedsReauthorization, ShopUnavailable
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.refresh_lease import (
    keep_refresh_lease,
    mark_needs_reauthorization,
    save_refreshed_token,
    take_refresh_lease,
)
from shopify_upsell.shops.sealing import open_access_token, open_refresh_token, seal
from shopify_upsell.shops.store import SealedToken, Shop, get_shop, read_token

log = logging.getLogger(__name__)

REFRESH_EARLY = timedelta(seconds=60)
LEASE = timedelta(seconds=30)
"""Longer than a refresh can take (a call is cut at 10 s), short enough to be waited for after a crash."""

PAUSE_AFTER_FAILURE = timedelta(seconds=5)
LONGEST_WAIT = timedelta(seconds=15)
POLL_SECONDS = 0.05

KEEP_WARM = timedelta(days=60)
"""A refresh token lives 90 days from each refresh; with less than this left an idle shop's is renewed."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What is stored for a shop at one moment."""

    shop: Shop
    sealed: SealedToken


@dataclass(frozen=True, slots=True)
class ShopAccess:
    """Gives access to shops. Safe to share between threads."""

    database: Database
    keyring: Keyring = field(repr=False)
    token_client: TokenClient
    origin_for: Callable[[str], str]
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def admin_client(self, shop_id: ShopId, now: datetime) -> AdminClient:
        """Return a client with a token good for a minute at least. It asks for another if Shopify refuses this one.

        Raises: ShopUnavailable when the app is not installed; NeedsReauthorization; RetryLater.
        """
        clock = _clock_from(now)
        domain, access_token = self._usable_token(shop_id, clock, lambda held: _lasts(held, clock()))
        return AdminClient(
            shop_domain=domain,
            access_token=access_token,
            origin=self.origin_for(domain),
            renew=lambda refused: self._other_token(shop_id, clock, refused),
        )

    def keep_warm(self, shop_id: ShopId, now: datetime) -> bool:
        """Renew the tokens of a shop nothing was asked of for long. Returns whether that was needed.

        Raises: like `admin_client`.
        """
        clock = _clock_from(now)
        if self._is_warm(self._held(shop_id), now):
            return False
        self._usable_token(shop_id, clock, lambda held: self._is_warm(held, clock()))
        return True

    @staticmethod
    def _is_warm(held: _Held, now: datetime) -> bool:
        return held.sealed.refresh_expires_at - now > KEEP_WARM

    def _other_token(self, shop_id: ShopId, clock: Callable[[], datetime], refused: str) -> str:
        """A token other than the refused one: what someone else has fetched meanwhile, or a fresh one."""

        def is_other(held: _Held) -> bool:
            return open_access_token(self.keyring, shop_id, held.sealed) != refused

        return self._usable_token(shop_id, clock, is_other)[1]

    def _usable_token(
        self, shop_id: ShopId, clock: Callable[[], datetime], is_good: Callable[[_Held], bool]
    ) -> tuple[str, str]:
        """Return the shop's domain and an access token, refreshing unless the stored one is good."""
        give_up_at = clock() + LONGEST_WAIT
        while clock() <= give_up_at:
            held = self._held(shop_id)
            if is_good(held):
                return held.shop.domain, open_access_token(self.keyring, shop_id, held.sealed)
            lease = self._take_lease(shop_id, clock())
            if lease is None:
                self.sleep(POLL_SECONDS)
                continue
            # Read again under the lease: its last holder may have finished between our look and our taking it.
            held = self._held(shop_id)
            if is_good(held):
                self._end_lease(shop_id, lease, clock())
            elif (access_token := self._refresh(shop_id, held, lease, clock)) is not None:
                return held.shop.domain, access_token
        raise RetryLater("someone else is refreshing the token", after=PAUSE_AFTER_FAILURE)

    def _refresh(self, shop_id: ShopId, held: _Held, lease: str, clock: Callable[[], datetime]) -> str | None:
        """Ask for a new pair, commit it, and return its access token.

        None when the refresh token is dead, or when an install overtook us: its token stands and ours is dropped.
        """
        old = open_refresh_token(self.keyring, shop_id, held.sealed)
        asked_at = clock()
        try:
            token = self.token_client.refresh(held.shop.domain, old, asked_at)
        except NeedsReauthorization:
            with self.database.write() as session:
                bind_shop(session, shop_id)
                is_ours = mark_needs_reauthorization(session, shop_id, lease)
            if is_ours:
                log.error("shop_needs_reauthorization", extra={"shop_id": shop_id})
            return None
        except Exception:
            # The others who wait must not each ask a server that has just failed.
            self._end_lease(shop_id, lease, clock() + PAUSE_AFTER_FAILURE)
            raise
        with self.database.write() as session:
            bind_shop(session, shop_id)
            is_ours = save_refreshed_token(session, shop_id, lease, seal(self.keyring, shop_id, token, asked_at))
        log.info("shop_token_refreshed", extra={"shop_id": shop_id, "was_overtaken": not is_ours})
        return token.access_token if is_ours else None

    def _held(self, shop_id: ShopId) -> _Held:
        with self.database.read() as session:
            bind_shop(session, shop_id)
            shop, sealed = get_shop(session, shop_id), read_token(session, shop_id)
        if shop.state != "installed":
            raise ShopUnavailable("the app is not installed")
        if sealed is None or sealed.needs_reauthorization:
            raise NeedsReauthorization
        return _Held(shop, sealed)

    def _take_lease(self, shop_id: ShopId, now: datetime) -> str | None:
        lease = secrets.token_hex(8)
        with self.database.write() as session:
            bind_shop(session, shop_id)
            return lease if take_refresh_lease(session, shop_id, lease, now=now, until=now + LEASE) else None

    def _end_lease(self, shop_id: ShopId, lease: str, until: datetime) -> None:
        with self.database.write() as session:
            bind_shop(session, shop_id)
            keep_refresh_lease(session, shop_id, lease, until=until)


def _lasts(held: _Held, now: datetime) -> bool:
    return held.sealed.access_expires_at - now > REFRESH_EARLY


def _clock_from(now: datetime) -> Callable[[], datetime]:
    """A clock that starts at `now`: jobs are handed their time, and waiting takes some."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)
