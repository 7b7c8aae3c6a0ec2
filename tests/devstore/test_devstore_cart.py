from typing import Any

import pytest
from builders_devstore import shop_of, variant_of
from flask.testing import FlaskClient


def add(store: FlaskClient, **item: object) -> Any:
    return store.post("/cart/add.js", json={"items": [item]})


def test_the_same_variant_with_other_properties_is_another_line(store: FlaskClient) -> None:
    serum = variant_of(store, "Dew Drop Serum")
    add(store, id=serum, quantity=1, properties={"_wp": "v1.token"})
    add(store, id=serum, quantity=2)
    add(store, id=serum, quantity=1, properties={"_wp": "v1.token"})

    cart = store.get("/cart.js").get_json()

    assert [(line["variant_id"], line["quantity"], line["properties"]) for line in cart["items"]] == [
        (serum, 2, {}),
        (serum, 2, {"_wp": "v1.token"}),
    ]
    assert len({line["key"] for line in cart["items"]}) == 2
    assert all(line["key"].startswith(f"{serum}:") for line in cart["items"])
    assert (cart["item_count"], cart["currency"], cart["total_price"]) == (4, "USD", 9600)


def test_the_token_lives_in_the_cookie_and_its_key_does_not(store: FlaskClient) -> None:
    token = store.get("/cart.js").get_json()["token"]

    cookie = store.get_cookie("cart")

    assert cookie is not None
    assert token.split("?key=")[0] == cookie.value
    assert store.get("/cart.js").get_json()["token"] == token


def test_one_item_answers_with_the_line_and_several_with_items(store: FlaskClient) -> None:
    serum, toner = variant_of(store, "Dew Drop Serum"), variant_of(store, "Dew Drop Toner")

    single = store.post("/cart/add.js", json={"id": serum, "quantity": 1}).get_json()
    several = add(store, id=str(toner), quantity="2").get_json()
    form = store.post("/cart/add.js", data={"id": toner, "properties[Engraving]": "R"}).get_json()

    assert single["variant_id"] == serum
    assert [line["quantity"] for line in several["items"]] == [2]
    assert form["properties"] == {"Engraving": "R"}


def test_an_unknown_variant_answers_404_in_shopifys_shape(store: FlaskClient) -> None:
    answer = add(store, id=1, quantity=1)

    assert answer.status_code == 404
    assert answer.get_json() == {"status": 404, "message": "Cart Error", "description": "Cannot find variant"}


def test_a_sold_out_variant_answers_422_and_nothing_else_is_added(store: FlaskClient) -> None:
    globes, serum = variant_of(store, "Ice Globes"), variant_of(store, "Dew Drop Serum")

    answer = store.post("/cart/add.js", json={"items": [{"id": serum, "quantity": 1}, {"id": globes, "quantity": 1}]})

    assert answer.status_code == 422
    assert answer.get_json() == {
        "status": 422,
        "message": "Cart Error",
        "description": "The product 'Ice Globes' is already sold out.",
    }
    assert store.get("/cart.js").get_json()["items"] == []


def test_more_than_the_stock_answers_422_with_what_is_in_the_cart(store: FlaskClient) -> None:
    toner = variant_of(store, "Dew Drop Toner")
    shop_of(store).stock[toner] = 2
    add(store, id=toner, quantity=2, properties={"_wp": "a"})

    answer = add(store, id=toner, quantity=1)

    assert answer.status_code == 422
    assert answer.get_json()["description"] == "All 2 Dew Drop Toner - 100 ml are in your cart."


def test_a_discontinued_product_cannot_be_added(store: FlaskClient) -> None:
    assert add(store, id=variant_of(store, "Green Tea Night Balm"), quantity=1).status_code == 404


@pytest.mark.parametrize("body", [{"line": 3, "quantity": 1}, {"id": "none", "quantity": 1}, {"quantity": 1}])
def test_changing_a_line_that_is_not_there_answers_400(store: FlaskClient, body: dict[str, object]) -> None:
    add(store, id=variant_of(store, "Dew Drop Serum"), quantity=1)

    answer = store.post("/cart/change.js", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["status"] == "bad_request"


def test_a_line_is_changed_by_key_and_properties_are_overwritten_whole(store: FlaskClient) -> None:
    add(store, id=variant_of(store, "Dew Drop Serum"), quantity=2, properties={"_wp": "a", "Engraving": "R"})
    key = store.get("/cart.js").get_json()["items"][0]["key"]

    changed = store.post("/cart/change.js", json={"id": key, "quantity": 1, "properties": {"Engraving": "S"}})

    (line,) = changed.get_json()["items"]
    assert (line["quantity"], line["properties"]) == (1, {"Engraving": "S"})
    assert store.post("/cart/change.js", json={"line": 1, "quantity": 0}).get_json()["items"] == []


def test_update_takes_quantities_note_and_attributes_and_hides_private_ones(store: FlaskClient) -> None:
    serum = variant_of(store, "Dew Drop Serum")
    body = {"updates": {str(serum): 3}, "note": "ring twice", "attributes": {"__wp": "secret", "gift": "yes"}}

    cart = store.post("/cart/update.js", json=body).get_json()

    assert [(line["variant_id"], line["quantity"]) for line in cart["items"]] == [(serum, 3)]
    assert (cart["note"], cart["attributes"]) == ("ring twice", {"gift": "yes"})
    assert store.post("/cart/update.js", json={"updates": {"5": 1}}).status_code == 404


def test_clear_empties_the_cart(store: FlaskClient) -> None:
    add(store, id=variant_of(store, "Dew Drop Serum"), quantity=1)

    assert store.post("/cart/clear.js").get_json()["item_count"] == 0


def test_sections_are_drawn_and_unknown_ones_are_null(store: FlaskClient) -> None:
    serum = variant_of(store, "Dew Drop Serum")
    body = {"items": [{"id": serum, "quantity": 2}], "sections": "cart-count,cart-drawer,../layout"}

    sections = store.post("/cart/add.js", json=body).get_json()["sections"]

    assert sections["cart-drawer"] is None
    assert sections["../layout"] is None
    assert ">2</span>" in sections["cart-count"]
    assert 'id="shopify-section-cart-count"' in sections["cart-count"]
