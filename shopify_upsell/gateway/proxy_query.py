"""Read a signed app-proxy query, and refuse every one that could have been cut out of another.

Shopify signs the sorted `name=value` strings joined with *nothing*. So a visitor of one shop who may choose parameters
can have a text signed that, cut elsewhere, reads as a query of another shop. What arrives is unambiguous when every
name is on our list, no name of Shopify's occurs inside a value, and no name on our list overlaps one of Shopify's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from shopify_upsell.gateway.signatures import refused

RESERVED = frozenset({"shop", "timestamp", "signature", "path_prefix", "logged_in_customer_id"})
ALWAYS_PRESENT = RESERVED - {"logged_in_customer_id"}
MOST_BYTES, MOST_FIELDS = 8192, 64

_PARAMETER_NAME = re.compile(r"[a-z_]+")
_RESERVED_INSIDE = re.compile("(?:" + "|".join(sorted(RESERVED)) + ")=")


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A parsed query: what Shopify added, what the visitor sent, and the text that must carry the signature."""

    reserved: Mapping[str, str]
    parameters: Mapping[str, str]
    signed_text: bytes


def read_signed_query(query_string: bytes, allowed: frozenset[str]) -> SignedQuery:
    """Parse the raw query. A name given more than once counts as one value joined with commas, as it is signed.

    Raises: ProofRefused; ValueError when a name we allow could be confused with one of Shopify's.
    Source: shopify.dev, "Authenticate app proxies" (read 2026-11-22); the re-cutting was tried and works.
    """
    _check_names(allowed)
    reserved: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if "=" in value and _RESERVED_INSIDE.search(value):
            raise refused()
        if name in RESERVED and name not in reserved:
            reserved[name] = value
        elif name in allowed:
            parameters[name] = value if name not in parameters else f"{parameters[name]},{value}"
        else:
            raise refused()
    if not reserved.keys() >= ALWAYS_PRESENT:
        raise refused()
    signed = {**parameters, **reserved}
    del signed["signature"]
    text = "".join([f"{name}={signed[name]}" for name in sorted(signed)])
    return SignedQuery(reserved, parameters, text.encode())


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    if len(query_string) > MOST_BYTES or not query_string.isascii():
        raise refused()
    fields = [field for field in query_string.decode().split("&") if field]
    if len(fields) > MOST_FIELDS:
        raise refused()
    if b"%" not in query_string and b"+" not in query_string:
        return [(name, value) for name, _, value in (field.partition("=") for field in fields)]
    return [_pair(field) for field in fields]


def _pair(field: str) -> tuple[str, str]:
    """A field as its author wrote it. The standard library's way is twice as slow, on the busiest route."""
    name, _, value = field.partition("=")
    if "%" not in field and "+" not in field:
        return name, value
    try:
        return _unquoted(name), _unquoted(value)
    except UnicodeDecodeError as broken:
        raise refused() from broken


def _unquoted(text: str) -> str:
    text = text.replace("+", " ")
    return unquote_to_bytes(text).decode() if "%" in text else text


@lru_cache
def _check_names(allowed: frozenset[str]) -> None:
    # Letters and underscore only: after such names sorting by name and by `name=value` give the same order.
    for name in allowed:
        overlaps = any(name.endswith(theirs) or theirs.endswith(name) for theirs in RESERVED)
        if overlaps or _PARAMETER_NAME.fullmatch(name) is None:
            raise ValueError(f"the parameter name {name!r} cannot be told apart from Shopify's own")
