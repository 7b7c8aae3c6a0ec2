"""What happens to customers after they bought: the app is told over HTTP, and no story is believed unseen."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from builders_database import ROOT
from flask import Flask, jsonify, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

from shopify_upsell.devstore import afterwards
from shopify_upsell.devstore.afterwards import FIRST_CUSTOMER, Explained, Scene, walk_afterwards
from shopify_upsell.devstore.config import utc_now
from shopify_upsell.devstore.shopper import JourneyFailed

KEY = "wpk_of_the_helpdesk"


class Judge:
    """Answers as the app promises to: whoever is in trouble, or wants none, is shown nothing. The first is held out."""

    def __init__(self) -> None:
        self.app = Flask("judge")
        self.gates: dict[int, str] = {}
        self.praise: set[int] = set()
        self.why: dict[str, Explained] = {}
        self.topics: list[str] = []
        self.asked: list[tuple[int, str]] = []
        self.customer_of: dict[int, int] = {}
        self.promised: dict[int, datetime] = {}
        self.is_deaf = False
        for path, view in (
            ("/proxy/events", self.events),
            ("/proxy/preferences", self.preferences),
            ("/webhooks", self.webhook),
            ("/api/v1/signals", self.signals),
            ("/ext/post-purchase/offers", self.after_purchase),
        ):
            self.app.add_url_rule(path, path, view, methods=["POST"])
        self.app.add_url_rule("/proxy/offers", view_func=self.offers)

    def explain(self, decision_id: str) -> Explained:
        return self.why[decision_id]

    def offers(self) -> ResponseReturnValue:
        return self.decide(int(request.args["logged_in_customer_id"]), request.args["placement"])

    def after_purchase(self) -> ResponseReturnValue:
        return self.decide(self.asked[-1][0], "post_purchase/offer")

    def decide(self, customer: int, placement: str) -> ResponseReturnValue:
        self.asked.append((customer, placement))
        gate = None if self.is_deaf else self.gates.get(customer)
        decision_id = f"d{len(self.asked)}"
        reasons = ("delivered_on_time",) if customer in self.praise else ()
        self.why[decision_id] = Explained(gate, "2026-12-24T00:00:00+00:00" if gate else None, "Because.", reasons)
        is_silent = gate is not None or customer == FIRST_CUSTOMER
        return jsonify(decision_id=decision_id, offers=[] if is_silent else [{"offer_id": "1"}])

    def events(self) -> ResponseReturnValue:
        said = request.get_json()
        assert (said["event"], said["days"], said["offer_id"]) == ("snooze", 30, "1")
        self.gates[int(request.args["logged_in_customer_id"])] = "suppressed_snoozed"
        return jsonify(recorded=True)

    def preferences(self) -> ResponseReturnValue:
        assert request.get_json() == {"level": "none"}
        self.gates[int(request.args["logged_in_customer_id"])] = "preference_none"
        return jsonify(level="none")

    def signals(self) -> ResponseReturnValue:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        (signal,) = request.get_json()["signals"]
        self.gates[signal["customer_id"]] = "open_ticket"
        if signal["kind"] == "ticket_solved_happy":
            del self.gates[signal["customer_id"]]
        return jsonify(accepted=1, new=1)

    def webhook(self) -> ResponseReturnValue:
        topic, body = request.headers["X-Shopify-Topic"], request.get_json()
        self.topics.append(topic)
        if topic == "orders/create":
            self.customer_of[body["id"]] = body["customer"]["id"]
        elif topic == "fulfillment_events/create":
            self.hear_of_parcel(body)
        elif topic == "returns/request":
            self.gates[self.customer_of[body["order"]["id"]]] = "return_in_progress"
        elif topic == "returns/cancel":
            del self.gates[self.customer_of[body["order_id"]]]
        return ""

    def hear_of_parcel(self, body: dict[str, Any]) -> None:
        customer = self.customer_of[body["order_id"]]
        if body["status"] == "in_transit":
            self.promised[customer] = datetime.fromisoformat(body["estimated_delivery_at"])
        elif datetime.fromisoformat(body["happened_at"]) > self.promised[customer]:
            self.gates[customer] = "late_delivery"
        else:
            self.praise.add(customer)


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
def judge() -> Judge:
    return Judge()


def walk(start: Callable[..., FlaskClient], judge: Judge) -> list[afterwards.Story]:
    with served(judge.app) as app_url:
        changes = {"app_url": app_url, "clock": utc_now, "webhook_workers": 1, "app_toml": ROOT / "shopify.app.toml"}
        with served(start(**changes).application) as store_url:
            return walk_afterwards(Scene(store_url, app_url, judge.explain, KEY))


def test_every_story_is_told_to_the_app_and_seen_in_its_answers(
    start: Callable[..., FlaskClient], judge: Judge
) -> None:
    told = {story.name: story for story in walk(start, judge)}

    assert {name: (story.gate, story.cards_before, story.cards_after) for name, story in told.items()} == {
        "delivered_on_time": (None, 1, 1),
        "late_delivery": ("late_delivery", 1, 0),
        "return_requested": ("return_in_progress", 1, 0),
        "ticket_opened": ("open_ticket", 1, 0),
        "snooze": ("suppressed_snoozed", 1, 0),
        "preference_none": ("preference_none", 1, 0),
    }
    assert [story.customer_id for story in told.values()] == [FIRST_CUSTOMER + n for n in range(1, 7)]
    assert told["delivered_on_time"].reasons == ("delivered_on_time",)
    assert {name for name, story in told.items() if story.cards_again} == {"return_requested", "ticket_opened"}
    assert told["preference_none"].places_asked == ("theme/product_page", "theme/cart", "post_purchase/offer")
    assert judge.asked[-2:] == [(FIRST_CUSTOMER + 6, "theme/cart"), (FIRST_CUSTOMER + 6, "post_purchase/offer")]
    assert {"customers/update", "customers_email_marketing_consent/update"} <= set(judge.topics)
    assert judge.topics.count("fulfillment_events/create") == 4


def test_an_app_that_does_not_hear_fails_the_story_in_a_sentence(
    start: Callable[..., FlaskClient], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge.is_deaf = True
    monkeypatch.setattr(afterwards, "SILENCE_SECONDS", 1.0)

    with pytest.raises(JourneyFailed, match="the parcel came three days late, and 1 s later no decision knew of it"):
        walk(start, judge)


def test_a_shop_that_shows_nobody_anything_fails_before_the_first_story(
    start: Callable[..., FlaskClient], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afterwards, "CUSTOMERS_TRIED", 1)

    with pytest.raises(JourneyFailed, match="None of 1 customers was shown an offer"):
        walk(start, judge)
