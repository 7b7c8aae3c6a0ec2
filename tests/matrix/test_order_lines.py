from __future__ import annotations

import numpy as np
import pytest

from shopify_upsell.matrix import OrderLines
from shopify_upsell.matrix.products import align_products, products_from_table

ONE = np.ones(1, dtype=np.int64)


def test_columns_of_different_length_are_refused_by_name():
    with pytest.raises(ValueError, match="product_id has 2 entries"):
        OrderLines(ONE, ONE, ONE, np.ones(2, dtype=np.int64), ONE, ONE)


def test_prices_with_fractions_are_refused_because_money_is_minor_units():
    with pytest.raises(ValueError, match="unit_price must hold integers"):
        OrderLines(ONE, ONE, ONE, ONE, ONE, np.array([9.99]))


def test_a_two_dimensional_column_is_refused():
    with pytest.raises(ValueError, match="ordered_at must be 1-d"):
        OrderLines(ONE, ONE, np.ones((1, 1), dtype=np.int64), ONE, ONE, ONE)


def test_a_customer_below_guest_is_refused():
    with pytest.raises(ValueError, match="customer_id must be at least -1"):
        OrderLines(ONE, -2 * ONE, ONE, ONE, ONE, ONE)


def test_products_that_the_catalogue_does_not_name_are_available_and_without_price():
    products = align_products(products_from_table({"id": [5], "price": [100]}), np.array([4, 5]))

    assert products.available.tolist() == [True, True]
    assert products.price.tolist() == [-1, 100]


def test_a_catalogue_that_repeats_an_id_is_refused():
    with pytest.raises(ValueError, match="repeat"):
        products_from_table({"id": [5, 5]})
