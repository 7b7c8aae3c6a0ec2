"""The plain WSGI route answers exactly as Flask's route of the same address would, and hands on whatever it may not."""

from urllib.parse import urlencode

import pytest
from builders_offers import BOOTS, SOCKS, variant_id_of
from builders_surfaces import NOTHING, TWO, a_customer, a_planted_application, ask_theme, decisions, theme_query
from werkzeug.test import Client

from shopify_upsell.surfaces.express import Express

PAGE = {"placement": "theme/product_page", "product": BOOTS}


@pytest.fixture
def application(database, tmp_path):
    return a_planted_application(database, tmp_path)


def handed_on(environ, start_response):
    """Stands where Flask stands, and says what came."""
    start_response("299 Handed On", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}".encode()]


def alone(application):
    """The plain route, without Flask behind it."""
    plain = application.wsgi_app
    return Client(Express(handed_on, plain._answers, headers=plain._headers[2:]))


def by_flask(application):
    """Flask's route, without the plain one before it."""
    return Client(application.wsgi_app._app)


def without_what_is_new(answer):
    """An answer without the id and the tokens that no two decisions share."""
    document = answer.get_json()
    document.pop("decision_id", None)
    for offer in document["offers"]:
        for item in offer["items"]:
            item.pop("token")
    return document


@pytest.mark.parametrize(
    "wanted",
    [
        PAGE,
        PAGE | {"visitor": "visitor-1234", "locale": "de", "currency": "USD", "limit": 1},
        PAGE | {"cart": f"{variant_id_of(SOCKS)}:2", "codes": "A,B", "cart_token": "abc?key=1"},
        PAGE | {"visitor": "", "currency": ""},
        PAGE | {"page": "product", "path": "/products/größe & co", "business": "true", "country": "DE"},
        PAGE | {"shop": TWO},
        PAGE | {"product": SOCKS},
        PAGE | {"product": 999_999},
        {"placement": "theme/cart"},
        {"placement": "theme/elsewhere"},
        {"placement": "theme/product_page", "product": f"gid://shopify/Product/{BOOTS}"},
    ],
)
def test_it_answers_what_flask_would_with_the_same_headers(application, wanted):
    query = theme_query(**wanted)

    plain, flask = alone(application).get(f"/proxy/offers?{query}"), by_flask(application).get(f"/proxy/offers?{query}")

    assert plain.status_code == flask.status_code == 200
    assert sorted((name, value) for name, value in plain.headers if name != "Content-Length") == sorted(
        (name, value) for name, value in flask.headers if name != "Content-Length"
    )
    assert int(plain.headers["Content-Length"]) == len(plain.data)
    assert without_what_is_new(plain) == without_what_is_new(flask)


def test_it_stores_the_decision_that_it_answers(application):
    answer = alone(application).get(f"/proxy/offers?{theme_query(**PAGE, visitor='visitor-1234')}").get_json()

    (row,) = decisions(application)
    assert row.decision_id == answer["decision_id"]
    assert answer["offers"]


@pytest.mark.parametrize(
    "wanted",
    [
        PAGE | {"visitor": "no"},
        PAGE | {"visitor": "visitor 1234"},
        PAGE | {"limit": 7},
        PAGE | {"limit": "many"},
        PAGE | {"currency": "DOLLAR"},
        PAGE | {"cart": "1:2:3:4"},
        {"product": BOOTS},
        {},
    ],
)
def test_what_cannot_be_read_goes_to_flask_and_shows_nothing(application, wanted):
    query = theme_query(**wanted)

    assert alone(application).get(f"/proxy/offers?{query}").data.decode() == f"GET /proxy/offers?{query}"
    answer = application.test_client().get(f"/proxy/offers?{query}")

    assert (answer.status_code, answer.get_json()) == (200, NOTHING)
    assert decisions(application) == []


def test_what_proves_nothing_goes_to_flask_and_is_refused(application):
    query = urlencode(PAGE)

    assert alone(application).get(f"/proxy/offers?{query}").status_code == 299
    assert application.test_client().get(f"/proxy/offers?{query}").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/proxy/offers"), ("HEAD", "/proxy/offers"), ("OPTIONS", "/proxy/offers"), ("GET", "/proxy/offers/"),
     ("GET", "/proxy"), ("GET", "/healthz"), ("GET", "/")],
)  # fmt: skip
def test_every_other_request_goes_to_flask_untouched(application, method, path):
    answer = alone(application).open(path, method=method, query_string="a=%20b")

    assert (answer.status_code, answer.headers["Content-Type"]) == (299, "text/plain")
    assert application.test_client().open(path, method=method).status_code in (200, 401, 404, 405)


def test_a_page_asked_for_twice_is_read_once_and_each_visitor_gets_their_own_answer(application):
    held_out = a_customer(held_out=True)
    answers = [
        ask_theme(application, visitor="visitor-0001"),
        ask_theme(application, visitor="visitor-0002"),
        ask_theme(application, customer_id=held_out),
        ask_theme(application),
    ]

    asked = sorted((row.unit or "") for row in decisions(application))
    assert asked == sorted(["v:visitor-0001", "v:visitor-0002", f"c:{held_out}", ""])
    assert len({answer.get_json()["decision_id"] for answer in answers}) == 4
    assert not answers[2].get_json()["offers"]
