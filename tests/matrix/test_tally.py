"""Counts kept order by order teach what the baskets teach, and say which pairs keep apart."""

import random

import numpy as np
import pytest
from builders_offers import BOOTS, BRUSH, LACES, SOCKS, WAX

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.apart import pairs_apart
from shopify_upsell.matrix.association import companions_from_tally, learn_companions
from shopify_upsell.matrix.tally import tally_of


def counted(baskets):
    """Count baskets in plain Python."""
    products, pairs = {}, {}
    for basket in baskets:
        for product in basket:
            products[product] = products.get(product, 0) + 1
            for other in basket:
                if product < other:
                    pairs[product, other] = pairs.get((product, other), 0) + 1
    first, second = (np.array([pair[end] for pair in pairs], dtype=np.int64) for end in (0, 1))
    return tally_of(len(baskets), products, first, second, np.array(list(pairs.values()), dtype=np.int64))


def baskets_of(*counts):
    return [frozenset(ProductId(one) for one in products) for number, products in counts for _ in range(number)]


@pytest.mark.parametrize("seed", range(5))
def test_counts_teach_what_the_baskets_teach(seed):
    source = random.Random(seed)
    crowd = [ProductId(2**40 + number) for number in range(30)]
    baskets = [frozenset(source.sample(crowd, source.randint(1, 5))) for _ in range(400)]
    baskets += [frozenset(crowd[:2])] * 40

    found = learn_companions(baskets)

    assert companions_from_tally(counted(baskets)) == found
    assert found.pair_count > 0


def test_no_orders_teach_nothing():
    empty = counted([])

    assert companions_from_tally(empty) == learn_companions([])
    assert pairs_apart(empty) == []
    assert empty.met(BOOTS, np.array([SOCKS])).tolist() == [0]


def test_counts_are_found_by_id_in_both_directions():
    tally = counted(baskets_of((3, (BOOTS, SOCKS)), (2, (BOOTS, WAX))))

    assert (tally.sold(BOOTS), tally.sold(LACES)) == (5, 0)
    assert tally.met(BOOTS, np.array([SOCKS, WAX, LACES, 0])).tolist() == [3, 2, 0, 0]
    assert tally.met(WAX, np.array([BOOTS, SOCKS])).tolist() == [2, 0]
    assert tally.met(LACES, np.array([BOOTS])).tolist() == [0]
    (socks, laces) = tally.companions(BOOTS, [SOCKS, LACES], [0.5, 0.25])
    assert (socks.pair_count, socks.anchor_count, socks.companion_count, socks.basket_count) == (3, 5, 3, 5)
    assert (laces.pair_count, laces.companion_count, laces.score) == (0, 0, 0.25)


def test_pair_counted_between_two_looks_is_cut_to_what_its_products_bear_out():
    columns = (np.array([1, 1]), np.array([2, 9]), np.array([7, 1]))

    tally = tally_of(10, {1: 5, 2: 6}, *columns)

    assert tally.met(1, np.array([2, 9])).tolist() == [5, 0]


def test_products_that_should_have_met_and_did_not_keep_apart_in_both_directions():
    tally = counted(baskets_of((40, (BOOTS, BRUSH)), (40, (SOCKS, BRUSH)), (20, (WAX, LACES)), (1, (BOOTS, WAX))))

    words = {word.pair: word for word in pairs_apart(tally)}

    assert {(BOOTS, SOCKS), (SOCKS, BOOTS)} <= set(words)
    word = words[BOOTS, SOCKS]
    assert (word.observed, word.n, word.reason, word.review_at) == (0.0, 41, "apart", None)
    # 41 · 40 / 101 were they independent; but baskets of two hold a third fewer pairs than independence would make.
    assert word.expected == pytest.approx(10.94, abs=0.01)
    assert word.upper_bound < 0.5
    assert (BOOTS, BRUSH) not in words
    assert all(word.upper_bound < 1 for word in words.values())


def test_too_few_orders_prove_nothing():
    assert pairs_apart(counted(baskets_of((5, (BOOTS,)), (5, (SOCKS,)), (5, (BRUSH, WAX))))) == []
