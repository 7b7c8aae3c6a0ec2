"""What operators ask across tenants: which shops there are, and how privacy requests were answered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ShopId
from shopify_upsell.gateway.shop_domain import is_shop_domain
from shopify_upsell.money import exponent_of
from shopify_upsell.shops.store import (
    PrivacyRequestRow,
    Shop,
    ShopProfile,
    ShopRow,
    get_shop,
    mark_installed,
    remember_unknown_shop,
    save_profile,
)


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """A compliance webhook that was answered, or is being answered."""

    kind: str
    request_key: str
    received_at: datetime
    completed_at: datetime | None
    export: str | None


def all_shops(session: Session) -> list[Shop]:
    """Every known shop, by domain."""
    numbers = session.scalars(select(ShopRow.shop_id).order_by(ShopRow.domain))
    return [get_shop(session, ShopId(number)) for number in numbers]


def register_shop(session: Session, domain: str, currency: str, now: datetime) -> Shop:
    """Make a shop known without Shopify, so that an order file can be imported and studied.

    It has no token: nothing is ever asked of Shopify for it. Raises: InvalidInput.
    """
    if not is_shop_domain(domain):
        raise InvalidInput("a shop's domain looks like name.myshopify.com")
    exponent_of(currency)
    shop = remember_unknown_shop(session, domain, now)
    if shop.state == "installed":
        raise InvalidInput(f"{domain} is already there")
    mark_installed(session, shop.shop_id, now)
    profile = ShopProfile(currency=currency, time_zone="UTC", storefront_host=domain, shopify_shop_id=None)
    save_profile(session, shop.shop_id, profile, now)
    return get_shop(session, shop.shop_id)


def privacy_requests(session: Session, shop_id: ShopId) -> list[PrivacyRequest]:
    """The shop's privacy requests, oldest first."""
    rows = session.scalars(
        select(PrivacyRequestRow)
        .where(PrivacyRequestRow.shop_id == shop_id)
        .order_by(PrivacyRequestRow.privacy_request_id)
    )
    return [PrivacyRequest(row.kind, row.request_key, row.received_at, row.completed_at, row.export) for row in rows]
