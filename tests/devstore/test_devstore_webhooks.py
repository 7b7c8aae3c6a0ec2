import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders_devstore import ROOT, SECRET, Listener, buy, variant_of
from flask.testing import FlaskClient

from shopify_upsell.devstore.config import DevstoreRefused
from shopify_upsell.devstore.subscriptions import cut_down, read_scopes, read_subscriptions


def flush(store: FlaskClient) -> Any:
    answer = store.post("/_dev/webhooks/flush?timeout=10")
    assert answer.status_code == 200
    return answer.get_json()["webhooks"]


def deliveries(listener: Listener, topic: str) -> list[dict[str, Any]]:
    return [json.loads(got["raw"]) for got in listener.got if got["headers"]["X-Shopify-Topic"] == topic]


def test_a_webhook_is_signed_over_its_raw_body(store: FlaskClient, listener: Listener) -> None:
    buy(store, variant_of(store, "Dew Drop Serum"))
    flush(store)

    got = listener.got[0]
    digest = base64.b64encode(hmac.new(SECRET.encode(), got["raw"], hashlib.sha256).digest()).decode()
    assert got["path"] == "webhooks"
    assert got["headers"]["X-Shopify-Hmac-Sha256"] == digest
    assert got["headers"]["X-Shopify-Shop-Domain"] == "glow.myshopify.com"
    assert got["headers"]["X-Shopify-Api-Version"] == "2026-10"
    assert got["headers"]["X-Shopify-Triggered-At"] == "2026-11-22T12:00:00.000000000Z"


def test_a_purchase_sends_created_and_paid_with_everything_the_app_needs(
    store: FlaskClient, listener: Listener
) -> None:
    serum = variant_of(store, "Dew Drop Serum", at=1)
    store.post("/cart/add.js", json={"items": [{"id": serum, "quantity": 2, "properties": {"_wp": "v1.t"}}]})
    store.post("/cart/update.js", json={"attributes": {"__wp": "session"}})
    cart_token = store.get("/cart.js").get_json()["token"].split("?")[0]
    path, order = buy(store)
    flush(store)

    created, paid = deliveries(listener, "orders/create")[0], deliveries(listener, "orders/paid")[0]
    assert created == paid
    assert created["id"] == order["order_id"] > 2**31
    assert created["cart_token"] == cart_token
    assert created["checkout_token"] == path.rsplit("/", 1)[1]
    assert created["note_attributes"] == [{"name": "__wp", "value": "session"}]
    assert created["financial_status"] == "paid"
    assert (created["source_name"], created["test"], created["total_price"]) == ("web", False, "78.00")
    (line,) = created["line_items"]
    assert line["properties"] == [{"name": "_wp", "value": "v1.t"}]
    assert (line["variant_id"], line["quantity"], line["price"]) == (serum, 2, "39.00")
    assert line["discount_allocations"] == []
    assert created["email"].endswith("@example.com")
    ids = {got["headers"]["X-Shopify-Webhook-Id"] for got in listener.got}
    events = {got["headers"]["X-Shopify-Event-Id"] for got in listener.got}
    assert (len(ids), len(events)) == (2, 1)


def test_a_customers_order_names_them_so_that_the_app_can_drop_it(store: FlaskClient, listener: Listener) -> None:
    store.post("/account", data={"customer_id": "7000000000001"})
    buy(store, variant_of(store, "Dew Drop Serum"))
    flush(store)

    (body,) = deliveries(listener, "orders/create")
    assert body["customer"]["id"] == 7_000_000_000_001
    assert body["customer"]["first_name"] == "Robin"


def test_a_failed_delivery_is_tried_again_with_the_same_bytes_and_id(store: FlaskClient, listener: Listener) -> None:
    listener.answers = [500, 503]
    buy(store, variant_of(store, "Dew Drop Serum"))
    state = flush(store)

    sent = Counter((got["headers"]["X-Shopify-Webhook-Id"], got["raw"]) for got in listener.got)
    assert sum(sent.values()) == 4
    assert len(sent) == 2
    assert (state["delivered"], state["retried"], state["failed"], state["pending"]) == (2, 2, 0, 0)


def test_a_delivery_is_given_up_after_its_retries(store: FlaskClient, listener: Listener) -> None:
    listener.answers = [500] * 6
    buy(store, variant_of(store, "Dew Drop Serum"))
    state = flush(store)

    assert (state["delivered"], state["failed"]) == (0, 2)
    assert {row["attempts"] for row in state["log"]} == {3}


def test_duplicates_carry_the_same_webhook_id(start: Callable[..., FlaskClient], listener: Listener) -> None:
    store = start(duplicate_rate=1.0, shuffle_seconds=0.05)
    buy(store, variant_of(store, "Dew Drop Serum"))
    state = flush(store)

    ids = Counter(got["headers"]["X-Shopify-Webhook-Id"] for got in listener.got)
    assert sorted(ids.values()) == [2, 2]
    assert (state["duplicated"], state["delivered"]) == (2, 4)


def test_nothing_is_sent_before_the_app_is_installed(start: Callable[..., FlaskClient], listener: Listener) -> None:
    store = start(installed=False)
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))
    flush(store)

    assert listener.got == []
    assert f"\n{order['order_id']}," in store.get("/_dev/history.csv").get_data(as_text=True)


def test_a_refund_of_units_carries_the_line_at_what_was_paid(store: FlaskClient, listener: Listener) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"), variant_of(store, "Jade Roller"))
    line = order["lines"][1]

    answer = store.post(f"/_dev/orders/{order['order_id']}/refund", json={"line_id": line["line_id"], "quantity": 1})
    flush(store)

    assert answer.get_json()["financial_status"] == "partially_refunded"
    (body,) = deliveries(listener, "refunds/create")
    (row,) = body["refund_line_items"]
    assert (body["order_id"], row["line_item_id"], row["quantity"]) == (order["order_id"], line["line_id"], 1)
    assert row["subtotal_set"]["shop_money"] == {"amount": "24.00", "currency_code": "USD"}
    assert (row["subtotal"], body["order_adjustments"]) == (24.0, [])
    (updated,) = deliveries(listener, "orders/updated")
    assert [refund["id"] for refund in updated["refunds"]] == [body["id"]]
    assert [item["current_quantity"] for item in updated["line_items"]] == [1, 0]


def test_a_refund_of_an_amount_belongs_to_no_line(store: FlaskClient, listener: Listener) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))

    store.post(f"/_dev/orders/{order['order_id']}/refund", json={"amount": "5.00"})
    flush(store)

    (body,) = deliveries(listener, "refunds/create")
    assert body["refund_line_items"] == []
    assert body["order_adjustments"][0]["amount"] == "-5.00"
    assert body["transactions"][0]["amount"] == "5.00"


def test_a_cancelled_order_gives_back_what_is_left(store: FlaskClient, listener: Listener) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))

    store.post(f"/_dev/orders/{order['order_id']}/cancel", json={})
    flush(store)

    (body,) = deliveries(listener, "orders/cancelled")
    assert body["cancelled_at"] == "2026-11-22T12:00:00+00:00"
    assert (body["financial_status"], body["current_total_price"]) == ("refunded", "0.00")
    assert len(deliveries(listener, "refunds/create")) == 1
    again = store.post(f"/_dev/orders/{order['order_id']}/cancel", json={})
    assert (again.status_code, again.get_json()["error"]["code"]) == (422, "impossible_change")


def test_an_edit_sends_line_ids_and_changes_of_quantity(store: FlaskClient, listener: Listener) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))
    line_id = order["lines"][0]["line_id"]
    roller = variant_of(store, "Jade Roller")

    store.post(f"/_dev/orders/{order['order_id']}/edit", json={"add": {"variant_id": roller, "quantity": 2}})
    after = store.post(f"/_dev/orders/{order['order_id']}/edit", json={"remove": {"line_id": line_id, "quantity": 1}})
    flush(store)

    added = after.get_json()["lines"][1]["line_id"]
    edits = [body["order_edit"] for body in deliveries(listener, "orders/edited")]
    assert sorted(
        (edit["line_items"]["additions"], edit["line_items"]["removals"]) for edit in edits if edit["order_id"]
    ) == [([], [{"id": line_id, "delta": 1}]), ([{"id": added, "delta": 2}], [])]


@pytest.mark.parametrize("body", [{"line_id": 5}, {"amount": "9999"}, {"amount": "x"}, {}])
def test_an_impossible_refund_changes_and_sends_nothing(
    store: FlaskClient, listener: Listener, body: dict[str, object]
) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))

    answer = store.post(f"/_dev/orders/{order['order_id']}/refund", json=body)
    flush(store)

    assert answer.status_code in (404, 422)
    assert deliveries(listener, "refunds/create") == []
    assert store.get(f"/_dev/orders/{order['order_id']}").get_json()["financial_status"] == "paid"


def test_a_burst_places_and_announces_every_order(store: FlaskClient, listener: Listener) -> None:
    ids = store.post("/_dev/orders/burst", json={"count": 25}).get_json()["order_ids"]
    state = flush(store)

    assert len(set(ids)) == 25
    assert {body["id"] for body in deliveries(listener, "orders/paid")} == set(ids)
    assert state["delivered"] == 50


def test_subscriptions_are_read_from_the_apps_toml(tmp_path: Path) -> None:
    toml = tmp_path / "shopify.app.toml"
    toml.write_text(
        '[webhooks]\napi_version = "2026-10"\n[[webhooks.subscriptions]]\ntopics = ["orders/create"]\n'
        'uri = "/webhooks"\ninclude_fields = ["id", "line_items.id"]\n'
        '[[webhooks.subscriptions]]\ncompliance_topics = ["shop/redact"]\nuri = "/webhooks"\n'
    )

    found = read_subscriptions(toml)

    assert [row.topic for row in found.rows] == ["orders/create", "shop/redact"]
    assert found.of("orders/create")[0].include_fields == ("id", "line_items.id")
    assert found.of("orders/paid") == ()
    toml.write_text("[webhooks")
    with pytest.raises(DevstoreRefused, match="webhooks"):
        read_subscriptions(toml)


def test_a_body_is_cut_down_to_the_fields_named() -> None:
    body = {"id": 1, "email": "a@b", "line_items": [{"id": 2, "price": "1"}, {"id": 3}], "customer": {"id": 4}}

    assert cut_down(body, ("id", "line_items.id", "customer")) == {
        "id": 1,
        "line_items": [{"id": 2}, {"id": 3}],
        "customer": {"id": 4},
    }


def test_the_apps_own_toml_is_understood() -> None:
    found = read_subscriptions(ROOT / "shopify.app.toml")

    assert found.api_version == "2026-10"
    assert {"orders/create", "orders/paid", "orders/edited", "refunds/create", "shop/redact"} <= {
        row.topic for row in found.rows
    }
    assert "read_orders" in read_scopes(ROOT / "shopify.app.toml", ())
