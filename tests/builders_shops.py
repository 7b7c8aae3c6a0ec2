"""Shops, tokens and lifecycle deliveries for tests."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet

from shopify_upsell.core import Delivery, ShopId
from shopify_upsell.gateway.tokens import OfflineToken
from shopify_upsell.keyring import Keyring

MASTER_KEY = Fernet.generate_key().decode()
KEYRING = Keyring((MASTER_KEY,))


def a_token(
    now: datetime,
    *,
    access: str = "shpat_1",
    refresh: str = "shprt_1",
    life: timedelta = timedelta(hours=1),
    refresh_life: timedelta = timedelta(days=90),
    scopes: tuple[str, ...] = ("read_orders", "read_products"),
) -> OfflineToken:
    """A token as Shopify would have given it at `now`."""
    return OfflineToken(access, now + life, refresh, now + refresh_life, scopes)


def a_delivery(
    shop_id: ShopId,
    topic: str,
    payload: Mapping[str, Any],
    *,
    triggered_at: datetime,
    shop_domain: str = "one.myshopify.com",
    webhook_id: str = "w-1",
) -> Delivery:
    """A verified delivery, parsed."""
    return Delivery(shop_id, shop_domain, topic, webhook_id, triggered_at, payload, "0" * 64)
