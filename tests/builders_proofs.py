"""Proofs that are forged but valid: what each kind of caller would send if Shopify had sent it.

`change` and `without` bend one detail, for tests of refusal.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

API_KEY = "0123456789abcdef0123456789abcdef"
SECRET = "shpss_current_secret_of_the_test_app_00"
OLD_SECRET = "shpss_previous_secret_of_the_test_app_0"
SECRETS = (SECRET, OLD_SECRET)
SHOP = "one.myshopify.com"
SIGNED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def signed_webhook(
    body: bytes | Mapping[str, Any],
    *,
    topic: str = "orders/create",
    shop: str = SHOP,
    webhook_id: str | None = None,
    secret: str = SECRET,
    triggered_at: datetime | str = SIGNED_AT,
    api_version: str = "2026-10",
    event_id: str | None = None,
) -> tuple[bytes, dict[str, str]]:
    """A delivery: the raw body and its headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": webhook_mac(raw, secret),
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-API-Version": api_version,
        "X-Shopify-Webhook-Id": webhook_id or str(uuid.uuid4()),
        "X-Shopify-Event-Id": event_id or str(uuid.uuid4()),
        "X-Shopify-Triggered-At": triggered_at if isinstance(triggered_at, str) else triggered_at.isoformat(),
    }
    return raw, headers


def webhook_mac(raw: bytes, secret: str = SECRET) -> str:
    """The value of X-Shopify-Hmac-Sha256."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def signed_proxy_query(
    parameters: Mapping[str, str] | None = None,
    *,
    shop: str = SHOP,
    customer_id: int | str = "",
    now: datetime = SIGNED_AT,
    secret: str = SECRET,
    path_prefix: str = "/apps/wellpaired",
    change: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> str:
    """The query string that Shopify's app proxy would send on. `change` and `without` are signed as well."""
    fields = {
        **(parameters or {}),
        "shop": shop,
        "logged_in_customer_id": str(customer_id),
        "path_prefix": path_prefix,
        "timestamp": str(int(now.timestamp())),
        **(change or {}),
    }
    pairs = [(name, value) for name, value in fields.items() if name not in without]
    return urlencode([*pairs, ("signature", proxy_signature(pairs, secret))])


def proxy_signature(pairs: Collection[tuple[str, str]], secret: str = SECRET) -> str:
    """Sign as Shopify documents it: repeated names joined by commas, sorted, nothing between."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    text = "".join(sorted(f"{name}={','.join(given)}" for name, given in values.items()))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def admin_id_token(
    *,
    shop: str = SHOP,
    user_id: int = 7001,
    now: datetime | None = None,
    secret: str = SECRET,
    api_key: str = API_KEY,
    change: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> str:
    """An ID token of the embedded admin, valid at `now` and on the machine's clock: Shopify's library reads that."""
    clock = datetime.now(UTC)
    moments = [clock, now or clock]
    claims = {
        "iss": f"https://{shop}/admin",
        "dest": f"https://{shop}",
        "aud": api_key,
        "sub": str(user_id),
        "exp": int((max(moments) + timedelta(seconds=60)).timestamp()),
        "nbf": int(min(moments).timestamp()),
        "iat": int(min(moments).timestamp()),
        "jti": str(uuid.uuid4()),
        "sid": hashlib.sha256(f"{shop}|{user_id}".encode()).hexdigest(),
    }
    return json_web_token(claims, secret, change, without)


def extension_token(
    *,
    shop: str = SHOP,
    customer_id: int | None = None,
    now: datetime = SIGNED_AT,
    secret: str = SECRET,
    api_key: str = API_KEY,
    change: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> str:
    """The session token of a checkout or customer-account extension."""
    claims: dict[str, Any] = {
        "dest": shop,
        "aud": api_key,
        "exp": int(now.timestamp()) + 300,
        "nbf": int(now.timestamp()),
        "iat": int(now.timestamp()),
        "jti": str(uuid.uuid4()),
    }
    if customer_id is not None:
        claims["sub"] = f"gid://shopify/Customer/{customer_id}"
    return json_web_token(claims, secret, change, without)


def post_purchase_token(
    *,
    shop: str = SHOP,
    reference_id: str = "ref-1",
    purchase: Mapping[str, Any] | None = None,
    now: datetime = SIGNED_AT,
    secret: str = SECRET,
    change: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> str:
    """`inputData.token` of the post-purchase page. `purchase` is merged into the initial purchase."""
    total = {"amount": "19.99", "currencyCode": "USD"}
    initial = {
        "referenceId": reference_id,
        "totalPriceSet": {"shopMoney": total, "presentmentMoney": total},
        "lineItems": [],
        **(purchase or {}),
    }
    claims = {
        "iss": "shopify",
        "sub": reference_id,
        "iat": int(now.timestamp()),
        "input_data": {
            "extensionPoint": "Checkout::PostPurchase::ShouldRender",
            "shop": {"id": 1, "domain": shop, "metafields": []},
            "initialPurchase": initial,
        },
    }
    return json_web_token(claims, secret, change, without)


def json_web_token(
    claims: Mapping[str, Any],
    secret: str = SECRET,
    change: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> str:
    """Sign claims with HS256, after bending them."""
    bent = {name: value for name, value in {**claims, **(change or {})}.items() if name not in without}
    return raw_token({"alg": "HS256", "typ": "JWT"}, json.dumps(bent).encode(), secret)


def raw_token(header: Mapping[str, Any], payload: bytes, secret: str = SECRET) -> str:
    """Sign any header and any payload bytes: for tokens that no library would write."""
    text = f"{part(json.dumps(header).encode())}.{part(payload)}"
    return f"{text}.{part(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def part(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
