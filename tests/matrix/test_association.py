"""What goes with what: planted pairs are found, accidents and bestsellers are not, and counting is exact."""

import random

import pytest

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.association import LARGEST_BASKET, MOST_COMPANIONS, learn_companions

KIT, WINE, SALT, BESTSELLER = (ProductId(number) for number in (1, 2, 3, 100))
OTHERS = [ProductId(number) for number in range(10, 50)]


def baskets_of(*rows: tuple[int, tuple[int, ...]]) -> list[frozenset[ProductId]]:
    """Baskets written as (how many, products)."""
    return [frozenset(ProductId(product) for product in products) for count, products in rows for _ in range(count)]


def a_shop(seed: int, orders: int = 3000, *, planted: bool = True) -> list[frozenset[ProductId]]:
    """Random baskets of a few products, half of them with the bestseller, and 60 kits that go with wine."""
    source = random.Random(seed)
    baskets = []
    for number in range(orders):
        products = set(source.sample(OTHERS, source.choice([1, 1, 2, 3])))
        if source.random() < 0.5:
            products.add(BESTSELLER)
        if planted and number % 50 == 0:
            products |= {KIT, WINE}
        elif planted and number % 50 == 1:
            products.add(source.choice([KIT, WINE]))
        baskets.append(frozenset(products))
    return baskets


def companion_ids(baskets, anchor):
    return [companion.product_id for companion in learn_companions(baskets).companions.get(anchor, ())]


def test_counts_and_ratios_are_those_of_the_glossary():
    baskets = baskets_of((8, (1, 2)), (2, (1,)), (6, (2, 3)), (24, (4,)))

    found = learn_companions(baskets)

    (wine,) = found.companions[KIT]
    assert (wine.product_id, wine.pair_count, wine.anchor_count, wine.companion_count) == (WINE, 8, 10, 14)
    assert wine.basket_count == found.basket_count == 40
    assert wine.support == 8 / 40
    assert wine.confidence == 8 / 10
    assert wine.association_lift == pytest.approx((8 / 10) / (14 / 40), rel=1e-15)


def test_a_pair_has_a_direction():
    found = learn_companions(baskets_of((8, (1, 2)), (2, (1,)), (12, (2,)), (40, (4,))))

    kit_to_wine, wine_to_kit = found.companions[KIT][0], found.companions[WINE][0]

    assert kit_to_wine.confidence == 8 / 10
    assert wine_to_kit.confidence == 8 / 20
    assert kit_to_wine.association_lift == wine_to_kit.association_lift


@pytest.mark.parametrize("seed", range(5))
def test_planted_pair_is_found_both_ways_and_first(seed):
    baskets = a_shop(seed)

    assert companion_ids(baskets, KIT)[0] == WINE
    assert companion_ids(baskets, WINE)[0] == KIT


@pytest.mark.parametrize("seed", range(5))
def test_bestseller_that_sells_everywhere_is_nobodys_companion(seed):
    found = learn_companions(a_shop(seed))

    assert not [anchor for anchor, row in found.companions.items() if BESTSELLER in {one.product_id for one in row}]
    assert BESTSELLER not in found.companions


def test_shop_where_nothing_goes_with_anything_learns_next_to_nothing():
    pairs = [learn_companions(a_shop(seed, planted=False)).pair_count for seed in range(10)]

    assert sum(count > 0 for count in pairs) <= 2


def test_a_few_huge_orders_do_not_make_everything_go_with_everything():
    source = random.Random(3)
    singles = [frozenset([source.choice(OTHERS)]) for _ in range(2000)]
    wholesale = [frozenset(source.sample(OTHERS, 30)) for _ in range(20)]

    assert learn_companions(singles + wholesale).pair_count <= 2


def test_what_met_once_is_an_anecdote():
    found = learn_companions(baskets_of((1, (1, 2)), (500, (4,)), (500, (5,))))

    assert found.pair_count == 0


def test_products_that_avoid_each_other_are_no_companions():
    found = learn_companions(baskets_of((3, (1, 2)), (50, (1,)), (50, (2,)), (10, (3,))))

    assert found.pair_count == 0


def test_few_orders_rank_below_many_at_the_same_cosine():
    baskets = baskets_of((4, (1, 2)), (4, (1, 3, 5)), (36, (3, 5)), (200, (7, 8)), (800, (9,)))

    found = learn_companions(baskets)

    assert found.companions[ProductId(7)][0].score > found.companions[KIT][0].score


@pytest.mark.parametrize("seed", range(8))
def test_order_of_the_baskets_changes_nothing(seed):
    source = random.Random(seed)
    baskets = a_shop(7, orders=600)
    shuffled = [frozenset(source.sample(sorted(basket), len(basket))) for basket in baskets]
    source.shuffle(shuffled)

    assert learn_companions(shuffled) == learn_companions(baskets)


def test_ties_go_to_the_smaller_product_id():
    baskets = baskets_of((10, (1, 9, 5, 7)), (90, (4,)))

    assert companion_ids(baskets, KIT) == [5, 7, 9]


def test_empty_baskets_are_not_orders():
    with_empty = learn_companions([frozenset(), *baskets_of((8, (1, 2)), (40, (4,)))])

    assert with_empty.basket_count == 48


def test_nothing_sold_is_nothing_learned():
    assert learn_companions([]).pair_count == 0
    assert learn_companions([frozenset()]).companions == {}
    assert learn_companions(baskets_of((1, (1,)))).companions == {}


def test_baskets_are_counted_up_to_a_hundred_products():
    huge = frozenset(ProductId(number) for number in range(1, 1001))
    found = learn_companions([huge, huge, *baskets_of((1, (2000,)))])

    assert found.product_count == LARGEST_BASKET + 1


def test_a_product_keeps_its_fifty_best():
    crowd = tuple(range(1, 71))
    found = learn_companions(baskets_of((20, crowd), (2000, (500,)), (2000, (501,))))

    assert all(len(row) <= MOST_COMPANIONS for row in found.companions.values())


def test_scores_are_rates():
    found = learn_companions(a_shop(1))

    assert all(0 < one.score <= 1 for row in found.companions.values() for one in row)
