"""Builders for small shops; each takes only what the test is about."""

from __future__ import annotations

import numpy as np

from shopify_upsell.matrix import OrderLines, Products
from shopify_upsell.matrix.products import products_from_table

DAY = 86_400
NOW = 400 * DAY


def a_shop(*, seed: int = 0, customers: int = 60, products: int = 12, orders_each: int = 4) -> OrderLines:
    """Give random order lines of a shop with repeat customers and some guests."""
    random = np.random.default_rng(seed)
    rows = []
    for order in range(customers * orders_each):
        customer = int(random.integers(-1, customers))
        moment = int(random.integers(0, NOW))
        basket = random.choice(products, size=int(random.integers(1, 5)), replace=False)
        rows += [(order, customer, moment, int(product) * 7 + 3) for product in basket]
    return lines_from(rows)


def lines_from(rows: list[tuple[int, int, int, int]]) -> OrderLines:
    """Give lines from (order, customer, unix seconds, product) rows."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    ones = np.ones(len(table), dtype=np.int64)
    return OrderLines(table[:, 0], table[:, 1], table[:, 2], table[:, 3], ones, 1_000 * ones)


def a_catalogue(*, products: int = 12, price_factor: int = 1, unavailable: tuple[int, ...] = ()) -> Products:
    """Give a catalogue for `a_shop`; the margin is 300 whatever the price."""
    ids = np.arange(products) * 7 + 3
    price = (1_000 + 100 * np.arange(products)) * price_factor
    return products_from_table(
        {
            "id": ids,
            "title": [f"Tea {place} {50 * (place + 1)} g" for place in range(products)],
            "subcategory": ["Green" if place % 2 else "Black" for place in range(products)],
            "brand": [f"Estate {place % 3}" for place in range(products)],
            "family": [f"Tea {place // 3}" for place in range(products)],
            "price": price,
            "cost": price - 300,
            "available": [int(product_id) not in unavailable for product_id in ids],
        }
    )
