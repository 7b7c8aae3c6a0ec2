"""Keys of our own, derived from ENCRYPTION_KEYS for one purpose, one shop and (for ciphers) one column.

The client secret that Shopify shares with us signs what Shopify says; what *we* say is signed with these, so that
a signature made for one use can never be replayed as another. Newest key first; old ones still open and verify.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shopify_upsell.core import ShopId

MOST_KEPT = 10_000
"""Purposes and shops whose signing keys a process keeps at hand."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A derived key and the short public name it goes by in what it signed."""

    key_id: str
    key: bytes = field(repr=False)


class Keyring:
    """Derives keys. Raises: ValueError when given no master key."""

    def __init__(self, master_keys: tuple[str, ...]) -> None:
        if not master_keys:
            raise ValueError("a keyring needs at least one key")
        self._masters = tuple(key.encode() for key in master_keys)
        self._signing_keys = lru_cache(MOST_KEPT)(self._derived_keys)

    def cipher(self, shop_id: ShopId, column: str) -> MultiFernet:
        """A cipher for one column of one shop: a ciphertext pasted into another shop's row does not open."""
        purpose = f"column|{column}|{shop_id}"
        return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(m, purpose))) for m in self._masters])

    def signing_keys(self, purpose: str, shop_id: ShopId) -> tuple[SigningKey, ...]:
        """Keys to sign with (the first) and to verify with (any)."""
        return self._signing_keys(purpose, shop_id)

    def _derived_keys(self, purpose: str, shop_id: ShopId) -> tuple[SigningKey, ...]:
        return tuple(SigningKey(_key_id(m), _derive(m, f"sign|{purpose}|{shop_id}")) for m in self._masters)


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"wellpaired/1", info=purpose.encode()).derive(master)


def _key_id(master: bytes) -> str:
    return hashlib.sha256(b"key id|" + master).hexdigest()[:6]
