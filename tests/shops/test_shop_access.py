"""Access to a shop: one refresh however many ask, committed before use, recoverable when an answer is lost."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from builders_database import NOW
from builders_shops import KEYRING, a_token
from cryptography.fernet import Fernet
from sqlalchemy import select

from shopify_upsell.core import RetryLater, ShopId
from shopify_upsell.database import Database
from shopify_upsell.gateway.failures import AdminApiUnauthorized, NeedsReauthorization, ShopUnavailable
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.access import ShopAccess
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.sealing import TokenUnreadable, open_access_token, open_refresh_token
from shopify_upsell.shops.store import SealedToken, ShopTokenRow, mark_uninstalled, read_token

SHOP = "one.myshopify.com"
TOKENS = f"https://{SHOP}/admin/oauth/access_token"
GRAPHQL = f"https://{SHOP}/admin/api/2026-10/graphql.json"
SECRET = "shpss_current_secret_of_the_test_app_00"
EXPIRED = NOW + timedelta(hours=1)
"""A moment at which the token of an install at NOW has run out."""


@pytest.fixture
def shopify() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def installed(database: Database) -> ShopId:
    with database.write() as session:
        install_shop(session, "noise.myshopify.com", a_token(NOW, access="shpat_noise"), NOW, KEYRING)
    with database.write() as session:
        return install_shop(session, SHOP, a_token(NOW), NOW, KEYRING).shop_id


def access_to(database: Database, keyring: Keyring = KEYRING, naps: list[float] | None = None) -> ShopAccess:
    client = TokenClient("key", (SECRET,), lambda shop: f"https://{shop}")
    more: dict[str, Any] = {} if naps is None else {"sleep": naps.append}
    return ShopAccess(database, keyring, client, lambda shop: f"https://{shop}", **more)


def pair(number: int, life: int = 3600) -> dict[str, Any]:
    return {
        "access_token": f"shpat_{number}",
        "expires_in": life,
        "refresh_token": f"shprt_{number}",
        "refresh_token_expires_in": 7_776_000,
        "scope": "read_orders",
    }


def stored(database: Database, shop_id: ShopId) -> SealedToken:
    with database.read() as session:
        sealed = read_token(session, shop_id)
    assert sealed is not None
    return sealed


def plain(database: Database, shop_id: ShopId) -> tuple[str, str]:
    sealed = stored(database, shop_id)
    return open_access_token(KEYRING, shop_id, sealed), open_refresh_token(KEYRING, shop_id, sealed)


def refresh_tokens_sent(shopify: responses.RequestsMock) -> list[str]:
    bodies = [call.request.body for call in shopify.calls if call.request.url == TOKENS]
    return [dict(parse_qsl(body.decode()))["refresh_token"] for body in bodies if isinstance(body, bytes)]


def test_token_that_lasts_a_minute_is_used_as_it_is(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    client = access_to(database).admin_client(installed, EXPIRED - timedelta(seconds=62))

    assert (client.shop_domain, client.access_token, client.origin) == (SHOP, "shpat_1", f"https://{SHOP}")
    assert len(shopify.calls) == 0


def test_token_about_to_run_out_is_refreshed_and_committed_first(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        seen.append(plain(database, installed))
        return 200, {"Content-Type": "application/json"}, '{"data": {}}'

    shopify.post(TOKENS, json=pair(2))
    shopify.add_callback(responses.POST, GRAPHQL, answer)

    client = access_to(database).admin_client(installed, EXPIRED - timedelta(seconds=59))
    client.run("boot")

    assert client.access_token == "shpat_2"
    assert seen == [("shpat_2", "shprt_2")]
    assert refresh_tokens_sent(shopify) == ["shprt_1"]
    assert stored(database, installed).refresh_expires_at > EXPIRED + timedelta(days=89)


def test_no_transaction_is_open_while_shopify_is_asked(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        with database.write() as session:
            session.execute(select(ShopTokenRow).with_for_update())
        return 500, {}, ""

    shopify.add_callback(responses.POST, TOKENS, answer)

    with pytest.raises(RetryLater):
        access_to(database).admin_client(installed, EXPIRED)


def test_many_jobs_at_once_cause_one_refresh(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    asked = threading.Event()

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        asked.wait(0.3)
        return 200, {}, json.dumps(pair(2))

    shopify.add_callback(responses.POST, TOKENS, answer)
    access = access_to(database)

    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: access.admin_client(installed, EXPIRED), range(8)))

    assert {client.access_token for client in clients} == {"shpat_2"}
    assert refresh_tokens_sent(shopify) == ["shprt_1"]


def test_many_jobs_whose_token_is_refused_cause_one_refresh(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        good = request.headers["X-Shopify-Access-Token"] == "shpat_2"
        return (200 if good else 401), {"Content-Type": "application/json"}, '{"data": {}}'

    shopify.post(TOKENS, json=pair(2))
    shopify.add_callback(responses.POST, GRAPHQL, answer)
    access = access_to(database)
    clients = [access.admin_client(installed, NOW) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda client: client.run("boot").data, clients))

    assert answers == [{}] * 6
    assert refresh_tokens_sent(shopify) == ["shprt_1"]


def test_token_refused_again_after_a_refresh_is_final(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    shopify.post(TOKENS, json=pair(2))
    shopify.post(GRAPHQL, status=401, json={})

    with pytest.raises(AdminApiUnauthorized):
        access_to(database).admin_client(installed, NOW).run("boot")

    assert refresh_tokens_sent(shopify) == ["shprt_1"]


@pytest.mark.parametrize("trouble", ["lost", "500", "429"])
def test_lost_answer_leaves_the_old_refresh_token_to_be_tried_again(
    database: Database, installed: ShopId, shopify: responses.RequestsMock, trouble: str
) -> None:
    if trouble == "lost":
        shopify.post(TOKENS, body=requests.ReadTimeout())
    else:
        shopify.post(TOKENS, status=int(trouble))
    access = access_to(database)
    before = stored(database, installed)

    with pytest.raises(RetryLater):
        access.admin_client(installed, EXPIRED)
    assert stored(database, installed) == before
    shopify.replace(responses.POST, TOKENS, json=pair(2))
    client = access.admin_client(installed, EXPIRED + timedelta(seconds=20))

    assert client.access_token == "shpat_2"
    assert refresh_tokens_sent(shopify) == ["shprt_1", "shprt_1"]


def test_those_who_wait_do_not_each_ask_a_server_that_has_just_failed(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    shopify.post(TOKENS, status=500)
    access = access_to(database)
    with pytest.raises(RetryLater):
        access.admin_client(installed, EXPIRED)

    with database.read() as session:
        row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == installed)).one()
    assert row.refresh_lease_until is not None
    assert EXPIRED + timedelta(seconds=5) <= row.refresh_lease_until < EXPIRED + timedelta(seconds=7)


def test_holder_that_died_is_waited_for_no_longer_than_its_lease(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    hold_lease(database, installed, until=EXPIRED + timedelta(seconds=30))
    shopify.post(TOKENS, json=pair(2))

    client = access_to(database).admin_client(installed, EXPIRED + timedelta(seconds=30))

    assert client.access_token == "shpat_2"


def test_job_that_waits_in_vain_comes_back_later(
    database: Database, installed: ShopId, shopify: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_lease(database, installed, until=EXPIRED + timedelta(hours=1))
    monkeypatch.setattr("shopify_upsell.shops.access.LONGEST_WAIT", timedelta(seconds=0.2))

    with pytest.raises(RetryLater) as later:
        access_to(database).admin_client(installed, EXPIRED)

    assert later.value.after == timedelta(seconds=5)
    assert len(shopify.calls) == 0


def hold_lease(database: Database, shop_id: ShopId, until: datetime) -> None:
    with database.write() as session:
        row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id)).one()
        row.refresh_lease_token, row.refresh_lease_until = "someone", until


def test_dead_refresh_token_stops_the_work_of_this_shop_until_a_merchant_comes(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    shopify.post(TOKENS, status=400, json={"error": "invalid_grant"})
    access = access_to(database)

    for _ in range(3):
        with pytest.raises(NeedsReauthorization) as failure:
            access.admin_client(installed, EXPIRED)
    assert isinstance(failure.value, RetryLater)
    assert stored(database, installed).needs_reauthorization
    assert len(shopify.calls) == 1

    with database.write() as session:
        install_shop(session, SHOP, a_token(EXPIRED, access="shpat_again"), EXPIRED, KEYRING)
    assert access.admin_client(installed, EXPIRED).access_token == "shpat_again"


def test_install_that_overtakes_a_refresh_wins(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        with database.write() as session:
            install_shop(session, SHOP, a_token(EXPIRED, access="shpat_x", refresh="shprt_x"), EXPIRED, KEYRING)
        return 200, {}, json.dumps(pair(2))

    shopify.add_callback(responses.POST, TOKENS, answer)

    client = access_to(database).admin_client(installed, EXPIRED)

    assert client.access_token == "shpat_x"
    assert plain(database, installed) == ("shpat_x", "shprt_x")


def test_install_that_overtakes_a_refusal_is_not_marked_as_dead(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        with database.write() as session:
            install_shop(session, SHOP, a_token(EXPIRED, access="shpat_x"), EXPIRED, KEYRING)
        return 400, {}, '{"error": "invalid_grant"}'

    shopify.add_callback(responses.POST, TOKENS, answer)

    assert access_to(database).admin_client(installed, EXPIRED).access_token == "shpat_x"


def test_uninstall_during_a_refresh_leaves_no_token_behind(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        with database.write() as session:
            mark_uninstalled(session, installed, EXPIRED)
        return 200, {}, json.dumps(pair(2))

    shopify.add_callback(responses.POST, TOKENS, answer)

    with pytest.raises(ShopUnavailable):
        access_to(database).admin_client(installed, EXPIRED)

    with database.read() as session:
        assert read_token(session, installed) is None


def test_shop_without_the_app_is_unavailable(database: Database, installed: ShopId) -> None:
    with database.write() as session:
        mark_uninstalled(session, installed, NOW)

    with pytest.raises(ShopUnavailable):
        access_to(database).admin_client(installed, NOW)


def test_lost_encryption_key_is_final_and_asks_shopify_nothing(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    access = access_to(database, Keyring((Fernet.generate_key().decode(),)))

    for moment in (NOW, EXPIRED):
        with pytest.raises(TokenUnreadable):
            access.admin_client(installed, moment)

    assert len(shopify.calls) == 0


def test_token_with_a_life_shorter_than_our_margin_is_still_used(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    shopify.post(TOKENS, json=pair(2, life=5))

    assert access_to(database).admin_client(installed, EXPIRED).access_token == "shpat_2"
    assert len(shopify.calls) == 1


def test_idle_shop_is_kept_warm_before_its_ninety_days_run_out(
    database: Database, installed: ShopId, shopify: responses.RequestsMock
) -> None:
    shopify.post(TOKENS, json=pair(2))
    access = access_to(database)

    assert not access.keep_warm(installed, NOW + timedelta(days=29))
    assert access.keep_warm(installed, NOW + timedelta(days=30))
    assert not access.keep_warm(installed, NOW + timedelta(days=31))

    assert plain(database, installed) == ("shpat_2", "shprt_2")
    assert refresh_tokens_sent(shopify) == ["shprt_1"]
