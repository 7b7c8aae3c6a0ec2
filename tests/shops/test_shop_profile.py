"""The boot answer: read whole, about this shop, or not at all."""

from typing import Any

import pytest
import responses
from builders_database import NOW
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId, UnreadableFact
from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.gateway.failures import AdminApiRefused
from shopify_upsell.shops.profile import refresh_profile
from shopify_upsell.shops.store import get_shop

URL = "https://one.myshopify.com/admin/api/2026-10/graphql.json"
SHOP: dict[str, Any] = {
    "id": "gid://shopify/Shop/77",
    "myshopifyDomain": "one.myshopify.com",
    "currencyCode": "EUR",
    "ianaTimezone": "Europe/Berlin",
    "primaryDomain": {"host": "one.example"},
}
GRANTED = {"accessScopes": [{"handle": "read_products"}, {"handle": "read_orders"}]}


def client_answered_with(mock: responses.RequestsMock, body: object) -> AdminClient:
    mock.post(URL, json=body)
    return AdminClient("one.myshopify.com", "shpat_x", "https://one.myshopify.com")


@responses.activate
def test_boot_answer_becomes_the_shops_profile_and_scopes(session: Session, shop_id: ShopId) -> None:
    client = client_answered_with(responses.mock, {"data": {"shop": SHOP, "currentAppInstallation": GRANTED}})

    refresh_profile(client, shop_id, NOW)(session)

    shop = get_shop(session, shop_id)
    assert (shop.shopify_shop_id, shop.currency, shop.time_zone) == (77, "EUR", "Europe/Berlin")
    assert (shop.storefront_host, shop.scopes) == ("one.example", ("read_orders", "read_products"))


@pytest.mark.parametrize(
    "change",
    [
        {"myshopifyDomain": "two.myshopify.com"},
        {"id": "gid://shopify/Product/77"},
        {"primaryDomain": None},
    ],
    ids=str,
)
@responses.activate
def test_answer_about_another_shop_or_in_pieces_is_unreadable(shop_id: ShopId, change: dict[str, Any]) -> None:
    body = {"data": {"shop": SHOP | change, "currentAppInstallation": GRANTED}}

    with pytest.raises(UnreadableFact):
        refresh_profile(client_answered_with(responses.mock, body), shop_id, NOW)


@responses.activate
def test_answer_with_errors_is_not_half_taken(shop_id: ShopId) -> None:
    body = {"data": {"shop": SHOP, "currentAppInstallation": GRANTED}, "errors": [{"message": "x"}]}

    with pytest.raises(AdminApiRefused):
        refresh_profile(client_answered_with(responses.mock, body), shop_id, NOW)
