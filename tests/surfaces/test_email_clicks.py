"""`POST /proxy/clicks`: a followed link of an e-mail is a touch of the channel e-mail, once, and of this shop alone."""

from datetime import timedelta

import pytest
from builders_apps import parts_of, real_now
from builders_surfaces import (
    ONE,
    TWO,
    a_planted_application,
    a_visitor,
    ask_theme,
    count_rows,
    decisions,
    read_rows,
    theme_query,
)
from sqlalchemy import delete

from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, write_email_token
from shopify_upsell.attribution.store import TouchpointRow
from shopify_upsell.attribution.token import TOKEN_PURPOSE, OfferClaim, write_token
from shopify_upsell.core import parse_gid
from shopify_upsell.offers.decisions import DecisionRow

VISITOR = a_visitor(held_out=False)


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def a_link(application, *, placement="email/lifecycle", life=timedelta(days=30), purpose=EMAIL_LINK_PURPOSE):
    """The claim and the token of a link about the first offer of a stored decision."""
    answer = ask_theme(application, visitor=VISITOR).get_json()
    offer = answer["offers"][0]
    (shop_id,) = {row.shop_id for row in decisions(application)}
    claim = OfferClaim(
        shop_id=shop_id,
        decision_id=answer["decision_id"],
        offer_id=int(offer["offer_id"]),
        variant_id=parse_gid(offer["items"][0]["variant_id"], "ProductVariant"),
        max_quantity=1,
        expires_at=real_now() + life,
        nonce="n",
        book=offer["kind"],
        placement=placement,
    )
    key = parts_of(application).keyring.signing_keys(purpose, shop_id)[0]
    write = write_email_token if placement.startswith("email/") else write_token
    return claim, write(claim, key)


def follow(application, token, *, shop=ONE):
    return application.test_client().post(f"/proxy/clicks?{theme_query(shop=shop)}", json={"token": token})


def test_a_link_that_is_followed_is_one_touch_of_its_offer_however_often(application):
    claim, token = a_link(application)

    answers = [follow(application, token) for _ in range(2)]

    assert [answer.get_json() for answer in answers] == [{"recorded": True}, {"recorded": False}]
    columns = ("decision_id", "offer_id", "variant_id", "kind", "placement", "unit", "book")
    assert read_rows(application, TouchpointRow, *columns) == [
        (claim.decision_id, claim.offer_id, claim.variant_id, "click", "email/lifecycle", f"v:{VISITOR}", claim.book)
    ]


@pytest.mark.parametrize(
    ("change", "shop"),
    [
        ({"life": timedelta(seconds=-1)}, ONE),
        ({"placement": "theme/product_page"}, ONE),
        ({"purpose": TOKEN_PURPOSE}, ONE),
        ({}, TWO),
    ],
)
def test_what_is_no_link_of_this_shop_leaves_nothing(application, change, shop):
    _, token = a_link(application, **change)

    answer = follow(application, token, shop=shop)

    assert answer.status_code == 401
    assert count_rows(application, TouchpointRow) == 0


def test_a_link_whose_decision_is_gone_and_a_body_that_is_none_leave_nothing(application):
    _, token = a_link(application)
    with parts_of(application).database.write() as session:
        session.execute(delete(DecisionRow))

    assert follow(application, token).status_code == 404
    assert follow(application, "").status_code == 422
    assert count_rows(application, TouchpointRow) == 0
