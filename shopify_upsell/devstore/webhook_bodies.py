"""Bodies of webhooks, shaped like Shopify's REST resources.

They carry an e-mail address, a name and a street on purpose: the app must be seen to drop them. Refund subtotals are
JSON numbers, as Shopify sends them, while the other amounts are decimal strings.
"""

from datetime import datetime
from typing import TypeAlias

from shopify_upsell.devstore.amounts import decimal_text, money_set
from shopify_upsell.devstore.catalogue import Product
from shopify_upsell.devstore.orders import DiscountApplication, Edit, Order, OrderLine, Refund

Body: TypeAlias = dict[str, object]

SHOP_ID = 71_234_567_890
APP_ID = 100_200_300_400


def stamp(when: datetime) -> str:
    """Write a time as Shopify does: ISO 8601, whole seconds, with offset."""
    return when.replace(microsecond=0).isoformat()


def maybe_stamp(when: datetime | None) -> str | None:
    """Write a time that may be missing."""
    return None if when is None else stamp(when)


def order_body(order: Order) -> Body:
    """The whole order, as `orders/*` carry it."""
    money = _order_money(order)
    return {
        "id": order.order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order.order_id}",
        "name": f"#{order.number}",
        "order_number": order.number,
        "confirmation_number": f"GG{order.number:07d}",
        "app_id": 580111,
        "source_name": "web",
        "test": False,
        "confirmed": True,
        "cart_token": order.cart_token,
        "checkout_token": order.checkout_token,
        "token": order.checkout_token,
        "created_at": stamp(order.ordered_at),
        "processed_at": stamp(order.ordered_at),
        "updated_at": stamp(order.updated_at),
        "cancelled_at": maybe_stamp(order.cancelled_at),
        "cancel_reason": "customer" if order.cancelled_at else None,
        "closed_at": None,
        "financial_status": order.financial_status,
        "fulfillment_status": None,
        "currency": order.currency,
        "presentment_currency": order.currency,
        "taxes_included": False,
        "tags": "",
        "note": None,
        "note_attributes": [{"name": name, "value": value} for name, value in order.note_attributes.items()],
        "discount_codes": [],
        "discount_applications": [_application_body(discount) for discount in order.discounts],
        "landing_site": "/",
        "referring_site": None,
        "customer_locale": "en-US",
        "payment_gateway_names": ["bogus"],
        "shipping_lines": [],
        "line_items": [_line_body(order, line) for line in order.lines],
        "refunds": [refund_body(order, refund) for refund in order.refunds],
        **money,
        **_person(order),
    }


def _order_money(order: Order) -> Body:
    """Every sum twice: as a string, and as a set of shop and presentment money."""
    full = sum(line.gross for line in order.lines)
    amounts = {
        "total_line_items_price": full,
        "total_discounts": sum(line.discount for line in order.lines),
        "subtotal_price": order.subtotal,
        "total_price": order.subtotal,
        "total_tax": 0,
        "current_subtotal_price": order.current_subtotal,
        "current_total_price": order.current_subtotal,
        "current_total_discounts": sum(line.discount for line in order.lines),
    }
    plain = {key: decimal_text(amount, order.currency) for key, amount in amounts.items()}
    sets = {f"{key}_set": money_set(amount, order.currency) for key, amount in amounts.items()}
    return {**plain, **sets}


def _person(order: Order) -> Body:
    """Somebody invented, so that what the app must not keep is there to be dropped."""
    if order.customer_id is None:
        return {"customer": None, "email": f"guest-{order.number}@example.com", "contact_email": None, "phone": None}
    email = f"shopper-{order.customer_id}@example.com"
    customer = {
        "id": order.customer_id,
        "admin_graphql_api_id": f"gid://shopify/Customer/{order.customer_id}",
        "email": email,
        "first_name": "Robin",
        "last_name": "Sample",
        "state": "disabled",
        "currency": order.currency,
    }
    address = {"first_name": "Robin", "last_name": "Sample", "address1": "1 Example Street", "country_code": "US"}
    return {
        "customer": customer,
        "email": email,
        "contact_email": email,
        "phone": None,
        "buyer_accepts_marketing": False,
        "billing_address": address,
        "shipping_address": dict(address),
    }


def _application_body(discount: DiscountApplication) -> Body:
    return {
        "type": "manual",
        "title": discount.title,
        "description": discount.title,
        "value": str(discount.value),
        "value_type": discount.value_type,
        "allocation_method": "across",
        "target_selection": "explicit",
        "target_type": "line_item",
    }


def _line_body(order: Order, line: OrderLine) -> Body:
    return {
        "id": line.line_id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line.line_id}",
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "title": line.title,
        "variant_title": line.variant_title or None,
        "name": f"{line.title} - {line.variant_title}" if line.variant_title else line.title,
        "sku": line.sku,
        "vendor": line.vendor,
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "price": decimal_text(line.unit_price, order.currency),
        "price_set": money_set(line.unit_price, order.currency),
        "total_discount": decimal_text(0, order.currency),
        "total_discount_set": money_set(0, order.currency),
        "discount_allocations": [
            {
                "amount": decimal_text(amount, order.currency),
                "amount_set": money_set(amount, order.currency),
                "discount_application_index": at,
            }
            for at, amount in line.allocations.items()
        ],
        "properties": [{"name": name, "value": value} for name, value in line.properties.items()],
        "gift_card": False,
        "requires_shipping": True,
        "product_exists": True,
        "taxable": True,
        "tax_lines": [],
        "duties": [],
    }


def refund_body(order: Order, refund: Refund) -> Body:
    """One refund, as `refunds/create` and the order's `refunds` carry it."""
    return {
        "id": refund.refund_id,
        "admin_graphql_api_id": f"gid://shopify/Refund/{refund.refund_id}",
        "order_id": order.order_id,
        "created_at": stamp(refund.created_at),
        "processed_at": stamp(refund.created_at),
        "note": None,
        "user_id": None,
        "restock": True,
        "refund_line_items": [_refund_line_body(order, refund, row.line_id) for row in refund.lines],
        "refund_shipping_lines": [],
        "duties": [],
        "return": None,
        "transactions": [
            {
                "id": refund.refund_id * 10 + 9,
                "order_id": order.order_id,
                "kind": "refund",
                "status": "success",
                "gateway": "bogus",
                "amount": decimal_text(refund.amount, order.currency),
                "currency": order.currency,
            }
        ],
        "order_adjustments": _adjustments(order, refund),
    }


def _refund_line_body(order: Order, refund: Refund, line_id: int) -> Body:
    row = next(line for line in refund.lines if line.line_id == line_id)
    return {
        "id": row.refund_line_id,
        "line_item_id": row.line_id,
        "quantity": row.quantity,
        "location_id": 655_441_491,
        "restock_type": refund.restock_type,
        "subtotal": float(decimal_text(row.subtotal, order.currency)),
        "subtotal_set": money_set(row.subtotal, order.currency),
        "total_tax": 0.0,
        "total_tax_set": money_set(0, order.currency),
        "line_item": _line_body(order, order.line(row.line_id)),
    }


def _adjustments(order: Order, refund: Refund) -> list[Body]:
    """Money beyond the lines shows as a negative adjustment, which is how Shopify balances the refund."""
    if not refund.adjustment:
        return []
    return [
        {
            "id": refund.refund_id * 10 + 8,
            "order_id": order.order_id,
            "refund_id": refund.refund_id,
            "kind": "refund_discrepancy",
            "reason": "Refund discrepancy",
            "amount": decimal_text(-refund.adjustment, order.currency),
            "amount_set": money_set(-refund.adjustment, order.currency),
            "tax_amount": decimal_text(0, order.currency),
            "tax_amount_set": money_set(0, order.currency),
        }
    ]


def edit_body(order: Order, edit: Edit) -> Body:
    """A committed edit, as `orders/edited` carries it: line ids and changes of quantity, nothing more."""
    return {
        "order_edit": {
            "id": edit.edit_id,
            "app_id": APP_ID,
            "created_at": stamp(edit.committed_at),
            "committed_at": stamp(edit.committed_at),
            "notify_customer": False,
            "order_id": order.order_id,
            "staff_note": None,
            "user_id": None,
            "line_items": {
                "additions": [{"id": line_id, "delta": delta} for line_id, delta in edit.additions],
                "removals": [{"id": line_id, "delta": delta} for line_id, delta in edit.removals],
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def product_body(product: Product, stock: dict[int, int | None], origin: str, when: datetime, currency: str) -> Body:
    """A product, as `products/*` carry it."""
    image = f"{origin}/files/{product.handle}.svg"
    return {
        "id": product.product_id,
        "admin_graphql_api_id": f"gid://shopify/Product/{product.product_id}",
        "title": product.title,
        "handle": product.handle,
        "body_html": f"<p>{product.description}</p>",
        "vendor": product.vendor,
        "product_type": product.product_type,
        "status": product.status.lower(),
        "published_at": stamp(when) if product.is_reachable else None,
        "published_scope": "web",
        "updated_at": stamp(when),
        "tags": product.family,
        "image": {"src": image, "alt": product.title},
        "images": [{"id": product.product_id + 1, "src": image, "alt": product.title, "position": 1}],
        "variants": [
            {
                "id": variant.variant_id,
                "admin_graphql_api_id": f"gid://shopify/ProductVariant/{variant.variant_id}",
                "product_id": product.product_id,
                "title": variant.title,
                "position": variant.position,
                "sku": variant.sku,
                "price": decimal_text(variant.price, currency),
                "compare_at_price": None,
                "inventory_policy": "deny",
                "inventory_management": None if stock[variant.variant_id] is None else "shopify",
                "inventory_quantity": stock[variant.variant_id] or 0,
                "updated_at": stamp(when),
            }
            for variant in product.variants
        ],
    }
