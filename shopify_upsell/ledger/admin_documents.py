"""Turn nodes of the Admin GraphQL API into the documents that webhooks carry. Pure.

One shape for both sources means one reading of it: what reconciliation finds is recorded exactly as a delivery is.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shopify_upsell.core import InvalidInput, parse_gid

Node = Mapping[str, Any]


class UnfinishedNode(InvalidInput):
    """The node's lists go on after what was fetched: read as they are, they would book too little."""

    code = "unfinished_node"


def order_document(node: Node) -> dict[str, Any]:
    """An order as its webhook would say it. Raises: UnfinishedNode, InvalidInput."""
    order_id = parse_gid(node["id"], "Order")
    customer = node.get("customer")
    return {
        "id": order_id,
        "created_at": node["createdAt"],
        "processed_at": node.get("processedAt"),
        "updated_at": node["updatedAt"],
        "cancelled_at": node.get("cancelledAt"),
        "test": node.get("test"),
        "financial_status": node.get("displayFinancialStatus"),
        "source_name": node.get("sourceName"),
        "currency": node["currencyCode"],
        "presentment_currency": node.get("presentmentCurrencyCode"),
        "taxes_included": node.get("taxesIncluded"),
        "cart_token": node.get("cartToken"),
        "checkout_token": node.get("checkoutToken"),
        "customer": {"id": parse_gid(customer["id"], "Customer")} if customer else None,
        "line_items": [_line(line) for line in _nodes(node["lineItems"])],
        "refunds": [_refund(refund, order_id) for refund in _nodes(node.get("refunds") or [])],
    }


def product_document(node: Node) -> dict[str, Any]:
    """A product as its webhook would say it, with what only the Admin API knows. Raises: as `order_document`."""
    preview = (node.get("featuredMedia") or {}).get("preview") or {}
    url = (preview.get("image") or {}).get("url")
    return {
        "id": parse_gid(node["id"], "Product"),
        "title": node["title"],
        "handle": node.get("handle"),
        "status": node.get("status"),
        "published_at": node.get("publishedAt"),
        "updated_at": node["updatedAt"],
        "product_type": node.get("productType"),
        "vendor": node.get("vendor"),
        "image": {"src": url} if url else None,
        "gift_card": node.get("isGiftCard"),
        "requires_selling_plan": node.get("requiresSellingPlan"),
        "selling_plans": _plans(node),
        "variants": [_variant(variant) for variant in _nodes(node["variants"])],
    }


def _variant(node: Node) -> dict[str, Any]:
    return {
        "id": parse_gid(node["id"], "ProductVariant"),
        "title": node.get("title"),
        "sku": node.get("sku"),
        "position": node.get("position"),
        "price": node["price"],
        "available": node.get("availableForSale"),
        "requires_components": node.get("requiresComponents"),
        "inventory_policy": (node.get("inventoryPolicy") or "deny").lower(),
        **_inventory(node),
    }


def _inventory(node: Node) -> dict[str, Any]:
    """Stock where it is counted, and what a piece costs, which the shop's staff may keep to themselves."""
    item = node.get("inventoryItem") or {}
    cost = item.get("unitCost")
    return {
        "inventory_quantity": node.get("inventoryQuantity"),
        "inventory_management": "shopify" if item.get("tracked", True) else None,
        "unit_cost": {"amount": cost["amount"], "currency_code": cost["currencyCode"]} if cost else None,
    }


def _plans(node: Node) -> list[dict[str, Any]] | None:
    """Plans of subscriptions; pre-orders and trials are no regular delivery. None: the document does not tell."""
    if node.get("sellingPlanGroups") is None:
        return None
    groups = _nodes(node["sellingPlanGroups"])
    plans = [plan for group in groups for plan in _nodes(group["sellingPlans"])]
    return [_plan(plan) for plan in plans if plan.get("category") == "SUBSCRIPTION"]


def _plan(node: Node) -> dict[str, Any]:
    billed, delivered = node.get("billingPolicy") or {}, node.get("deliveryPolicy") or {}
    return {
        "id": parse_gid(node["id"], "SellingPlan"),
        "name": node.get("name"),
        "percentage_off_basis_points": _percentage_off(node.get("pricingPolicies") or []),
        "deliveries": _deliveries(billed, delivered),
    }


def _percentage_off(policies: list[Node]) -> int | None:
    """A plain percentage on every delivery; None for amounts, prices and changes over time."""
    if not policies:
        return 0
    value = policies[0].get("adjustmentValue") or {}
    if len(policies) > 1 or policies[0].get("adjustmentType") != "PERCENTAGE" or value.get("percentage") is None:
        return None
    share = Decimal(str(value["percentage"])) * 100
    return int(share) if share == int(share) else None


def _deliveries(billed: Node, delivered: Node) -> int:
    """Deliveries that one payment covers: paid every three months for monthly ones is three."""
    if billed.get("interval") is None or billed.get("interval") != delivered.get("interval"):
        return 1
    paid, sent = billed.get("intervalCount") or 1, delivered.get("intervalCount") or 1
    return paid // sent if sent > 0 and paid % sent == 0 else 1


def _line(node: Node) -> dict[str, Any]:
    product, variant = node.get("product"), node.get("variant")
    return {
        "id": parse_gid(node["id"], "LineItem"),
        "product_id": parse_gid(product["id"], "Product") if product else None,
        "variant_id": parse_gid(variant["id"], "ProductVariant") if variant else None,
        "quantity": node["quantity"],
        "current_quantity": node.get("currentQuantity"),
        "price_set": _money_set(node["originalUnitPriceSet"]),
        "gift_card": node.get("isGiftCard"),
        "discount_allocations": [
            {"amount_set": _money_set(part["allocatedAmountSet"])} for part in node.get("discountAllocations") or []
        ],
        "tax_lines": [{"price_set": _money_set(tax["priceSet"])} for tax in node.get("taxLines") or []],
        "properties": [
            {"name": attribute["key"], "value": attribute["value"]} for attribute in node.get("customAttributes") or []
        ],
    }


def _refund(node: Node, order_id: int) -> dict[str, Any]:
    return {
        "id": parse_gid(node["id"], "Refund"),
        "order_id": order_id,
        "created_at": node.get("createdAt"),
        "processed_at": node.get("processedAt"),
        "refund_line_items": [
            {
                "line_item_id": parse_gid(line["lineItem"]["id"], "LineItem"),
                "quantity": line["quantity"],
                "subtotal_set": _money_set(line["subtotalSet"]),
                "total_tax_set": _money_set(line.get("totalTaxSet")),
            }
            for line in _nodes(node.get("refundLineItems") or [])
        ],
        "order_adjustments": [
            {"kind": (adjustment.get("reason") or "").lower(), "amount_set": _money_set(adjustment["amountSet"])}
            for adjustment in _nodes(node.get("orderAdjustments") or [])
        ],
        # Its transactions would need paging of their own; their sum is what counts.
        "transactions": [
            {"kind": "refund", "status": "success", "amount_set": _money_set(total)}
            for total in [node.get("totalRefundedSet")]
            if total is not None
        ],
        "refund_shipping_lines": [
            {
                "subtotal_amount_set": _money_set(line["subtotalAmountSet"]),
                "tax_amount_set": _money_set(line.get("taxAmountSet")),
            }
            for line in _nodes(node.get("refundShippingLines") or [])
        ],
    }


def _money_set(bag: Node | None) -> dict[str, Any] | None:
    if bag is None:
        return None
    sides = {"shop_money": bag["shopMoney"], "presentment_money": bag.get("presentmentMoney")}
    return {
        name: {"amount": money["amount"], "currency_code": money["currencyCode"]}
        for name, money in sides.items()
        if money is not None
    }


def _nodes(connection: Any) -> list[Any]:
    """The nodes of a connection, however it was asked for, or a plain list. Raises: UnfinishedNode."""
    if isinstance(connection, list):
        return connection
    if (connection.get("pageInfo") or {}).get("hasNextPage"):
        raise UnfinishedNode("a list goes on after what was fetched")
    if "nodes" in connection:
        return list(connection["nodes"])
    return [edge["node"] for edge in connection["edges"]]
