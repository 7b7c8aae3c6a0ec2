"""`POST /ext/post-purchase/offers` and `/events`: what the page may show, who may ask, and CORS on every answer."""

from datetime import timedelta

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_database import add_shop
from builders_offers import BOOTS, SOCKS, WAX, a_product, add_products
from builders_proofs import admin_id_token, extension_token, post_purchase_token
from builders_surfaces import (
    NOTHING,
    ONE,
    TWO,
    a_customer,
    a_planted_application,
    a_purchase,
    an_unreachable_url,
    call_page,
    count_rows,
    decisions,
    inputs_of,
    plant,
    purchase_token,
    read_rows,
)
from builders_verifiers import a_changeset
from sqlalchemy import update

from shopify_upsell.attribution.store import TouchpointRow
from shopify_upsell.attribution.token import read_token
from shopify_upsell.customers.dismissals_store import DismissalRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.shops.store import ShopRow

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "7200",
    "Cache-Control": "no-store",
}
SOMEBODY = a_customer(held_out=False)


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def assert_open_to_any_origin(answer):
    assert {name: answer.headers[name] for name in CORS} == CORS
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_the_page_is_offered_what_goes_with_the_purchase_in_exactly_the_shape_of_the_contract(application):
    answer = call_page(application, "offers", token=purchase_token(a_purchase(customer_id=SOMEBODY)))

    (row,) = decisions(application)
    (offer,) = answer.get_json()["offers"]
    (item,) = offer["items"]
    claim = read_token(item.pop("token"), parts_of(application).keyring.signing_keys("offer_token", row.shop_id))
    assert answer.get_json().keys() == {"decision_id", "offers"}
    assert answer.get_json()["decision_id"] == row.decision_id == claim.decision_id
    assert offer == {
        "offer_id": str(claim.offer_id),
        "kind": "cross_sell",
        "headline": "Goes with your order",
        "why": {"code": "goes_with_purchase", "text": "Often bought with what you ordered", "fact": None},
        "benefits": [],
        "greeting": None,
        "total": {"minor_units": 1800, "currency": "USD"},
        "original_total": {"minor_units": 2000, "currency": "USD"},
        "saving": {"minor_units": 200, "currency": "USD"},
        "discount": {"basis_points": 1000},
        "items": [
            {
                "product_id": "gid://shopify/Product/2",
                "variant_id": "gid://shopify/ProductVariant/21",
                "title": "Product 2",
                "variant_title": "",
                "url": "/products/product-2",
                "image": {"url": "https://cdn.test/2.png", "alt": "Product 2"},
                "quantity": 1,
                "price": {"minor_units": 1800, "currency": "USD"},
                "original_price": {"minor_units": 2000, "currency": "USD"},
                "selling_plan_id": None,
            }
        ],
        "replaces": None,
        "changes": [
            {
                "type": "add_variant",
                "variantId": 21,
                "quantity": 1,
                "discount": {"value": 10, "valueType": "percentage", "title": "Goes with your order"},
            }
        ],
    }
    assert (row.placement, row.unit, row.is_holdout) == ("post_purchase/offer", f"c:{SOMEBODY}", False)
    assert inputs_of(row)["request"]["reference_id"] == "ref-1"
    assert_open_to_any_origin(answer)


def test_what_was_bought_is_not_offered(application):
    offers = call_page(application, "offers", token=purchase_token(a_purchase(BOOTS, SOCKS))).get_json()["offers"]

    assert [item["product_id"] for offer in offers for item in offer["items"]] == [f"gid://shopify/Product/{WAX}"]


def test_no_more_than_two_offers_follow_a_purchase(database, tmp_path):
    drafts = [OfferDraft("cross_sell", f"{n}", ("post_purchase/offer",), companions=(n,)) for n in range(20, 24)]
    with database.write() as session:
        shop_id = add_shop(session)
        plant(session, shop_id, drafts=drafts)
        add_products(session, shop_id, *(a_product(number) for number in range(20, 24)))
    application = an_application(database, tmp_path)

    offers = call_page(application, "offers").get_json()["offers"]

    assert [offer["discount"] for offer in offers] == [None, None]
    assert "discount" not in offers[0]["changes"][0]


def test_a_customer_of_the_holdout_is_offered_nothing_and_counted(application):
    customer_id = a_customer(held_out=True)

    answer = call_page(application, "offers", token=purchase_token(a_purchase(customer_id=customer_id)))

    (row,) = decisions(application)
    assert answer.get_json() == {"decision_id": row.decision_id, "offers": []}
    assert (row.is_holdout, row.unit, row.offer_count) == (True, f"c:{customer_id}", 1)


@pytest.mark.parametrize(("paid", "shown"), [("USD", "EUR"), ("EUR", "USD")])
def test_a_purchase_in_two_currencies_is_offered_nothing(application, paid, shown):
    answer = call_page(application, "offers", token=purchase_token(a_purchase(currency=paid, shown=shown)))

    assert (answer.status_code, answer.get_json()) == (200, NOTHING)
    assert count_rows(application, DecisionRow) == 0


def test_a_purchase_in_one_currency_that_is_not_the_shops_is_offered_nothing(application):
    answer = call_page(application, "offers", token=purchase_token(a_purchase(currency="EUR", shown="EUR")))

    assert answer.get_json()["offers"] == []


@pytest.mark.parametrize(
    "purchase",
    [
        {"lineItems": [{}]}, {"lineItems": None}, {"lineItems": [{"product": {"id": "x"}}]}, {"totalPriceSet": {}},
        {"customerId": "nobody"}, {"lineItems": 7},
    ],
)  # fmt: skip
def test_a_purchase_that_cannot_be_read_is_offered_nothing(application, purchase):
    answer = call_page(application, "offers", token=purchase_token(a_purchase() | purchase))

    assert (answer.status_code, answer.get_json()) == (200, NOTHING)
    assert_open_to_any_origin(answer)


def test_every_failure_of_deciding_is_answered_with_no_offers(database, tmp_path, application):
    away = an_application(database, tmp_path, DATABASE_URL=an_unreachable_url(tmp_path))
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == TWO).values(state="uninstalled"))

    answers = [
        call_page(away, "offers"),
        call_page(application, "offers", token=purchase_token(shop="stranger.myshopify.com")),
        call_page(application, "offers", token=purchase_token(shop=TWO)),
    ]

    assert [(answer.status_code, answer.get_json()) for answer in answers] == [(200, NOTHING)] * 3
    assert count_rows(application, DecisionRow) == 0


FORGERIES = {
    "admin": lambda: admin_id_token(),
    "checkout": lambda: extension_token(now=real_now()),
    "our own changeset": a_changeset,
    "none": lambda: "",
    "junk": lambda: "a.b.c",
    "forged": lambda: post_purchase_token(now=real_now(), secret="another secret"),
    "issuer": lambda: post_purchase_token(now=real_now(), change={"iss": "someone"}),
    "subject": lambda: post_purchase_token(now=real_now(), change={"sub": "ref-2"}),
    "old": lambda: post_purchase_token(now=real_now() - timedelta(minutes=16)),
    "of the future": lambda: post_purchase_token(now=real_now() + timedelta(minutes=1)),
}
"""Made when a test runs: they are valid for minutes."""


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("path", ["offers", "sign", "events"])
def test_only_the_input_token_of_the_page_is_a_proof(application, path, forge):
    headers = {"Authorization": f"Bearer {forge()}"}
    body = {"reference_id": "ref-1", "decision_id": "0" * 32, "offer_id": 1, "event": "click"}

    answer = application.test_client().post(f"/ext/post-purchase/{path}", json=body, headers=headers)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert count_rows(application, DecisionRow) == 0
    assert_open_to_any_origin(answer)


def test_a_token_in_the_query_or_under_another_scheme_is_no_proof(application):
    client = application.test_client()

    in_query = client.post(f"/ext/post-purchase/offers?token={purchase_token()}", json={"reference_id": "ref-1"})
    as_basic = client.post(
        "/ext/post-purchase/offers",
        json={"reference_id": "ref-1"},
        headers={"Authorization": f"Basic {purchase_token()}"},
    )

    assert (in_query.status_code, as_basic.status_code) == (401, 401)


def test_a_reference_other_than_the_tokens_is_refused(application):
    answer = call_page(application, "offers", {"reference_id": "ref-2"})

    assert answer.status_code == 401
    assert count_rows(application, DecisionRow) == 0
    assert_open_to_any_origin(answer)


@pytest.mark.parametrize("path", ["offers", "sign", "events"])
def test_a_preflight_needs_no_proof_and_answers_204(application, path):
    answer = application.test_client().options(
        f"/ext/post-purchase/{path}",
        headers={"Origin": "null", "Access-Control-Request-Method": "POST"},
    )

    assert (answer.status_code, answer.data) == (204, b"")
    assert_open_to_any_origin(answer)


@pytest.mark.parametrize("path", ["offers", "sign", "events"])
def test_unknown_fields_are_422_under_cors(application, path):
    body = {"decision_id": "0" * 32, "offer_id": 1, "event": "click", "shop_id": 1}
    if path != "events":
        del body["event"]
    if path == "offers":
        del body["decision_id"], body["offer_id"]

    answer = call_page(application, path, body)

    assert answer.status_code == 422
    assert answer.get_json() == {"error": {"code": "invalid_input", "message": "not valid: shop_id"}}
    assert_open_to_any_origin(answer)


def test_an_error_nobody_foresaw_is_500_under_cors_and_says_nothing_of_its_inside(application):
    decision_id = call_page(application, "offers").get_json()["decision_id"]
    with parts_of(application).database.write() as session:
        session.execute(update(DecisionRow).values(inputs="not JSON at all"))

    answer = call_page(application, "sign", {"decision_id": decision_id, "offer_id": 1})

    assert answer.status_code == 500
    assert answer.get_json() == {"error": {"code": "internal_error", "message": "something went wrong"}}
    assert_open_to_any_origin(answer)


def test_a_database_that_is_away_is_503_under_cors_and_says_when_to_come_back(database, tmp_path):
    away = an_application(database, tmp_path, DATABASE_URL=an_unreachable_url(tmp_path))

    answer = call_page(away, "sign", {"decision_id": "0" * 32, "offer_id": 1})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json() == {"error": {"code": "try_again", "message": "the database is busy"}}
    assert_open_to_any_origin(answer)


def test_an_event_of_the_page_is_kept_once_and_a_dismissal_holds_for_the_customer(application):
    token = purchase_token(a_purchase(customer_id=SOMEBODY))
    answer = call_page(application, "offers", token=token).get_json()
    body = {"decision_id": answer["decision_id"], "offer_id": answer["offers"][0]["offer_id"], "event": "dismiss"}

    said = [call_page(application, "events", body, token=token) for _ in range(2)]

    assert [once.get_json() for once in said] == [{"recorded": True}, {"recorded": False}]
    assert read_rows(application, TouchpointRow, "kind", "placement") == [("dismiss", "post_purchase/offer")]
    kept = read_rows(application, DismissalRow, "subject", "anchor_product_id", "product_id")
    assert kept == [(f"c:{SOMEBODY}", 0, SOCKS), (f"c:{SOMEBODY}", BOOTS, SOCKS)]
    assert_open_to_any_origin(said[0])


def test_events_about_a_decision_of_another_shop_or_purchase_answer_like_a_missing_one(application):
    mine = call_page(application, "offers").get_json()
    theirs = call_page(application, "offers", token=purchase_token(shop=TWO)).get_json()
    event = {"offer_id": mine["offers"][0]["offer_id"], "event": "accept"}
    other_purchase = purchase_token(reference_id="ref-2")

    answers = [
        call_page(application, "events", event | {"decision_id": "0" * 32}),
        call_page(application, "events", event | {"decision_id": theirs["decision_id"]}),
        call_page(
            application,
            "events",
            event | {"decision_id": mine["decision_id"], "reference_id": "ref-2"},
            token=other_purchase,
        ),
    ]

    assert {(answer.status_code, answer.data) for answer in answers} == {(404, answers[0].data)}
    assert count_rows(application, TouchpointRow) == 0
    assert_open_to_any_origin(answers[0])


def test_a_shop_that_has_uninstalled_can_report_no_events(application):
    answer = call_page(application, "offers").get_json()
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == ONE).values(state="uninstalled"))
    body = {"decision_id": answer["decision_id"], "offer_id": answer["offers"][0]["offer_id"], "event": "accept"}

    assert call_page(application, "events", body).status_code == 401
    assert count_rows(application, TouchpointRow) == 0
