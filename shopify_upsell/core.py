"""Words that every station of the journey shares: ids, deliveries, announcements, errors.

Pure: standard library only. Money has its own module, `money`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NewType

ShopId = NewType("ShopId", int)
ProductId = NewType("ProductId", int)
VariantId = NewType("VariantId", int)
OrderId = NewType("OrderId", int)
LineId = NewType("LineId", int)
CustomerId = NewType("CustomerId", int)
OfferId = NewType("OfferId", int)
DecisionId = NewType("DecisionId", str)

LARGEST_ID = 2**63 - 1
_GID = re.compile(r"gid://shopify/([A-Za-z]+)/([0-9]{1,19})")


class UpsellError(Exception):
    """A failure with a stable code. In a job it is final; at an edge `app.HTTP_STATUS` picks the status."""

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidInput(UpsellError):
    """What the caller sent cannot be used."""

    code = "invalid_input"


class UnreadableFact(UpsellError):
    """A Shopify payload that passed its signature but cannot become a fact, ever. The event is kept as dead."""

    code = "unreadable_fact"


class ProofRefused(UpsellError):
    """The caller did not prove who it is. The message names no detail that helps a forger."""

    code = "invalid_signature"


class NotFound(UpsellError):
    """No such thing in this shop. Missing and foreign ids answer alike."""

    code = "not_found"


class ConflictingRequest(UpsellError):
    """The request was valid once, and has been answered already or has expired."""

    code = "conflict"


class BadSetting(UpsellError):
    """A setting that must stop the start; the message is one line that names the key."""

    code = "bad_setting"


class RetryLater(UpsellError):
    """The job may succeed later through no change of ours. Does not count as an attempt."""

    code = "retry_later"

    def __init__(self, message: str, *, after: timedelta) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified webhook delivery, parsed, handed to the handler of its topic.

    `payload` holds Decimal for every JSON number with a point, so that no amount passes through a float.
    `digest` is the hex SHA-256 of the raw body: the last tie-breaker between two versions of one fact.
    """

    shop_id: ShopId
    shop_domain: str
    topic: str
    webhook_id: str
    triggered_at: datetime
    payload: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something became true; `app.LISTENERS` says which jobs want to know. Names: `order_recorded` and its like."""

    name: str
    subject_id: int
    details: Mapping[str, Any] = field(default_factory=dict)


def gid(kind: str, number: int) -> str:
    """Write a Shopify global id, the form ids take at every JSON border."""
    return f"gid://shopify/{kind}/{number}"


def parse_gid(text: object, kind: str) -> int:
    """Read the number of a Shopify global id of one kind, or of a bare decimal id.

    Raises: InvalidInput when it is neither, is of another kind, or exceeds 64 bits.
    """
    value = str(text)
    match = _GID.fullmatch(value)
    if match is not None and match.group(1) == kind:
        value = match.group(2)
    if not (value.isascii() and value.isdigit()) or len(value) > 19 or int(value) > LARGEST_ID:
        raise InvalidInput(f"not a {kind} id")
    return int(value)


def aware(moment: datetime) -> datetime:
    """Return the moment in UTC. Raises: InvalidInput for a naive one."""
    if moment.tzinfo is None:
        raise InvalidInput("a time without its zone")
    return moment.astimezone(UTC)


def parse_time(text: object) -> datetime:
    """Read an ISO 8601 time with a zone, as Shopify writes them (nanoseconds are cut to microseconds).

    Raises: InvalidInput.
    """
    if not isinstance(text, str) or len(text) > 40:
        raise InvalidInput("not a time")
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        return aware(datetime.fromisoformat(cut))
    except (ValueError, OverflowError) as broken:
        raise InvalidInput("not a time") from broken


def canonical_json(document: object) -> str:
    """Write JSON with sorted keys and no spaces, so that equal documents are equal text and have one digest."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def digest_of(document: object) -> str:
    """Hex SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(document).encode("utf-8", "surrogatepass")).hexdigest()


def text_digest(text: str) -> str:
    """Hex SHA-256 of a text as it is."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return aware(value).isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")
