"""What every surface needs, joined once by `app`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from shopify_upsell.core import DecisionId, ProofRefused
from shopify_upsell.database import Database
from shopify_upsell.keyring import Keyring
from shopify_upsell.limits import RateLimiter
from shopify_upsell.memory import ShortMemory
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.shops.store import Shop, find_shop
from shopify_upsell.surfaces.deciding import DecisionDesk

FRESH_SECONDS = 5.0
"""How long a shop that has just left may still be served by a process."""

MOST_SHOPS = 10_000


@dataclass(frozen=True)
class SurfaceServices:
    """Parts a surface works with. `secrets`: the client secret, then the one it replaced."""

    database: Database
    journal: DecisionJournal
    keyring: Keyring
    api_key: str
    secrets: tuple[str, ...]
    holdout_basis_points: int
    shop_limiter: RateLimiter
    network_limiter: RateLimiter
    clock: Callable[[], datetime]
    new_decision_id: Callable[[], DecisionId]
    new_nonce: Callable[[], str]
    shops: ShortMemory[str, Shop] = field(default_factory=lambda: ShortMemory(MOST_SHOPS, FRESH_SECONDS))

    @cached_property
    def desk(self) -> DecisionDesk:
        """Where this process's surfaces have decisions made."""
        return DecisionDesk(
            self.database,
            self.journal,
            holdout_basis_points=self.holdout_basis_points,
            clock=self.clock,
            new_decision_id=self.new_decision_id,
        )

    def installed_shop(self, domain: str) -> Shop:
        """The shop, if it is installed; what was true a few seconds ago is believed. Raises: ProofRefused."""
        clock = time.monotonic()
        known = self.shops.find(domain, clock=clock)
        if known is None:
            with self.database.read() as session:
                known = installed_shop(find_shop(session, domain))
            self.shops.keep(domain, known, clock=clock)
        return known


def installed_shop(shop: Shop | None) -> Shop:
    """The shop, if it is installed. Raises: ProofRefused, so that a stranger learns nothing."""
    if shop is None or shop.state != "installed":
        raise ProofRefused("the shop is not installed")
    return shop
