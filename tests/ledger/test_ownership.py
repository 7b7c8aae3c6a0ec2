"""What a customer owns, and how products fare, read by key."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import text

from shopify_upsell.core import CustomerId, ProductId
from shopify_upsell.database import bind_shop, is_postgresql
from shopify_upsell.ledger.delivered import UsualDelivery
from shopify_upsell.ledger.delivery import put_experience, read_experience
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow, put_usual_delivery
from shopify_upsell.ledger.ownership import MOST_ORDERS, owned_statement, poor_products, put_ratings
from shopify_upsell.ledger.store import OwnedProduct, ProductHealth, owned_products, product_health
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, RefundLineRow, RefundRow

DAY = timedelta(days=1)
ANN, BEN = CustomerId(9), CustomerId(10)
SERUM, CREAM, SOAP = (ProductId(number) for number in (1, 2, 3))
YEAR_AGO = NOW - 365 * DAY


def add_order(session, shop_id, order_id, days_ago, products, customer=ANN, **given):
    """Store an order; `products` are (product, quantity, quantity left)."""
    order = {
        "shop_id": shop_id, "order_id": order_id, "ordered_at": NOW - days_ago * DAY, "is_booked": True,
        "financial_status": "paid", "currency": "USD", "presentment_currency": "USD", "customer_id": customer,
        "version_at": NOW, "version_triggered_at": NOW, "version_digest": "d",
    }  # fmt: skip
    session.add(OrderRow(**order | given))
    money = dict.fromkeys(("unit_price", "gross", "discount", "tax"), 0)
    for place, (product, quantity, left) in enumerate(products, 1):
        key = {"shop_id": shop_id, "order_id": order_id, "line_id": order_id * 100 + place, "position": place}
        amounts = {f"{name}_minor_units": amount for name, amount in money.items()}
        session.add(OrderLineRow(**key, product_id=product, quantity=quantity, net_quantity=left, **amounts))
    session.flush()


def test_owned_products_are_those_kept_with_their_last_order_and_its_arrival(session, shop_id):
    put_usual_delivery(session, shop_id, UsualDelivery(DAY, 2 * DAY, 3 * DAY, 30, False))
    add_order(session, shop_id, 1, 90, [(SERUM, 1, 1), (CREAM, 1, 1)])
    add_order(session, shop_id, 2, 30, [(SERUM, 3, 2), (SOAP, 1, 0)])
    session.add(OrderDeliveryRow(shop_id=shop_id, order_id=2, shipped_at=NOW - 29 * DAY, delivered_at=NOW - 25 * DAY))
    add_order(session, shop_id, 3, 20, [(SOAP, 1, 1)], customer=BEN)
    add_order(session, shop_id, 4, 10, [(SOAP, 1, 1)], is_booked=False)
    add_order(session, shop_id, 5, 400, [(SOAP, 1, 1)])
    other = add_shop(session, "three.myshopify.com")
    add_order(session, other, 6, 10, [(SOAP, 1, 1)])

    assert owned_products(session, shop_id, ANN, since=YEAR_AGO) == {
        SERUM: OwnedProduct(SERUM, 2, 2, NOW - 30 * DAY, NOW - 25 * DAY, False, 60.0),
        CREAM: OwnedProduct(CREAM, 1, 1, NOW - 90 * DAY, NOW - 87 * DAY, True),
    }


def test_owned_products_may_be_asked_for_by_name(session, shop_id):
    add_order(session, shop_id, 1, 90, [(SERUM, 1, 1), (CREAM, 1, 1)])

    assert set(owned_products(session, shop_id, ANN, [CREAM, SOAP], since=YEAR_AGO)) == {CREAM}
    assert owned_products(session, shop_id, ANN, [], since=YEAR_AGO) == {}
    assert owned_products(session, shop_id, BEN, [CREAM], since=YEAR_AGO) == {}


def test_the_newest_orders_of_a_heavy_buyer_are_looked_at_and_no_more(session, shop_id):
    for number in range(MOST_ORDERS + 5):
        add_order(session, shop_id, number + 1, number + 1, [(SOAP, 1, 1)])
    add_order(session, shop_id, 900, 200, [(SERUM, 1, 1)])

    owned = owned_products(session, shop_id, ANN, since=YEAR_AGO)

    assert owned[SOAP].order_count == MOST_ORDERS
    assert SERUM not in owned


def add_history(session, shop_id, count):
    """`count` orders of as many customers, one line each, of two products."""
    add_order(session, shop_id, 10, 90, [(SERUM, 1, 1)], customer=BEN)
    for table in (OrderRow, OrderLineRow):
        given = {"order_id": "n", "line_id": "n", "customer_id": "n", "product_id": "1 + n % 2"}
        columns = [column.name for column in table.__table__.columns]
        copied = ", ".join(given.get(name, name) for name in columns)
        session.execute(text(
            f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) SELECT {copied} "
            f"FROM {table.__tablename__}, generate_series(10000, {9_999 + count}) n "
            f"WHERE shop_id = {shop_id} AND order_id = 10"
        ))  # fmt: skip


def test_the_query_finds_orders_by_customer_and_lines_by_order(session, shop_id):
    add_order(session, shop_id, 1, 90, [(SERUM, 1, 1)])
    wanted = {"shop": shop_id, "customer": ANN, "since": YEAR_AGO}
    statement = owned_statement().params(**wanted)
    sql = str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
    if is_postgresql(session):
        # On a few rows every way is as good to its planner, so it gets many, and counts them.
        add_history(session, shop_id, 3_000)
        session.execute(text("ANALYZE sales_order, order_line, order_delivery"))
    explain = "EXPLAIN " if is_postgresql(session) else "EXPLAIN QUERY PLAN "
    plan = "\n".join(str(row) for row in session.execute(text(explain + sql.replace(":", "\\:"))))

    assert "ix_order_line_product" not in plan
    if is_postgresql(session):
        assert "ix_sales_order_customer_time" in plan
        assert "using pk_order_line on order_line" in plan
    else:
        assert "ix_sales_order_customer_time (shop_id=? AND customer_id=? AND ordered_at>?)" in plan
        assert "sqlite_autoindex_order_line_1 (shop_id=? AND order_id=?)" in plan


def refund(session, shop_id, refund_id, order_id, line_id, quantity):
    session.add(RefundRow(shop_id=shop_id, refund_id=refund_id, order_id=order_id, refunded_at=NOW, content_digest="d"))
    row = {"quantity": quantity, "subtotal": "0", "tax": "0"}
    session.add(RefundLineRow(shop_id=shop_id, refund_id=refund_id, line_id=line_id, **row))
    session.flush()


def test_health_counts_a_years_pieces_and_what_came_back_and_keeps_ratings(session, shop_id):
    for number in range(1, 9):
        add_order(session, shop_id, number, number, [(SERUM, 2, 2), (CREAM, 1, 1)], customer=None)
    for number in (1, 2):
        refund(session, shop_id, number, number, number * 100 + 1, 2)
    add_order(session, shop_id, 20, 500, [(SERUM, 50, 50)])
    add_order(session, shop_id, 21, 5, [(SERUM, 50, 50)], is_booked=False)
    put_ratings(session, shop_id, {SOAP: (2.5, 12), SERUM: (4.5, 3)})

    put_experience(session, shop_id, read_experience(session, shop_id, NOW))

    health = product_health(session, shop_id, [SERUM, CREAM, SOAP, ProductId(99)])
    assert health == {
        SERUM: ProductHealth(16, 4, 4.5, 3), CREAM: ProductHealth(8, 0, None, 0), SOAP: ProductHealth(0, 0, 2.5, 12)
    }  # fmt: skip
    assert (health[SERUM].refund_rate, health[SOAP].refund_rate) == (0.25, 0.0)
    assert set(poor_products(session, shop_id, refund_rate=0.2, fewest_sold=10)) == {SERUM}
    assert poor_products(session, shop_id, refund_rate=0.2, fewest_sold=17) == {}


def test_health_of_another_shop_is_not_touched(session, shop_id):
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    put_ratings(session, other, {SOAP: (5.0, 1)})
    bind_shop(session, shop_id)

    put_experience(session, shop_id, read_experience(session, shop_id, NOW))

    assert product_health(session, shop_id, [SOAP]) == {}
    assert product_health(session, other, [SOAP]) == {SOAP: ProductHealth(0, 0, 5.0, 1)}


@pytest.mark.parametrize("stars", [4.0, 2.0])
def test_the_newest_rating_is_kept(session, shop_id, stars):
    put_ratings(session, shop_id, {SOAP: (5.0, 1)})
    put_ratings(session, shop_id, {SOAP: (stars, 2)})

    assert product_health(session, shop_id, [SOAP]) == {SOAP: ProductHealth(0, 0, stars, 2)}
