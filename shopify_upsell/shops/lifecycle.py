"""Webhooks about the app's own life in a shop: uninstalled, scopes changed, shop changed.

The signature covers the body and not the headers, so a body that names its shop must name the shop of the header: else
a delivery about one's own shop could be replayed against another. Deliveries come late and out of order; each effect
asks whether something newer is known.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery, InvalidInput, UnreadableFact, parse_gid, parse_time
from shopify_upsell.gateway.shop_domain import is_shop_domain
from shopify_upsell.jobs.schedule import RETENTION, stop_schedule
from shopify_upsell.shops.store import (
    Shop,
    ShopProfile,
    get_shop,
    mark_uninstalled,
    read_token,
    save_profile,
    save_scopes,
)

log = logging.getLogger(__name__)


def record_uninstall(session: Session, delivery: Delivery) -> list[Announcement]:
    """Take the shop off and destroy its tokens, unless it has come back since the uninstall.

    Raises: UnreadableFact when the body does not name this shop.
    """
    require_same_shop(delivery, "myshopify_domain")
    shop = get_shop(session, delivery.shop_id)
    if has_returned_since(session, shop, delivery.triggered_at):
        log.warning("late_uninstall_ignored", extra={"shop_id": shop.shop_id, "install_epoch": shop.install_epoch})
        return []
    mark_uninstalled(session, shop.shop_id, delivery.triggered_at)
    stop_schedule(session, shop.shop_id, but=frozenset({RETENTION}))
    log.info("shop_uninstalled", extra={"shop_id": shop.shop_id, "install_epoch": shop.install_epoch})
    return []


def record_scopes_update(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep what the merchant has granted now.

    Raises: UnreadableFact when the body is about another shop or lists no scopes.
    """
    shop = get_shop(session, delivery.shop_id)
    current = delivery.payload.get("current")
    if not isinstance(current, list) or not all(isinstance(scope, str) for scope in current):
        raise UnreadableFact("app/scopes_update lists no scopes")
    named = delivery.payload.get("shop_id")
    if shop.shopify_shop_id is not None and named is not None and _shop_number(named) != shop.shopify_shop_id:
        raise UnreadableFact("app/scopes_update is about another shop")
    if save_scopes(session, shop.shop_id, current, _version_of(delivery)):
        log.info("shop_scopes_updated", extra={"shop_id": shop.shop_id, "scopes": sorted(current)})
    return []


def record_shop_update(session: Session, delivery: Delivery) -> list[Announcement]:
    """Keep the shop's currency, time zone and storefront address. The rest of the body is not ours to hold.

    Raises: UnreadableFact when the body does not name this shop.
    """
    require_same_shop(delivery, "myshopify_domain")
    profile = ShopProfile(
        currency=_text(delivery.payload, "currency"),
        time_zone=_text(delivery.payload, "iana_timezone"),
        storefront_host=_text(delivery.payload, "domain"),
    )
    save_profile(session, delivery.shop_id, profile, _version_of(delivery))
    return []


def require_same_shop(delivery: Delivery, key: str) -> None:
    """Raises: UnreadableFact unless the body names the shop that the header names."""
    named = delivery.payload.get(key)
    if not isinstance(named, str) or not is_shop_domain(named) or named != delivery.shop_domain:
        raise UnreadableFact(f"{delivery.topic}: the body is not about the shop in the header")


def has_returned_since(session: Session, shop: Shop, moment: datetime) -> bool:
    """Tell whether the app was in the shop after that moment.

    An install proves it, and so does a token got since: Shopify gives none to an app that is not there.
    """
    if shop.state != "installed":
        return False
    token = read_token(session, shop.shop_id)
    proofs = [shop.installed_at, token.saved_at if token is not None else None]
    return any(proof is not None and proof > moment for proof in proofs)


def _version_of(delivery: Delivery) -> datetime:
    try:
        return parse_time(delivery.payload.get("updated_at"))
    except InvalidInput:
        return delivery.triggered_at


def _shop_number(text: object) -> int:
    try:
        return parse_gid(text, "Shop")
    except InvalidInput as broken:
        raise UnreadableFact("app/scopes_update names no shop") from broken


def _text(payload: Mapping[str, Any], key: str) -> str | None:
    value = payload.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable() else None
