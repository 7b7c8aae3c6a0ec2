"""The Admin API client against scripted answers: what is sent, and what each kind of failure becomes."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses

from shopify_upsell.core import RetryLater
from shopify_upsell.gateway.admin_api import AdminClient, ApiError
from shopify_upsell.gateway.failures import (
    AdminApiRefused,
    AdminApiThrottled,
    AdminApiUnauthorized,
    AnswerTooLarge,
    ShopifyUnreachable,
    ShopUnavailable,
)
from shopify_upsell.gateway.http_call import Limits
from shopify_upsell.gateway.throttle import Throttle

SHOP = "one.myshopify.com"
URL = f"https://{SHOP}/admin/api/2026-10/graphql.json"
DATA = {"shop": {"id": "gid://shopify/Shop/1"}}


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.naps: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds


@pytest.fixture
def shopify() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_client(clock: Clock | None = None, **more: Any) -> AdminClient:
    clock = clock or Clock()
    return AdminClient(
        shop_domain=SHOP,
        access_token="shpat_first",
        origin=f"https://{SHOP}",
        sleep=clock.sleep,
        monotonic=clock.now,
        **more,
    )


def cost(requested: float, available: float, rate: float = 100.0, maximum: float = 2000.0) -> dict[str, Any]:
    status = {"maximumAvailable": maximum, "currentlyAvailable": available, "restoreRate": rate}
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": 1, "throttleStatus": status}}


THROTTLED = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}


def test_operation_is_posted_with_its_name_variables_and_token(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, json={"data": DATA, "extensions": cost(3, 1997)})

    answer = a_client().run("products", {"first": 2})

    sent = shopify.calls[0].request
    body = json.loads(sent.body or "")
    assert (answer.data, answer.errors) == (DATA, ())
    assert answer.throttle == Throttle(3, 2000, 1997, 100)
    assert (body["operationName"], body["variables"]) == ("Products", {"first": 2})
    assert body["query"].count("query Products(") == 1
    assert sent.headers["X-Shopify-Access-Token"] == "shpat_first"
    assert sent.headers["Content-Type"] == "application/json"


def test_token_never_appears_when_a_client_is_printed() -> None:
    assert "shpat_first" not in repr(a_client())


@pytest.mark.parametrize("status", [402, 403, 404, 423])
def test_shop_that_is_frozen_locked_or_gone_is_final_and_named(shopify: responses.RequestsMock, status: int) -> None:
    shopify.post(URL, status=status, json={"errors": "Unavailable Shop"})

    with pytest.raises(ShopUnavailable) as failure:
        a_client().run("boot")

    assert failure.value.http_status == status
    assert not isinstance(failure.value, RetryLater)
    assert len(shopify.calls) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 301, 302, 204])
def test_server_trouble_and_redirects_are_for_later(shopify: responses.RequestsMock, status: int) -> None:
    shopify.post(URL, status=status, body="<html>", headers={"Location": "http://169.254.169.254/"})

    with pytest.raises(ShopifyUnreachable):
        a_client().run("boot")

    assert len(shopify.calls) == 1


@pytest.mark.parametrize("failure", [requests.ConnectionError("reset"), requests.ReadTimeout(), ConnectionResetError()])
def test_broken_connection_is_for_later_and_does_not_quote_the_token(
    shopify: responses.RequestsMock, failure: Exception
) -> None:
    shopify.post(URL, body=failure)

    with pytest.raises(ShopifyUnreachable) as raised:
        a_client().run("boot")

    assert raised.value.after == timedelta(seconds=20)
    assert raised.value.__suppress_context__
    assert "shpat" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html>maintenance</html>", "text/html"),
        (json.dumps({"data": DATA}), "text/html; charset=utf-8"),
        (json.dumps({"data": DATA})[:-5], "application/json"),
        ("", "application/json"),
        ("[]", "application/json"),
        ("null", "application/json"),
        ('{"data": null}', "application/json"),
        ("{}", "application/json"),
        ('{"data": []}', "application/json"),
        ("[" * 100_000, "application/json"),
        ("\ud800", "application/json"),
    ],
    ids=[
        "html",
        "json called html",
        "truncated",
        "empty",
        "array",
        "null",
        "null data",
        "no data",
        "data as list",
        "deep",
        "lone surrogate",
    ],
)
def test_answer_that_cannot_be_read_is_for_later(shopify: responses.RequestsMock, body: str, content_type: str) -> None:
    shopify.post(URL, body=body.encode("utf-8", "surrogatepass"), content_type=content_type)

    with pytest.raises(ShopifyUnreachable):
        a_client().run("boot")


def test_partial_data_is_kept_beside_its_errors(
    shopify: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    denied = {"message": "no", "path": ["orders", 0, "customer"], "extensions": {"code": "ACCESS_DENIED"}}
    shopify.post(URL, json={"data": {"orders": {"nodes": [{"customer": None}]}}, "errors": [denied]})

    answer = a_client().run("orders_updated")

    assert answer.data == {"orders": {"nodes": [{"customer": None}]}}
    assert answer.errors == (ApiError("access_denied", "no", ("orders", 0, "customer")),)
    with pytest.raises(AdminApiRefused) as refusal:
        answer.whole()
    assert refusal.value.code == "access_denied"
    assert [record.message for record in caplog.records] == ["admin_api_partial"]


def test_answer_without_errors_is_whole(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, json={"data": DATA})

    assert a_client().run("boot").whole() == DATA


def test_user_errors_of_a_mutation_are_the_third_layer(shopify: responses.RequestsMock) -> None:
    payload = {"metafieldsSet": {"metafields": None, "userErrors": [{"message": "is blank", "code": "BLANK"}]}}
    shopify.post(URL, json={"data": payload})

    answer = a_client().run("boot")

    assert answer.user_errors == (ApiError("blank", "is blank"),)
    with pytest.raises(AdminApiRefused, match="is blank"):
        answer.whole()


@pytest.mark.parametrize(
    ("errors", "kind", "code"),
    [
        ([{"message": "x", "extensions": {"code": "MAX_COST_EXCEEDED"}}], AdminApiRefused, "max_cost_exceeded"),
        ([{"message": "Field 'nope' doesn't exist"}], AdminApiRefused, "shopify_refused"),
        ("[API] Invalid", AdminApiRefused, "shopify_refused"),
        (["text"], AdminApiRefused, "shopify_refused"),
        ([{"message": "x", "extensions": {"code": "SHOP_INACTIVE"}}], ShopUnavailable, "shop_unavailable"),
        (
            [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}],
            ShopifyUnreachable,
            "shopify_unreachable",
        ),
    ],
)
def test_errors_without_data_keep_shopifys_own_code(
    shopify: responses.RequestsMock, errors: object, kind: type[Exception], code: str
) -> None:
    shopify.post(URL, json={"data": None, "errors": errors})

    with pytest.raises(kind) as failure:
        a_client().run("boot")

    assert getattr(failure.value, "code", None) == code


def test_bad_request_is_final(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, status=400, json={"errors": "bad"})

    with pytest.raises(AdminApiRefused):
        a_client().run("boot")


def test_throttled_answer_tells_the_wait_that_its_figures_give(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, json=THROTTLED | {"extensions": cost(requested=752, available=52, rate=100)})

    with pytest.raises(AdminApiThrottled) as throttled:
        a_client().run("boot")

    assert throttled.value.after == timedelta(seconds=7)
    assert isinstance(throttled.value, RetryLater)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "4.0"}, 4),
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "99999"}, 300),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT"}, 2),
        ({"Retry-After": "nan"}, 2),
        ({"Retry-After": "inf"}, 2),
        ({}, 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [429, 430])
def test_too_many_requests_waits_as_told(
    shopify: responses.RequestsMock, headers: dict[str, str], seconds: int, status: int
) -> None:
    shopify.post(URL, status=status, headers=headers, body="Too many")

    with pytest.raises(AdminApiThrottled) as throttled:
        a_client().run("boot")

    assert throttled.value.after == timedelta(seconds=seconds)


def test_call_waits_until_the_last_known_budget_is_back(shopify: responses.RequestsMock, clock: Clock) -> None:
    shopify.post(URL, json={"data": DATA, "extensions": cost(requested=500, available=100, rate=100)})
    client = a_client(clock)
    client.run("products")
    clock.seconds += 1

    client.run("products")

    assert clock.naps == [3.0]


def test_call_that_would_wait_long_makes_room_for_others(shopify: responses.RequestsMock, clock: Clock) -> None:
    shopify.post(URL, json={"data": DATA, "extensions": cost(requested=900, available=100, rate=100)})
    client = a_client(clock)
    client.run("products")

    with pytest.raises(AdminApiThrottled) as throttled:
        client.run("products")

    assert throttled.value.after == timedelta(seconds=8)
    assert len(shopify.calls) == 1


def test_ample_budget_and_an_operation_of_unknown_cost_wait_for_nothing(
    shopify: responses.RequestsMock, clock: Clock
) -> None:
    shopify.post(URL, json={"data": DATA, "extensions": cost(requested=10, available=1990)})
    shopify.post(URL, json={"data": DATA, "extensions": cost(requested=10, available=0)})
    client = a_client(clock)

    for operation in ("boot", "boot", "products"):
        client.run(operation)

    assert clock.naps == []


@pytest.mark.parametrize("figure", [0, -1, "x", None, float("nan"), float("inf"), 1e300], ids=str)
def test_senseless_cost_figures_are_no_figures(shopify: responses.RequestsMock, figure: object) -> None:
    body = {"data": DATA, "extensions": cost(10, 5)}
    body["extensions"]["cost"]["throttleStatus"]["restoreRate"] = figure  # type: ignore[index]
    shopify.post(URL, body=json.dumps(body), content_type="application/json")
    client = a_client()

    assert client.run("boot").throttle is None
    assert client.run("boot").data == DATA


def test_answer_of_another_version_is_noticed(
    shopify: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    shopify.post(URL, json={"data": DATA}, headers={"X-Shopify-API-Version": "2027-01"})
    shopify.post(URL, json={"data": DATA}, headers={"X-Shopify-API-Version": "2026-10"})

    with caplog.at_level(logging.WARNING):
        a_client().run("boot")
        a_client().run("boot")

    assert [(record.message, record.__dict__["served"]) for record in caplog.records] == [
        ("api_version_differs", "2027-01")
    ]


def test_refused_token_is_renewed_once_and_the_call_repeated(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, status=401, json={"errors": "[API] Invalid API key or access token"})
    shopify.post(URL, json={"data": DATA})
    asked: list[str] = []

    def renew(refused: str) -> str:
        asked.append(refused)
        return "shpat_second"

    client = a_client(renew=renew)

    assert client.run("boot").data == DATA
    assert asked == ["shpat_first"]
    assert [call.request.headers["X-Shopify-Access-Token"] for call in shopify.calls] == ["shpat_first", "shpat_second"]
    assert client.access_token == "shpat_second"


@pytest.mark.parametrize("renewed", ["shpat_second", "shpat_first", None])
def test_token_that_stays_refused_is_final(shopify: responses.RequestsMock, renewed: str | None) -> None:
    shopify.post(URL, status=401, json={})

    with pytest.raises(AdminApiUnauthorized):
        a_client(renew=lambda _refused: renewed).run("boot")

    assert len(shopify.calls) == (2 if renewed == "shpat_second" else 1)


def test_large_answer_is_cut_off_at_the_limit(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, body=b'{"data": "' + b"x" * 5000 + b'"}', content_type="application/json")

    with pytest.raises(AnswerTooLarge):
        a_client(limits=Limits(most_bytes=4096)).run("boot")
