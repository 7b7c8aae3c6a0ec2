from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from builders_devstore import ROOT, Clock, buy, exchange, variant_of
from flask.testing import FlaskClient

OPERATIONS = sorted((ROOT / "shopify_upsell" / "gateway" / "operations").glob("*.graphql"))
ORDERS = "query($q: String, $c: String) { orders(first: 7, after: $c, query: $q, sortKey: UPDATED_AT) "
ORDERS += "{ pageInfo { hasNextPage endCursor } nodes { id updatedAt } } }"


def ask(store: FlaskClient, clock: Clock, query: str, **variables: object) -> Any:
    token = exchange(store, clock).get_json()["access_token"]
    headers = {"X-Shopify-Access-Token": token}
    body = {"query": query, "variables": variables}
    return store.post("/admin/api/2026-10/graphql.json", json=body, headers=headers)


def test_a_wrong_token_is_refused_in_shopifys_words(store: FlaskClient) -> None:
    answer = store.post("/admin/api/2026-10/graphql.json", json={"query": "{shop{id}}"})

    assert answer.status_code == 401
    assert answer.get_json() == {
        "errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"
    }


def test_the_answer_names_version_and_cost(store: FlaskClient, clock: Clock) -> None:
    answer = ask(store, clock, "{ shop { myshopifyDomain currencyCode } }")

    assert answer.headers["X-Shopify-API-Version"] == "2026-10"
    body = answer.get_json()
    assert body["data"] == {"shop": {"myshopifyDomain": "glow.myshopify.com", "currencyCode": "USD"}}
    assert body["extensions"]["cost"] == {
        "requestedQueryCost": 1,
        "actualQueryCost": 1,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1999, "restoreRate": 100.0},
    }


def test_a_field_outside_the_schema_is_an_error_without_data(store: FlaskClient, clock: Clock) -> None:
    body = ask(store, clock, "{ shop { nope } }").get_json()

    assert "Cannot query field 'nope'" in body["errors"][0]["message"]
    assert "data" not in body


@pytest.mark.parametrize("path", [path for path in OPERATIONS if path.stem != "schema"], ids=lambda path: path.stem)
def test_every_operation_of_the_app_is_answered(store: FlaskClient, clock: Clock, path: Any) -> None:
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))

    body = ask(store, clock, path.read_text(), id=f"gid://shopify/Order/{order['order_id']}").get_json()

    assert "errors" not in body
    assert all(value is not None for value in body["data"].values())


def test_pages_of_orders_hold_each_order_once_in_order_of_change(store: FlaskClient, clock: Clock) -> None:
    seen: list[dict[str, str]] = []
    cursor: str | None = None
    while True:
        page = ask(store, clock, ORDERS, c=cursor).get_json()["data"]["orders"]
        seen += page["nodes"]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert len(seen) == 60
    assert len({node["id"] for node in seen}) == 60
    assert [node["updatedAt"] for node in seen] == sorted(node["updatedAt"] for node in seen)


def test_orders_are_filtered_by_their_last_change(store: FlaskClient, clock: Clock) -> None:
    clock.now += timedelta(minutes=5)
    since = clock.now.isoformat()
    _, order = buy(store, variant_of(store, "Dew Drop Serum"))

    body = ask(store, clock, ORDERS, q=f"updated_at:>='{since}'").get_json()

    assert [node["id"] for node in body["data"]["orders"]["nodes"]] == [f"gid://shopify/Order/{order['order_id']}"]


def test_products_come_with_variants_picture_and_state(store: FlaskClient, clock: Clock) -> None:
    query = """{ products(first: 100) { nodes { title status publishedAt featuredMedia { preview { image { url } } }
      variants(first: 10) { nodes { title price availableForSale } } } } }"""
    nodes = {row["title"]: row for row in ask(store, clock, query).get_json()["data"]["products"]["nodes"]}

    assert len(nodes) == 60
    assert nodes["Oat Calm Toner"]["variants"]["nodes"] == [
        {"title": "100 ml", "price": "15.00", "availableForSale": True},
        {"title": "200 ml", "price": "24.50", "availableForSale": True},
    ]
    assert nodes["Oat Calm Toner"]["featuredMedia"]["preview"]["image"]["url"].endswith("/files/oat-calm-toner.svg")
    assert nodes["Green Tea Night Balm"]["status"] == "ARCHIVED"
    assert nodes["Green Tea Night Balm"]["publishedAt"] is None
    assert nodes["Ceramic Dish"]["status"] == "UNLISTED"
    assert nodes["Ice Globes"]["variants"]["nodes"][0]["availableForSale"] is False


def test_an_order_that_is_not_there_is_null(store: FlaskClient, clock: Clock) -> None:
    body = ask(store, clock, '{ order(id: "gid://shopify/Order/1") { id } }').get_json()

    assert body["data"] == {"order": None}


def test_an_empty_bucket_throttles_until_it_has_refilled(start: Callable[..., FlaskClient], clock: Clock) -> None:
    store = start(bucket_size=30.0, restore_rate=10.0)
    query = "{ products(first: 16) { nodes { id featuredMedia { preview { image { url } } } } } }"
    first = ask(store, clock, query).get_json()
    refused = ask(store, clock, query).get_json()
    clock.now += timedelta(seconds=3)
    again = ask(store, clock, query).get_json()

    # 2 for the connection, 4 objects in each node, and 16 counts as 1 + log2(16) = 5.
    assert first["extensions"]["cost"]["requestedQueryCost"] == 22
    assert first["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 8
    assert refused["errors"] == [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    assert refused["extensions"]["cost"]["actualQueryCost"] is None
    assert "data" not in refused
    assert len(again["data"]["products"]["nodes"]) == 16


def test_a_query_beyond_the_limit_is_refused_whole(store: FlaskClient, clock: Clock) -> None:
    lines = "lineItems(first: 250) { nodes { product { id } variant { id } customer: product { id } } }"
    refunds = "refunds { refundLineItems(first: 250) { nodes { lineItem { product { id } variant { id } } } } }"
    query = f"{{ orders(first: 250) {{ nodes {{ id a: {lines} b: {lines} {refunds} }} }} }}"

    body = ask(store, clock, query).get_json()

    assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert body["errors"][0]["extensions"]["maxCost"] == 1000
    assert "data" not in body


@pytest.mark.parametrize(("count", "message"), [(251, "first cannot exceed 250"), (0, "you must provide one of")])
def test_a_page_size_out_of_range_is_an_error(store: FlaskClient, clock: Clock, count: int, message: str) -> None:
    body = ask(store, clock, f"{{ products(first: {count}) {{ nodes {{ id }} }} }}").get_json()

    assert message in body["errors"][0]["message"]
