"""What the Admin API knows: shop, products and orders as plain values with GraphQL's field names.

To answer a new field, add a key here. A list where the schema wants a connection is paginated by the resolver; a
function is called with the field's arguments.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from shopify_upsell.devstore.amounts import decimal_text
from shopify_upsell.devstore.catalogue import Product, Variant
from shopify_upsell.devstore.orders import Order, OrderLine, Refund, RefundLine
from shopify_upsell.devstore.selling_plans import plan_groups
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.webhook_bodies import SHOP_ID

Node: TypeAlias = dict[str, object]

TERM = re.compile(r"(\w+):(>=|<=|>|<)?(?:'([^']*)'|\"([^\"]*)\"|(\S+))")

DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of a connection with their sort keys, not yet turned into nodes."""

    rows: list[tuple[tuple[str, int], object]]
    to_node: Callable[[object], Node]


def instant(when: datetime) -> str:
    """Write a time as GraphQL does."""
    return when.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _bag(amount: int, currency: str) -> Node:
    money = {"amount": decimal_text(amount, currency), "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": dict(money)}


def shop_node(shop: DevShop, host: str) -> Node:
    """The shop itself."""
    return {
        "id": f"gid://shopify/Shop/{SHOP_ID}",
        "name": shop.config.shop_name,
        "myshopifyDomain": shop.config.shop_domain,
        "primaryDomain": {"host": host, "url": f"http://{host}"},
        "currencyCode": shop.currency,
        "ianaTimezone": "America/New_York",
        "enabledPresentmentCurrencies": [shop.currency],
        "email": "owner@example.com",
        "contactEmail": "owner@example.com",
        "plan": {"publicDisplayName": "Basic", "partnerDevelopment": True, "shopifyPlus": False},
        "features": {
            "bundles": {"eligibleForBundles": True, "ineligibilityReason": None},
            "cartTransform": {
                "eligibleOperations": {"expandOperation": True, "mergeOperation": True, "updateOperation": False}
            },
            "sellsSubscriptions": False,
        },
    }


def installation_node(shop: DevShop) -> Node:
    """The app on this shop."""
    return {
        "id": "gid://shopify/AppInstallation/990011",
        "launchUrl": shop.config.app_url,
        "accessScopes": [{"handle": scope} for scope in shop.scopes],
        "app": {"id": "gid://shopify/App/100200300400", "handle": "wellpaired", "isPostPurchaseAppInUse": True},
        "activeSubscriptions": [],
    }


def product_node(shop: DevShop, product: Product, origin: str) -> Node:
    """A product with its variants and picture."""
    image = {"url": f"{origin}/files/{product.handle}.svg", "altText": product.title, "width": 600, "height": 600}
    media = {"__typename": "MediaImage", "alt": product.title, "preview": {"image": image}, "image": image}
    since = shop.world.now - timedelta(days=400)
    return {
        "__typename": "Product",
        "id": f"gid://shopify/Product/{product.product_id}",
        "title": product.title,
        "handle": product.handle,
        "status": product.status,
        "productType": product.product_type,
        "vendor": product.vendor,
        "tags": [product.family],
        "description": product.description,
        "createdAt": instant(since),
        "updatedAt": instant(shop.world.now),
        "publishedAt": instant(since) if product.is_reachable else None,
        "isGiftCard": False,
        "requiresSellingPlan": False,
        "sellingPlanGroups": plan_groups(product),
        "totalInventory": sum(shop.stock[variant.variant_id] or 0 for variant in product.variants),
        "tracksInventory": any(variant.stock is not None for variant in product.variants),
        "featuredMedia": media,
        "featuredImage": image,
        "media": [media],
        "images": [image],
        "collections": [],
        "variants": [variant_node(shop, variant) for variant in product.variants],
    }


def variant_node(shop: DevShop, variant: Variant) -> Node:
    """One size of a product."""
    stock = shop.stock[variant.variant_id]
    return {
        "__typename": "ProductVariant",
        "id": f"gid://shopify/ProductVariant/{variant.variant_id}",
        "title": variant.title,
        "sku": variant.sku,
        "position": variant.position,
        "price": decimal_text(variant.price, shop.currency),
        "compareAtPrice": None,
        "availableForSale": shop.is_available(variant),
        "sellableOnlineQuantity": stock if stock is not None else 0,
        "inventoryQuantity": stock,
        "inventoryPolicy": "DENY",
        "inventoryItem": _inventory_item(shop, variant),
        "requiresComponents": False,
        "updatedAt": instant(shop.world.now),
        "product": {"id": f"gid://shopify/Product/{variant.product_id}"},
    }


def _inventory_item(shop: DevShop, variant: Variant) -> Node:
    cost = None if variant.cost is None else decimal_text(variant.cost, shop.currency)
    return {
        "__typename": "InventoryItem",
        "id": f"gid://shopify/InventoryItem/{variant.variant_id}",
        "tracked": variant.stock is not None,
        "unitCost": None if cost is None else {"amount": cost, "currencyCode": shop.currency},
    }


def order_node(shop: DevShop, order: Order) -> Node:
    """An order as it stands, with lines, refunds and metafields."""

    def metafield(key: str, namespace: str | None = None) -> Node | None:
        found = order.metafields.get((namespace or "", key))
        return None if found is None else {"namespace": namespace, "key": key, "value": found[0], "type": found[1]}

    def bag(amount: int) -> Node:
        return _bag(amount, order.currency)

    customer_id = f"gid://shopify/Customer/{order.customer_id}"
    return {
        "__typename": "Order",
        "id": f"gid://shopify/Order/{order.order_id}",
        "name": f"#{order.number}",
        "createdAt": instant(order.ordered_at),
        "processedAt": instant(order.ordered_at),
        "updatedAt": instant(order.updated_at),
        "cancelledAt": instant(order.cancelled_at) if order.cancelled_at else None,
        "closedAt": None,
        "test": False,
        "sourceName": "web",
        "taxesIncluded": False,
        "displayFinancialStatus": order.financial_status.upper(),
        "currencyCode": order.currency,
        "presentmentCurrencyCode": order.currency,
        "cartToken": order.cart_token,
        "checkoutToken": order.checkout_token,
        "customer": None if order.customer_id is None else {"id": customer_id},
        "customAttributes": _attributes(order.note_attributes),
        "discountCodes": [],
        "tags": [],
        "currentTotalPriceSet": bag(order.current_subtotal),
        "currentSubtotalPriceSet": bag(order.current_subtotal),
        "totalPriceSet": bag(order.subtotal),
        "totalRefundedSet": bag(order.refunded),
        "metafield": metafield,
        "lineItems": [line_node(order, line) for line in order.lines],
        "refunds": [_refund_node(order, refund) for refund in order.refunds],
    }


def line_node(order: Order, line: OrderLine) -> Node:
    """One line of an order."""
    allocations = [{"allocatedAmountSet": _bag(amount, order.currency)} for amount in line.allocations.values()]
    return {
        "__typename": "LineItem",
        "id": f"gid://shopify/LineItem/{line.line_id}",
        "title": line.title,
        "variantTitle": line.variant_title or None,
        "sku": line.sku,
        "vendor": line.vendor,
        "quantity": line.quantity,
        "currentQuantity": line.current_quantity,
        "isGiftCard": False,
        "product": {"id": f"gid://shopify/Product/{line.product_id}"},
        "variant": {"id": f"gid://shopify/ProductVariant/{line.variant_id}"},
        "customAttributes": _attributes(line.properties),
        "originalUnitPriceSet": _bag(line.unit_price, order.currency),
        "originalTotalSet": _bag(line.gross, order.currency),
        "discountedTotalSet": _bag(line.net, order.currency),
        "discountAllocations": allocations,
        "taxLines": [],
        "lineItemGroup": None,
    }


def _attributes(pairs: Mapping[str, str]) -> list[Node]:
    return [{"key": key, "value": value} for key, value in pairs.items()]


def _refund_node(order: Order, refund: Refund) -> Node:
    adjustment: Node = {
        "id": f"gid://shopify/OrderAdjustment/{refund.refund_id * 10 + 8}",
        "reason": "REFUND_DISCREPANCY",
        "amountSet": _bag(-refund.adjustment, order.currency),
        "taxAmountSet": _bag(0, order.currency),
    }
    return {
        "__typename": "Refund",
        "id": f"gid://shopify/Refund/{refund.refund_id}",
        "createdAt": instant(refund.created_at),
        "processedAt": instant(refund.created_at),
        "updatedAt": instant(refund.created_at),
        "note": None,
        "totalRefundedSet": _bag(refund.amount, order.currency),
        "refundLineItems": [_refund_line_node(order, refund, row) for row in refund.lines],
        "orderAdjustments": [adjustment] if refund.adjustment else [],
    }


def _refund_line_node(order: Order, refund: Refund, row: RefundLine) -> Node:
    return {
        "id": f"gid://shopify/RefundLineItem/{row.refund_line_id}",
        "quantity": row.quantity,
        "restockType": refund.restock_type.upper(),
        "lineItem": line_node(order, order.line(row.line_id)),
        "subtotalSet": _bag(row.subtotal, order.currency),
        "totalTaxSet": _bag(0, order.currency),
    }


def matches(search: str | None, fields: Mapping[str, str]) -> bool:
    """Tell whether a row satisfies Shopify's search syntax. Unknown fields are ignored silently, as Shopify does."""
    for name, comparison, *values in TERM.findall(search or ""):
        if name in fields and not _holds(fields[name], comparison, next(filter(None, values), "")):
            return False
    return True


def _holds(have: str, comparison: str, asked: str) -> bool:
    if not comparison and "," in asked:
        return any(_compare(have, each) == 0 for each in asked.split(","))
    order = _compare(have, asked)
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0, "": order == 0}[comparison]


def _compare(have: str, asked: str) -> int:
    """Compare as times, as numbers or as words: below 0, 0 or above 0."""
    if DATE.match(have) and DATE.match(asked):
        return (_moment(have) > _moment(asked)) - (_moment(have) < _moment(asked))
    if have.isdigit() and asked.isdigit():
        return (int(have) > int(asked)) - (int(have) < int(asked))
    return (have.lower() > asked.lower()) - (have.lower() < asked.lower())


def _moment(text: str) -> datetime:
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)
