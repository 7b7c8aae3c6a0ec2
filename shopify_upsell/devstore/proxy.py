"""The app proxy: `/apps/wellpaired/...` on the storefront is forwarded to the app with a signed query.

Source: platform notes §4.3. The body is not signed; cookies are stripped both ways.
"""

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

import requests
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.shop import DevShop

PREFIX = "/apps/wellpaired"
TARGET = "/proxy"
TIMEOUT = 10.0
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

# Named by Shopify as stripped, plus hop-by-hop headers that belong to each connection.
STRIPPED = frozenset(
    (
        *("cookie", "set-cookie", "accept-patch", "accept-ranges", "connection", "date", "delta-base", "im", "p3p"),
        *("pragma", "preference-applied", "proxy-authenticate", "public-key-pins", "server"),
        *("service-worker-allowed", "trailer", "tk", "warning", "x-powered-by"),
        *("host", "content-length", "transfer-encoding", "content-encoding", "keep-alive", "upgrade", "te"),
    )
)

# What Shopify adds itself; a visitor who sends one of these doesn't get it forwarded.
RESERVED = frozenset(("shop", "logged_in_customer_id", "path_prefix", "timestamp", "signature"))


def sign_query(pairs: Iterable[tuple[str, str]], secret: str) -> str:
    """Sign a query: values of one key joined by commas, `key=value` sorted, no separators, hex HMAC-SHA256."""
    joined: dict[str, list[str]] = {}
    for key, value in pairs:
        joined.setdefault(key, []).append(value)
    message = "".join(sorted(f"{key}={','.join(values)}" for key, values in joined.items()))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def signed_query(shop: DevShop, visitor_query: bytes, customer_id: str) -> str:
    """Add what Shopify adds to a visitor's query, and sign it all."""
    asked = parse_qsl(visitor_query.decode("utf-8", "replace"), keep_blank_values=True)
    pairs = [(key, value) for key, value in asked if key not in RESERVED]
    pairs += [
        ("shop", shop.config.shop_domain),
        ("logged_in_customer_id", customer_id),
        ("path_prefix", PREFIX),
        ("timestamp", str(int(shop.config.clock().timestamp()))),
    ]
    return urlencode([*pairs, ("signature", sign_query(pairs, shop.config.api_secret))])


def make_proxy(shop: DevShop) -> Blueprint:
    """Build the forwarding routes."""
    views = Blueprint("proxy", __name__)

    @views.route(f"{PREFIX}/", defaults={"path": ""}, methods=METHODS)
    @views.route(f"{PREFIX}/<path:path>", methods=METHODS)
    def forward(path: str) -> ResponseReturnValue:
        customer_id = request.cookies.get("customer", "")
        query = signed_query(shop, request.query_string, customer_id if customer_id.isdigit() else "")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in STRIPPED}
        headers["X-Forwarded-Host"] = request.host
        headers["X-Forwarded-For"] = request.remote_addr or ""
        try:
            answer = requests.request(
                request.method,
                f"{shop.config.app_url}{TARGET}/{path}?{query}",
                data=request.get_data(),
                headers=headers,
                timeout=TIMEOUT,
            )
        except requests.RequestException:
            return Response("There was an error in the third-party application.", 502, mimetype="text/plain")
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in STRIPPED]
        return Response(answer.content, answer.status_code, kept)

    return views
