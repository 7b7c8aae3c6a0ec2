"""What the Admin API says is recorded as its webhooks would have been."""

import pytest
from builders_admin_nodes import a_line_node, a_product_node, a_refund_node, an_order_node, bag, connection
from builders_ledger_rows import rows_of_tables
from builders_orders import (
    ORDERED_AT,
    a_delivery,
    a_line,
    a_product,
    a_refund,
    a_refund_line,
    a_variant,
    an_order,
    at,
    money_set,
)

from shopify_upsell.core import Announcement, gid
from shopify_upsell.ledger import intake, store
from shopify_upsell.ledger.admin_documents import UnfinishedNode, order_document
from shopify_upsell.ledger.backfill import record_order_nodes, record_product_nodes


def same_order():
    """The order of `an_order_node`, as its webhook says it."""
    line = a_line(quantity=2, discount="1.50", token="v1.token")
    refund = a_refund(
        lines=[
            a_refund_line(11, 1, "9.25", subtotal_set=money_set("9.25"), total_tax_set=money_set("0.00")),
        ]
    )
    return an_order(lines=[line], customer_id=5, refunds=[refund])


def without_versions(rows):
    return {
        table: [row[:-3] if table in ("sales_order", "product") else row for row in kept]
        for table, kept in rows.items()
    }


def test_orders_of_both_sources_leave_the_same_rows(session, shop_id):
    with session.begin_nested() as trial:
        intake.record_order(session, a_delivery(shop_id, "orders/create", same_order()))
        by_webhook = rows_of_tables(session, shop_id)
        trial.rollback()

    record_order_nodes(session, shop_id, [an_order_node()])

    assert without_versions(rows_of_tables(session, shop_id)) == without_versions(by_webhook)
    assert [line.net_minor_units for line in store.booked_order(session, shop_id, 1).lines] == [925]


def test_products_of_both_sources_leave_the_same_rows(session, shop_id):
    with session.begin_nested() as trial:
        intake.record_product(session, a_delivery(shop_id, "products/update", a_product(variants=[a_variant()])))
        by_webhook = rows_of_tables(session, shop_id)
        trial.rollback()

    announced = record_product_nodes(session, shop_id, [a_product_node()])

    assert announced == [Announcement("product_recorded", 1011)]
    assert without_versions(rows_of_tables(session, shop_id)) == without_versions(by_webhook)


def test_reconciling_finds_what_no_webhook_told_and_a_second_run_changes_nothing(session, shop_id):
    intake.record_order(session, a_delivery(shop_id, "orders/create", same_order(), triggered_at=at(1)))
    nodes = [an_order_node(1), an_order_node(2, refunds=[])]

    first = record_order_nodes(session, shop_id, nodes)
    before = rows_of_tables(session, shop_id)
    second = record_order_nodes(session, shop_id, nodes)

    assert (first, second) == ([Announcement("order_recorded", 2)], [])
    assert rows_of_tables(session, shop_id) == before


def test_money_given_back_without_lines_is_found_too(session, shop_id):
    refund = a_refund_node(refundLineItems=connection(), totalRefundedSet=bag("4.5"))

    record_order_nodes(session, shop_id, [an_order_node(refunds=[refund])])

    assert [line.net_minor_units for line in store.booked_order(session, shop_id, 1).lines] == [1400]


def test_adjustments_are_read_with_their_sign(session, shop_id):
    adjustment = {"id": "gid://shopify/OrderAdjustment/1", "reason": "REFUND_DISCREPANCY", "amountSet": bag("2.25")}
    refund = a_refund_node(orderAdjustments=connection(adjustment))

    record_order_nodes(session, shop_id, [an_order_node(refunds=[refund])])

    assert [line.net_minor_units for line in store.booked_order(session, shop_id, 1).lines] == [1150]


def test_a_node_that_goes_on_is_not_booked_by_half():
    with pytest.raises(UnfinishedNode):
        order_document(an_order_node(lineItems=connection(a_line_node(), more=True)))


def test_one_broken_node_keeps_no_other_out(session, shop_id):
    broken = [
        {"id": gid("Order", 8)},
        an_order_node(9, lineItems=connection(more=True)),
        an_order_node(10, currencyCode="???"),
        an_order_node(11, updatedAt=None),
    ]

    announced = record_order_nodes(session, shop_id, [*broken, an_order_node(1)])

    assert announced == [Announcement("order_recorded", 1)]


def test_gift_cards_and_selling_plans_are_remembered_when_a_webhook_is_silent_about_them(session, shop_id):
    record_product_nodes(session, shop_id, [a_product_node(isGiftCard=True, requiresSellingPlan=True)])
    intake.record_product(session, a_delivery(shop_id, "products/update", a_product(updated_at=at(5))))

    product = store.products_by_id(session, shop_id, [1011])[1011]
    assert (product.is_gift_card, product.requires_selling_plan) == (True, True)


def test_more_orders_than_can_be_held_one_by_one_are_recorded(session, shop_id):
    nodes = [an_order_node(number, refunds=[]) for number in range(1, 151)]

    assert len(record_order_nodes(session, shop_id, nodes)) == 150
    assert store.newest_order_version(session, shop_id) == ORDERED_AT
