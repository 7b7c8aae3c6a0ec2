"""Counts kept order by order are those of a rebuild, whatever came, in whatever order, however often."""

import threading
from copy import deepcopy
from datetime import timedelta

from builders_database import NOW, add_shop
from builders_histories import delivery_of, told
from builders_offers import BOOTS, BRUSH, LACES, SOCKS, WAX, add_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from shopify_upsell.core import OrderId, ProductId
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.store import baskets
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow
from shopify_upsell.matrix.recording import (
    Counts,
    count_changed,
    count_orders,
    counted_order_ids,
    counts_of,
    rebuild_counts,
)
from shopify_upsell.matrix.store import latest_build
from shopify_upsell.matrix.tables import CountedBasketRow, PairCountRow, ProductCountRow
from shopify_upsell.matrix.upkeep import LEARNING, Learning, learn_shop

HANDLERS = {
    "orders/updated": intake.record_order,
    "orders/delete": intake.record_order_deletion,
    "orders/edited": intake.record_order_edit,
    "refunds/create": intake.record_refund,
    "products/update": intake.record_product,
    "products/delete": intake.record_product_deletion,
}
SHOP_OF_TOKENS = 1
histories = st.lists(told(SHOP_OF_TOKENS), min_size=1, max_size=12)
slowly = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def a_job(shop_id, order_id):
    return Job(1, shop_id, "count_order", {"subject_id": order_id}, 1, "lease", NOW)


def with_shared_products(said):
    """The same news, with products that several orders hold."""
    document = deepcopy(said.document)
    for line in document.get("line_items", []):
        line["product_id"] = 5000 + line["id"] % 10
    return type(said)(said.topic, document, said.minute)


def all_rows(session, shop_id):
    """Everything that counting keeps, as plain rows."""
    found = []
    for table in (CountedBasketRow, ProductCountRow, PairCountRow):
        rows = session.execute(
            select(table.__table__).where(table.shop_id == shop_id).order_by(*table.__table__.primary_key.columns)
        )
        found.append([tuple(row) for row in rows])
    return found


@slowly
@given(histories, st.randoms(use_true_random=False))
def test_counts_equal_a_rebuild_after_any_history_in_any_order(session, history, chance):
    deliveries = [with_shared_products(said) for said in history for _ in range(chance.randrange(1, 3))]
    chance.shuffle(deliveries)
    with session.begin_nested() as trial:
        other_shop = add_shop(session, "two.myshopify.com")
        shop_id = add_shop(session, "one-more.myshopify.com")
        bind_shop(session, shop_id)
        waiting = []
        for said in deliveries:
            announced = HANDLERS[said.topic](session, delivery_of(shop_id, said))
            waiting += [one.subject_id for one in announced if one.name == "order_recorded"] * chance.randrange(1, 3)
            chance.shuffle(waiting)
            while waiting and chance.random() < 0.5:
                count_changed(session, [a_job(shop_id, waiting.pop())])
        for order_id in waiting:
            count_changed(session, [a_job(shop_id, order_id)])
        kept = all_rows(session, shop_id)
        held = {basket.order_id for basket in baskets(session, shop_id)}
        assert counted_order_ids(session, shop_id) == held
        assert rebuild_counts(session, shop_id) == len(held)
        assert all_rows(session, shop_id) == kept
        assert all_rows(session, other_shop) == [[], [], []]
        trial.rollback()


def test_counts_are_of_distinct_products_and_pairs_smaller_id_first(session, shop_id):
    add_order(session, shop_id, 1, SOCKS, BOOTS, SOCKS)
    add_order(session, shop_id, 2, BOOTS, WAX, SOCKS)

    touched = count_orders(session, shop_id, [OrderId(1), OrderId(2), OrderId(2), OrderId(404)])

    assert touched == {BOOTS, SOCKS, WAX}
    assert counts_of(session, shop_id) == Counts(
        {BOOTS: 2, SOCKS: 2, WAX: 1}, {(BOOTS, SOCKS): 2, (BOOTS, WAX): 1, (SOCKS, WAX): 1}
    )


def test_counting_again_changes_nothing(session, shop_id):
    add_order(session, shop_id, 1, BOOTS, SOCKS)
    count_orders(session, shop_id, [OrderId(1)])
    before = all_rows(session, shop_id)

    assert count_orders(session, shop_id, [OrderId(1)]) == frozenset()

    assert all_rows(session, shop_id) == before


def test_what_a_refund_took_away_is_no_longer_counted_and_leaves_no_zero(session, shop_id):
    add_order(session, shop_id, 1, BOOTS, SOCKS, WAX)
    add_order(session, shop_id, 2, BOOTS, SOCKS)
    count_orders(session, shop_id, [OrderId(1), OrderId(2)])

    session.execute(
        update(OrderLineRow).where(OrderLineRow.order_id == 1, OrderLineRow.product_id == WAX).values(net_quantity=0)
    )
    assert count_orders(session, shop_id, [OrderId(1)]) == {WAX}
    assert counts_of(session, shop_id) == Counts({BOOTS: 2, SOCKS: 2}, {(BOOTS, SOCKS): 2})

    session.execute(update(OrderRow).where(OrderRow.shop_id == shop_id).values(is_booked=False))
    count_orders(session, shop_id, [OrderId(1), OrderId(2)])
    assert all_rows(session, shop_id) == [[], [], []]


def test_gift_cards_are_not_counted(session, shop_id):
    add_order(session, shop_id, 1, BOOTS, SOCKS)
    session.execute(update(OrderLineRow).where(OrderLineRow.product_id == SOCKS).values(is_gift_card=True))

    count_orders(session, shop_id, [OrderId(1)])

    assert counts_of(session, shop_id) == Counts({BOOTS: 1}, {})


def test_a_warehouse_order_is_counted_up_to_a_hundred_products(session, shop_id):
    add_order(session, shop_id, 1, *range(1, 151))

    count_orders(session, shop_id, [OrderId(1)])

    counts = counts_of(session, shop_id)
    assert (len(counts.products), len(counts.pairs)) == (100, 100 * 99 // 2)


def test_other_shops_are_neither_read_nor_written(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    add_order(session, other_shop, 1, BOOTS, LACES)
    count_orders(session, other_shop, [OrderId(1)])
    before = all_rows(session, other_shop)
    add_order(session, shop_id, 2, BOOTS, SOCKS)

    count_orders(session, shop_id, [OrderId(1), OrderId(2)])
    rebuild_counts(session, shop_id)

    assert counts_of(session, shop_id) == Counts({BOOTS: 1, SOCKS: 1}, {(BOOTS, SOCKS): 1})
    assert all_rows(session, other_shop) == before


def test_learning_counts_what_nobody_has_counted(session, shop_id):
    for number in range(1, 21):
        add_order(session, shop_id, number, BOOTS, SOCKS)
    add_order(session, shop_id, 21, BRUSH)
    count_orders(session, shop_id, [OrderId(3)])

    build = learn_shop(session, shop_id, NOW)

    assert (build.order_count, build.product_count) == (21, 3)
    assert counts_of(session, shop_id).pairs == {(BOOTS, SOCKS): 20}


def test_the_learning_job_counts_in_transactions_of_its_own_before_it_learns(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        add_order(session, shop_id, 1, BOOTS, SOCKS)

    Learning(database).learn(Job(1, shop_id, LEARNING, {}, 1, "lease", NOW + timedelta(days=1)))

    with database.read() as session:
        bind_shop(session, shop_id)
        assert counts_of(session, shop_id).products == {BOOTS: 1, SOCKS: 1}
        assert latest_build(session, shop_id) is None


def work(database, shop_id, order_ids, errors):
    """Count orders one by one, again when another worker was in the way."""
    for order_id in order_ids:
        for _ in range(50):
            try:
                with database.write() as session:
                    bind_shop(session, shop_id)
                    count_changed(session, [a_job(shop_id, order_id)])
                break
            except (OperationalError, TimeoutError) as busy:
                last = busy
        else:
            errors.append(last)


def test_four_workers_at_once_count_as_one(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        for number in range(1, 25):
            products = [ProductId(1 + (number * step) % 7) for step in (1, 2, 3)]
            add_order(session, shop_id, number, *dict.fromkeys(products))

    errors = []
    orders = [*range(1, 25), *range(24, 0, -2)]
    workers = [threading.Thread(target=work, args=(database, shop_id, orders[n::4], errors)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with database.write() as session:
        bind_shop(session, shop_id)
        together = all_rows(session, shop_id)
        rebuild_counts(session, shop_id)
        assert all_rows(session, shop_id) == together
    assert errors == []
