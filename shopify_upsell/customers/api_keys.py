"""Keys with which a helpdesk, a review app or a flow tells us signals of one shop. Pure.

A key reads `wpk_{shop}_{key id}_{secret}`: the shop stands in it, because its row can be read only once the shop is
known. Only the hash of the secret is kept; it is random and long, so a plain hash is enough.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime

from shopify_upsell.core import ProofRefused, ShopId

_KEY = re.compile(r"wpk_([0-9]{1,18})_([0-9a-f]{12})_([A-Za-z0-9_-]{32,64})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its holder knows it."""

    shop_id: ShopId
    key_id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The key to hand over, once."""
        return f"wpk_{self.shop_id}_{self.key_id}_{self.secret}"

    @property
    def digest(self) -> str:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def opens(self, digest: str) -> bool:
        """Compare with what is kept, in constant time."""
        return hmac.compare_digest(self.digest, digest)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as we know it. `source`: who speaks with it."""

    key_id: str
    source: str
    created_at: datetime
    revoked_at: datetime | None


def read_bearer(header: str | None) -> ApiKey:
    """Read the key from an Authorization header. Raises: ProofRefused."""
    scheme, _, text = (header or "").partition(" ")
    match = _KEY.fullmatch(text.strip()) if scheme.lower() == "bearer" else None
    if match is None:
        raise ProofRefused("the request carries no valid key")
    return ApiKey(ShopId(int(match.group(1))), match.group(2), match.group(3))
