"""Learning reads this shop's booked orders, writes packed rows, and gives every run a version."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion, a_product, add_order, add_products
from sqlalchemy import select, update

from shopify_upsell.core import ProductId, RetryLater
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job, JobRequest, claim, enqueue, finish
from shopify_upsell.jobs.schedule import set_schedule
from shopify_upsell.jobs.store import ScheduleRow
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.matrix.store import (
    NEXT,
    UPGRADE,
    WITH,
    MatrixBuild,
    MatrixRow,
    companions_of,
    evidence_for,
    latest_build,
    replace_rows,
)
from shopify_upsell.matrix.upkeep import LEARNING, Learning, learn_shop, note_order

LARGE = ProductId(2**62)


def sell(session, shop_id, first_order=1):
    """20 orders of boots with socks, 5 of boots, 60 of wax, 60 of laces."""
    baskets = [(BOOTS, SOCKS)] * 20 + [(BOOTS,)] * 5 + [(WAX,)] * 60 + [(LACES,)] * 60
    for number, products in enumerate(baskets, first_order):
        add_order(session, shop_id, number, *products)


def test_learning_finds_the_pair_both_ways_with_its_counts(session, shop_id):
    sell(session, shop_id)

    build = learn_shop(session, shop_id, NOW)

    assert build == MatrixBuild(version=1, learned_at=NOW, order_count=145, product_count=4, pair_count=2)
    assert latest_build(session, shop_id) == build
    found = companions_of(session, shop_id, [BOOTS, SOCKS, WAX], kind="with")
    (socks,), (boots,) = found[BOOTS], found[SOCKS]
    assert (socks.product_id, socks.pair_count, socks.anchor_count, socks.companion_count) == (SOCKS, 20, 25, 20)
    assert (socks.confidence, boots.confidence) == (0.8, 1.0)
    assert WAX not in found


def test_orders_that_are_not_booked_and_other_shops_teach_nothing(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    sell(session, other_shop)
    sell(session, shop_id)
    session.execute(update(OrderRow).where(OrderRow.shop_id == shop_id).values(is_booked=False))

    build = learn_shop(session, shop_id, NOW)

    assert (build.order_count, build.pair_count) == (0, 0)
    assert companions_of(session, shop_id, [BOOTS], kind="with") == {}
    assert latest_build(session, other_shop) is None


def test_every_run_replaces_the_rows_and_counts_up_the_version(session, shop_id):
    sell(session, shop_id)
    learn_shop(session, shop_id, NOW)
    replace_rows(session, shop_id, MatrixBuild(2, NOW, 1, 1, 1), {WAX: (a_companion(LACES),)})

    third = learn_shop(session, shop_id, NOW + timedelta(hours=1))

    assert third.version == 3
    together = select(MatrixRow.product_id, MatrixRow.version, MatrixRow.n).where(MatrixRow.kind == WITH)
    assert session.execute(together.order_by(MatrixRow.product_id)).all() == [(BOOTS, 3, 25), (SOCKS, 3, 20)]
    assert set(session.scalars(select(MatrixRow.version))) == {3}


def test_learning_twice_from_the_same_orders_gives_the_same_rows(session, shop_id):
    sell(session, shop_id)

    learn_shop(session, shop_id, NOW)
    rows = select(MatrixRow.kind, MatrixRow.product_id, MatrixRow.companions).order_by(
        MatrixRow.kind, MatrixRow.product_id
    )
    first = session.execute(rows).all()
    learn_shop(session, shop_id, NOW)

    assert session.execute(rows).all() == first


def test_rows_are_read_back_exactly_as_they_were_learned(session, shop_id):
    learned = {BOOTS: (a_companion(LARGE, 0.123456789), a_companion(SOCKS, 0.1)), LARGE: (a_companion(BOOTS, 0.2),)}

    replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 3, 3), learned)

    assert companions_of(session, shop_id, [BOOTS, LARGE]) == learned


def test_evidence_names_its_version_even_when_there_is_none_for_the_anchor(session, shop_id):
    assert evidence_for(session, shop_id, [BOOTS]).version == 0

    replace_rows(session, shop_id, MatrixBuild(7, NOW, 1000, 3, 3), {SOCKS: (a_companion(WAX),)})

    assert evidence_for(session, shop_id, [BOOTS]).version == 7
    assert evidence_for(session, shop_id, [BOOTS]).companions == {}
    assert evidence_for(session, shop_id, []).version == 7


def test_job_learns_outside_the_transaction_that_writes(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        sell(session, shop_id)

    write = Learning(database).learn(Job(1, shop_id, LEARNING, {}, 1, "lease", NOW))
    with database.write() as session:
        bind_shop(session, shop_id)
        assert latest_build(session, shop_id) is None
        write(session)

    with database.read() as session:
        bind_shop(session, shop_id)
        assert latest_build(session, shop_id) == MatrixBuild(1, NOW, 145, 4, 2)


def test_new_order_brings_the_next_run_forward_but_never_back(session, shop_id):
    set_schedule(session, shop_id, LEARNING, timedelta(days=1), NOW + timedelta(hours=20))

    note_order(session, Job(1, shop_id, "note_order", {}, 1, "lease", NOW))
    note_order(session, Job(2, shop_id, "note_order", {}, 1, "lease", NOW + timedelta(minutes=2)))
    session.expire_all()

    assert session.scalars(select(ScheduleRow.next_at)).one() == NOW + timedelta(minutes=15)


def test_only_one_run_of_a_shop_at_a_time(database):
    with database.write() as session:
        shop_id = add_shop(session)
        for key in ("one", "two"):
            enqueue(session, shop_id, JobRequest(LEARNING, key), NOW)
    with database.write() as session:
        (running,) = claim(session, NOW, lease=timedelta(minutes=1), batch=1)
    with database.write() as session:
        (second,) = claim(session, NOW, lease=timedelta(minutes=1), batch=1)

    with pytest.raises(RetryLater):
        Learning(database).learn(second)

    with database.write() as session:
        bind_shop(session, shop_id)
        finish(session, running)
    assert callable(Learning(database).learn(second))


def test_large_shop_is_learned_less_often(session, shop_id):
    hours = {10: 15 / 60, 50_000: 2, 1_000_000: 20}
    for version, (order_count, expected) in enumerate(hours.items(), 1):
        replace_rows(session, shop_id, MatrixBuild(version, NOW, order_count, 1, 0), {})
        set_schedule(session, shop_id, LEARNING, timedelta(days=1), NOW + timedelta(hours=20))
        session.execute(update(ScheduleRow).values(next_at=NOW + timedelta(hours=20)))

        note_order(session, Job(1, shop_id, "note_order", {}, 1, "lease", NOW))
        session.expire_all()

        assert session.scalars(select(ScheduleRow.next_at)).one() == NOW + timedelta(hours=expected)


def test_rows_of_next_steps_and_larger_sizes_are_written_beside_those_together(session, shop_id):
    small, large = a_product(SOCKS, title="Wax 100 ml"), a_product(WAX, title="Wax 200 ml", sizes=(("", 3000),))
    add_products(session, shop_id, small, large)
    sell(session, shop_id)

    learn_shop(session, shop_id, NOW)

    (step,) = companions_of(session, shop_id, [SOCKS], kind=UPGRADE)[SOCKS]
    assert (step.product_id, step.companion_count) == (WAX, 60)
    later = companions_of(session, shop_id, [BOOTS], kind=NEXT)[BOOTS]
    assert BOOTS not in [one.product_id for one in later]
    assert sum(one.score for one in later) == pytest.approx(1)


def test_window_of_a_pair_is_kept_with_it(session, shop_id):
    row = (a_companion(SOCKS, 0.3, window=(15, 30)), a_companion(WAX, 0.2))

    replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 3, 2), {BOOTS: row}, kind=NEXT)

    assert companions_of(session, shop_id, [BOOTS], kind=NEXT) == {BOOTS: row}
    assert companions_of(session, shop_id, [BOOTS]) == {}
