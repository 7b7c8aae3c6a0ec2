"""The same facts in any order, any number of times, by any number of workers, leave the same rows."""

import os
import random
import threading

from builders_database import NOW
from builders_histories import KEYRING, Told, a_token, delivery_of, told
from builders_ledger_rows import rows_of_tables
from builders_orders import a_line, a_refund, a_refund_line, an_edit, an_order, at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.attribution.store import credit_totals
from shopify_upsell.core import OrderId, ShopId
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.store import booked_orders, forget_customer, ledger_totals
from shopify_upsell.shops.store import ShopRow

HANDLERS = {
    "orders/updated": intake.record_order,
    "orders/delete": intake.record_order_deletion,
    "orders/edited": intake.record_order_edit,
    "refunds/create": intake.record_refund,
    "products/update": intake.record_product,
    "products/delete": intake.record_product_deletion,
}
SHOP_ID = 1
"""Tokens are drawn before any shop is made; the first one of an empty database has this id, or is told to."""

histories = st.lists(told(SHOP_ID), min_size=1, max_size=9)
EXAMPLES = 300 if os.environ.get("SOAK") else 20
slowly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def apply(session, shop_id, said):
    """Hand one delivery to its handler, then settle the orders it announces, as the jobs do."""
    for announcement in HANDLERS[said.topic](session, delivery_of(shop_id, said)):
        if announcement.name == "order_recorded":
            settle_order(session, shop_id, OrderId(announcement.subject_id), KEYRING)


def shop_with_id(session):
    """A shop with the id that the tokens name."""
    session.execute(
        insert(ShopRow).values(
            shop_id=SHOP_ID,
            domain="any.myshopify.com",
            state="installed",
            currency="USD",
            holdout_salt="s",
            created_at=NOW,
        )
    )
    bind_shop(session, ShopId(SHOP_ID))
    return ShopId(SHOP_ID)


@slowly
@given(histories, st.randoms(use_true_random=False))
def test_a_history_shuffled_and_repeated_leaves_the_same_rows(session, history, chance):
    seen = []
    copies = [said for said in history for _ in range(chance.randrange(1, 4))]
    chance.shuffle(copies)
    for deliveries in (history, list(reversed(history)), copies):
        with session.begin_nested() as trial:
            shop_id = shop_with_id(session)
            for said in deliveries:
                apply(session, shop_id, said)
            seen.append(rows_of_tables(session, shop_id))
            trial.rollback()

    assert seen[0] == seen[1] == seen[2]


@slowly
@given(histories, st.integers(0, 9))
def test_forgetting_a_customer_at_any_time_leaves_the_same_rows(session, history, moment):
    seen = []
    for position in (0, min(moment, len(history)), len(history)):
        with session.begin_nested() as trial:
            shop_id = shop_with_id(session)
            for index, said in enumerate(history):
                if index == position:
                    forget_customer(session, shop_id, 5)
                apply(session, shop_id, said)
            if position == len(history):
                forget_customer(session, shop_id, 5)
            seen.append(rows_of_tables(session, shop_id))
            trial.rollback()

    assert seen[0] == seen[1] == seen[2]


@slowly
@given(histories)
def test_credits_add_up_to_the_ledger_after_every_delivery(session, history):
    with session.begin_nested() as trial:
        shop_id = shop_with_id(session)
        for said in history:
            apply(session, shop_id, said)
            ledger = sum(total.ledger for total in ledger_totals(session, shop_id))
            credits = credit_totals(session, shop_id)
            assert sum(part.amount for part in credits) == ledger
            assert all(part.amount >= 0 for part in credits if part.credit_class != "residual")
            for total in ledger_totals(session, shop_id):
                given_up = total.discounts + total.taxes + total.gift_cards + total.refunds + total.edits
                assert total.gross - given_up - total.unbooked == total.net
        orders = booked_orders(session, shop_id, [OrderId(1), OrderId(2), OrderId(3)]).values()
        assert all(line.net_minor_units >= 0 for order in orders for line in order.lines)
        trial.rollback()


def a_long_history(seed):
    """Twelve orders from their creation to their end, in which refunds, edits and tokens are shared and repeated."""
    chance = random.Random(seed)
    return [said for order_id in range(1, 13) for said in a_life(chance, order_id)]


def a_life(chance, order_id):
    """What Shopify says of one order: placed, edited, refunded, perhaps cancelled or deleted."""
    lines = [
        a_line(
            order_id * 10 + number,
            quantity=chance.randrange(1, 5),
            price=f"{chance.randrange(1, 9000) / 100:.2f}",
            variant_id=2001,
            token=chance.choice([None, a_token(SHOP_ID, nonce="a"), a_token(SHOP_ID, nonce=str(order_id))]),
        )
        for number in range(1, chance.randrange(2, 5))
    ]
    refund = a_refund(order_id * 100, order_id, [a_refund_line(lines[0]["id"], 1, "1.00")], refunded_at=at(4))
    smaller = [{**lines[0], "current_quantity": 0}, *lines[1:]]
    said = {"order_id": order_id, "customer_id": chance.choice([None, 5]), "ordered_at": at(chance.randrange(9))}
    yield Told("orders/updated", an_order(lines=lines, updated_at=at(1), **said), 1)
    yield Told("orders/edited", an_edit(order_id * 1000, order_id, removed={lines[0]["id"]: 1}, committed_at=at(3)), 3)
    yield Told("orders/updated", an_order(lines=smaller, updated_at=at(3), **said), 3)
    yield Told("refunds/create", refund, 4)
    yield Told("orders/updated", an_order(lines=smaller, updated_at=at(4), refunds=[refund], **said), 4)
    if chance.random() < 0.3:
        yield Told("orders/updated", an_order(lines=smaller, updated_at=at(6), cancelled_at=at(6), **said), 6)
    if chance.random() < 0.2:
        yield Told("orders/delete", {"id": order_id}, 7)


def work(database, shop_id, own, errors):
    """Apply deliveries one by one, again when another worker was in the way."""
    for said in own:
        for _ in range(50):
            try:
                with database.write() as session:
                    bind_shop(session, shop_id)
                    apply(session, shop_id, said)
                break
            except (OperationalError, TimeoutError) as busy:
                last = busy
        else:
            errors.append(last)


def test_four_workers_at_once_leave_the_rows_that_one_leaves(database):
    history = a_long_history(7)
    with database.write() as session:
        shop_id = shop_with_id(session)
    with Session(database.engine) as session:
        for said in history:
            apply(session, shop_id, said)
        alone = rows_of_tables(session, shop_id)
        session.rollback()

    queue, errors = history + history[::2], []
    random.Random(11).shuffle(queue)
    workers = [threading.Thread(target=work, args=(database, shop_id, queue[n::4], errors)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with database.read() as session:
        bind_shop(session, shop_id)
        together = rows_of_tables(session, shop_id)
    assert errors == []
    assert sum(map(len, alone.values())) > 60
    assert together == alone
