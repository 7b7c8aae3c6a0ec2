import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders_devstore import ROOT, Listener, shop_of, variant_of
from flask.testing import FlaskClient

from shopify_upsell.devstore.config import DevstoreConfig, DevstoreRefused
from shopify_upsell.devstore.server import create_devstore


def page(store: FlaskClient, path: str) -> str:
    answer = store.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_the_extensions_block_stands_on_the_product_page(store: FlaskClient) -> None:
    text = page(store, "/products/oat-calm-gel-cleanser")

    product_id = shop_of(store).product_by_handle["oat-calm-gel-cleanser"].product_id
    assert f'data-placement="theme/product" data-product="{product_id}"' in text
    assert 'data-root="/" data-limit="3"' in text
    assert "Hello A &amp; B $0.00 /extensions/upsell-theme/assets/offer.css" in text
    assert text.index("</form>") < text.index("data-placement")
    assert '<script src="/extensions/upsell-theme/assets/offer.js" async></script>' in text
    assert '<link rel="stylesheet" href="/extensions/upsell-theme/assets/offer.css">' in text
    assert "data-shopify-editor-block" not in text
    assert "schema" not in text


def test_the_block_stands_below_the_lines_of_the_cart_and_nowhere_else(store: FlaskClient) -> None:
    store.post("/cart/add", data={"id": variant_of(store, "Jade Roller"), "quantity": 2})

    cart = page(store, "/cart")

    assert cart.index("Jade Roller") < cart.index('data-placement="theme/cart"')
    assert "$58.00" in cart
    assert "data-placement" not in page(store, "/collections/all")


def test_the_editor_and_other_languages_can_be_tried(store: FlaskClient) -> None:
    assert "data-shopify-editor-block" in page(store, "/products/jade-roller?design_mode=1")
    assert '"designMode": true' in page(store, "/products/jade-roller?design_mode=1")
    assert "Hallo A &amp; B" in page(store, "/products/jade-roller?locale=de")
    assert "Hello A &amp; B" in page(store, "/products/jade-roller?locale=xx")


def test_properties_with_an_underscore_are_hidden_in_the_cart(store: FlaskClient) -> None:
    item = {"id": variant_of(store, "Jade Roller"), "quantity": 1, "properties": {"_wp": "v1.tok", "Engraving": "<R>"}}
    store.post("/cart/add.js", json={"items": [item]})

    cart = page(store, "/cart")

    assert "v1.tok" not in cart
    assert "Engraving: &lt;R&gt;" in cart


def test_the_collection_lists_what_is_for_sale(store: FlaskClient) -> None:
    text = page(store, "/collections/all")

    assert text.count('class="card"') == 58
    assert "Ceramic Dish" not in text
    assert "Green Tea Night Balm" not in text
    assert text.count("Sold out") == 1
    assert page(store, "/collections/dew-drop").count('class="card"') == 6
    assert store.get("/collections/none").status_code == 404


def test_an_unlisted_page_opens_and_a_discontinued_one_does_not(store: FlaskClient) -> None:
    assert store.get("/products/ceramic-dish").status_code == 200
    assert store.get("/products/green-tea-night-balm").status_code == 404
    assert store.get("/products/green-tea-night-balm.js").status_code == 404


def test_a_product_for_scripts_has_prices_in_hundredths(store: FlaskClient) -> None:
    body = store.get("/products/oat-calm-toner.js").get_json()

    assert (body["price"], body["price_varies"], body["available"]) == (1500, True, True)
    assert [variant["price"] for variant in body["variants"]] == [1500, 2450]


def test_pages_bring_nothing_from_elsewhere(store: FlaskClient) -> None:
    for path in ("/collections/all", "/products/jade-roller", "/cart", "/account", "/files/jade-roller.svg"):
        links = re.findall(r'(?:src|href)="([^"]+)"', page(store, path))
        assert all(link.startswith(("/", "#", "data:,")) and not link.startswith("//") for link in links)


def test_what_the_shop_tells_its_scripts_is_json(store: FlaskClient) -> None:
    found = re.search(r'id="shopify-page">(.*?)</script>', page(store, "/cart"))

    assert found is not None
    assert json.loads(found[1]) == {
        "shop": "glow.myshopify.com",
        "locale": "en",
        "currency": "USD",
        "designMode": False,
    }


def test_a_refusal_without_scripts_is_said_on_the_cart_page(store: FlaskClient) -> None:
    answer = store.post("/cart/add", data={"id": variant_of(store, "Ice Globes")})

    assert answer.status_code == 422
    assert "already sold out" in answer.get_data(as_text=True)


def test_the_forms_work_without_scripts(store: FlaskClient) -> None:
    store.post("/cart/add", data={"id": variant_of(store, "Jade Roller"), "quantity": "2"})
    key = store.get("/cart.js").get_json()["items"][0]["key"]

    store.post("/cart/change", data={"id": key, "quantity": "1"})

    assert store.get("/cart.js").get_json()["item_count"] == 1


@pytest.mark.parametrize("path", ["/assets/nope.js", "/assets/..%2fserver.py", "/extensions/upsell-theme/assets/x.js"])
def test_only_known_files_are_served(store: FlaskClient, path: str) -> None:
    assert store.get(path).status_code == 404


def test_assets_of_the_extension_are_served(store: FlaskClient) -> None:
    with store.get("/extensions/upsell-theme/assets/offer.js") as answer:
        assert answer.get_data() == b"/* offer */"


def test_the_real_theme_extension_is_drawn(config: DevstoreConfig) -> None:
    store = create_devstore(replace(config, extensions_dir=ROOT / "extensions")).test_client()

    text = page(store, "/products/oat-calm-gel-cleanser")

    assert 'data-placement="theme/product_page"' in text
    assert "translation missing" not in text
    assert "wellpaired-offer.js" in text


@pytest.mark.parametrize("environment", [None, "production", "live"])
def test_it_refuses_to_start_unless_told_that_this_is_development(
    config: DevstoreConfig, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    if environment is None:
        monkeypatch.delenv("WELLPAIRED_ENV")
    else:
        monkeypatch.setenv("WELLPAIRED_ENV", environment)

    with pytest.raises(DevstoreRefused, match="WELLPAIRED_ENV"):
        create_devstore(config)


def test_it_refuses_to_start_without_the_schema(config: DevstoreConfig, tmp_path: Path) -> None:
    with pytest.raises(DevstoreRefused, match="schema"):
        create_devstore(replace(config, schema_path=tmp_path / "none.graphql"))


def test_the_secret_is_not_shown(config: DevstoreConfig) -> None:
    assert config.api_secret not in repr(config)


def test_installing_opens_the_app_as_the_admin_does(store: FlaskClient, listener: Listener) -> None:
    answer = store.post("/_dev/install").get_json()

    query = listener.got[0]["query"].decode()
    assert answer == {"installed": True, "status": 200}
    assert all(part in query for part in ("embedded=1", "shop=glow.myshopify.com", "host=", "id_token=ey", "locale=en"))


def test_state_and_truth_are_json(store: FlaskClient) -> None:
    state = store.get("/_dev/state").get_json()

    assert (state["product_count"], state["order_count"], state["live_order_count"]) == (60, 60, 0)
    assert len(store.get("/_dev/truth.json").get_json()["pairs"]) == 14
    assert store.get("/_dev/products.json").get_json()["products"][0]["sold_line_count"] > 1
