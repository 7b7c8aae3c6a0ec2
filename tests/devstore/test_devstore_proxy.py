import hashlib
import hmac
from urllib.parse import parse_qsl

from builders_devstore import SECRET, Listener
from flask.testing import FlaskClient


def is_signed(query: bytes) -> bool:
    """Check the documented canonical form, written down here without the dev store's code."""
    values: dict[str, list[str]] = {}
    for key, value in parse_qsl(query.decode(), keep_blank_values=True):
        values.setdefault(key, []).append(value)
    signature = values.pop("signature")[0]
    message = "".join(sorted(f"{key}={','.join(rows)}" for key, rows in values.items()))
    return hmac.compare_digest(hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest(), signature)


def test_a_call_is_forwarded_with_a_query_that_verifies(store: FlaskClient, listener: Listener) -> None:
    answer = store.get("/apps/wellpaired/offers?product=1&product=2&note=a%20%26%20b%C3%A9&empty=")

    (got,) = listener.got
    query = dict(parse_qsl(got["query"].decode(), keep_blank_values=True))
    assert answer.get_json() == {"path": "proxy/offers"}
    assert is_signed(got["query"])
    assert not is_signed(got["query"].replace(b"product=1", b"product=3"))
    assert query["shop"] == "glow.myshopify.com"
    assert query["path_prefix"] == "/apps/wellpaired"
    assert query["logged_in_customer_id"] == ""
    assert query["timestamp"] == "1795348800"
    assert (query["note"], query["empty"]) == ("a & bé", "")


def test_method_and_body_are_forwarded_and_cookies_are_not(store: FlaskClient, listener: Listener) -> None:
    store.set_cookie("secret", "1")

    answer = store.post("/apps/wellpaired/events", data=b'{"event": "click"}', content_type="application/json")

    (got,) = listener.got
    assert (got["method"], got["path"], got["raw"]) == ("POST", "proxy/events", b'{"event": "click"}')
    assert got["headers"]["Content-Type"] == "application/json"
    assert "Cookie" not in got["headers"]
    assert "Set-Cookie" not in answer.headers


def test_what_shopify_adds_cannot_be_sent_by_a_visitor(store: FlaskClient, listener: Listener) -> None:
    store.get("/apps/wellpaired/offers?shop=evil.myshopify.com&timestamp=1&logged_in_customer_id=7&signature=x")

    pairs = parse_qsl(listener.got[0]["query"].decode(), keep_blank_values=True)
    assert [value for key, value in pairs if key == "shop"] == ["glow.myshopify.com"]
    assert [value for key, value in pairs if key == "logged_in_customer_id"] == [""]
    assert is_signed(listener.got[0]["query"])


def test_the_customer_switch_names_the_customer(store: FlaskClient, listener: Listener) -> None:
    store.post("/account", data={"customer_id": "7000000000001"})
    store.get("/apps/wellpaired/offers")
    store.post("/account", data={"customer_id": ""})
    store.get("/apps/wellpaired/offers")

    named = [dict(parse_qsl(got["query"].decode(), keep_blank_values=True)) for got in listener.got]
    assert [query["logged_in_customer_id"] for query in named] == ["7000000000001", ""]


def test_the_apps_own_status_comes_through(store: FlaskClient, listener: Listener) -> None:
    listener.answers = [429]

    assert store.get("/apps/wellpaired/offers").status_code == 429


def test_an_app_that_is_down_is_a_502_and_no_crash(store: FlaskClient, listener: Listener) -> None:
    listener.server.server_close()

    assert store.get("/apps/wellpaired/offers").status_code == 502
