"""What a piece costs, how stock is kept and which plans there are: told by the Admin API, kept when a webhook comes."""

from datetime import timedelta
from itertools import permutations

import pytest
from builders_admin_nodes import a_product_node, connection, gid
from builders_orders import ORDERED_AT, a_delivery, a_product, a_variant

from shopify_upsell.core import ProductId
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.backfill import record_product_nodes
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.ledger.store import products_by_id

SOCKS = ProductId(1011)
COST = {"amount": "3.40", "currencyCode": "USD"}


def a_plan_node(number=7, *, paid=1, percentage=10.0, **changes):
    policy = {"adjustmentType": "PERCENTAGE", "adjustmentValue": {"percentage": percentage}}
    return {
        "id": gid("SellingPlan", number),
        "name": "Every month",
        "category": "SUBSCRIPTION",
        "billingPolicy": {"interval": "MONTH", "intervalCount": paid},
        "deliveryPolicy": {"interval": "MONTH", "intervalCount": 1},
        "pricingPolicies": [policy],
        **changes,
    }


def a_detailed_node(cost=COST, plans=(), days=0, **variant):
    node = a_product_node(updatedAt=(ORDERED_AT + timedelta(days=days)).isoformat())
    one = node["variants"]["nodes"][0] | {"inventoryItem": {"tracked": True, "unitCost": cost}} | variant
    groups = connection({"sellingPlans": connection(*plans)})
    return node | {"variants": connection(one), "sellingPlanGroups": groups}


def a_webhook(shop_id, days):
    moment = ORDERED_AT + timedelta(days=days)
    return a_delivery(shop_id, "products/update", a_product(updated_at=moment, variants=[a_variant(price="12.00")]))


def held(session, shop_id):
    session.expire_all()
    return products_by_id(session, shop_id, [SOCKS])[SOCKS]


def test_cost_policy_stock_and_plans_are_kept(session, shop_id):
    record_product_nodes(session, shop_id, [a_detailed_node(plans=[a_plan_node(), a_plan_node(8, paid=3)])])

    product = held(session, shop_id)

    (variant,) = product.variants
    assert (variant.unit_cost_minor_units, variant.inventory_policy, variant.quantity) == (340, "deny", 5)
    assert product.selling_plans == (
        SellingPlan(7, "Every month", "subscribe", 1000),
        SellingPlan(8, "Every month", "prepaid", 1000, 3),
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_webhook_that_tells_no_cost_keeps_the_newest_one_told_in_any_order(session, shop_id, order):
    newer_cost = {"amount": "4.00", "currencyCode": "USD"}
    steps = [
        lambda: record_product_nodes(session, shop_id, [a_detailed_node(plans=[a_plan_node()])]),
        lambda: record_product_nodes(session, shop_id, [a_detailed_node(newer_cost, [a_plan_node(9)], days=1)]),
        lambda: intake.record_product(session, a_webhook(shop_id, 2)),
    ]
    for place in order:
        steps[place]()

    product = held(session, shop_id)

    assert product.variants[0].price.minor_units == 1200
    assert product.variants[0].unit_cost_minor_units == 400
    assert [plan.selling_plan_id for plan in product.selling_plans] == [9]


def test_before_the_admin_api_has_told_nothing_is_known(session, shop_id):
    intake.record_product(session, a_webhook(shop_id, 0))

    product = held(session, shop_id)

    assert (product.variants[0].unit_cost_minor_units, product.selling_plans) == (None, ())
    assert product.variants[0].quantity == 5


@pytest.mark.parametrize(
    "cost", [None, {"amount": "3.40", "currencyCode": "EUR"}, {"amount": "3.405", "currencyCode": "USD"}]
)
def test_cost_that_is_missing_foreign_or_finer_than_the_currency_is_none(session, shop_id, cost):
    record_product_nodes(session, shop_id, [a_detailed_node(cost)])

    assert held(session, shop_id).variants[0].unit_cost_minor_units is None


def test_untracked_stock_is_not_counted(session, shop_id):
    item = {"tracked": False, "unitCost": None}
    record_product_nodes(session, shop_id, [a_detailed_node(inventoryItem=item, inventoryPolicy="CONTINUE")])

    (variant,) = held(session, shop_id).variants
    assert (variant.quantity, variant.inventory_policy, variant.is_available) == (None, "continue", True)


@pytest.mark.parametrize(
    ("changes", "percentage"),
    [
        ({}, 1000),
        ({"pricingPolicies": []}, 0),
        ({"pricingPolicies": [{"adjustmentType": "PRICE", "adjustmentValue": {}}]}, None),
        ({"pricingPolicies": [{"adjustmentType": "PERCENTAGE", "adjustmentValue": {"percentage": 12.5}}]}, 1250),
        ({"pricingPolicies": [{"adjustmentType": "PERCENTAGE", "adjustmentValue": {"percentage": 5}}, {}]}, None),
    ],
)
def test_plan_that_prices_otherwise_than_by_a_plain_percentage_has_no_known_price(
    session, shop_id, changes, percentage
):
    record_product_nodes(session, shop_id, [a_detailed_node(plans=[a_plan_node(**changes)])])

    assert [plan.percentage_off_basis_points for plan in held(session, shop_id).selling_plans] == [percentage]


def test_pre_order_is_no_subscription(session, shop_id):
    record_product_nodes(session, shop_id, [a_detailed_node(plans=[a_plan_node(category="PRE_ORDER")])])

    assert held(session, shop_id).selling_plans == ()
