"""Shop rows: found by address, remembered when unknown, installed in epochs."""

from datetime import timedelta

import pytest
from builders_database import NOW
from builders_shops import KEYRING, a_token
from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import NotFound, ShopId
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.sealing import TokenUnreadable, open_access_token, open_refresh_token
from shopify_upsell.shops.store import (
    Shop,
    ShopProfile,
    ShopRow,
    ShopTokenRow,
    find_shop,
    get_shop,
    has_usable_token,
    installed_shops,
    mark_redacted,
    mark_uninstalled,
    read_token,
    remember_unknown_shop,
    save_profile,
    save_scopes,
)

LATER = NOW + timedelta(days=3)


def install(session: Session, domain: str = "new.myshopify.com", **token: str) -> Shop:
    return install_shop(session, domain, a_token(NOW, **token), NOW, KEYRING)  # type: ignore[arg-type]


def test_unknown_shop_is_remembered_once_and_is_not_installed(session: Session, shop_id: ShopId) -> None:
    first = remember_unknown_shop(session, "stranger.myshopify.com", NOW)
    second = remember_unknown_shop(session, "stranger.myshopify.com", LATER)

    assert first == second
    assert (first.state, first.install_epoch, first.installed_at) == ("unknown", 0, None)
    assert find_shop(session, "stranger.myshopify.com") == first
    assert find_shop(session, "nobody.myshopify.com") is None
    assert "stranger.myshopify.com" not in [shop.domain for shop in installed_shops(session)]


def test_remembering_a_known_shop_changes_nothing(session: Session, shop_id: ShopId) -> None:
    before = get_shop(session, shop_id)

    assert remember_unknown_shop(session, before.domain, LATER) == before


def test_shop_that_is_not_there_is_not_found(session: Session, shop_id: ShopId) -> None:
    with pytest.raises(NotFound):
        get_shop(session, ShopId(shop_id + 1000))


def test_holdout_salt_is_every_shops_own_and_is_not_printed(session: Session) -> None:
    one, two = install(session, "a.myshopify.com"), install(session, "b.myshopify.com")

    assert len(one.holdout_salt) == 32
    assert one.holdout_salt != two.holdout_salt
    assert one.holdout_salt not in repr(one)


def test_install_stores_the_tokens_encrypted_and_begins_the_first_epoch(session: Session, shop_id: ShopId) -> None:
    shop = install(session, access="shpat_plain", refresh="shprt_plain")

    row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == shop.shop_id)).one()
    sealed = read_token(session, shop.shop_id)
    assert (shop.state, shop.install_epoch, shop.installed_at) == ("installed", 1, NOW)
    assert shop.scopes == ("read_orders", "read_products")
    assert "plain" not in row.access_ciphertext + row.refresh_ciphertext
    assert sealed is not None
    assert open_access_token(KEYRING, shop.shop_id, sealed) == "shpat_plain"
    assert open_refresh_token(KEYRING, shop.shop_id, sealed) == "shprt_plain"
    assert row.access_ciphertext not in repr(sealed)
    assert read_token(session, shop_id) is None


def test_new_token_for_an_installed_shop_keeps_its_epoch_and_revives_it(session: Session) -> None:
    first = install(session)
    row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == first.shop_id)).one()
    row.needs_reauthorization = True
    session.flush()

    second = install_shop(session, first.domain, a_token(LATER, access="shpat_2"), LATER, KEYRING)

    sealed = read_token(session, first.shop_id)
    assert (second.install_epoch, second.installed_at) == (1, NOW)
    assert sealed is not None
    assert not sealed.needs_reauthorization
    assert open_access_token(KEYRING, first.shop_id, sealed) == "shpat_2"


def test_shop_that_comes_back_begins_another_epoch_and_keeps_its_salt(session: Session) -> None:
    first = install(session)
    mark_uninstalled(session, first.shop_id, NOW)

    second = install_shop(session, first.domain, a_token(LATER), LATER, KEYRING)

    assert (second.shop_id, second.install_epoch, second.installed_at) == (first.shop_id, 2, LATER)
    assert second.holdout_salt == first.holdout_salt
    assert has_usable_token(session, first.shop_id, LATER)


def test_shop_that_comes_back_after_it_was_forgotten_is_a_stranger_with_a_new_salt(session: Session) -> None:
    first = install(session)
    mark_redacted(session, first.shop_id)

    second = install_shop(session, first.domain, a_token(LATER), LATER, KEYRING)

    assert (second.state, second.install_epoch) == ("installed", 2)
    assert second.holdout_salt != first.holdout_salt


def test_token_is_usable_while_it_or_what_it_refreshes_to_will_serve(session: Session) -> None:
    shop = install(session)

    assert has_usable_token(session, shop.shop_id, NOW + timedelta(days=89))
    assert not has_usable_token(session, shop.shop_id, NOW + timedelta(days=90))
    session.scalars(select(ShopTokenRow)).one().needs_reauthorization = True
    session.flush()
    assert not has_usable_token(session, shop.shop_id, NOW)


@pytest.mark.parametrize("column", ["access_ciphertext", "refresh_ciphertext"])
def test_ciphertext_of_one_shop_does_not_open_in_the_row_of_another(session: Session, column: str) -> None:
    one = install(session, "a.myshopify.com", access="shpat_a", refresh="shprt_a")
    two = install(session, "b.myshopify.com", access="shpat_b", refresh="shprt_b")
    rows = {row.shop_id: row for row in session.scalars(select(ShopTokenRow))}
    setattr(rows[two.shop_id], column, getattr(rows[one.shop_id], column))
    session.flush()
    open_token = open_access_token if column == "access_ciphertext" else open_refresh_token

    sealed = read_token(session, two.shop_id)
    assert sealed is not None
    with pytest.raises(TokenUnreadable):
        open_token(KEYRING, two.shop_id, sealed)


def test_access_ciphertext_does_not_open_as_a_refresh_token(session: Session) -> None:
    shop = install(session)
    row = session.scalars(select(ShopTokenRow)).one()
    row.refresh_ciphertext = row.access_ciphertext
    session.flush()

    sealed = read_token(session, shop.shop_id)
    assert sealed is not None
    with pytest.raises(TokenUnreadable):
        open_refresh_token(KEYRING, shop.shop_id, sealed)


def test_newer_profile_wins_whatever_comes_first_and_leaves_open_what_it_does_not_say(
    session: Session, shop_id: ShopId
) -> None:
    assert save_profile(session, shop_id, ShopProfile("EUR", "Europe/Paris", "shop.example"), LATER)
    assert not save_profile(session, shop_id, ShopProfile("JPY", "Asia/Tokyo", "old.example"), NOW)
    assert save_profile(session, shop_id, ShopProfile(None, "UTC", None, shopify_shop_id=99), LATER)

    shop = get_shop(session, shop_id)
    assert (shop.currency, shop.time_zone, shop.storefront_host) == ("EUR", "UTC", "shop.example")
    assert shop.shopify_shop_id == 99
    assert [row.currency for row in session.scalars(select(ShopRow).where(ShopRow.shop_id != shop_id))] == ["USD"]


def test_newer_scopes_win_whatever_comes_first(session: Session, shop_id: ShopId) -> None:
    assert save_scopes(session, shop_id, ["read_products", "read_orders"], LATER)
    assert not save_scopes(session, shop_id, [], NOW)

    assert get_shop(session, shop_id).scopes == ("read_orders", "read_products")
