import json

import numpy as np
import pytest
from builders_moments import units
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.experiments.moments import (
    COLUMNS,
    NO_UNITS,
    PAIRS,
    Moments,
    UnitTotals,
    moments_from_json,
    of_unit,
    of_units,
)


def test_moments_of_two_units_are_the_sums_and_products_of_their_columns():
    first = UnitTotals(y=500, d=2, x=300, w=1, has_history=True, is_converter=True)
    second = UnitTotals(y=-100, d=1)

    moments = of_units([first, second])

    assert (moments.n, moments.converters, moments.sums) == (2, 1, (400, 3, 300, 1, 1))
    assert moments.cross("y", "y") == 260_000
    assert moments.cross("y", "d") == moments.cross("d", "y") == 900
    assert moments.cross("y", "x") == 150_000
    assert moments.cross("w", "h") == 1
    assert moments.centred("y", "d") == 2 * 900 - 400 * 3


@given(st.lists(units(), max_size=12))
def test_every_sum_and_product_equals_the_one_computed_from_raw_units(rows):
    moments = of_units(rows)

    raw = np.array([row.row for row in rows], dtype=object).reshape(len(rows), len(COLUMNS))
    products = raw.T @ raw if rows else np.zeros((len(COLUMNS),) * 2, dtype=object)
    assert moments.n == len(rows)
    assert moments.sums == tuple(sum(raw[:, column]) for column in range(len(COLUMNS)))
    assert moments.crosses == tuple(products[a, b] for a, b in PAIRS)


@given(st.lists(units(), max_size=6), st.lists(units(), max_size=6))
def test_merging_and_subtracting_lose_nothing(left, right):
    merged = of_units(left) + of_units(right)

    assert merged == of_units([*left, *right])
    assert merged - of_units(right) == of_units(left)


@given(st.lists(units(), min_size=1, max_size=6), units())
def test_a_unit_that_changes_leaves_the_moments_of_what_it_is_now(before, after):
    moments = of_units(before).with_change(before[-1], after)

    assert moments == of_units([*before[:-1], after])


def test_any_order_of_changes_comes_to_the_same_moments():
    path = [UnitTotals(), UnitTotals(y=900, d=1, is_converter=True), UnitTotals(y=0, d=1, is_converter=True)]
    there = NO_UNITS.with_unit(path[0]).with_change(path[0], path[1]).with_change(path[1], path[2])

    assert there == NO_UNITS.with_unit(path[2])


def test_sums_beyond_the_precision_of_floats_stay_exact():
    huge = UnitTotals(y=10**12 + 1, d=1)

    assert (of_unit(huge) + of_unit(UnitTotals())).cross("y", "y") == 10**24 + 2 * 10**12 + 1


@given(st.lists(units(most=10**14), max_size=4))
def test_moments_survive_json(rows):
    moments = of_units(rows)

    assert moments_from_json(json.loads(json.dumps(moments.as_json()))) == moments


@pytest.mark.parametrize(
    "change",
    [{"n": None}, {"n": 1.0}, {"converters": True}, {"sums": [1]}, {"crosses": [0.5] * 15}, {"sums": "12345"}],
)
def test_json_that_is_not_moments_is_refused(change):
    with pytest.raises(ValueError):
        moments_from_json({**Moments().as_json(), **change})


def test_a_unit_without_history_cannot_have_a_past():
    with pytest.raises(ValueError):
        UnitTotals(y=5, x=5)
