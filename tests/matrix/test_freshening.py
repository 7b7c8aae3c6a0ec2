"""Between two whole runs the rows of what sold since are solved anew, and only those."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion, add_order
from sqlalchemy import delete, select

from shopify_upsell.core import RetryLater
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job, JobRequest, claim, enqueue
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.tables import OrderLineRow
from shopify_upsell.matrix.freshening import Freshening
from shopify_upsell.matrix.recording import count_orders
from shopify_upsell.matrix.store import (
    NEXT,
    WITH,
    MatrixBuild,
    MatrixRow,
    companions_of,
    evidence_for,
    latest_build,
    replace_kinds,
    replace_rows,
)
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.matrix.upkeep import learn_shop, note_order

FRESHENING = "freshen_matrix"
LATER = NOW + timedelta(minutes=1)
ALL = [BOOTS, SOCKS, WAX, LACES]


def a_job(shop_id, now=LATER):
    return Job(1, shop_id, FRESHENING, {}, 1, "lease", now)


def sell(session, shop_id, baskets, first_order):
    for number, products in enumerate(baskets, first_order):
        add_order(session, shop_id, number, *products)
    count_orders(session, shop_id, range(first_order, first_order + len(baskets)))


@pytest.fixture
def learned(database):
    """A shop that was learned as a whole, and another that is not to be touched."""
    with database.write() as session:
        shops = [add_shop(session, domain) for domain in ("one.myshopify.com", "two.myshopify.com")]
        for shop_id in shops:
            baskets = [(BOOTS, SOCKS)] * 20 + [(WAX, LACES)] * 15 + [(BOOTS,)] * 5 + [(9,)] * 120
            sell(session, shop_id, baskets, 1)
            learn_shop(session, shop_id, NOW)
    return shops[0]


def freshen(database, shop_id, now=LATER):
    write = Freshening(database).freshen(a_job(shop_id, now))
    with database.write() as session:
        bind_shop(session, shop_id)
        write(session)


def versions(session, shop_id, kind=WITH):
    rows = select(MatrixRow.product_id, MatrixRow.version).where(MatrixRow.shop_id == shop_id, MatrixRow.kind == kind)
    return {row.product_id: row.version for row in session.execute(rows)}


def test_touched_rows_are_those_of_a_whole_run_and_the_others_stay(database, learned):
    with database.write() as session:
        before = companions_of(session, learned, ALL)
        sell(session, learned, [(BOOTS, SOCKS)] * 3 + [(BOOTS, WAX)] * 9, 500)

    freshen(database, learned)

    with database.write() as session:
        fresh = evidence_for(session, learned, ALL)
        assert versions(session, learned) == {BOOTS: 2, SOCKS: 2, WAX: 2, LACES: 1}
        assert {row.version for row in session.scalars(select(MatrixRow).where(MatrixRow.shop_id != learned))} == {1}
        assert latest_build(session, learned).order_count == 172
        learn_shop(session, learned, LATER)
        whole = companions_of(session, learned, ALL)
    assert fresh.version == 2
    assert fresh.companions[LACES] == before[LACES]
    assert {anchor: fresh.companions[anchor] for anchor in (BOOTS, SOCKS, WAX)} == {
        anchor: whole[anchor] for anchor in (BOOTS, SOCKS, WAX)
    }
    assert fresh.companions[BOOTS] != before[BOOTS]


def test_rows_of_other_kinds_and_words_on_timing_are_still_read(database, learned):
    with database.write() as session:
        following = companions_of(session, learned, ALL, kind=NEXT)
        words = timing_for(session, learned, ALL)
        sell(session, learned, [(BOOTS, SOCKS)], 500)

    freshen(database, learned)

    with database.read() as session:
        assert companions_of(session, learned, ALL, kind=NEXT) == following
        assert timing_for(session, learned, ALL) == words != {}


def test_a_product_without_companions_left_loses_its_row_and_keeps_what_is_untried(database, learned):
    with database.write() as session:
        rows = companions_of(session, learned, ALL)
        replace_kinds(session, learned, MatrixBuild(2, NOW, 160, 4, 4), {WITH: rows}, {BOOTS: (a_companion(LACES),)})
        session.execute(delete(OrderLineRow).where(OrderLineRow.shop_id == learned, OrderLineRow.product_id == SOCKS))
        count_orders(session, learned, range(1, 21))
        sell(session, learned, [(BOOTS,)], 500)

    freshen(database, learned)

    with database.read() as session:
        found = evidence_for(session, learned, ALL, with_untried=True)
        assert sorted(found.companions) == sorted([WAX, LACES])
        (untried,) = found.untried[BOOTS]
        assert (untried.product_id, untried.anchor_count, untried.basket_count) == (LACES, 26, 161)
    freshen(database, learned)
    with database.read() as session:
        assert latest_build(session, learned).version == 3


def test_without_news_nothing_is_written(database, learned):
    freshen(database, learned)

    with database.read() as session:
        assert latest_build(session, learned) == MatrixBuild(1, NOW, 160, 5, 4)


def test_a_whole_run_that_came_in_between_wins(database, learned):
    with database.write() as session:
        sell(session, learned, [(BOOTS, SOCKS)], 500)
    write = Freshening(database).freshen(a_job(learned))
    with database.write() as session:
        learn_shop(session, learned, LATER)
        write(session)

    with database.read() as session:
        assert latest_build(session, learned).version == 2
        assert set(versions(session, learned).values()) == {2}


def test_a_shop_that_was_never_learned_is_left_to_its_first_run(database):
    with database.write() as session:
        shop_id = add_shop(session)
        sell(session, shop_id, [(BOOTS, SOCKS)] * 20, 1)

    freshen(database, shop_id)

    with database.read() as session:
        assert latest_build(session, shop_id) is None
        assert versions(session, shop_id) == {}


def test_only_shops_that_wait_long_are_freshened_and_none_that_would_cost_too_much(session, shop_id):
    asked = []
    for version, order_count in enumerate((5_000, 5_001, 500_000, 500_001), 1):
        replace_rows(session, shop_id, MatrixBuild(version, NOW, order_count, 1, 0), {})
        note_order(session, Job(version, shop_id, "note_order", {}, 1, "lease", NOW + timedelta(minutes=version)))
        asked.append(len(session.scalars(select(JobRow).where(JobRow.kind == FRESHENING)).all()))

    assert asked == [0, 1, 2, 2]


def test_only_one_freshening_of_a_shop_at_a_time(database, learned):
    with database.write() as session:
        for key in ("one", "two"):
            enqueue(session, learned, JobRequest(FRESHENING, key), NOW)
    with database.write() as session:
        (_running,) = claim(session, NOW, lease=timedelta(minutes=1), batch=1)
    with database.write() as session:
        (second,) = claim(session, NOW, lease=timedelta(minutes=1), batch=1)

    with pytest.raises(RetryLater):
        Freshening(database).freshen(second)
