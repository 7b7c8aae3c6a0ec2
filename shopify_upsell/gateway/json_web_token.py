"""Open a JSON Web Token that Shopify signed with the client secret. Signature and form here; meaning in `verify`.

PyJWT checks the signature. It also lets by what this module refuses first or afterwards: padded or non-canonical
base64, header fields that choose a key, times that are strings, and audiences that are lists.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from shopify_upsell.gateway.signatures import LEEWAY, refused, usable

_PART = re.compile(r"[A-Za-z0-9_-]+")
_HEADER_FIELDS = frozenset({"alg", "typ"})
LATEST = 253402300799
"""Unix seconds of the last moment a calendar can name; a larger number is no time."""


def open_token(token: str, secrets: tuple[str, ...], *, most_bytes: int) -> Mapping[str, Any]:
    """Return the claims of a token signed HS256 with one of the secrets.

    Raises: ProofRefused.
    """
    _check_form(token, most_bytes)
    for key in usable(secrets):
        try:
            # Times are judged by `check_times` against the caller's clock, by exact types.
            options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=["HS256"], options=options)  # type: ignore[arg-type]
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as broken:
            raise refused() from broken
        return claims
    raise refused()


def check_times(claims: Mapping[str, Any], now: datetime, *, required: bool = True) -> None:
    """Refuse a token that has expired or is not yet valid, give or take the leeway. Both times are whole numbers."""
    for name, is_in_force in (("exp", _is_ahead), ("nbf", _is_past)):
        if name not in claims and not required:
            continue
        if not is_in_force(moment_of(claims.get(name)), now):
            raise refused()


def moment_of(number: object) -> datetime:
    """Read unix seconds. `True`, `1.5`, `"1"` and `Infinity` are not times. Raises: ProofRefused."""
    if type(number) is not int or not 0 <= number <= LATEST:
        raise refused()
    return datetime.fromtimestamp(number, UTC)


def is_fresh(issued: datetime, now: datetime, *, longest: timedelta) -> bool:
    """Tell whether a token was issued within the last `longest`, and not ahead of our clock."""
    return -LEEWAY <= now - issued <= longest


def _is_ahead(moment: datetime, now: datetime) -> bool:
    return now - LEEWAY < moment


def _is_past(moment: datetime, now: datetime) -> bool:
    return moment <= now + LEEWAY


def _check_form(token: str, most_bytes: int) -> None:
    parts = token.split(".")
    if len(token) > most_bytes or not token.isascii() or len(parts) != 3:
        raise refused()
    if not all(_is_canonical(part) for part in parts):
        raise refused()
    try:
        header = json.loads(_decode(parts[0]))
    except (ValueError, RecursionError) as broken:
        raise refused() from broken
    if not isinstance(header, dict) or header.get("alg") != "HS256" or not header.keys() <= _HEADER_FIELDS:
        raise refused()


def _is_canonical(part: str) -> bool:
    """Tell whether the part is unpadded base64url with no stray bits: one token must have one spelling."""
    if _PART.fullmatch(part) is None:
        return False
    try:
        return base64.urlsafe_b64encode(_decode(part)).rstrip(b"=") == part.encode()
    except binascii.Error:
        return False


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
