"""Cohort shares equal plain SQL written apart from them."""

from datetime import timedelta

import numpy as np
import pytest
from builders_database import NOW, add_shop
from sqlalchemy import text

from shopify_upsell.database import is_postgresql
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow
from shopify_upsell.matrix.cohorts import shares_of_products, wilson_interval
from shopify_upsell.matrix.upkeep import shop_lines

SQL = """
WITH first AS (
  SELECT o.customer_id, l.product_id, MIN(o.ordered_at) AS at
  FROM sales_order o JOIN order_line l ON l.shop_id = o.shop_id AND l.order_id = o.order_id
  WHERE o.shop_id = :shop AND o.is_booked AND o.customer_id IS NOT NULL AND l.net_quantity > 0
  GROUP BY o.customer_id, l.product_id
)
SELECT COUNT(*), COUNT(CASE WHEN {days} <= :tenure THEN 1 END)
FROM first a LEFT JOIN first b ON b.customer_id = a.customer_id AND b.product_id = :target
WHERE a.product_id = :anchor AND (b.at IS NULL OR b.at > a.at) AND {watched} >= :tenure
"""


@pytest.fixture
def sold(session, shop_id):
    random = np.random.default_rng(3)
    for shop in (shop_id, add_shop(session, "two.myshopify.com")):
        for order in range(1, 900):
            row = {
                "shop_id": shop, "order_id": order + shop * 10_000, "is_booked": bool(random.random() < 0.9),
                "ordered_at": NOW - timedelta(hours=int(random.integers(0, 400 * 24))), "financial_status": "paid",
                "currency": "USD", "presentment_currency": "USD", "version_at": NOW, "version_triggered_at": NOW,
                "version_digest": "d", "customer_id": int(random.integers(1, 200)) if random.random() < 0.8 else None,
            }  # fmt: skip
            session.add(OrderRow(**row))
            for place, product in enumerate(random.choice(4, size=int(random.integers(1, 3)), replace=False), 1):
                zero = dict.fromkeys(("unit_price", "gross", "discount", "tax"), 0)
                amounts = {f"{name}_minor_units": value for name, value in zero.items()}
                kept = int(random.random() < 0.95)
                key = {"shop_id": shop, "order_id": row["order_id"], "line_id": place, "position": place}
                session.add(OrderLineRow(**key, product_id=int(product) + 1, quantity=1, net_quantity=kept, **amounts))
    session.flush()
    return session, shop_id


def test_counts_of_every_tenure_equal_independent_sql(sold):
    session, shop_id = sold
    lines = shop_lines(session, shop_id, NOW)
    if is_postgresql(session):
        days = "EXTRACT(EPOCH FROM b.at - a.at) / 86400"
        watched = "EXTRACT(EPOCH FROM CAST(:now AS timestamptz) - a.at) / 86400"
    else:
        days, watched = (
            "ROUND((julianday(b.at) - julianday(a.at)) * 24) / 24",
            "ROUND((julianday(:now) - julianday(a.at)) * 24) / 24",
        )
    now = NOW.isoformat() if is_postgresql(session) else NOW.strftime("%Y-%m-%d %H:%M:%S")

    for anchor, target in ((1, 2), (2, 1), (3, 4)):
        shares = shares_of_products(lines, anchor, target, now=int(NOW.timestamp()))
        assert [one.tenure_days for one in shares] == [30, 60, 90, 180, 270, 365]
        for one in shares:
            asked = {"shop": shop_id, "tenure": one.tenure_days, "target": target, "anchor": anchor, "now": now}
            counted = session.execute(text(SQL.format(days=days, watched=watched)), asked).one()
            assert (one.customer_count, one.bought_count) == tuple(counted)
            assert (one.low, one.high) == wilson_interval(*reversed(counted))


def test_a_product_that_never_sold_has_no_cohort(sold):
    session, shop_id = sold

    assert shares_of_products(shop_lines(session, shop_id, NOW), 1, 99, now=int(NOW.timestamp())) == []
