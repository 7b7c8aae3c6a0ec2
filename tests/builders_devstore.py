"""What tests of the dev store share: a clock, something that listens in the app's place, a shopper's deeds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from flask import Flask, Response, jsonify, request
from flask.testing import FlaskClient
from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "shopify_upsell" / "gateway" / "operations" / "schema.graphql"
KEY, SECRET = "test-api-key", "test-api-secret-of-32-characters-"
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)

BLOCK = """
<div class="wp" data-placement="theme/{{ request.page_type }}" data-product="{{ product.id }}"
  data-root="{{ routes.root_url }}" data-limit="{{ block.settings.max }}" {{ block.shopify_attributes }}>
  {{ 'offer.hello' | t: name: 'A & B' }} {{ cart.total_price | money }} {{ 'offer.css' | asset_url }}
</div>
{% schema %}
{"name": "Offer", "target": "section", "javascript": "offer.js", "stylesheet": "offer.css",
 "enabled_on": {"templates": ["product", "cart"]},
 "settings": [{"type": "range", "id": "max", "default": 3}]}
{% endschema %}
"""


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = MIDNIGHT + timedelta(hours=12)

    def __call__(self) -> datetime:
        return self.now


class Listener:
    """Stands where the app would: keeps what it gets and answers as told."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.app = Flask("listener")
        self.app.add_url_rule("/", view_func=self._take, defaults={"path": ""})
        self.app.add_url_rule("/<path:path>", view_func=self._take, methods=["GET", "POST"])
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def _take(self, path: str) -> Response:
        record = {"path": path, "query": request.query_string, "raw": request.get_data(), "method": request.method}
        self.got.append({**record, "headers": dict(request.headers)})
        status = self.answers.pop(0) if self.answers else 200
        answer = jsonify(path=path)
        answer.status_code = status
        answer.set_cookie("from_the_app", "1")
        return answer


def shop_of(client: FlaskClient) -> Any:
    return client.application.extensions["devstore"]


def id_token(clock: Clock, **changes: Any) -> str:
    """An ID token of the admin's, made without the dev store's own code."""
    now = int(clock().timestamp())
    claims = {
        "iss": "https://glow.myshopify.com/admin",
        "dest": "https://glow.myshopify.com",
        "aud": KEY,
        "sub": "1",
        "sid": "s",
        "jti": "j",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
    }
    return jwt.encode({**claims, **changes}, SECRET, algorithm="HS256")


def exchange(client: FlaskClient, clock: Clock, **changes: str) -> Any:
    form = {
        "client_id": KEY,
        "client_secret": SECRET,
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": id_token(clock),
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
        "expiring": "1",
    }
    return client.post("/admin/oauth/access_token", data={**form, **changes})


def variant_of(client: FlaskClient, title: str, at: int = 0) -> int:
    shop = shop_of(client)
    product = next(product for product in shop.products.values() if product.title == title)
    return int(product.variants[at].variant_id)


def buy(client: FlaskClient, *variant_ids: int) -> tuple[str, dict[str, Any]]:
    """Buy one of each; gives the checkout's path and the order."""
    for variant_id in variant_ids:
        client.post("/cart/add.js", json={"items": [{"id": variant_id, "quantity": 1}]})
    path = client.post("/checkout").location
    client.post(path)
    token = path.rsplit("/", 1)[1]
    order_id = shop_of(client).checkouts[token].order_id
    return path, client.get(f"/_dev/orders/{order_id}").get_json()
