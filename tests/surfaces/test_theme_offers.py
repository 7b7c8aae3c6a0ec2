"""`GET /proxy/offers`: the contract with the theme block, who sees offers, and that nothing else ever breaks a page."""

from types import SimpleNamespace

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_product, a_variant, add_order, add_products, variant_id_of
from builders_surfaces import (
    NOTHING,
    ONE,
    TWO,
    a_customer,
    a_planted_application,
    a_visitor,
    an_unreachable_url,
    ask_theme,
    count_rows,
    decisions,
    inputs_of,
    plant,
    stored_decision,
)
from sqlalchemy import select, update

from shopify_upsell.attribution.token import OfferClaim, TokenRefusal, read_token
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.catalog import SellingPlan, plans_to_json
from shopify_upsell.ledger.tables import ProductRow
from shopify_upsell.matrix.upkeep import learn_shop
from shopify_upsell.money import Money
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.setup import create_default_offers
from shopify_upsell.offers.store import save_offer
from shopify_upsell.shops.store import ShopRow

VISITOR = a_visitor(held_out=False)


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def keys_of(application, shop=ONE):
    parts = parts_of(application)
    with parts.database.read() as session:
        shop_id = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == shop)).one()
    return shop_id, parts.keyring.signing_keys("offer_token", shop_id)


def test_a_pair_that_sells_together_is_offered_in_exactly_the_shape_of_the_contract(application):
    answer = ask_theme(application, visitor=VISITOR)

    (row,) = decisions(application)
    (offer,) = answer.get_json()["offers"]
    (item,) = offer["items"]
    token = item.pop("token")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json().keys() == {"decision_id", "offers"}
    assert answer.get_json()["decision_id"] == row.decision_id
    assert offer == {
        "offer_id": str(stored_decision(application, row).inputs.offers[0].offer_id),
        "kind": "cross_sell",
        "headline": "Goes well with this",
        "why": {"code": "often_bought_together", "text": "Often bought together", "fact": None},
        "benefits": [],
        "greeting": None,
        "total": {"minor_units": 2000, "currency": "USD"},
        "original_total": None,
        "saving": None,
        "discount": None,
        "items": [
            {
                "product_id": "gid://shopify/Product/2",
                "variant_id": "gid://shopify/ProductVariant/21",
                "title": "Product 2",
                "variant_title": "",
                "url": "/products/product-2",
                "image": {"url": "https://cdn.test/2.png", "alt": "Product 2"},
                "quantity": 1,
                "price": {"minor_units": 2000, "currency": "USD"},
                "original_price": None,
                "selling_plan_id": None,
            }
        ],
        "replaces": None,
    }
    assert len(token) <= 255


def test_the_decision_is_stored_with_what_it_was_made_from(application):
    ask_theme(
        application, visitor=VISITOR, cart=f"{variant_id_of(LACES)}:3", cart_token="abc?key=secret", locale="de-AT"
    )

    (row,) = decisions(application)
    request = inputs_of(row)["request"]
    assert (row.placement, row.unit, row.is_holdout, row.offer_count) == (
        "theme/product_page", f"v:{VISITOR}", False, 1,
    )  # fmt: skip
    assert (request["anchor_product_ids"], request["visitor_id"]) == ([BOOTS], VISITOR)
    line = {"variant_id": variant_id_of(LACES), "product_id": LACES, "quantity": 3, "selling_plan_id": None}
    assert request["cart"] == [line]
    assert request["cart_token"] == "abc"


def test_lines_on_a_selling_plan_and_codes_are_part_of_the_question_and_the_old_form_still_is(application):
    laces = variant_id_of(LACES)
    ask_theme(application, visitor=VISITOR, cart=f"{laces}:3,{laces}:1:7001,{laces}:2:0", codes="WALK10,a b,WALK10")

    request = inputs_of(decisions(application)[0])["request"]
    lines = [(line["quantity"], line["selling_plan_id"]) for line in request["cart"]]
    assert lines == [(3, None), (1, 7001), (2, 0)]
    assert request["codes"] == ["WALK10", "a b"]


def test_a_line_that_is_on_a_plan_already_is_not_offered_one(application):
    plan = SellingPlan(7001, "Every month", "subscribe", 0)
    with parts_of(application).database.write() as session:
        shop_id = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == ONE)).one()
        bind_shop(session, shop_id)
        add_products(session, shop_id, a_product(50))
        session.execute(
            update(ProductRow).where(ProductRow.product_id == 50).values(selling_plans=plans_to_json((plan,)))
        )
        save_offer(session, shop_id, OfferDraft("subscribe", "Regularly", ("theme/cart",)), now=NOW)
    asked = {"placement": "theme/cart", "product": "", "visitor": VISITOR}

    once = ask_theme(application, cart=f"{variant_id_of(50)}:1", **asked).get_json()["offers"]
    on_plan = ask_theme(application, cart=f"{variant_id_of(50)}:1:7001", **asked).get_json()["offers"]

    assert ([offer["kind"] for offer in once], on_plan) == (["subscribe"], [])


def test_the_token_of_an_item_claims_what_was_decided_and_no_other_shop_can_read_it(application):
    answer = ask_theme(application, visitor=VISITOR).get_json()

    token = answer["offers"][0]["items"][0]["token"]
    shop_id, keys = keys_of(application)
    claim = read_token(token, keys)
    assert isinstance(claim, OfferClaim)
    assert (claim.shop_id, claim.decision_id, claim.offer_id) == (
        shop_id, answer["decision_id"], int(answer["offers"][0]["offer_id"]),
    )  # fmt: skip
    assert (claim.variant_id, claim.max_quantity, claim.book, claim.placement) == (
        variant_id_of(SOCKS), 1, "cross_sell", "theme/product_page",
    )  # fmt: skip
    assert claim.replaced_unit_minor_units is None
    assert 29.9 < (claim.expires_at - real_now()).total_seconds() / 86_400 <= 30
    assert isinstance(read_token(token, keys_of(application, TWO)[1]), TokenRefusal)


def test_every_item_of_a_bundle_and_of_two_answers_has_a_token_of_its_own(database, tmp_path):
    with database.write() as session:
        plant(session, add_shop(session), drafts=[OfferDraft("bundle", "Set", ("theme/product_page",))])
    application = an_application(database, tmp_path)

    answers = [ask_theme(application).get_json() for _ in range(2)]

    (offer,) = answers[0]["offers"]
    assert [item["product_id"] for item in offer["items"]] == [
        "gid://shopify/Product/1", "gid://shopify/Product/2", "gid://shopify/Product/3",
    ]  # fmt: skip
    assert (offer["kind"], offer["headline"]) == ("bundle", "Complete the set")
    assert offer["total"] == {"minor_units": 6000, "currency": "USD"}
    assert len({item["token"] for answer in answers for item in answer["offers"][0]["items"]}) == 6


def test_an_upgrade_names_what_it_replaces_and_its_token_carries_the_price_taken_out(database, tmp_path):
    with database.write() as session:
        shop_id = add_shop(session)
        plant(session, shop_id, drafts=[OfferDraft("up_sell", "Larger", ("theme/cart",))])
        small = a_variant(50, 1, title="30 ml", price=Money(1000, "USD"))
        large = a_variant(50, 2, title="100 ml", price=Money(2500, "USD"))
        add_products(session, shop_id, a_product(50, title="Oil", variants=(small, large)))
    application = an_application(database, tmp_path)

    answer = ask_theme(application, placement="theme/cart", product="", cart=f"{variant_id_of(50)}:1").get_json()

    (offer,) = answer["offers"]
    assert offer["replaces"] == {"variant_id": "gid://shopify/ProductVariant/501", "quantity": 1}
    assert (offer["items"][0]["variant_id"], offer["items"][0]["variant_title"]) == (
        "gid://shopify/ProductVariant/502", "100 ml",
    )  # fmt: skip
    assert offer["items"][0]["price"] == {"minor_units": 2500, "currency": "USD"}
    assert offer["items"][0]["image"] is None
    claim = read_token(offer["items"][0]["token"], keys_of(application)[1])
    assert claim.replaced_unit_minor_units == 1000


def test_what_was_learned_from_orders_is_offered_with_the_offers_every_shop_starts_with(database, tmp_path):
    with database.write() as session:
        add_shop(session, TWO)
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        add_products(session, shop_id, *(a_product(number) for number in (BOOTS, SOCKS, WAX, LACES)))
        for number, products in enumerate([(BOOTS, SOCKS)] * 12 + [(WAX,)] * 30 + [(LACES,)] * 30, 1):
            add_order(session, shop_id, number, *products)
        learn_shop(session, shop_id, NOW)
        create_default_offers(session, shop_id, NOW)
    application = an_application(database, tmp_path)

    beside_boots = ask_theme(application).get_json()["offers"]
    beside_wax = ask_theme(application, product=WAX).get_json()["offers"]

    assert [item["product_id"] for offer in beside_boots for item in offer["items"]] == ["gid://shopify/Product/2"]
    assert beside_wax == []
    assert ask_theme(application, shop=TWO).get_json()["offers"] == []


def test_texts_follow_the_language_of_the_page(application):
    offer = ask_theme(application, locale="de-AT").get_json()["offers"][0]

    assert (offer["headline"], offer["why"]["text"]) == ("Passt gut dazu", "Oft zusammen gekauft")


def test_a_product_id_may_be_a_number_or_a_global_id(application):
    offers = ask_theme(application, product="gid://shopify/Product/1").get_json()["offers"]

    assert [offer["items"][0]["product_id"] for offer in offers] == ["gid://shopify/Product/2"]


def test_what_lies_in_the_cart_is_not_offered_again(application):
    offers = ask_theme(application, cart=f"{variant_id_of(SOCKS)}:1").get_json()["offers"]

    assert [offer["items"][0]["product_id"] for offer in offers] == ["gid://shopify/Product/3"]


def test_the_cart_placement_takes_the_cart_as_its_anchors(application):
    offers = ask_theme(application, placement="theme/cart", product="", cart=f"{variant_id_of(BOOTS)}:1").get_json()

    assert [offer["items"][0]["product_id"] for offer in offers["offers"]] == ["gid://shopify/Product/2"]


def test_a_visitor_of_the_holdout_sees_nothing_and_is_decided_about_all_the_same(application):
    visitor = a_visitor(held_out=True)

    answer = ask_theme(application, visitor=visitor)

    (row,) = decisions(application)
    assert answer.get_json() == {"decision_id": row.decision_id, "offers": []}
    assert (row.is_holdout, row.unit, row.offer_count) == (True, f"v:{visitor}", 1)


def test_a_customer_of_the_holdout_stays_in_it_whatever_visitor_id_the_browser_has(application):
    customer_id = a_customer(held_out=True)

    assert ask_theme(application, visitor=VISITOR, customer_id=customer_id).get_json()["offers"] == []
    assert [row.unit for row in decisions(application)] == [f"c:{customer_id}"]


def test_without_consent_offers_are_shown_and_nobody_takes_part_in_the_experiment(database, tmp_path):
    application = a_planted_application(database, tmp_path, HOLDOUT_BASIS_POINTS="5000")

    answers = [ask_theme(application).get_json() for _ in range(3)]

    assert [len(answer["offers"]) for answer in answers] == [1, 1, 1]
    assert {(row.unit, row.is_holdout) for row in decisions(application)} == {(None, False)}


def test_the_share_of_the_holdout_is_the_settings(database, tmp_path):
    application = a_planted_application(database, tmp_path, HOLDOUT_BASIS_POINTS="0")

    assert len(ask_theme(application, visitor=a_visitor(held_out=True)).get_json()["offers"]) == 1


def test_no_row_of_another_shop_appears(application):
    here, there = (ask_theme(application, shop=shop, visitor=VISITOR).get_json() for shop in (ONE, TWO))

    assert [offer["items"][0]["title"] for offer in here["offers"]] == ["Product 2"]
    assert [offer["items"][0]["title"] for offer in there["offers"]] == ["Foreign Product 2"]
    assert here["offers"][0]["offer_id"] != there["offers"][0]["offer_id"]


def test_a_shopper_who_sees_another_currency_sees_no_offer(application):
    assert len(ask_theme(application, currency="USD").get_json()["offers"]) == 1

    answer = ask_theme(application, currency="EUR").get_json()

    assert answer == {"decision_id": decisions(application)[-1].decision_id, "offers": []}


def test_a_product_taken_out_of_the_online_store_is_no_longer_offered(application):
    with parts_of(application).database.write() as session:
        session.execute(update(ProductRow).where(ProductRow.product_id == SOCKS).values(is_published=False))

    offers = ask_theme(application).get_json()["offers"]

    assert [offer["items"][0]["product_id"] for offer in offers] == ["gid://shopify/Product/3"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"placement": "post_purchase/offer"}, {"placement": "theme/elsewhere"}, {"placement": "theme"},
        {"placement": ""}, {"product": "x"}, {"product": "gid://shopify/Order/1"}, {"product": "9" * 19},
        {"product": "-1"}, {"cart": "1"}, {"cart": "a:b"}, {"cart": "1:1;2:1"}, {"cart": ",".join(["1:1"] * 101)},
        {"cart": "1:" + "9" * 7}, {"visitor": "short"}, {"visitor": "x" * 65}, {"visitor": "with space"},
        {"currency": "DOLLAR"}, {"limit": "0"}, {"limit": "7"}, {"limit": "many"}, {"locale": "x" * 13},
        {"cart_token": "x" * 201}, {"cart": "1:1:"}, {"cart": "1:1:x"}, {"cart": "1:1:2:3"}, {"codes": "x" * 1001},
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_used_is_answered_with_no_offers_and_decides_nothing(application, wanted):
    answer = ask_theme(application, **wanted)

    assert (answer.status_code, answer.get_json()) == (200, NOTHING)
    assert answer.headers["Cache-Control"] == "no-store"
    assert count_rows(application, DecisionRow) == 0


def test_a_placement_that_a_visitor_made_up_reaches_neither_figures_nor_logs(application, caplog):
    with caplog.at_level("INFO"):
        ask_theme(application, placement="robin-was-here/now")

    figures = application.test_client().get("/metrics").get_data(as_text=True)
    (record,) = [record for record in caplog.records if record.message == "offers_unavailable"]
    assert "robin" not in figures
    assert (record.placement, record.error, record.levelname) == ("theme/unknown", "InvalidInput", "INFO")


def test_a_shop_that_is_unknown_or_has_uninstalled_is_answered_with_no_offers(application):
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == TWO).values(state="uninstalled"))

    assert ask_theme(application, shop="stranger.myshopify.com").get_json() == NOTHING
    assert ask_theme(application, shop=TWO).get_json() == NOTHING
    assert count_rows(application, DecisionRow) == 0
    assert count_rows(application, ShopRow) == 2
    assert ask_theme(application).get_json()["offers"]


def test_a_database_that_is_away_is_answered_with_no_offers(database, tmp_path):
    application = an_application(database, tmp_path, DATABASE_URL=an_unreachable_url(tmp_path))

    answer = ask_theme(application)

    assert (answer.status_code, answer.get_json()) == (200, NOTHING)


def test_offers_ask_no_more_than_their_placement_allows(database, tmp_path):
    drafts = [
        OfferDraft("cross_sell", f"Offer {number}", ("theme/product_page", "theme/cart"), companions=(number,))
        for number in range(20, 26)
    ]
    with database.write() as session:
        shop_id = add_shop(session)
        plant(session, shop_id, drafts=drafts)
        add_products(session, shop_id, *(a_product(number) for number in range(20, 26)))
    application = an_application(database, tmp_path)

    asked = [("theme/product_page", 6), ("theme/cart", 6), ("theme/product_page", 1)]
    answers = [ask_theme(application, placement=placement, limit=limit).get_json() for placement, limit in asked]

    assert [len(answer["offers"]) for answer in answers] == [3, 2, 1]


@pytest.fixture
def still_clock(monkeypatch):
    monkeypatch.setattr("shopify_upsell.limits.time", SimpleNamespace(monotonic=lambda: 0.0))


def test_a_shop_that_asks_too_often_is_answered_with_no_offers_and_others_are_not(database, tmp_path, still_clock):
    application = a_planted_application(database, tmp_path, OFFER_RATE_PER_SECOND="1")

    answers = [ask_theme(application).get_json() for _ in range(5)]

    assert [len(answer["offers"]) for answer in answers] == [1, 1, 1, 1, 0]
    assert answers[-1] == NOTHING
    assert count_rows(application, DecisionRow) == 4
    assert len(ask_theme(application, shop=TWO).get_json()["offers"]) == 1


def test_one_network_that_floods_does_not_use_up_the_share_of_its_shop(database, tmp_path, still_clock):
    application = a_planted_application(database, tmp_path, OFFER_RATE_PER_SECOND="11")
    flooder, other = ({"X-Forwarded-For": f"203.0.{third}.7, 10.0.0.1"} for third in (113, 114))

    flood = [ask_theme(application, headers=flooder).get_json() for _ in range(50)]

    assert sum(bool(answer["offers"]) for answer in flood) == 40
    assert flood[-1] == NOTHING
    assert len(ask_theme(application, headers=other).get_json()["offers"]) == 1
