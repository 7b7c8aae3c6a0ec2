"""Where a shop stands before any offer is live, against the same numbers worked out by hand."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import book_order
from builders_offers import BOOTS, SOCKS, WAX, add_order
from sqlalchemy import update

from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.matrix.recording import count_orders
from shopify_upsell.reports.baseline import AttachRate, read_baseline


def test_customers_order_value_repeat_rate_and_expansion_are_those_counted_by_hand(session, shop_id):
    days = [NOW + timedelta(days=n) for n in range(6)]
    book_order(session, shop_id, 1, 10_000, days[1], customer=5)
    book_order(session, shop_id, 2, 4_000, days[0], customer=5)
    book_order(session, shop_id, 3, 6_000, days[2], customer=6)
    book_order(session, shop_id, 4, 2_000, days[3])
    book_order(session, shop_id, 5, 0, days[4], customer=7, refunded=3_000)
    book_order(session, shop_id, 6, 9_999, days[5], customer=8)
    cancelled = update(OrderRow).where(OrderRow.shop_id == shop_id, OrderRow.order_id == 6)
    session.execute(cancelled.values(is_booked=False))
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    book_order(session, other, 7, 50_000, NOW, customer=5)
    bind_shop(session, shop_id)

    found = read_baseline(session, shop_id)

    assert (found.customers, found.orders, found.net_minor_units) == (3, 5, 22_000)
    assert found.average_order_minor_units == 4_400
    assert found.items_per_order == 4 / 5
    assert found.repeat_rate == pytest.approx(1 / 3)
    # Customer 5 began with 40.00 and came again for 100.00.
    assert (found.expansion_minor_units, found.expansion_share) == (10_000, 0.5)


def test_attach_rates_are_of_orders_with_the_rarer_product_and_only_where_there_are_enough(session, shop_id):
    for order_id in range(1, 31):
        add_order(session, shop_id, order_id, BOOTS, *((SOCKS,) if order_id <= 24 else ()))
    for order_id in range(31, 41):
        add_order(session, shop_id, order_id, BOOTS, WAX)
    count_orders(session, shop_id, range(1, 41))

    assert read_baseline(session, shop_id).attach_rates == (AttachRate(SOCKS, BOOTS, 1.0, 24),)


def test_an_empty_shop_divides_by_nothing(session, shop_id):
    found = read_baseline(session, shop_id)

    assert (found.customers, found.orders, found.repeat_rate, found.expansion_share) == (0, 0, None, None)
    assert found.to_json()["attach_rates"] == []
