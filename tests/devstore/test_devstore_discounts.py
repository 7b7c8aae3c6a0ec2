"""The merchant's discounts in the dev store: told thinly by webhook, wholly over the Admin API."""

import json
from collections.abc import Callable
from typing import Any

from builders_devstore import ROOT, Clock, Listener, exchange, shop_of
from flask.testing import FlaskClient

QUERY = (ROOT / "shopify_upsell" / "gateway" / "operations" / "discounts.graphql").read_text()


def ask(store: FlaskClient, clock: Clock, **variables: object) -> Any:
    headers = {"X-Shopify-Access-Token": exchange(store, clock).get_json()["access_token"]}
    body = {"query": QUERY, "variables": variables}
    answer = store.post("/admin/api/2026-10/graphql.json", json=body, headers=headers).get_json()
    assert "errors" not in answer, answer
    return answer


def make(store: FlaskClient, **told: object) -> int:
    answer = store.post("/_dev/discounts", json=told)
    assert answer.status_code == 200, answer.get_json()
    return int(answer.get_json()["discount_id"])


def titles(answer: Any) -> list[str]:
    return [node["discount"]["title"] for node in answer["data"]["discountNodes"]["nodes"]]


def heard(store: FlaskClient, listener: Listener) -> list[tuple[str, Any]]:
    store.post("/_dev/webhooks/flush")
    news = [(got["headers"]["X-Shopify-Topic"], json.loads(got["raw"])) for got in listener.got]
    first: list[tuple[str, Any]] = []
    for one in news:
        if one[0].startswith("discounts/") and one not in first:
            first.append(one)
    return first


def test_a_discount_is_told_with_all_its_rules(store: FlaskClient, clock: Clock) -> None:
    (product, *_) = shop_of(store).products
    number = make(
        store, kind="amount", title="Five off", amount="5.00", products=[product], minimum_subtotal="40",
        combines_with=["shipping"],
    )  # fmt: skip

    (node,) = ask(store, clock)["data"]["discountNodes"]["nodes"]

    assert node["id"] == f"gid://shopify/DiscountNode/{number}"
    told = node["discount"]
    assert (told["__typename"], told["status"], told["discountClasses"]) == (
        "DiscountAutomaticBasic",
        "ACTIVE",
        ["PRODUCT"],
    )
    assert told["customerGets"]["value"] == {
        "amount": {"amount": "5.00", "currencyCode": "USD"},
        "appliesOnEachItem": True,
    }
    assert told["customerGets"]["items"]["products"]["nodes"] == [{"id": f"gid://shopify/Product/{product}"}]
    assert told["minimumRequirement"] == {"greaterThanOrEqualToSubtotal": {"amount": "40.00", "currencyCode": "USD"}}
    assert (told["combinesWith"]["shippingDiscounts"], told["combinesWith"]["orderDiscounts"]) == (True, False)


def test_kinds_that_nobody_can_predict_are_told_as_what_they_are(store: FlaskClient, clock: Clock) -> None:
    for kind in ("function", "buy_x_get_y", "free_shipping"):
        make(store, kind=kind, title=kind)
    make(store, title="segment", basis_points=1000, for_whom="segment")
    make(store, title="collection", basis_points=1000, is_collection=True)

    nodes = ask(store, clock)["data"]["discountNodes"]["nodes"]

    told = {node["discount"]["title"]: node["discount"] for node in nodes}
    assert {title: each["__typename"] for title, each in told.items()} == {
        "function": "DiscountAutomaticApp",
        "buy_x_get_y": "DiscountAutomaticBxgy",
        "free_shipping": "DiscountAutomaticFreeShipping",
        "segment": "DiscountAutomaticBasic",
        "collection": "DiscountAutomaticBasic",
    }
    assert told["segment"]["context"] == {}
    assert told["collection"]["customerGets"]["items"] == {}


def test_discounts_are_found_by_method_and_state_the_newest_first(store: FlaskClient, clock: Clock) -> None:
    over = {"starts_at": "2026-01-01T00:00:00+00:00", "ends_at": "2026-02-01T00:00:00+00:00"}
    make(store, title="over", basis_points=1000, **over)
    make(store, title="running", basis_points=1000)
    make(store, title="coming", basis_points=1000, starts_at="2027-01-01T00:00:00+00:00")
    make(store, title="code", basis_points=1000, code="WALK")

    assert titles(ask(store, clock, query="method:automatic status:active,scheduled")) == ["coming", "running"]
    assert titles(ask(store, clock, query="method:code status:active,scheduled")) == ["code"]
    first = ask(store, clock, first=1)
    after = first["data"]["discountNodes"]["pageInfo"]["endCursor"]
    assert titles(first) + titles(ask(store, clock, after=after)) == ["code", "coming", "running", "over"]


def test_every_change_is_told_with_no_more_than_the_app_asked_for(
    start: Callable[..., FlaskClient], listener: Listener
) -> None:
    store = start(app_toml=ROOT / "shopify.app.toml")
    number = make(store, title="Autumn", basis_points=1000)
    store.post(f"/_dev/discounts/{number}", json={"basis_points": 2000})
    store.delete(f"/_dev/discounts/{number}")

    news = heard(store, listener)

    body = {"admin_graphql_api_id": f"gid://shopify/DiscountAutomaticNode/{number}"}
    topics = ["discounts/create", "discounts/delete", "discounts/update"]
    assert sorted(news, key=lambda one: one[0]) == [(topic, body) for topic in topics]


def test_a_discount_that_cannot_be_is_refused_and_nothing_is_kept(store: FlaskClient, clock: Clock) -> None:
    refused = [{"colour": "red"}, {"kind": "magic"}, {"basis_points": "many"}, {"amount": "much"}]

    assert [store.post("/_dev/discounts", json=body).status_code for body in refused] == [422] * 4
    assert store.delete("/_dev/discounts/1").status_code == 404
    assert titles(ask(store, clock)) == []
