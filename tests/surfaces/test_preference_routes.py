"""`/proxy/preferences` and `/ext/account/preferences`: who may say what, for whom, and what is kept of it."""

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_database import add_shop
from builders_proofs import SHOP, admin_id_token, extension_token, post_purchase_token, signed_proxy_query
from builders_surfaces import ONE, TWO, read_rows
from sqlalchemy import update

from shopify_upsell import app as joined
from shopify_upsell.customers.courtesy_store import WHOLE_SHOP
from shopify_upsell.customers.preferences_store import PreferenceRow
from shopify_upsell.customers.throttle_store import ReactionCountRow
from shopify_upsell.shops.store import ShopRow
from shopify_upsell.surfaces.preferences import make_account_blueprint, make_proxy_blueprint

LEVELS = ["all", "fewer", "restock_only", "none"]
ACCOUNT, PROXY = "/ext/account/preferences", "/proxy/preferences"
VISITOR, CUSTOMER = "visitor-0001", 5


@pytest.fixture
def application(database, tmp_path, monkeypatch):
    with database.write() as session:
        add_shop(session, TWO)
        add_shop(session, ONE)
    own = [make for make in (make_proxy_blueprint, make_account_blueprint) if make not in joined.SURFACES]
    monkeypatch.setattr(joined, "SURFACES", (*joined.SURFACES, *own))
    return an_application(database, tmp_path)


def proxy(application, body=None, *, shop=ONE, customer_id="", **parameters):
    query = signed_proxy_query(parameters, shop=shop, customer_id=customer_id, now=real_now())
    client, url = application.test_client(), f"{PROXY}?{query}"
    return client.get(url) if body is None else client.post(url, json=body)


def account(application, body=None, *, token=None, **claims):
    token = token or extension_token(**({"shop": ONE, "customer_id": CUSTOMER, "now": real_now()} | claims))
    headers = {"Authorization": f"Bearer {token}"}
    client = application.test_client()
    return client.get(ACCOUNT, headers=headers) if body is None else client.post(ACCOUNT, json=body, headers=headers)


def kept(application):
    return read_rows(application, PreferenceRow, "subject", "level")


def refusals(application):
    return read_rows(application, ReactionCountRow, "offer_id", "show_count", "refusal_count")


def test_who_said_nothing_is_told_all_and_what_else_there_is(application):
    for answer in (proxy(application, visitor=VISITOR), proxy(application), account(application)):
        assert (answer.status_code, answer.get_json()) == (200, {"level": "all", "levels": LEVELS})
    assert kept(application) == []


@pytest.mark.parametrize("level", LEVELS)
def test_a_word_said_on_the_storefront_is_read_back_at_once_in_the_account(application, level):
    answer = proxy(application, {"level": level}, customer_id=CUSTOMER, visitor=VISITOR)

    assert (answer.status_code, answer.get_json()["level"]) == (200, level)
    assert kept(application) == [(f"c:{CUSTOMER}", level), (f"v:{VISITOR}", level)]
    assert account(application).get_json()["level"] == level
    assert proxy(application, visitor=VISITOR).get_json()["level"] == level


def test_a_word_said_in_the_account_holds_on_the_storefront_over_an_older_one_of_the_browser(application):
    proxy(application, {"level": "none"}, visitor=VISITOR)

    answer = account(application, {"level": "fewer"})

    assert answer.get_json()["level"] == "fewer"
    assert proxy(application, customer_id=CUSTOMER, visitor=VISITOR).get_json()["level"] == "fewer"
    assert proxy(application, visitor=VISITOR).get_json()["level"] == "none"


def test_no_word_reaches_another_person_or_shop(application):
    proxy(application, {"level": "none"}, customer_id=CUSTOMER)

    assert proxy(application, customer_id=6).get_json()["level"] == "all"
    assert account(application, customer_id=6).get_json()["level"] == "all"
    assert account(application, shop=TWO).get_json()["level"] == "all"


def test_wanting_less_counts_as_a_refusal_of_the_card_that_led_there_and_wanting_more_as_none(application):
    proxy(application, {"level": "fewer", "offer_id": 12}, visitor=VISITOR)
    assert refusals(application) == [(12, 0, 1)]

    proxy(application, {"level": "fewer"}, visitor=VISITOR)
    proxy(application, {"level": "all"}, visitor=VISITOR)
    assert refusals(application) == [(12, 0, 1)]

    account(application, {"level": "none"})
    assert (WHOLE_SHOP, 0, 1) in refusals(application)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"level": "some"},
        {"level": None},
        {"level": "none", "offer_id": -1},
        {"level": "none", "customer_id": 6},
        [],
    ],
)
def test_a_word_that_is_not_on_the_page_is_refused_and_nothing_is_kept(application, body):
    for answer in (proxy(application, body, visitor=VISITOR), account(application, body)):
        assert answer.status_code == 422
        assert answer.get_json()["error"]["code"] == "invalid_input"
    assert kept(application) == []
    assert refusals(application) == []


def test_a_word_of_nobody_is_refused(application):
    answer = proxy(application, {"level": "none"})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "invalid_input")
    assert kept(application) == []


@pytest.mark.parametrize("visitor", ["short", "x" * 65, "a b c d e f", "visitor-0001é"])
def test_a_visitor_that_our_script_could_not_have_made_is_refused(application, visitor):
    answer = proxy(application, {"level": "none"}, visitor=visitor)

    assert answer.status_code in (401, 422)
    assert kept(application) == []


def test_a_shop_that_left_is_answered_as_a_stranger(application):
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.domain == ONE).values(state="uninstalled"))

    for answer in (proxy(application, {"level": "none"}, visitor=VISITOR), account(application, {"level": "none"})):
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert kept(application) == []


@pytest.mark.parametrize(
    "token",
    [
        lambda: extension_token(shop=ONE, now=real_now()),
        lambda: admin_id_token(shop=ONE),
        lambda: post_purchase_token(shop=ONE, now=real_now()),
        lambda: extension_token(shop=ONE, customer_id=CUSTOMER, now=real_now(), secret="another secret altogether"),
    ],
)
def test_a_token_that_names_no_customer_of_ours_is_refused(application, token):
    for body in (None, {"level": "none"}):
        answer = account(application, body, token=token())
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert kept(application) == []


def test_a_parameter_that_was_not_agreed_on_breaks_the_proof(application):
    assert proxy(application, {"level": "none"}, visitor=VISITOR, customer="6").status_code == 401
    assert application.test_client().get(f"{PROXY}?visitor={VISITOR}&shop={SHOP}").status_code == 401
    assert kept(application) == []


def test_answers_are_never_cached_and_the_account_may_ask_from_any_origin(application):
    assert proxy(application, visitor=VISITOR).headers["Cache-Control"] == "no-store"
    for answer in (account(application), application.test_client().options(ACCOUNT)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_flood_is_asked_to_come_back_and_writes_nothing(database, tmp_path, application, monkeypatch):
    slow = an_application(database, tmp_path, OFFER_RATE_PER_SECOND="1")

    answers = [account(slow, {"level": "none"}) for _ in range(60)]

    assert {answer.status_code for answer in answers} == {200, 503}
    assert answers[-1].headers["Retry-After"] == "1"
