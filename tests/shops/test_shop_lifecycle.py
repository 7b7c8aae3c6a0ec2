"""Lifecycle webhooks: uninstalled, scopes updated, shop updated; late, out of order and about somebody else."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from builders_database import NOW, add_shop
from builders_shops import KEYRING, a_delivery, a_token
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId, UnreadableFact
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.lifecycle import record_scopes_update, record_shop_update, record_uninstall
from shopify_upsell.shops.store import ShopProfile, get_shop, read_token, save_profile

BODY = {"id": 1, "myshopify_domain": "one.myshopify.com", "domain": "one.example", "plan_name": "basic"}


@pytest.fixture
def installed(session: Session) -> ShopId:
    install_shop(session, "noise.myshopify.com", a_token(NOW), NOW, KEYRING)
    return install_shop(session, "one.myshopify.com", a_token(NOW), NOW, KEYRING).shop_id


def uninstall(session: Session, shop_id: ShopId, hours: float, body: dict[str, Any] = BODY) -> None:
    moment = NOW + timedelta(hours=hours)
    assert record_uninstall(session, a_delivery(shop_id, "app/uninstalled", body, triggered_at=moment)) == []


def test_uninstall_destroys_the_tokens_of_this_shop_alone(session: Session, installed: ShopId) -> None:
    uninstall(session, installed, hours=1)

    assert get_shop(session, installed).state == "uninstalled"
    assert read_token(session, installed) is None
    noise = install_shop(session, "noise.myshopify.com", a_token(NOW), NOW, KEYRING)
    assert (noise.state, noise.install_epoch) == ("installed", 1)


def test_uninstall_that_comes_after_a_new_install_is_ignored_and_logged(
    session: Session, installed: ShopId, caplog: pytest.LogCaptureFixture
) -> None:
    uninstall(session, installed, hours=1)
    again = NOW + timedelta(hours=2)
    install_shop(session, "one.myshopify.com", a_token(again), again, KEYRING)

    with caplog.at_level(logging.WARNING):
        uninstall(session, installed, hours=1)

    assert get_shop(session, installed).state == "installed"
    assert read_token(session, installed) is not None
    assert [record.message for record in caplog.records] == ["late_uninstall_ignored"]


def test_uninstall_older_than_a_token_got_since_is_ignored_though_the_epoch_is_the_same(
    session: Session, installed: ShopId
) -> None:
    since = NOW + timedelta(hours=2)
    install_shop(session, "one.myshopify.com", a_token(since), since, KEYRING)

    uninstall(session, installed, hours=1)

    assert read_token(session, installed) is not None


def test_uninstall_twice_is_the_same_as_once(session: Session, installed: ShopId) -> None:
    uninstall(session, installed, hours=1)
    uninstall(session, installed, hours=2)

    assert get_shop(session, installed).state == "uninstalled"


@pytest.mark.parametrize(
    "domain", ["two.myshopify.com", None, 1, "", "one.myshopify.com\n", "ONE.myshopify.com"], ids=str
)
@pytest.mark.parametrize("record", [record_uninstall, record_shop_update])
def test_body_about_another_shop_changes_nothing(
    session: Session, installed: ShopId, record: Any, domain: object
) -> None:
    before = get_shop(session, installed)
    body = {"myshopify_domain": domain, "currency": "JPY"}

    with pytest.raises(UnreadableFact):
        record(session, a_delivery(installed, "app/uninstalled", body, triggered_at=NOW + timedelta(hours=1)))

    assert get_shop(session, installed) == before
    assert read_token(session, installed) is not None


def scopes_body(current: object, hours: float = 1, shop: str = "gid://shopify/Shop/77") -> dict[str, Any]:
    updated = (NOW + timedelta(hours=hours)).isoformat()
    return {"id": 1, "shop_id": shop, "previous": [], "current": current, "updated_at": updated}


def update_scopes(session: Session, shop_id: ShopId, body: dict[str, Any]) -> None:
    record_scopes_update(session, a_delivery(shop_id, "app/scopes_update", body, triggered_at=NOW))


def test_scopes_are_those_of_the_newest_update_whatever_comes_first(session: Session, installed: ShopId) -> None:
    update_scopes(session, installed, scopes_body(["read_products", "read_customers"], hours=2))
    update_scopes(session, installed, scopes_body(["read_orders"], hours=1))

    assert get_shop(session, installed).scopes == ("read_customers", "read_products")


@pytest.mark.parametrize("current", [None, "read_orders", [1], {}], ids=str)
def test_scopes_that_are_no_list_of_names_are_unreadable(session: Session, installed: ShopId, current: object) -> None:
    with pytest.raises(UnreadableFact):
        update_scopes(session, installed, scopes_body(current))

    assert get_shop(session, installed).scopes == ("read_orders", "read_products")


def test_scopes_of_another_shop_are_unreadable_once_our_own_number_is_known(
    session: Session, installed: ShopId
) -> None:
    save_profile(session, installed, ShopProfile(None, None, None, shopify_shop_id=77), NOW)

    update_scopes(session, installed, scopes_body(["read_orders"]))
    for shop in ("gid://shopify/Shop/78", "gid://shopify/Product/77", "x"):
        with pytest.raises(UnreadableFact):
            update_scopes(session, installed, scopes_body([], hours=5, shop=shop))

    assert get_shop(session, installed).scopes == ("read_orders",)


def test_shop_update_keeps_currency_zone_and_storefront_of_the_newest(session: Session) -> None:
    shop_id = add_shop(session)
    noise = add_shop(session, "noise.myshopify.com")
    body = BODY | {"currency": "EUR", "iana_timezone": "Europe/Berlin", "email": "owner@one.example"}
    newer = body | {"updated_at": (NOW + timedelta(hours=2)).isoformat()}
    older = body | {"updated_at": (NOW + timedelta(hours=1)).isoformat(), "currency": "JPY"}

    for payload in (newer, older, newer):
        record_shop_update(session, a_delivery(shop_id, "shop/update", payload, triggered_at=NOW))

    shop = get_shop(session, shop_id)
    assert (shop.currency, shop.time_zone, shop.storefront_host) == ("EUR", "Europe/Berlin", "one.example")
    assert get_shop(session, noise).currency == "USD"


def test_shop_update_with_senseless_fields_leaves_what_is_known(session: Session) -> None:
    shop_id = add_shop(session)
    body = BODY | {"currency": 7, "iana_timezone": "a\nb", "domain": ""}

    record_shop_update(session, a_delivery(shop_id, "shop/update", body, triggered_at=NOW))

    shop = get_shop(session, shop_id)
    assert (shop.currency, shop.time_zone, shop.storefront_host) == ("USD", "UTC", None)
