"""How long a piece lasts: planted rhythms are found again, and prompts come when the supply runs out."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from builders_database import NOW as TODAY
from builders_database import add_shop
from builders_matrix import DAY, NOW
from builders_offers import WAX, a_product, a_snapshot, an_offer

from shopify_upsell.core import OrderId, ProductId
from shopify_upsell.ledger.delivered import UsualDelivery
from shopify_upsell.ledger.owned import OwnedLine, owned_from
from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.replenishment import learn_replenishment
from shopify_upsell.matrix.supply import gaps_of, learn_supply
from shopify_upsell.matrix.supply_store import ProductSupplyRow, put_supply, supply_of
from shopify_upsell.matrix.upkeep import learn_shop
from shopify_upsell.offers.kinds.replenish import propose
from shopify_upsell.offers.supply import supply_days_for

FILTERS, SHIRT, BEANS = (ProductId(number) for number in (WAX, 8, 9))
DAYS = timedelta(days=1)


def bought(*rows):
    """Lines of (customer, day, product, pieces); every row is an order of its own."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    numbers = np.arange(len(table))
    return OrderLines(numbers, table[:, 0], table[:, 1] * DAY, table[:, 2], table[:, 3], 1000 + numbers)


def a_rhythm(product, days, *, customers=20, pieces=1, spread=2, seed=1):
    """Customers who come back three times, each time when their pieces are used up, a little early or late."""
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        day = float(random.integers(0, 20))
        for _ in range(4):
            rows.append((customer + 1000 * product, int(day), product, pieces))
            day += days * pieces + random.normal(0, spread)
    return rows


def supply(*rows):
    lines = bought(*rows)
    baskets = baskets_from_lines(lines, now=NOW)
    return learn_supply(lines, baskets.product_ids, learn_replenishment(baskets), now=NOW)


def test_a_planted_supply_of_thirty_days_is_found_however_many_pieces_are_bought_at_once():
    alone = supply(*a_rhythm(FILTERS, 30))
    threes = supply(*a_rhythm(FILTERS, 30, pieces=3))

    assert alone[FILTERS] == pytest.approx(30, abs=1)
    assert threes[FILTERS] == pytest.approx(30, abs=1)


def test_what_is_hardly_bought_again_has_no_supply():
    once = [(customer, 5, SHIRT, 1) for customer in range(5000, 5100)]
    again = [(customer, 60, SHIRT, 1) for customer in range(5000, 5012)]

    assert set(supply(*a_rhythm(FILTERS, 30), *once, *again)) == {FILTERS}
    assert supply() == {}
    assert supply((1, 0, BEANS, 1), (1, 30, BEANS, 1)) == {}


def test_guests_and_the_future_have_no_gaps_and_a_forgotten_item_adds_its_pieces():
    lines = bought((-1, 0, 1, 1), (-1, 30, 1, 1), (7, 0, 1, 1), (7, 0, 1, 2), (7, 30, 1, 1), (7, 500, 1, 1))

    gaps = gaps_of(lines, now=NOW)

    assert gaps.product_id.tolist() == [1]
    assert gaps.days_a_piece.tolist() == [10.0]


def test_few_gaps_say_little_beside_the_norm_of_the_shop():
    usual = supply(*a_rhythm(FILTERS, 30, customers=100))
    mixed = supply(*a_rhythm(FILTERS, 30, customers=100), *a_rhythm(BEANS, 90, customers=3))

    assert usual[FILTERS] == pytest.approx(30, abs=1)
    assert 40 < mixed[BEANS] < 60


def test_the_lines_in_any_order_give_the_same_days():
    rows = [*a_rhythm(FILTERS, 30), *a_rhythm(BEANS, 45)]
    shuffled = np.random.default_rng(3).permutation(np.array(rows)).tolist()

    assert supply(*map(tuple, shuffled)) == supply(*rows)


def owned(*orders):
    """What somebody owns who bought pieces so many days ago: (days, pieces). Delivered at once."""
    lines = [
        OwnedLine(FILTERS, OrderId(number), TODAY - days * DAYS, pieces, None, TODAY - days * DAYS)
        for number, (days, pieces) in enumerate(orders, 1)
    ]
    return owned_from(lines, UsualDelivery(DAYS, DAYS, DAYS, 1, False))[FILTERS]


def prompt_days(held, supply_days=30.0):
    """Days after the delivery at which the reminder begins."""
    snapshot = a_snapshot(products=(a_product(FILTERS, supply_days=supply_days),))
    (candidate,) = propose(an_offer(kind="replenish"), replace(snapshot, owned={FILTERS: held}))
    return (candidate.offered_from - held.delivered_at) / DAYS


def test_a_reminder_comes_in_the_last_days_of_the_supply_and_of_three_pieces_near_day_84():
    learned = supply(*a_rhythm(FILTERS, 30))[FILTERS]

    assert 23.2 <= prompt_days(owned((10, 1)), learned) <= 30
    assert prompt_days(owned((10, 3)), learned) == pytest.approx(84, abs=3)
    assert prompt_days(owned((10, 1))) == 24


def test_a_customers_own_rhythm_moves_the_reminder_more_the_longer_it_is_known():
    twice, often = owned((70, 1), (10, 1)), owned((250, 1), (190, 1), (130, 1), (70, 1), (10, 1))
    assert (twice.days_a_piece, often.days_a_piece, owned((10, 1)).days_a_piece) == (60, 60, None)

    days = [supply_days_for(a_product(FILTERS, supply_days=30.0), one) for one in (owned((10, 1)), twice, often)]

    assert days == [30, 40, 50]
    assert prompt_days(often) == 40


def test_three_pieces_that_lasted_ninety_days_are_thirty_a_piece_and_one_day_is_no_rhythm():
    assert owned((100, 3), (10, 1)).days_a_piece == 30
    assert owned((10.5, 1), (10, 1)).days_a_piece is None


def test_a_product_that_is_not_used_up_stays_so_for_who_bought_it_twice():
    assert supply_days_for(a_product(SHIRT), owned((70, 1), (10, 1))) is None


def test_supply_is_kept_by_shop_and_replaced_by_every_run(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    put_supply(session, other, {FILTERS: 12.0})
    put_supply(session, shop_id, {FILTERS: 30.0, BEANS: 7.5})

    assert supply_of(session, shop_id, [FILTERS, SHIRT]) == {FILTERS: 30.0}
    put_supply(session, shop_id, {BEANS: 8.0})
    assert supply_of(session, shop_id, [FILTERS, BEANS, SHIRT]) == {BEANS: 8.0}
    assert supply_of(session, other, [FILTERS, BEANS]) == {FILTERS: 12.0}
    assert supply_of(session, shop_id, []) == {}


def test_learning_a_shop_forgets_supplies_of_which_its_orders_say_nothing(session, shop_id):
    put_supply(session, shop_id, {FILTERS: 30.0})

    learn_shop(session, shop_id, TODAY)

    assert session.query(ProductSupplyRow).filter_by(shop_id=shop_id).count() == 0
