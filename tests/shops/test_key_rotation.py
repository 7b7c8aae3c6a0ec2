"""Rotation of the encryption keys: afterwards nothing needs an old one."""

import pytest
from builders_database import NOW
from builders_shops import a_token
from cryptography.fernet import Fernet
from sqlalchemy import select

from shopify_upsell.core import ShopId
from shopify_upsell.database import Database
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.rotate import Rotation, rotate_tokens
from shopify_upsell.shops.sealing import TokenUnreadable, open_access_token, open_refresh_token
from shopify_upsell.shops.store import ShopTokenRow, read_token

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
DOMAINS = ("a.myshopify.com", "b.myshopify.com", "c.myshopify.com")


def install_all(database: Database, keyring: Keyring) -> list[ShopId]:
    with database.write() as session:
        return [
            install_shop(session, domain, a_token(NOW, access=f"shpat_{domain}"), NOW, keyring).shop_id
            for domain in DOMAINS
        ]


def old_key_rows(database: Database, shop_ids: list[ShopId], keyring: Keyring) -> int:
    """Count rows of which either ciphertext does not open with this keyring."""
    with database.read() as session:
        rows = {shop_id: read_token(session, shop_id) for shop_id in shop_ids}
    count = 0
    for shop_id, sealed in rows.items():
        assert sealed is not None
        try:
            open_access_token(keyring, shop_id, sealed)
            open_refresh_token(keyring, shop_id, sealed)
        except TokenUnreadable:
            count += 1
    return count


def test_after_rotation_no_row_needs_the_old_key_and_the_tokens_are_the_same(database: Database) -> None:
    shop_ids = install_all(database, Keyring((OLD,)))
    only_new = Keyring((NEW,))
    assert old_key_rows(database, shop_ids, only_new) == 3

    assert rotate_tokens(database, Keyring((NEW, OLD))) == Rotation(resealed_count=3, unreadable_count=0)

    assert old_key_rows(database, shop_ids, only_new) == 0
    assert old_key_rows(database, shop_ids, Keyring((OLD,))) == 3
    with database.read() as session:
        sealed = read_token(session, shop_ids[1])
    assert sealed is not None
    assert open_access_token(only_new, shop_ids[1], sealed) == "shpat_b.myshopify.com"
    assert open_refresh_token(only_new, shop_ids[1], sealed) == "shprt_1"


def test_rotation_may_be_repeated(database: Database) -> None:
    shop_ids = install_all(database, Keyring((OLD,)))
    both = Keyring((NEW, OLD))

    rotate_tokens(database, both)
    rotate_tokens(database, both)

    assert old_key_rows(database, shop_ids, Keyring((NEW,))) == 0


def test_row_that_no_key_opens_is_counted_kept_and_does_not_stop_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    shop_ids = install_all(database, Keyring((OLD,)))
    with database.write() as session:
        row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == shop_ids[0])).one()
        row.refresh_ciphertext = broken = row.refresh_ciphertext[:-4] + "AAAA"
        intact = row.access_ciphertext

    assert rotate_tokens(database, Keyring((NEW, OLD))) == Rotation(resealed_count=2, unreadable_count=1)

    with database.read() as session:
        row = session.scalars(select(ShopTokenRow).where(ShopTokenRow.shop_id == shop_ids[0])).one()
        assert (row.access_ciphertext, row.refresh_ciphertext) == (intact, broken)
    assert old_key_rows(database, shop_ids[1:], Keyring((NEW,))) == 0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["token_unreadable"]
