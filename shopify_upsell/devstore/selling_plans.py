"""Ways to buy a product again and again, as the Admin API tells them."""

from typing import TypeAlias

from shopify_upsell.devstore.catalogue import Product

Node: TypeAlias = dict[str, object]


def plan_groups(product: Product) -> list[Node]:
    """Cleansers can be had every month, paid as they come or three at a time."""
    if product.product_type != "Cleanser":
        return []
    plans = [
        _plan_node(10 * product.product_id + 1, "Every month", 1, 10),
        _plan_node(10 * product.product_id + 2, "Every month, prepaid", 3, 15),
    ]
    return [{"__typename": "SellingPlanGroup", "name": "Subscribe", "sellingPlans": plans}]


def _plan_node(number: int, name: str, months_paid: int, percentage: int) -> Node:
    return {
        "__typename": "SellingPlan",
        "id": f"gid://shopify/SellingPlan/{number}",
        "name": name,
        "category": "SUBSCRIPTION",
        "billingPolicy": {
            "__typename": "SellingPlanRecurringBillingPolicy",
            "interval": "MONTH",
            "intervalCount": months_paid,
        },
        "deliveryPolicy": {
            "__typename": "SellingPlanRecurringDeliveryPolicy",
            "interval": "MONTH",
            "intervalCount": 1,
        },
        "pricingPolicies": [
            {
                "__typename": "SellingPlanFixedPricingPolicy",
                "adjustmentType": "PERCENTAGE",
                "adjustmentValue": {
                    "__typename": "SellingPlanPricingPolicyPercentageValue",
                    "percentage": float(percentage),
                },
            }
        ],
    }
