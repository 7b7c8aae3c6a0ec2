"""The offer token: our signed claim, on a line item's `_wp` property, that we offered this variant. Pure.

`v1.{key id}.{payload}.{tag}`: payload in base64url, tag the first 128 bits of HMAC-SHA256 over all that precedes it.
A shopper sees the token and may copy it anywhere, so it says only what the server decided, and settlement checks
variant, units, time and single use against the order.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from shopify_upsell.core import LARGEST_ID, DecisionId, InvalidInput, OfferId, ShopId, VariantId
from shopify_upsell.keyring import SigningKey

TOKEN_PURPOSE = "offer_token"  # noqa: S105 - the name of a key's purpose, not a secret

LONGEST = 255
"""Line item properties may be longer; ours stay tidy. Source: reference `platform.md` part 11.1."""

_VERSION, _TAG_BYTES, _DIGITS = "v1", 16, "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class OfferClaim:
    """What a token claims. `replaced_unit_minor_units`: price of the unit that an up-sell takes out of the cart."""

    shop_id: ShopId
    decision_id: DecisionId
    offer_id: OfferId
    variant_id: VariantId
    max_quantity: int
    expires_at: datetime
    nonce: str
    book: str
    placement: str
    replaced_unit_minor_units: int | None = None


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """Why a token proves nothing: `forged_token`, or `foreign_shop` when it says to be another shop's."""

    code: str


def write_token(claim: OfferClaim, key: SigningKey) -> str:
    """Sign a claim. Raises: InvalidInput when it cannot be written, or only beyond 255 characters."""
    signed = f"{_VERSION}.{key.key_id}.{_encode(_payload(claim).encode())}"
    token = f"{signed}.{_encode(_tag(signed, key))}"
    if len(token) > LONGEST:
        raise InvalidInput("the claim is too long for a token")
    return token


def read_token(text: str, keys: Sequence[SigningKey], *, shop_id: ShopId | None = None) -> OfferClaim | TokenRefusal:
    """Read a token that one of the keys signed. Time, variant and use are for settlement to judge.

    Keys differ by shop, so a token of another shop never verifies; `shop_id` lets the refusal name that case.
    """
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != _VERSION or not text.isascii() or len(text) > LONGEST:
        return TokenRefusal("forged_token")
    signed, tag = text.rpartition(".")[0], _decode(parts[3])
    claim = _claim(_decode(parts[2]))
    if claim is None or tag is None:
        return TokenRefusal("forged_token")
    if shop_id is not None and claim.shop_id != shop_id:
        return TokenRefusal("foreign_shop")
    genuine = [hmac.compare_digest(_tag(signed, key), tag) for key in keys if key.key_id == parts[1]]
    return claim if any(genuine) else TokenRefusal("forged_token")


def _payload(claim: OfferClaim) -> str:
    numbers = [claim.shop_id, claim.offer_id, claim.variant_id, claim.max_quantity, int(claim.expires_at.timestamp())]
    if min(numbers) < 0 or max(numbers) > LARGEST_ID or (claim.replaced_unit_minor_units or 0) < 0:
        raise InvalidInput("a number that a token cannot carry")
    words = [claim.decision_id, claim.nonce, claim.book, claim.placement]
    if any(not word.isascii() or "|" in word for word in words):
        raise InvalidInput("a word that a token cannot carry")
    replaced = "" if claim.replaced_unit_minor_units is None else _written(claim.replaced_unit_minor_units)
    return "|".join([*map(_written, numbers), replaced, *words])


def _claim(payload: bytes | None) -> OfferClaim | None:
    if payload is None:
        return None
    try:
        shop, offer, variant, quantity, expires, replaced, decision, nonce, book, placement = payload.decode(
            "ascii"
        ).split("|")
        return OfferClaim(
            shop_id=ShopId(int(shop, 36)),
            decision_id=DecisionId(decision),
            offer_id=OfferId(int(offer, 36)),
            variant_id=VariantId(int(variant, 36)),
            max_quantity=int(quantity, 36),
            expires_at=datetime.fromtimestamp(int(expires, 36), UTC),
            nonce=nonce,
            book=book,
            placement=placement,
            replaced_unit_minor_units=int(replaced, 36) if replaced else None,
        )
    except (ValueError, OverflowError, OSError):
        return None


def _tag(signed: str, key: SigningKey) -> bytes:
    # Not `hmac.digest`: it gives other threads the turn, which costs more than the text does.
    return hmac.new(key.key, signed.encode(), hashlib.sha256).digest()[:_TAG_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """Decode base64url, one spelling only: what encodes back differently was tampered with."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if _encode(raw) == text else None


@lru_cache(maxsize=4096)
def _written(number: int) -> str:
    """Base 36: the shortest that needs no escaping."""
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
        if number == 0:
            return digits
