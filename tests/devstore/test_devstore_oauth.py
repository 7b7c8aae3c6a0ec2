from datetime import timedelta

import pytest
from builders_devstore import KEY, SECRET, Clock, exchange, id_token
from flask.testing import FlaskClient


def refresh(store: FlaskClient, token: str) -> tuple[int, dict[str, object]]:
    form = {"client_id": KEY, "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": token}
    answer = store.post("/admin/oauth/access_token", data=form)
    return answer.status_code, answer.get_json()


def is_open(store: FlaskClient, access_token: object) -> bool:
    headers = {"X-Shopify-Access-Token": str(access_token)}
    return (
        store.post("/admin/api/2026-10/graphql.json", json={"query": "{shop{id}}"}, headers=headers).status_code == 200
    )


def test_an_id_token_is_exchanged_for_an_expiring_offline_token(store: FlaskClient, clock: Clock) -> None:
    body = exchange(store, clock).get_json()

    assert body["access_token"].startswith("shpat_")
    assert body["refresh_token"].startswith("shprt_")
    assert (body["expires_in"], body["refresh_token_expires_in"]) == (3600, 7_776_000)
    assert body["scope"] == "read_orders,read_products"
    assert is_open(store, body["access_token"])


def test_an_access_token_ends_after_its_hour(store: FlaskClient, clock: Clock) -> None:
    body = exchange(store, clock).get_json()

    clock.now += timedelta(seconds=3600)

    assert not is_open(store, body["access_token"])


def test_without_expiring_the_token_never_expires(store: FlaskClient, clock: Clock) -> None:
    body = exchange(store, clock, expiring="0").get_json()

    assert set(body) == {"access_token", "scope"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"subject_token": "x.y.z"}, "invalid_subject_token"),
        ({"subject_token_type": "other"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_refused_with_shopifys_word(
    store: FlaskClient, clock: Clock, changes: dict[str, str], error: str
) -> None:
    answer = exchange(store, clock, **changes)

    assert (answer.status_code, answer.get_json()["error"]) == (400, error)


def test_an_expired_id_token_is_refused(store: FlaskClient, clock: Clock) -> None:
    token = id_token(clock)
    clock.now += timedelta(seconds=80)

    answer = exchange(store, clock, subject_token=token)

    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_subject_token")


@pytest.mark.parametrize("claim", [{"aud": "other"}, {"dest": "https://other.myshopify.com"}])
def test_an_id_token_for_someone_else_is_refused(store: FlaskClient, clock: Clock, claim: dict[str, str]) -> None:
    answer = exchange(store, clock, subject_token=id_token(clock, **claim))

    assert answer.get_json()["error"] == "invalid_subject_token"


def test_a_refresh_rotates_both_tokens(store: FlaskClient, clock: Clock) -> None:
    first = exchange(store, clock).get_json()

    status, second = refresh(store, first["refresh_token"])

    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert is_open(store, second["access_token"])
    assert is_open(store, first["access_token"])


def test_a_used_refresh_token_may_be_replayed_until_its_replacement_is_used(store: FlaskClient, clock: Clock) -> None:
    first = exchange(store, clock).get_json()["refresh_token"]
    lost = refresh(store, first)[1]["refresh_token"]

    status, again = refresh(store, first)

    assert status == 200
    assert refresh(store, str(lost))[1]["error"] == "invalid_grant"
    assert refresh(store, str(again["refresh_token"]))[0] == 200
    assert refresh(store, first)[1]["error"] == "invalid_grant"


def test_a_new_exchange_retires_earlier_refresh_tokens(store: FlaskClient, clock: Clock) -> None:
    first = exchange(store, clock).get_json()
    exchange(store, clock)

    status, body = refresh(store, first["refresh_token"])

    assert (status, body["error"]) == (400, "invalid_grant")
    assert is_open(store, first["access_token"])


def test_a_refresh_token_ends_after_its_ninety_days(store: FlaskClient, clock: Clock) -> None:
    token = exchange(store, clock).get_json()["refresh_token"]
    clock.now += timedelta(days=90)

    assert refresh(store, token)[1]["error"] == "invalid_grant"
