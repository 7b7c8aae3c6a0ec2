"""Token exchange and refresh against scripted answers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from builders_proofs import API_KEY, SECRET, SECRETS, SHOP, SIGNED_AT

from shopify_upsell.core import ProofRefused, RetryLater
from shopify_upsell.gateway.failures import (
    AnswerTooLarge,
    NeedsReauthorization,
    ShopifyUnreachable,
    ShopUnavailable,
)
from shopify_upsell.gateway.tokens import OfflineToken, TokenClient, TokenRequestRefused

NOW = SIGNED_AT
URL = f"https://{SHOP}/admin/oauth/access_token"
PAIR = {
    "access_token": "shpat_new",
    "expires_in": 3600,
    "refresh_token": "shprt_new",
    "refresh_token_expires_in": 7_776_000,
    "scope": "read_products,read_orders",
}
TOKEN = OfflineToken(
    "shpat_new", NOW + timedelta(hours=1), "shprt_new", NOW + timedelta(days=90), ("read_orders", "read_products")
)
CLIENT = TokenClient(API_KEY, SECRETS, lambda shop: f"https://{shop}")


@pytest.fixture
def shopify() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def form_of(call: responses.Call) -> dict[str, str]:
    return dict(parse_qsl(str(call.request.body, "ascii") if isinstance(call.request.body, bytes) else ""))


def test_exchange_asks_for_an_expiring_offline_token(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, json=PAIR)

    assert CLIENT.exchange(SHOP, "the.id.token", NOW) == TOKEN
    assert form_of(shopify.calls[0]) == {
        "client_id": API_KEY,
        "client_secret": SECRET,
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "the.id.token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
        "expiring": "1",
    }
    assert shopify.calls[0].request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_refresh_sends_the_refresh_token_and_returns_the_new_pair(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, json=PAIR)

    assert CLIENT.refresh(SHOP, "shprt_old", NOW) == TOKEN
    assert form_of(shopify.calls[0]) == {
        "client_id": API_KEY,
        "client_secret": SECRET,
        "grant_type": "refresh_token",
        "refresh_token": "shprt_old",
    }


def test_secrets_never_appear_when_printed() -> None:
    printed = repr(TOKEN) + repr(CLIENT)

    assert not any(secret in printed for secret in ("shpat_new", "shprt_new", SECRET))


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        (400, "invalid_subject_token", ProofRefused, "invalid_subject_token"),
        (400, "invalid_grant", NeedsReauthorization, "needs_reauthorization"),
        (401, "invalid_grant", NeedsReauthorization, "needs_reauthorization"),
        (401, "invalid_client", TokenRequestRefused, "invalid_client"),
        (400, "application_cannot_be_found", TokenRequestRefused, "token_request_refused"),
        (404, "not_found", ShopUnavailable, "shop_unavailable"),
        (423, None, ShopUnavailable, "shop_unavailable"),
        (500, None, ShopifyUnreachable, "shopify_unreachable"),
        (302, None, ShopifyUnreachable, "shopify_unreachable"),
    ],
)
def test_each_refusal_has_its_type(
    shopify: responses.RequestsMock, status: int, error: str | None, kind: type[Exception], code: str
) -> None:
    shopify.post(URL, status=status, json={"error": error})

    with pytest.raises(kind) as failure:
        CLIENT.refresh(SHOP, "shprt_old", NOW)

    assert getattr(failure.value, "code", None) == code
    assert len(shopify.calls) == 1


def test_too_many_requests_waits_as_told(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, status=429, headers={"Retry-After": "7"})

    with pytest.raises(RetryLater) as later:
        CLIENT.refresh(SHOP, "shprt_old", NOW)

    assert later.value.after == timedelta(seconds=7)


def test_lost_answer_is_for_later_and_quotes_no_token(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, body=requests.ReadTimeout("shprt_old"))

    with pytest.raises(RetryLater) as later:
        CLIENT.refresh(SHOP, "shprt_old", NOW)

    assert "shprt" not in str(later.value)


@pytest.mark.parametrize(
    "change",
    [
        {"refresh_token": None},
        {"refresh_token": ""},
        {"access_token": None},
        {"access_token": 7},
        {"scope": None},
        {"expires_in": None},
        {"expires_in": "3600"},
        {"expires_in": True},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": 10**12},
        {"refresh_token_expires_in": None},
    ],
    ids=str,
)
def test_answer_that_is_not_an_expiring_pair_is_not_taken(
    shopify: responses.RequestsMock, change: dict[str, Any]
) -> None:
    shopify.post(URL, json=PAIR | change)

    with pytest.raises(RetryLater):
        CLIENT.exchange(SHOP, "the.id.token", NOW)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"[" * 60_000], ids=["empty", "html", "[]", "null", "deep"]
)
@pytest.mark.parametrize("status", [200, 400])
def test_unreadable_answer_is_a_typed_failure(shopify: responses.RequestsMock, body: bytes, status: int) -> None:
    shopify.post(URL, status=status, body=body)

    with pytest.raises(ShopifyUnreachable if status == 200 else TokenRequestRefused):
        CLIENT.exchange(SHOP, "the.id.token", NOW)


def test_answer_of_unreasonable_size_is_cut_off(shopify: responses.RequestsMock) -> None:
    shopify.post(URL, body=b"x" * 70_000)

    with pytest.raises(AnswerTooLarge):
        CLIENT.exchange(SHOP, "the.id.token", NOW)
