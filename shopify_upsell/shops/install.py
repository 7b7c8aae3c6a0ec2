"""A shop gets the app: its row and its first token, in one transaction."""

from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.database import bind_shop
from shopify_upsell.gateway.tokens import OfflineToken
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.sealing import seal
from shopify_upsell.shops.store import Shop, get_shop, mark_installed, remember_unknown_shop, save_scopes, save_token


def install_shop(session: Session, domain: str, token: OfflineToken, now: datetime, keyring: Keyring) -> Shop:
    """Store a token that Shopify has just given for this shop.

    A shop that did not have the app begins a new install epoch. One that had it keeps its epoch: a merchant who opens
    the app because its tokens died is not installing again. Binds the session to the shop.
    """
    known = remember_unknown_shop(session, domain, now)
    bind_shop(session, known.shop_id)
    mark_installed(session, known.shop_id, now)
    save_token(session, known.shop_id, seal(keyring, known.shop_id, token, now))
    save_scopes(session, known.shop_id, token.scopes, now)
    return get_shop(session, known.shop_id)
