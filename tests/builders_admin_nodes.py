"""Nodes of orders and products as the Admin API answers them."""

from builders_orders import ORDERED_AT, at

from shopify_upsell.core import gid


def bag(amount, currency="USD"):
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def connection(*nodes, more=False):
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": more, "endCursor": None}}


def a_line_node(line_id=11, **given):
    return {
        "id": gid("LineItem", line_id),
        "title": "Wool socks",
        "quantity": 2,
        "currentQuantity": 2,
        "isGiftCard": False,
        "product": {"id": gid("Product", 1011)},
        "variant": {"id": gid("ProductVariant", 2011)},
        "customAttributes": [{"key": "_wp", "value": "v1.token"}, {"key": "engraving", "value": "Robin"}],
        "originalUnitPriceSet": bag("10.0"),
        "discountAllocations": [{"allocatedAmountSet": bag("1.5")}],
        "taxLines": [],
        **given,
    }


def a_refund_node(**given):
    return {
        "id": gid("Refund", 71),
        "createdAt": at(60).isoformat(),
        "totalRefundedSet": bag("9.25"),
        "refundLineItems": connection(
            {
                "id": gid("RefundLineItem", 5),
                "quantity": 1,
                "lineItem": {"id": gid("LineItem", 11)},
                "subtotalSet": bag("9.25"),
                "totalTaxSet": bag("0.0"),
            }
        ),
        "orderAdjustments": connection(),
        **given,
    }


def an_order_node(order_id=1, **given):
    return {
        "id": gid("Order", order_id),
        "createdAt": ORDERED_AT.isoformat(),
        "processedAt": ORDERED_AT.isoformat(),
        "updatedAt": ORDERED_AT.isoformat(),
        "cancelledAt": None,
        "test": False,
        "sourceName": "web",
        "displayFinancialStatus": "PAID",
        "currencyCode": "USD",
        "presentmentCurrencyCode": "USD",
        "taxesIncluded": False,
        "cartToken": f"cart-{order_id}",
        "checkoutToken": f"checkout-{order_id}",
        "customer": {"id": gid("Customer", 5)},
        "lineItems": connection(a_line_node()),
        "refunds": [a_refund_node()],
        **given,
    }


def a_product_node(product_id=1011, **given):
    return {
        "id": gid("Product", product_id),
        "title": "Wool socks",
        "handle": f"product-{product_id}",
        "status": "ACTIVE",
        "publishedAt": ORDERED_AT.isoformat(),
        "productType": "Socks",
        "vendor": "Knit",
        "isGiftCard": False,
        "requiresSellingPlan": False,
        "updatedAt": ORDERED_AT.isoformat(),
        "featuredMedia": {"preview": {"image": {"url": "https://cdn.example.com/socks.png"}}},
        "variants": connection(
            {
                "id": gid("ProductVariant", 2011),
                "title": "One size",
                "sku": "SKU-2011",
                "position": 1,
                "price": "10.00",
                "availableForSale": True,
                "requiresComponents": False,
                "inventoryPolicy": "DENY",
                "inventoryQuantity": 5,
                "inventoryItem": {"tracked": True, "unitCost": None},
            }
        ),
        **given,
    }
