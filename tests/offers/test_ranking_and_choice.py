"""Ranking knows association and nothing else; choosing shows no product and no offer twice."""

from itertools import permutations

import pytest
from builders_offers import BOOTS, BRUSH, LACES, SOCKS, WAX, a_candidate, an_offer

from shopify_upsell.offers.choice import LIMITS, choose, limit_of
from shopify_upsell.offers.ranking import rank


def products_of(candidates):
    return [tuple(item.product_id for item in candidate.items) for candidate in candidates]


def test_higher_score_goes_first():
    low, high = a_candidate(SOCKS, score=0.1), a_candidate(WAX, score=0.2)

    assert rank([low, high]) == [high, low]


def test_ties_are_broken_the_same_way_for_every_input_order():
    tied = [
        a_candidate(WAX),
        a_candidate(SOCKS),
        a_candidate(LACES, position=1),
        a_candidate(LACES, offer=an_offer(2)),
        a_candidate(BOOTS, BRUSH),
    ]

    orders = {tuple(products_of(rank(shuffled))) for shuffled in permutations(tied)}

    assert orders == {((SOCKS,), (WAX,), (LACES,), (LACES,), (BOOTS, BRUSH))}


def test_one_offer_gets_one_card():
    best, second = a_candidate(SOCKS, score=0.3), a_candidate(WAX, score=0.2)

    chosen, rejections = choose([best, second], 3)

    assert chosen == [best]
    assert [(one.code, one.product_id, one.detail["score"]) for one in rejections] == [("outranked", WAX, 0.2)]


def test_no_product_is_shown_twice():
    cross_sell = a_candidate(SOCKS, offer=an_offer(1))
    same, other = (a_candidate(BOOTS, product, offer=an_offer(2, "bundle")) for product in (SOCKS, WAX))

    chosen, rejections = choose([cross_sell, same, other], 3)

    assert products_of(chosen) == [(SOCKS,), (BOOTS, WAX)]
    assert [one.code for one in rejections] == ["repeats_product"]


def test_limit_is_reached_and_said():
    candidates = [a_candidate(product, offer=an_offer(product)) for product in (SOCKS, WAX, LACES)]

    chosen, rejections = choose(candidates, 2)

    assert products_of(chosen) == [(SOCKS,), (WAX,)]
    assert [(one.code, one.offer_id) for one in rejections] == [("limit_reached", LACES)]


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_every_candidate_is_either_chosen_or_rejected(limit):
    candidates = [a_candidate(product, offer=an_offer(product % 2)) for product in (SOCKS, WAX, LACES, BRUSH)]

    chosen, rejections = choose(candidates, limit)

    assert len(chosen) + len(rejections) == 4
    assert len(chosen) <= limit


def test_placement_bounds_what_a_surface_may_ask_for():
    assert LIMITS["post_purchase/offer"] == 2
    assert limit_of("theme/product_page", 6) == 3
    assert limit_of("post_purchase/offer", 6) == 2
    assert limit_of("theme/product_page", 1) == 1
    assert limit_of("theme/somewhere_new", 6) == 1
    assert limit_of("theme/product_page", -1) == 0
