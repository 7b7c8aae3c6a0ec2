"""Re-encrypt every stored token with the newest key, so that an old key can be thrown away."""

import logging
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.sealing import TokenUnreadable, reseal
from shopify_upsell.shops.store import installed_shops, read_token, replace_ciphertexts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of the tokens. While `unreadable_count` is not 0 no key may be thrown away."""

    resealed_count: int
    unreadable_count: int


def rotate_tokens(database: Database, keyring: Keyring) -> Rotation:
    """Re-encrypt the tokens of every shop, one short transaction each. May be run again at any time."""
    with database.read() as session:
        shop_ids = [shop.shop_id for shop in installed_shops(session)]
    resealed = unreadable = 0
    for shop_id in shop_ids:
        try:
            with database.write() as session:
                bind_shop(session, shop_id)
                resealed += rotate_shop_token(session, shop_id, keyring)
        except TokenUnreadable:
            unreadable += 1
            log.exception("token_unreadable", extra={"shop_id": shop_id})
    return Rotation(resealed, unreadable)


def rotate_shop_token(session: Session, shop_id: ShopId, keyring: Keyring) -> bool:
    """Re-encrypt one shop's token. Returns False when it has none. Raises: TokenUnreadable."""
    sealed = read_token(session, shop_id, lock=True)
    if sealed is None:
        return False
    access, refresh = reseal(keyring, shop_id, sealed)
    replace_ciphertexts(session, shop_id, access, refresh)
    return True
