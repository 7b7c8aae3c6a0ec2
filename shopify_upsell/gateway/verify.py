"""Who is calling: one verifier for each kind of caller, over raw bytes, before anything is parsed.

Comes in: what the caller sent, the client secrets (current first, then the one it replaced) and our clock. Goes out: a
proof naming the shop, or ProofRefused. All callers share one secret, so each verifier takes one shape only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from shopify import session_token

from shopify_upsell.core import LARGEST_ID, CustomerId, InvalidInput, parse_time
from shopify_upsell.gateway.json_web_token import check_times, is_fresh, moment_of, open_token
from shopify_upsell.gateway.proxy_query import read_signed_query
from shopify_upsell.gateway.shop_domain import is_shop_domain
from shopify_upsell.gateway.signatures import base64_mac_matches, hex_mac_matches, refused

PROXY_WINDOW = timedelta(seconds=90)
"""Source: shopify-api `hmac-validator.ts`, for app-proxy signatures too."""

POST_PURCHASE_WINDOW = timedelta(minutes=15)
"""Our own rule: the token carries no expiry, and a shopper decides within minutes."""

MOST_TOKEN_BYTES = 4096
MOST_PURCHASE_TOKEN_BYTES = 32_768
"""The post-purchase token holds the whole purchase, a cart of hundreds of lines included."""

CUSTOMER_GID = "gid://shopify/Customer/"
EARLIEST_YEAR, LATEST_YEAR = 1970, 2199


@dataclass(frozen=True, slots=True)
class WebhookProof:
    """Shopify signed this body with our secret. The signature does not cover these fields: they come from headers."""

    shop_domain: str
    topic: str
    webhook_id: str
    event_id: str | None
    api_version: str | None
    triggered_at: datetime


@dataclass(frozen=True, slots=True)
class ProxyProof:
    """The request came through this shop's storefront. It proves no more: any visitor can have one signed.

    `customer_id` serves ranking only. The body is not signed.
    """

    shop_domain: str
    customer_id: CustomerId | None
    path_prefix: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AdminProof:
    """A person of the shop's staff has the app open."""

    shop_domain: str
    user_id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ExtensionProof:
    """An extension of ours runs in this shop's checkout or customer account; which checkout is not proven."""

    shop_domain: str
    customer_id: CustomerId | None


@dataclass(frozen=True, slots=True)
class PostPurchaseProof:
    """A shopper of this shop is on the page after this purchase. Ids inside `purchase` are Shopify's numbers."""

    shop_domain: str
    reference_id: str
    purchase: Mapping[str, Any]
    input_data: Mapping[str, Any]


def verify_webhook(raw: bytes, headers: Mapping[str, str], *, secrets: tuple[str, ...], now: datetime) -> WebhookProof:
    """Check the body's HMAC, then that the headers can be used.

    A Triggered-At that is no time gives `now`: the delivery is genuine whatever its clock says.
    Raises: ProofRefused; InvalidInput for a genuine body under unusable headers.
    """
    given = {name.lower(): value for name, value in headers.items()}
    if not base64_mac_matches(raw, given.get("x-shopify-hmac-sha256", ""), secrets):
        raise refused()
    shop_domain = given.get("x-shopify-shop-domain")
    if shop_domain is None or not is_shop_domain(shop_domain):
        raise InvalidInput("X-Shopify-Shop-Domain does not name a shop")
    return WebhookProof(
        shop_domain=shop_domain,
        topic=_printable(given, "x-shopify-topic"),
        webhook_id=_printable(given, "x-shopify-webhook-id"),
        event_id=_optional(given, "x-shopify-event-id"),
        api_version=_optional(given, "x-shopify-api-version"),
        triggered_at=_triggered_at(given.get("x-shopify-triggered-at"), now),
    )


def verify_app_proxy(
    query_string: bytes, *, secrets: tuple[str, ...], now: datetime, allowed: frozenset[str]
) -> ProxyProof:
    """Check the signature of a storefront request. `allowed`: the parameter names the route knows.

    Raises: ProofRefused, also for a parameter that is not allowed.
    """
    query = read_signed_query(query_string, allowed)
    if not hex_mac_matches(query.signed_text, query.reserved["signature"], secrets):
        raise refused()
    shop_domain, path_prefix = query.reserved["shop"], query.reserved["path_prefix"]
    if not is_shop_domain(shop_domain) or not path_prefix.startswith("/") or not path_prefix.isprintable():
        raise refused()
    if abs(now - moment_of(_number(query.reserved["timestamp"]))) > PROXY_WINDOW:
        raise refused()
    customer = query.reserved.get("logged_in_customer_id", "")
    customer_id = CustomerId(_number(customer)) if customer else None
    return ProxyProof(shop_domain, customer_id, path_prefix, query.parameters)


def verify_admin_token(token: str, *, api_key: str, secrets: tuple[str, ...], now: datetime) -> AdminProof:
    """Check an ID token of the embedded admin.

    Checkout and customer-account tokens carry the same signature and audience; `iss`, `sub` and `sid` tell them apart.
    Raises: ProofRefused.
    """
    claims = open_token(token, secrets, most_bytes=MOST_TOKEN_BYTES)
    check_times(claims, now)
    shop_domain = _shop_of(claims, api_key)
    if claims.get("dest") != f"https://{shop_domain}" or claims.get("iss") != f"https://{shop_domain}/admin":
        raise refused()
    if not all(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid", "jti")):
        raise refused()
    _ask_the_library(token, api_key, secrets)
    return AdminProof(shop_domain, _number(claims["sub"]), moment_of(claims["exp"]))


def verify_extension_token(token: str, *, api_key: str, secrets: tuple[str, ...], now: datetime) -> ExtensionProof:
    """Check the token of a checkout or customer-account extension. The shopper is named only when logged in.

    Raises: ProofRefused, for admin and post-purchase tokens too.
    """
    claims = open_token(token, secrets, most_bytes=MOST_TOKEN_BYTES)
    check_times(claims, now)
    shop_domain = _shop_of(claims, api_key)
    subject, issuer = claims.get("sub", ""), claims.get("iss", "")
    if not isinstance(subject, str) or not isinstance(issuer, str):
        raise refused()
    if "sid" in claims or "/admin" in issuer or subject.isdigit():
        raise refused()
    is_customer = subject.startswith(CUSTOMER_GID)
    customer_id = CustomerId(_number(subject.removeprefix(CUSTOMER_GID))) if is_customer else None
    return ExtensionProof(shop_domain, customer_id)


def verify_post_purchase_token(token: str, *, secrets: tuple[str, ...], now: datetime) -> PostPurchaseProof:
    """Check `inputData.token` of the post-purchase page.

    Raises: ProofRefused, for session tokens and for changesets that we signed ourselves too.
    """
    claims = open_token(token, secrets, most_bytes=MOST_PURCHASE_TOKEN_BYTES)
    if claims.get("iss") != "shopify" or claims.keys() & {"aud", "dest", "sid", "changes"}:
        raise refused()
    check_times(claims, now, required=False)
    if not is_fresh(moment_of(claims.get("iat")), now, longest=POST_PURCHASE_WINDOW):
        raise refused()
    input_data = _mapping(claims.get("input_data"))
    purchase, shop = _mapping(input_data.get("initialPurchase")), _mapping(input_data.get("shop"))
    reference_id, shop_domain = purchase.get("referenceId"), shop.get("domain")
    if not isinstance(reference_id, str) or not 0 < len(reference_id) <= 255 or claims.get("sub") != reference_id:
        raise refused()
    if not isinstance(shop_domain, str) or not is_shop_domain(shop_domain):
        raise refused()
    return PostPurchaseProof(shop_domain, reference_id, purchase, input_data)


def sign_changeset(
    *,
    api_key: str,
    secret: str,
    reference_id: str,
    changeset_id: str,
    changes: Sequence[Mapping[str, Any]],
    now: datetime,
) -> str:
    """Sign what the post-purchase page may add to the order: the one thing we say under the client secret.

    Source: shopify.dev, post-purchase "JWT specification" (read 2026-11-22). It has no `aud`, `exp` or `dest`, so that
    none of the verifiers above takes it for a proof.
    """
    claims = {
        "iss": api_key,
        "sub": reference_id,
        "jti": changeset_id,
        "iat": int(now.timestamp()),
        "changes": [dict(change) for change in changes],
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def _shop_of(claims: Mapping[str, Any], api_key: str) -> str:
    """Name the shop of a session token: meant for us, and of the session shape only. `dest` may lack its scheme."""
    dest = claims.get("dest")
    if claims.get("aud") != api_key or not isinstance(dest, str) or claims.keys() & {"input_data", "changes"}:
        raise refused()
    shop_domain = dest.removeprefix("https://")
    if not is_shop_domain(shop_domain):
        raise refused()
    return shop_domain


def _ask_the_library(token: str, api_key: str, secrets: tuple[str, ...]) -> None:
    """Have Shopify's own library judge the token as well; it reads the machine's clock."""
    for secret in secrets:
        try:
            session_token.decode_from_header(f"Bearer {token}", api_key, secret)
        except session_token.SessionTokenError:
            continue
        return
    raise refused()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > LARGEST_ID:
        raise refused()
    return int(text)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refused()
    return value


def _printable(headers: Mapping[str, str], name: str) -> str:
    value = _optional(headers, name)
    if value is None:
        raise InvalidInput(f"{name} is missing or cannot be used")
    return value


def _optional(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name, "")
    return value if 0 < len(value) <= 255 and value.isascii() and value.isprintable() else None


def _triggered_at(text: str | None, now: datetime) -> datetime:
    try:
        moment = parse_time(text)
    except InvalidInput:
        return now
    return moment if EARLIEST_YEAR <= moment.year <= LATEST_YEAR else now
