"""Compare what a caller signed with what the client secret gives, for the current secret and the one it replaced."""

import base64
import hashlib
import hmac
from datetime import timedelta
from functools import lru_cache

from shopify_upsell.core import BadSetting, ProofRefused

LEEWAY = timedelta(seconds=10)
"""How far two honest clocks may differ in a token. Source: shopify-api `decode-session-token.ts`, clockTolerance."""


def refused() -> ProofRefused:
    """The one refusal: it says nothing that would help a forger to try again."""
    return ProofRefused("the request does not prove where it comes from")


@lru_cache(maxsize=16)
def usable(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the secrets as bytes. Raises: BadSetting for none or an empty one, which anyone could sign with."""
    keys = tuple(secret.encode() for secret in secrets)
    if not keys or not all(key.strip() for key in keys):
        raise BadSetting("SHOPIFY_API_SECRET must not be empty")
    return keys


def base64_mac_matches(message: bytes, given: str, secrets: tuple[str, ...]) -> bool:
    """Tell whether `given` is the message's HMAC-SHA256 in base64, in its one canonical spelling."""
    return _matches_any(given, [base64.b64encode(_mac(key, message)).decode() for key in usable(secrets)])


def hex_mac_matches(message: bytes, given: str, secrets: tuple[str, ...]) -> bool:
    """Tell whether `given` is the message's HMAC-SHA256 in lower-case hex."""
    return _matches_any(given, [_mac(key, message).hex() for key in usable(secrets)])


def _matches_any(given: str, expected: list[str]) -> bool:
    if not given.isascii():
        return False
    # Every secret is compared, so that the time taken does not tell which one is in use.
    outcomes = [hmac.compare_digest(given, text) for text in expected]
    return any(outcomes)


def _mac(key: bytes, message: bytes) -> bytes:
    # Not `hmac.digest`: it gives other threads the turn, which costs more than the text does.
    return hmac.new(key, message, hashlib.sha256).digest()
