"""The scripted shopper against a dev store and something that keeps the app's contract, all over HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest
from builders_devstore import KEY, SECRET
from flask import Flask, Response, jsonify, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

from shopify_upsell.devstore.journey import JourneyFailed, walk_journey


class Contract:
    """Answers as the app promises to: the first visitor is in the holdout, the others get the Jade Roller."""

    def __init__(self) -> None:
        self.app = Flask("contract")
        self.events: list[str] = []
        self.visitors: list[str] = []
        self.references: list[str] = []
        self.variant_id = 0
        self.is_silent = False
        self.app.add_url_rule("/proxy/offers", view_func=self.offers)
        self.app.add_url_rule("/proxy/events", view_func=self.record, methods=["POST"])
        self.app.add_url_rule("/webhooks", view_func=lambda: "", methods=["POST"], endpoint="webhooks")
        self.app.add_url_rule("/ext/post-purchase/offers", view_func=self.post_offers, methods=["POST"])
        self.app.add_url_rule("/ext/post-purchase/sign", view_func=self.sign, methods=["POST"])
        self.app.add_url_rule("/ext/post-purchase/events", view_func=self.record_post, methods=["POST"])

    def offer(self) -> dict[str, Any]:
        gid = f"gid://shopify/ProductVariant/{self.variant_id}"
        item = {"variant_id": gid, "quantity": 1, "token": "v1.token"}
        why = {"code": "often_bought_together", "text": "Often bought together"}
        return {"offer_id": "1", "kind": "cross_sell", "why": why, "items": [item], "replaces": None}

    def offers(self) -> ResponseReturnValue:
        self.visitors.append(request.args["visitor"])
        if self.is_silent:
            return jsonify(offers=[])
        shown = [] if len(self.visitors) == 1 else [self.offer()]
        return jsonify(decision_id=f"d{len(self.visitors)}", offers=shown)

    def record(self) -> ResponseReturnValue:
        self.events.append(request.get_json()["event"])
        return jsonify(recorded=True)

    def record_post(self) -> ResponseReturnValue:
        self.events.append("post_" + request.get_json()["event"])
        return jsonify(recorded=True)

    def post_offers(self) -> ResponseReturnValue:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_iat": False})
        assert claims["sub"] == request.get_json()["reference_id"]
        self.references.append(claims["sub"])
        return jsonify(
            decision_id=f"p{len(self.references)}", offers=[] if len(self.references) == 1 else [self.offer()]
        )

    def sign(self) -> Response:
        change = {"type": "add_variant", "variantId": self.variant_id, "quantity": 1}
        claims = {"iss": KEY, "jti": "j", "iat": 4_000_000_000, "sub": request.get_json()["reference_id"]}
        return jsonify(token=jwt.encode({**claims, "changes": [change]}, SECRET, algorithm="HS256"))


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def contract() -> Contract:
    return Contract()


def walk(start: Callable[..., FlaskClient], contract: Contract) -> dict[str, Any]:
    with served(contract.app) as app_url:
        store = start(app_url=app_url).application
        roller = store.extensions["devstore"].product_by_handle["jade-roller"]
        contract.variant_id = roller.variants[0].variant_id
        with served(store) as store_url:
            return walk_journey(store_url, app_url)


def test_the_journey_goes_on_until_both_offers_are_accepted(
    start: Callable[..., FlaskClient], contract: Contract
) -> None:
    observed = walk(start, contract)

    # The first visitor was held out, the second one's purchase was; the third accepted both.
    assert len(set(contract.visitors)) == 3
    assert contract.events == [
        *("impression", "click", "accept"),
        *("impression", "click", "accept", "post_impression", "post_accept"),
    ]
    assert observed["offer_shown"] is True
    assert observed["cart_token_seen"] is True
    assert observed["post_purchase_accepted"] is True
    assert observed["decision_id"] == "d3"
    assert observed["post_purchase_decision_id"] == "p2"
    assert observed["reasons"] == ["often_bought_together", "often_bought_together"]
    assert (observed["visitors_tried"], observed["holdout_decisions"]) == (3, 2)
    assert (observed["theme_minor_units"], observed["post_purchase_minor_units"]) == (2900, 2900)
    assert observed["accepted_minor_units"] == 3 * 2900
    assert len(observed["order_ids"]) == 2
    assert observed["order_id"] == observed["order_ids"][-1]


def test_a_silent_app_fails_the_journey_in_a_sentence(start: Callable[..., FlaskClient], contract: Contract) -> None:
    contract.is_silent = True

    with pytest.raises(JourneyFailed, match="never answered the product page with a decision after 40 visitors"):
        walk(start, contract)
