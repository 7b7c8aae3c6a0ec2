import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import jwt
import pytest
from builders_devstore import KEY, SECRET, Clock, Listener, buy, shop_of, variant_of
from flask.testing import FlaskClient


def settings_of(store: FlaskClient, path: str) -> Any:
    page = store.get(f"{path}/post_purchase").get_data(as_text=True)
    found = re.search(r'id="post-purchase-data">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def changeset(clock: Clock, reference: str, *changes: dict[str, object], **claims: object) -> str:
    base = {"iss": KEY, "jti": "one", "iat": int(clock().timestamp()), "sub": reference, "changes": list(changes)}
    return jwt.encode({**base, **claims}, SECRET, algorithm="HS256")


def addition(variant_id: int, quantity: int = 1, percent: int = 10) -> dict[str, object]:
    discount = {"value": percent, "valueType": "percentage", "title": "Wellpaired"}
    return {"type": "add_variant", "variantId": variant_id, "quantity": quantity, "discount": discount}


MARK = {
    "type": "set_metafield",
    "namespace": "wellpaired",
    "key": "changeset",
    "value": "one",
    "valueType": "string",
}


def test_the_input_is_what_shopify_gives_and_its_token_proves_it(store: FlaskClient) -> None:
    serum = variant_of(store, "Dew Drop Serum")
    path, _ = buy(store, serum)

    given = settings_of(store, path)["inputData"]

    claims = jwt.decode(given["token"], SECRET, algorithms=["HS256"], options={"verify_iat": False})
    purchase = given["initialPurchase"]
    assert claims["iss"] == "shopify"
    assert claims["sub"] == purchase["referenceId"]
    assert claims["input_data"]["initialPurchase"] == purchase
    assert claims["input_data"]["shop"]["domain"] == "glow.myshopify.com"
    (line,) = purchase["lineItems"]
    assert (line["product"]["variant"]["id"], line["quantity"]) == (serum, 1)
    assert line["totalPriceSet"]["shopMoney"] == {"amount": "24.00", "currencyCode": "USD"}
    assert "properties" not in line
    assert "customerId" not in purchase


@pytest.mark.parametrize("same", [True, False])
def test_the_reference_is_the_checkout_token_only_when_configured(
    start: Callable[..., FlaskClient], same: bool
) -> None:
    store = start(reference_equals_checkout_token=same)
    path, _ = buy(store, variant_of(store, "Dew Drop Serum"))

    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]

    assert (reference == path.rsplit("/", 1)[1]) is same


def test_a_changeset_is_priced_without_being_applied(store: FlaskClient) -> None:
    path, order = buy(store, variant_of(store, "Dew Drop Serum"))

    answer = store.post(
        f"{path}/changesets/calculate", json={"changes": [addition(variant_of(store, "Jade Roller"), 2)]}
    ).get_json()

    purchase = answer["calculatedPurchase"]
    assert answer["status"] == "processed"
    assert purchase["updatedLineItems"][0]["priceSet"]["shopMoney"]["amount"] == "58.00"
    assert purchase["updatedLineItems"][0]["totalPriceSet"]["shopMoney"]["amount"] == "52.20"
    assert purchase["totalOutstandingSet"]["shopMoney"]["amount"] == "52.20"
    assert purchase["totalPriceSet"]["shopMoney"]["amount"] == "76.20"
    assert len(store.get(f"/_dev/orders/{order['order_id']}").get_json()["lines"]) == 1


def test_a_signed_changeset_adds_the_line_with_its_discount_and_the_metafield(
    store: FlaskClient, listener: Listener, clock: Clock
) -> None:
    path, order = buy(store, variant_of(store, "Dew Drop Serum"))
    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]
    roller = variant_of(store, "Jade Roller")
    store.post("/_dev/webhooks/flush")
    listener.got.clear()

    answer = store.post(
        f"{path}/changesets/apply", json={"token": changeset(clock, reference, addition(roller), MARK)}
    ).get_json()
    store.post("/_dev/webhooks/flush")

    assert answer == {"status": "processed", "errors": [], "changesetApplicationsRemaining": 1}
    changed = store.get(f"/_dev/orders/{order['order_id']}").get_json()
    assert [line["net_minor_units"] for line in changed["lines"]] == [2400, 2610]
    assert changed["metafields"] == {"wellpaired.changeset": "one"}
    topics = sorted(got["headers"]["X-Shopify-Topic"] for got in listener.got)
    assert topics == ["orders/edited", "orders/updated"]
    bodies = {got["headers"]["X-Shopify-Topic"]: json.loads(got["raw"]) for got in listener.got}
    added = changed["lines"][1]["line_id"]
    assert bodies["orders/edited"]["order_edit"]["line_items"]["additions"] == [{"id": added, "delta": 1}]
    line = bodies["orders/updated"]["line_items"][1]
    assert (line["id"], line["price"], line["properties"]) == (added, "29.00", [])
    assert [(row["amount"], row["discount_application_index"]) for row in line["discount_allocations"]] == [("2.90", 0)]
    assert bodies["orders/updated"]["discount_applications"][0]["title"] == "Wellpaired"


def test_the_same_changeset_is_applied_once(store: FlaskClient, clock: Clock) -> None:
    path, order = buy(store, variant_of(store, "Dew Drop Serum"))
    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]
    token = changeset(clock, reference, addition(variant_of(store, "Jade Roller")))
    store.post(f"{path}/changesets/apply", json={"token": token})

    again = store.post(f"{path}/changesets/apply", json={"token": token}).get_json()

    assert again["status"] == "unprocessed"
    assert again["errors"][0]["code"] == "changeset_already_applied"
    assert len(store.get(f"/_dev/orders/{order['order_id']}").get_json()["lines"]) == 2


@pytest.mark.parametrize(
    ("claims", "change", "code"),
    [
        ({"iss": "shopify"}, {}, "invalid_request"),
        ({"sub": "another"}, {}, "invalid_request"),
        ({"iat": 1_700_000_000}, {}, "invalid_request"),
        ({}, {"variantId": "gid://shopify/ProductVariant/1"}, "invalid_request"),
        ({}, {"type": "add_subscription"}, "invalid_request"),
        ({}, {"variantId": "Ice Globes"}, "insufficient_inventory"),
        ({}, {"discount": {"value": 101, "valueType": "percentage"}}, "invalid_request"),
    ],
)
def test_a_wrong_changeset_changes_nothing(
    store: FlaskClient, clock: Clock, claims: dict[str, object], change: dict[str, object], code: str
) -> None:
    path, order = buy(store, variant_of(store, "Dew Drop Serum"))
    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]
    if change.get("variantId") == "Ice Globes":
        change = {"variantId": variant_of(store, "Ice Globes")}
    wrong = {**addition(variant_of(store, "Jade Roller")), **change}

    answer = store.post(
        f"{path}/changesets/apply", json={"token": changeset(clock, reference, MARK, wrong, **claims)}
    ).get_json()

    assert (answer["status"], answer["errors"][0]["code"]) == ("unprocessed", code)
    after = store.get(f"/_dev/orders/{order['order_id']}").get_json()
    assert (len(after["lines"]), after["metafields"]) == (1, {})


def test_a_changeset_signed_with_milliseconds_is_taken(store: FlaskClient, clock: Clock) -> None:
    path, _ = buy(store, variant_of(store, "Dew Drop Serum"))
    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]
    token = changeset(clock, reference, addition(variant_of(store, "Jade Roller")), iat=int(clock().timestamp() * 1000))

    assert store.post(f"{path}/changesets/apply", json={"token": token}).get_json()["status"] == "processed"


def test_a_forged_changeset_is_refused(store: FlaskClient, clock: Clock) -> None:
    path, _ = buy(store, variant_of(store, "Dew Drop Serum"))
    token = changeset(clock, "any", addition(variant_of(store, "Jade Roller")))[:-4] + "AAAA"

    answer = store.post(f"{path}/changesets/apply", json={"token": token}).get_json()

    assert answer["errors"][0]["code"] == "invalid_request"


def test_no_more_than_two_changesets_and_none_after_the_thank_you_page(store: FlaskClient, clock: Clock) -> None:
    path, _ = buy(store, variant_of(store, "Dew Drop Serum"))
    reference = settings_of(store, path)["inputData"]["initialPurchase"]["referenceId"]
    change = addition(variant_of(store, "Jade Roller"))

    answers = [
        store.post(f"{path}/changesets/apply", json={"token": changeset(clock, reference, change, jti=jti)}).get_json()
        for jti in ("one", "two", "three")
    ]
    page = unescape(store.get(f"{path}/thank_you").get_data(as_text=True))
    late = store.post(f"{path}/changesets/apply", json={"token": changeset(clock, reference, change, jti="four")})

    assert [answer["changesetApplicationsRemaining"] for answer in answers] == [1, 0, 0]
    assert [answer["status"] for answer in answers] == ["processed", "processed", "unprocessed"]
    assert page.count("Jade Roller") == 2
    assert "$76.20" in page
    assert late.get_json()["errors"][0]["code"] == "order_released_error"


def test_paying_twice_places_one_order(store: FlaskClient) -> None:
    path, order = buy(store, variant_of(store, "Dew Drop Serum"))

    again = store.post(path)

    assert again.location == f"{path}/post_purchase"
    assert store.get("/_dev/state").get_json()["live_order_count"] == 1
    assert shop_of(store).stock[order["lines"][0]["variant_id"]] == 4999
    assert store.get("/cart.js").get_json()["item_count"] == 0


def test_an_unknown_checkout_is_404(store: FlaskClient) -> None:
    assert store.get("/checkouts/none").status_code == 404
