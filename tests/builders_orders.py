"""Builders of webhook documents as Shopify shapes them, and of the deliveries that bring them.

A builder takes what matters to a test; the rest is filled in, personal data included, because that is what arrives.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_upsell.core import Delivery, ShopId, digest_of

ORDERED_AT = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
Document = dict[str, Any]


def at(minutes: int) -> datetime:
    """A time so many minutes after the order was placed."""
    return ORDERED_AT + timedelta(minutes=minutes)


def money_set(amount: str, currency: str = "USD") -> Document:
    """A pair of shop and presentment money."""
    money = {"amount": amount, "currency_code": currency}
    return {"shop_money": dict(money), "presentment_money": dict(money)}


def a_line(line_id: int = 11, **given: Any) -> Document:
    """A line item. Give `quantity`, `price`, `discount` (whole line), `tax`, `token`, `product_id`, `variant_id`, …."""
    quantity = given.pop("quantity", 1)
    discount, tax, token = given.pop("discount", None), given.pop("tax", None), given.pop("token", None)
    return {
        "id": line_id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
        "product_id": given.pop("product_id", line_id + 1000),
        "variant_id": given.pop("variant_id", line_id + 2000),
        "title": "Wool socks",
        "quantity": quantity,
        "current_quantity": given.pop("current_quantity", quantity),
        "price": given.pop("price", "10.00"),
        "total_discount": "0.00",
        "discount_allocations": [{"amount": discount, "discount_application_index": 0}] if discount else [],
        "tax_lines": [{"title": "VAT", "rate": 0.2, "price": tax}] if tax else [],
        "gift_card": given.pop("gift_card", False),
        "properties": [{"name": "_wp", "value": token}] if token else [],
        **given,
    }


def an_order(order_id: int = 1, lines: Sequence[Document] | None = None, **given: Any) -> Document:
    """A paid order in dollars of one line at 10.00."""
    updated_at = given.pop("updated_at", ORDERED_AT)
    ordered_at = given.pop("ordered_at", ORDERED_AT)
    cancelled_at = given.pop("cancelled_at", None)
    customer_id = given.pop("customer_id", None)
    return {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "name": f"#{order_id}",
        "created_at": ordered_at.isoformat(),
        "processed_at": ordered_at.isoformat(),
        "updated_at": updated_at.isoformat(),
        "cancelled_at": cancelled_at.isoformat() if cancelled_at else None,
        "test": False,
        "financial_status": "paid",
        "source_name": "web",
        "currency": "USD",
        "presentment_currency": given.get("currency", "USD"),
        "taxes_included": False,
        "cart_token": f"cart-{order_id}",
        "checkout_token": f"checkout-{order_id}",
        "customer": {"id": customer_id, "email": "robin@example.com", "first_name": "Robin"} if customer_id else None,
        "email": "robin@example.com",
        "shipping_address": {"address1": "1 Example Street", "first_name": "Robin"},
        "line_items": [a_line()] if lines is None else list(lines),
        "refunds": [],
        **given,
    }


def a_refund(refund_id: int = 71, order_id: int = 1, lines: Sequence[Document] = (), **given: Any) -> Document:
    """A refund of lines (`a_refund_line`), with `discrepancy` for an adjustment, `paid` for a transaction."""
    refunded_at = given.pop("refunded_at", at(60))
    discrepancy, paid = given.pop("discrepancy", None), given.pop("paid", None)
    currency = given.pop("currency", "USD")
    adjustment = {"kind": "refund_discrepancy", "amount": discrepancy, "tax_amount": "0.00"}
    transaction = {"kind": "refund", "status": "success", "amount": paid, "currency": currency}
    return {
        "id": refund_id,
        "order_id": order_id,
        "created_at": refunded_at.isoformat(),
        "processed_at": refunded_at.isoformat(),
        "note": "too small for Robin",
        "refund_line_items": list(lines),
        "order_adjustments": [adjustment] if discrepancy else [],
        "transactions": [transaction] if paid else [],
        "refund_shipping_lines": [],
        **given,
    }


def a_refund_line(line_id: int = 11, quantity: int = 1, subtotal: str = "10.00", **given: Any) -> Document:
    """Units of a line given back. The subtotal is a JSON number, as Shopify sends it."""
    return {
        "id": line_id * 100,
        "line_item_id": line_id,
        "quantity": quantity,
        "restock_type": "return",
        "subtotal": Decimal(subtotal),
        "total_tax": Decimal(given.pop("tax", "0.00")),
        **given,
    }


def an_edit(
    edit_id: int = 91,
    order_id: int = 1,
    *,
    added: Mapping[int, int] | None = None,
    removed: Mapping[int, int] | None = None,
    committed_at: datetime | None = None,
) -> Document:
    """A committed order edit: units by line id."""
    when = (committed_at or at(30)).isoformat()
    return {
        "order_edit": {
            "id": edit_id,
            "order_id": order_id,
            "created_at": when,
            "committed_at": when,
            "line_items": {
                "additions": [{"id": line_id, "delta": units} for line_id, units in (added or {}).items()],
                "removals": [{"id": line_id, "delta": units} for line_id, units in (removed or {}).items()],
            },
        }
    }


def a_product(product_id: int = 1011, **given: Any) -> Document:
    """A product with one variant at 10.00, published and in stock."""
    updated_at = given.pop("updated_at", ORDERED_AT)
    return {
        "id": product_id,
        "title": "Wool socks",
        "handle": f"product-{product_id}",
        "status": "active",
        "published_at": ORDERED_AT.isoformat(),
        "updated_at": updated_at.isoformat(),
        "product_type": "Socks",
        "vendor": "Knit",
        "image": {"src": "https://cdn.example.com/socks.png"},
        "variants": [a_variant(product_id + 1000)],
        **given,
    }


def a_variant(variant_id: int = 2011, **given: Any) -> Document:
    """A variant at 10.00 with five in stock."""
    return {
        "id": variant_id,
        "title": "One size",
        "sku": f"SKU-{variant_id}",
        "position": 1,
        "price": "10.00",
        "inventory_policy": "deny",
        "inventory_management": "shopify",
        "inventory_quantity": 5,
        **given,
    }


def a_delivery(
    shop_id: ShopId, topic: str, document: Mapping[str, Any], *, triggered_at: datetime | None = None
) -> Delivery:
    """The delivery of a document. Its JSON makes the round trip, so numbers arrive as the inbox hands them over."""
    raw = json.dumps(document, default=_number)
    return Delivery(
        shop_id=shop_id,
        shop_domain="one.myshopify.com",
        topic=topic,
        webhook_id=f"{topic}-{digest_of(raw)[:12]}",
        triggered_at=triggered_at or ORDERED_AT,
        payload=json.loads(raw, parse_float=Decimal),
        digest=digest_of(raw),
    )


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
