"""A merchant changes a discount, and the next decision promises what will be charged, or nothing.

The dev store and the whole application, each served on this machine: install, webhook, reading, decision, launch check.
"""

import socket
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
import requests
from builders_apps import an_application, parts_of, real_now, work_off
from builders_devstore import SCHEMA
from builders_proofs import API_KEY, SECRET
from werkzeug.serving import make_server

from shopify_upsell.core import ConflictingRequest, DecisionId, ProductId
from shopify_upsell.database import bind_shop
from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.server import create_devstore
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.launching import go_live
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.offers.store import save_offer
from shopify_upsell.offers.terms import Incentive, Terms
from shopify_upsell.shops.store import find_shop

SHOP = "glow.myshopify.com"
PURPOSE = {
    "objective": "larger baskets",
    "hypothesis": "they go together",
    "primary_metric": "contribution_per_shopper",
}
TENTH = Terms(incentive=Incentive("percentage", basis_points=1000), **PURPOSE)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(app, port):
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Stage:
    """The two of them, an anchor and what is offered beside it."""

    def __init__(self, application, store, store_url):
        self.application, self.store, self.url = application, store, store_url
        products = [one for one in store.extensions["devstore"].products.values() if one.is_reachable]
        self.anchor, self.offered = (ProductId(one.product_id) for one in products[:2])
        self.price = products[1].variants[0].price

    def merchant(self, method, path, body=None):
        """Something the merchant does; returns when the app has made of it what it will."""
        answer = requests.request(method, f"{self.url}/_dev/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        requests.post(f"{self.url}/_dev/webhooks/flush", timeout=10)
        work_off(self.application)
        return answer.json()

    def make(self, **told):
        return self.merchant("POST", "discounts", {"products": [self.offered], "combines_with": ["order"]} | told)

    @contextmanager
    def shop(self):
        """A session of the app, bound to the shop, that remembers nothing of earlier questions."""
        with parts_of(self.application).database.write() as session:
            session.info.pop("memory", None)
            shop = find_shop(session, SHOP)
            bind_shop(session, shop.shop_id)
            yield session, shop

    def decide(self):
        with self.shop() as (session, shop):
            request = OfferRequest(shop.shop_id, "theme/product_page", (self.anchor,), currency="USD", visitor_id="v-1")
            return decide(
                session, request, now=real_now(), decision_id=DecisionId("d" * 32), shop=shop, holdout_basis_points=0
            )

    def outcome(self, offer_id):
        """The price on the offer's card, or why there is none."""
        decision = self.decide()
        shown = [card.total.minor_units for card in decision.chosen if card.offer_id == offer_id]
        refused = (why for why in decision.rejections if why.offer_id == offer_id)
        return shown[0] if shown else next((why.code, why.detail.get("discount")) for why in refused)


@pytest.fixture
def stage(database, tmp_path, monkeypatch):
    monkeypatch.setenv("WELLPAIRED_ENV", "test")
    ports = free_port(), free_port()
    store_url, app_url = (f"http://127.0.0.1:{port}" for port in ports)
    config = DevstoreConfig(
        app_url=app_url, api_key=API_KEY, api_secret=SECRET, extensions_dir=tmp_path, schema_path=SCHEMA,
        order_count=10, duplicate_rate=0.0, webhook_workers=1, app_toml=SCHEMA.parents[3] / "shopify.app.toml",
    )  # fmt: skip
    store = create_devstore(config)
    application = an_application(database, tmp_path, SHOPIFY_ORIGIN=store_url, APP_URL=app_url)
    with served(store, ports[0]), served(application, ports[1]):
        stage = Stage(application, store, store_url)
        stage.merchant("POST", "install")
        yield stage
        store.extensions["devstore"].deliveries.close()


def an_offer_of_a_tenth(stage, state="live"):
    draft = OfferDraft(
        "cross_sell", "A tenth off", ("theme/product_page",), state=state,
        anchors=(stage.anchor,), companions=(stage.offered,), terms=TENTH,
    )  # fmt: skip
    with stage.shop() as (session, shop):
        return save_offer(session, shop.shop_id, draft, now=real_now()).offer_id


def test_what_the_merchant_changes_decides_what_is_promised(stage):
    tenth = an_offer_of_a_tenth(stage)
    nothing = stage.outcome(tenth)
    number = stage.make(title="Ten", basis_points=1000)["discount_id"]
    backed = stage.outcome(tenth)
    stage.merchant("POST", f"discounts/{number}", {"basis_points": 2000, "title": "Twenty"})
    conflict = stage.outcome(tenth)
    app = stage.make(kind="function", title="Volume prices")["discount_id"]
    unpredictable = stage.outcome(tenth)
    stage.merchant("DELETE", f"discounts/{app}")
    stage.merchant("POST", f"discounts/{number}", {"basis_points": 1000, "starts_at": tomorrow()})
    not_yet = stage.outcome(tenth)
    stage.merchant("DELETE", f"discounts/{number}")

    assert nothing == stage.outcome(tenth) == not_yet == ("discount_not_backed", None)
    assert backed * 10 == stage.price * 9
    assert conflict == ("discount_conflict", "Twenty")
    assert unpredictable == ("discount_unpredictable", "Volume prices")


def test_a_draft_in_conflict_with_a_discount_does_not_go_live_and_the_discount_is_named(stage):
    stage.make(title="Twenty", basis_points=2000)
    draft = an_offer_of_a_tenth(stage, state="draft")

    with (
        pytest.raises(ConflictingRequest, match=r"discount_conflict: .*discount Twenty"),
        stage.shop() as (session, shop),
    ):
        go_live(session, shop.shop_id, draft, real_now(), holdout_basis_points=1000)


def tomorrow():
    return (real_now() + timedelta(days=1)).isoformat()
