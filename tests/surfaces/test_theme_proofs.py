"""Who may call `/proxy`: a signed query of now, of known parameters, cut as Shopify signed it. The rest is 401."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from builders_apps import an_application, real_now
from builders_offers import BOOTS
from builders_proofs import (
    OLD_SECRET,
    admin_id_token,
    extension_token,
    post_purchase_token,
    proxy_signature,
    signed_proxy_query,
)
from builders_surfaces import ONE, TWO, a_planted_application, ask_theme, count_rows, say

from shopify_upsell.offers.decisions import DecisionRow

WANTED = {"placement": "theme/product_page", "product": str(BOOTS)}


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def get(application, query):
    return application.test_client().get(f"/proxy/offers?{query}")


def assert_refused(application, answer):
    assert answer.status_code == 401
    assert answer.get_json() == {
        "error": {"code": "invalid_signature", "message": "the request does not prove where it comes from"}
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert count_rows(application, DecisionRow) == 0


@pytest.mark.parametrize("seconds", [-92, 92, 3600, -86_400])
def test_a_query_signed_at_another_time_is_refused(application, seconds):
    assert_refused(application, ask_theme(application, now=real_now() + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-85, 85])
def test_a_query_signed_within_ninety_seconds_is_taken(application, seconds):
    assert ask_theme(application, now=real_now() + timedelta(seconds=seconds)).get_json()["offers"]


@pytest.mark.parametrize(
    "bend",
    [
        {"secret": "another secret"}, {"without": ("timestamp",)},
        {"without": ("shop",)}, {"without": ("path_prefix",)}, {"change": {"timestamp": "now"}},
        {"change": {"shop": "evil.example.com"}}, {"change": {"shop": "one.myshopify.com.evil.com"}},
        {"change": {"logged_in_customer_id": "1 OR 1=1"}}, {"change": {"unknown_parameter": "1"}},
        {"change": {"shop_id": "1"}}, {"change": {"customer_id": "5"}},
    ],
)  # fmt: skip
def test_a_query_bent_in_one_detail_is_refused_even_when_that_is_signed(application, bend):
    assert_refused(application, get(application, signed_proxy_query(WANTED, now=real_now(), **bend)))


def test_a_value_changed_or_added_after_signing_is_refused(application):
    query = signed_proxy_query(WANTED, now=real_now())

    for changed in (query.replace(ONE, TWO), query + "&limit=6", query + "&product=2", query.replace("product=1", "")):
        assert_refused(application, get(application, changed))


def test_a_query_cut_anew_out_of_another_shops_signed_one_is_refused(application):
    """Eve has her own storefront sign one long parameter, then cuts the same text into a query of her victim."""
    now = str(int(real_now().timestamp()))
    hidden = "1logged_in_customer_id=7path_prefix=/apps/wellpairedproduct=1shop=" + ONE + "timestamp=" + now + "z="
    signed = [
        ("cart_token", hidden), ("logged_in_customer_id", ""), ("path_prefix", "/apps/e"), ("shop", TWO),
        ("timestamp", now),
    ]  # fmt: skip
    signature = proxy_signature(signed)
    rest = f"logged_in_customer_id=path_prefix=/apps/eshop={TWO}timestamp={now}"
    cut_anew = [
        ("cart_token", "1"), ("logged_in_customer_id", "7"), ("path_prefix", "/apps/wellpaired"), ("product", "1"),
        ("shop", ONE), ("timestamp", now), ("z", rest),
    ]  # fmt: skip
    assert proxy_signature(cut_anew) == signature, "the attack is real: both texts are the same"

    for pairs in (cut_anew, signed):
        assert_refused(application, get(application, urlencode([*pairs, ("signature", signature)])))


def test_shopifys_own_parameters_given_twice_are_refused(application):
    pairs = [
        ("path_prefix", "/apps/wellpaired"),
        ("shop", ONE),
        ("shop", TWO),
        ("timestamp", str(int(real_now().timestamp()))),
    ]
    query = urlencode([*pairs, ("signature", proxy_signature(pairs))])

    assert_refused(application, get(application, query))


def test_events_ask_for_the_same_proof(application):
    answer = application.test_client().post("/proxy/events?shop=one.myshopify.com", json={})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize("forge", [admin_id_token, extension_token, post_purchase_token])
def test_a_token_of_another_surface_opens_nothing_here(application, forge):
    token = forge(now=real_now())

    answer = application.test_client().get("/proxy/offers", headers={"Authorization": f"Bearer {token}"})

    assert_refused(application, answer)


def test_the_secret_being_replaced_still_proves_and_no_other_does(database, tmp_path):
    application = a_planted_application(database, tmp_path, SHOPIFY_API_SECRET_OLD=OLD_SECRET)
    old = signed_proxy_query(WANTED, now=real_now(), secret=OLD_SECRET)
    without_old = an_application(database, tmp_path)

    assert get(application, old).get_json()["offers"]
    assert get(without_old, old).status_code == 401


def test_errors_do_not_let_other_sites_read_or_frame_them(application):
    for answer in (ask_theme(application), say(application, {}), get(application, "")):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
