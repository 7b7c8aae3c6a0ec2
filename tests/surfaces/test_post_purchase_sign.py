"""`POST /ext/post-purchase/sign`: the one thing we say under the client secret, and what nobody can make us say."""

import base64
import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_database import add_shop
from builders_offers import WAX, variant_id_of
from builders_proofs import API_KEY, OLD_SECRET, SECRET
from builders_surfaces import (
    ONE,
    TWO,
    a_customer,
    a_planted_application,
    a_purchase,
    call_page,
    count_rows,
    plant,
    purchase_token,
    read_rows,
)
from sqlalchemy import update

from shopify_upsell.attribution.store import ChangesetRow
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import OfferRow
from shopify_upsell.offers.terms import Floor, Incentive, Terms
from shopify_upsell.shops.store import ShopRow

AFTER = "post_purchase/offer"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path, SHOPIFY_API_SECRET_OLD=OLD_SECRET)


def offered(application, **page):
    """What the page was offered, as the body that accepts it."""
    answer = call_page(application, "offers", **page).get_json()
    return {"decision_id": answer["decision_id"], "offer_id": answer["offers"][0]["offer_id"]}


def opened(token, secret=SECRET):
    """Read a token by hand, as Shopify would: signature first, then header and claims."""
    signed, _, signature = token.rpartition(".")
    expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) == expected
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    return header, claims


def signed(application, body, **page):
    answer = call_page(application, "sign", body, **page)
    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json().keys() == {"token"}
    return opened(answer.get_json()["token"])[1]


def test_an_accepted_offer_is_signed_with_exactly_what_was_decided_and_the_proof_of_origin(application):
    answer = call_page(application, "sign", offered(application))

    header, claims = opened(answer.get_json()["token"])
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert claims.keys() == {"iss", "sub", "jti", "iat", "changes"}
    assert (claims["iss"], claims["sub"]) == (API_KEY, "ref-1")
    assert UUID.fullmatch(claims["jti"])
    assert abs(claims["iat"] - real_now().timestamp()) < 10
    assert claims["changes"] == [
        {
            "type": "add_variant",
            "variantId": 21,
            "quantity": 1,
            "discount": {"value": 10, "valueType": "percentage", "title": "Goes with your order"},
        },
        {
            "type": "set_metafield",
            "namespace": "wellpaired",
            "key": "changeset",
            "value": claims["jti"],
            "valueType": "string",
        },
    ]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("incentive", "signed_as", "total"),
    [
        (Incentive("percentage", basis_points=1250), (12.5, "percentage"), 1750),
        (Incentive("amount", minor_units=501, currency="USD"), (5.01, "fixed_amount"), 1499),
        (Incentive("fixed_price", minor_units=1300, currency="USD"), (7, "fixed_amount"), 700 + 600),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_what_is_taken_off_is_signed_so_that_what_is_shown_is_charged(database, tmp_path, incentive, signed_as, total):
    terms = Terms(incentive=incentive, floor=Floor(minor_units=-2000))
    with database.write() as session:
        plant(session, add_shop(session, ONE), drafts=[OfferDraft("cross_sell", "x", (AFTER,), terms=terms)])
    application = an_application(database, tmp_path)
    (offer,) = call_page(application, "offers").get_json()["offers"]

    claims = signed(application, offered(application))

    discount = claims["changes"][0]["discount"]
    assert (discount["value"], discount["valueType"]) == signed_as
    assert offer["changes"] == claims["changes"][:1]
    assert (offer["total"]["minor_units"], offer["saving"]["minor_units"]) == (total, 2000 - total)
    assert (offer["discount"] is None) == (incentive.kind != "percentage")


def test_an_amount_off_a_set_is_neither_shown_nor_signed_because_nobody_knows_how_it_is_divided(database, tmp_path):
    terms = Terms(incentive=Incentive("amount", minor_units=500, currency="USD"), floor=Floor(minor_units=-2000))
    with database.write() as session:
        plant(session, add_shop(session, ONE), drafts=[OfferDraft("bundle", "x", (AFTER,), terms=terms)])
    application = an_application(database, tmp_path)

    assert call_page(application, "offers").get_json()["offers"] == []
    assert count_rows(application, ChangesetRow) == 0


def test_what_was_signed_is_remembered_to_be_recognised_in_the_order(application):
    body = offered(application)

    claims = signed(application, body)

    columns = ("changeset_id", "reference_id", "decision_id", "offer_id", "variant_id", "quantity", "order_id")
    assert read_rows(application, ChangesetRow, *columns) == [
        (claims["jti"], "ref-1", body["decision_id"], int(body["offer_id"]), 21, 1, None)
    ]


def test_asking_again_signs_the_same_changeset_id_so_that_shopify_applies_it_once(application):
    body = offered(application)

    claims = [signed(application, body) for _ in range(3)]

    assert len({one["jti"] for one in claims}) == 1
    assert count_rows(application, ChangesetRow) == 1


def test_a_second_decision_about_the_same_purchase_does_not_earn_a_second_changeset(application):
    first, second = offered(application), offered(application)

    signed(application, first)
    answer = call_page(application, "sign", second)

    assert first["decision_id"] != second["decision_id"]
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "conflict")
    assert count_rows(application, ChangesetRow) == 1


@pytest.mark.parametrize(
    "wish",
    [
        {"changes": [{"type": "add_variant", "variantId": 31, "quantity": 9}]}, {"discount": 100},
        {"variant_id": 31}, {"quantity": 9}, {"price": 1}, {"shop_id": 1},
    ],
)  # fmt: skip
def test_what_the_client_wishes_to_be_signed_is_refused(application, wish):
    answer = call_page(application, "sign", offered(application) | wish)

    assert answer.status_code == 422
    assert answer.get_json()["error"] == {"code": "invalid_input", "message": f"not valid: {next(iter(wish))}"}
    assert count_rows(application, ChangesetRow) == 0


def test_what_the_shop_changed_since_changes_nothing_that_was_shown(application):
    body = offered(application)
    with parts_of(application).database.write() as session:
        session.execute(update(OfferRow).values(discount_basis_points=9000))
        session.execute(update(VariantRow).values(price_minor_units=1))

    assert signed(application, body)["changes"][0]["discount"]["value"] == 10


def test_an_offer_that_was_not_chosen_for_this_purchase_is_404(application):
    body = offered(application)

    for offer_id in (int(body["offer_id"]) - 1, int(body["offer_id"]) + 1, 2**62):
        assert call_page(application, "sign", body | {"offer_id": offer_id}).status_code == 404
    assert count_rows(application, ChangesetRow) == 0


def test_after_half_an_hour_an_offer_has_expired(application):
    body = offered(application)
    with parts_of(application).database.write() as session:
        session.execute(update(DecisionRow).values(decided_at=real_now() - timedelta(minutes=30, seconds=5)))

    answer = call_page(application, "sign", body)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "offer_expired")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert count_rows(application, ChangesetRow) == 0


def test_within_half_an_hour_an_offer_is_still_signed(application):
    body = offered(application)
    with parts_of(application).database.write() as session:
        session.execute(update(DecisionRow).values(decided_at=real_now() - timedelta(minutes=29)))

    assert signed(application, body)["sub"] == "ref-1"


def test_a_decision_of_another_purchase_answers_like_one_that_does_not_exist(application):
    body = offered(application)
    other = purchase_token(reference_id="ref-2")

    missing = call_page(application, "sign", body | {"decision_id": "0" * 32})
    answer = call_page(application, "sign", body | {"reference_id": "ref-2"}, token=other)

    assert (answer.status_code, answer.data) == (404, missing.data)
    assert missing.status_code == 404
    assert count_rows(application, ChangesetRow) == 0


def test_a_decision_of_the_theme_cannot_be_signed_for_a_purchase(application):
    from builders_surfaces import ask_theme

    theme = ask_theme(application).get_json()
    body = {"decision_id": theme["decision_id"], "offer_id": theme["offers"][0]["offer_id"]}

    assert call_page(application, "sign", body).status_code == 404
    assert count_rows(application, ChangesetRow) == 0


def test_the_same_reference_in_another_shop_opens_nothing(application):
    body = offered(application)

    answer = call_page(application, "sign", body, token=purchase_token(shop=TWO))

    assert answer.status_code == 404
    assert count_rows(application, ChangesetRow) == 0


def test_a_shop_that_has_uninstalled_signs_nothing(application):
    body = offered(application)
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == ONE).values(state="uninstalled"))

    answer = call_page(application, "sign", body)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert count_rows(application, ChangesetRow) == 0


def test_the_holdout_cannot_have_signed_what_it_was_never_shown(application):
    offer_id = offered(application)["offer_id"]
    held_out = purchase_token(a_purchase(customer_id=a_customer(held_out=True)), reference_id="ref-2")
    answer = call_page(application, "offers", {"reference_id": "ref-2"}, token=held_out).get_json()
    body = {"reference_id": "ref-2", "decision_id": answer["decision_id"], "offer_id": offer_id}

    refused = call_page(application, "sign", body, token=held_out)

    assert refused.status_code == 404
    assert count_rows(application, ChangesetRow) == 0


def test_a_signed_changeset_opens_none_of_our_own_doors(application):
    body = offered(application)
    changeset = call_page(application, "sign", body).get_json()["token"]

    assert call_page(application, "sign", body, token=changeset).status_code == 401
    assert application.test_client().get(f"/?id_token={changeset}").status_code == 401


def test_it_is_signed_with_the_current_secret_even_if_the_page_came_with_the_old_one(application):
    from builders_proofs import post_purchase_token

    old = post_purchase_token(purchase=a_purchase(), now=real_now(), secret=OLD_SECRET)
    body = offered(application, token=old)

    assert signed(application, body, token=old)["changes"][0]["variantId"] == 21


def test_an_order_that_already_holds_the_best_companion_is_offered_and_signed_the_next(application):
    bought = purchase_token(a_purchase(1, 2))

    body = offered(application, token=bought)

    assert signed(application, body, token=bought)["changes"][0]["variantId"] == variant_id_of(WAX)
