"""The three compliance webhooks. Each is noted as proof of when it came; others who hold data act on announcements.

They come after an uninstall too, when no token is left. Whoever has done the work calls
`store.complete_privacy_request` with the `kind` and `request_key` of the announcement.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, Delivery, InvalidInput, UnreadableFact, parse_gid
from shopify_upsell.shops.lifecycle import has_returned_since, require_same_shop
from shopify_upsell.shops.store import get_shop, save_privacy_request

log = logging.getLogger(__name__)

DATA_REQUEST, CUSTOMER_REDACT, SHOP_REDACT = "customers/data_request", "customers/redact", "shop/redact"
MOST_ORDERS = 10_000


def record_data_request(session: Session, delivery: Delivery) -> list[Announcement]:
    """A customer asks what is held of them: announce it, so that the answer can be gathered for the merchant.

    Raises: UnreadableFact.
    """
    require_same_shop(delivery, "shop_domain")
    customer_id = _customer_id(delivery.payload)
    request = delivery.payload.get("data_request")
    request_key = str(_number(request.get("id") if isinstance(request, dict) else None))
    orders = _order_ids(delivery.payload, "orders_requested")
    _note(session, delivery, request_key)
    details = {"kind": DATA_REQUEST, "request_key": request_key, "order_ids": orders}
    return [Announcement("customer_data_requested", customer_id, details)]


def record_customer_redaction(session: Session, delivery: Delivery) -> list[Announcement]:
    """A customer is to be forgotten: announce it to every part that holds something of theirs.

    Raises: UnreadableFact.
    """
    require_same_shop(delivery, "shop_domain")
    customer_id = _customer_id(delivery.payload)
    orders = _order_ids(delivery.payload, "orders_to_redact")
    # The key is the delivery's, not the customer's: the proof must not itself remember who asked.
    _note(session, delivery, delivery.webhook_id)
    details = {"kind": CUSTOMER_REDACT, "request_key": delivery.webhook_id, "order_ids": orders}
    return [Announcement("customer_redaction_requested", customer_id, details)]


def record_shop_redaction(session: Session, delivery: Delivery) -> list[Announcement]:
    """A shop that left is to be forgotten, unless it came back after Shopify asked.

    Raises: UnreadableFact when the body does not name this shop.
    """
    require_same_shop(delivery, "shop_domain")
    shop = get_shop(session, delivery.shop_id)
    if has_returned_since(session, shop, delivery.triggered_at):
        log.warning("late_redaction_ignored", extra={"shop_id": shop.shop_id, "install_epoch": shop.install_epoch})
        _note(session, delivery, delivery.webhook_id, note="ignored: the shop was installed again after the request")
        return []
    _note(session, delivery, delivery.webhook_id)
    details = {"kind": SHOP_REDACT, "request_key": delivery.webhook_id, "install_epoch": shop.install_epoch}
    return [Announcement("shop_redaction_requested", shop.shop_id, details)]


def _note(session: Session, delivery: Delivery, request_key: str, note: str = "") -> None:
    received_at = datetime.now(UTC)
    save_privacy_request(session, delivery.shop_id, delivery.topic, request_key, received_at=received_at, note=note)


def _customer_id(payload: Mapping[str, Any]) -> int:
    customer = payload.get("customer")
    return _number(customer.get("id") if isinstance(customer, dict) else None)


def _order_ids(payload: Mapping[str, Any], key: str) -> list[int]:
    orders = payload.get(key) or []
    if not isinstance(orders, list) or len(orders) > MOST_ORDERS:
        raise UnreadableFact(f"{key} is not a list of orders")
    return [_number(order) for order in orders]


def _number(value: object) -> int:
    """Read an id. A boolean is none, though Python counts it as a number."""
    try:
        if type(value) not in (int, str):
            raise InvalidInput("not an id")
        return parse_gid(value, "")
    except InvalidInput as broken:
        raise UnreadableFact("the request lacks an id") from broken
