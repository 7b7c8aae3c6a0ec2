"""What every surface needs, joined once by `app`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import DecisionId
from shopify_upsell.database import Database
from shopify_upsell.keyring import Keyring
from shopify_upsell.limits import RateLimiter


@dataclass(frozen=True)
class SurfaceServices:
    """Parts a surface works with. `secrets`: the client secret, then the one it replaced."""

    database: Database
    keyring: Keyring
    api_key: str
    secrets: tuple[str, ...]
    holdout_basis_points: int
    shop_limiter: RateLimiter
    network_limiter: RateLimiter
    clock: Callable[[], datetime]
    new_decision_id: Callable[[], DecisionId]
    new_nonce: Callable[[], str]
