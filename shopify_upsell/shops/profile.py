"""What a shop says of itself when asked: currency, time zone, storefront, and what it has granted us.

Run after an install and then daily, outside of any transaction; it returns what is to be written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ShopId, UnreadableFact, parse_gid
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.shops.store import ShopProfile, save_profile, save_scopes


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """The answer to the boot operation, read."""

    domain: str
    profile: ShopProfile
    scopes: tuple[str, ...]


def refresh_profile(client: AdminClient, shop_id: ShopId, now: datetime) -> Callable[[Session], None]:
    """Ask the shop and return the write to make.

    Raises: what `AdminClient.run` raises; UnreadableFact when the answer is not of this shop or makes no sense.
    """
    boot = read_boot(client.run("boot").whole())
    if boot.domain != client.shop_domain:
        raise UnreadableFact("the answer is about another shop")

    def write(session: Session) -> None:
        save_profile(session, shop_id, boot.profile, now)
        save_scopes(session, shop_id, boot.scopes, now)

    return write


def read_boot(data: Mapping[str, Any]) -> BootAnswer:
    """Read the data of the boot operation. Raises: UnreadableFact."""
    try:
        shop = data["shop"]
        granted = data["currentAppInstallation"]["accessScopes"]
        return BootAnswer(
            domain=str(shop["myshopifyDomain"]),
            profile=ShopProfile(
                currency=str(shop["currencyCode"]),
                time_zone=str(shop["ianaTimezone"]),
                storefront_host=str(shop["primaryDomain"]["host"]),
                shopify_shop_id=parse_gid(shop["id"], "Shop"),
            ),
            scopes=tuple(sorted(str(scope["handle"]) for scope in granted)),
        )
    except (KeyError, TypeError, InvalidInput) as broken:
        raise UnreadableFact("the boot answer cannot be read") from broken
