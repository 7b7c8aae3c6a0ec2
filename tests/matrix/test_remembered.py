"""A process remembers rows of the newest build: only its own shop's, a bounded number, for a few seconds."""

from datetime import timedelta

from builders_database import NOW, add_shop
from builders_offers import BOOTS, SOCKS, WAX, a_companion
from sqlalchemy import event, update

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.database import bind_shop
from shopify_upsell.matrix.remembered import FRESH_SECONDS, RememberedRows
from shopify_upsell.matrix.store import MEMORY, MatrixBuild, MatrixRow, companions_of, evidence_for, replace_rows

ONE, TWO = ShopId(1), ShopId(2)
FIRST, SECOND = (1, NOW), (2, NOW)
ROW = (a_companion(SOCKS),)


def test_rows_are_found_while_the_build_is_fresh():
    memory = RememberedRows()
    memory.keep(ONE, FIRST, "with", {BOOTS: ROW, WAX: ()}, clock=100.0)

    assert memory.find(ONE, "with", [BOOTS, WAX], clock=100.0 + FRESH_SECONDS) == (1, {BOOTS: ROW})
    assert memory.find(ONE, "with", [BOOTS], clock=100.1 + FRESH_SECONDS) is None


def test_another_shop_kind_or_product_is_not_known():
    memory = RememberedRows()
    memory.keep(ONE, FIRST, "with", {BOOTS: ROW}, clock=100.0)

    assert memory.find(TWO, "with", [BOOTS], clock=100.0) is None
    assert memory.find(ONE, "next", [BOOTS], clock=100.0) is None
    assert memory.find(ONE, "with", [BOOTS, SOCKS], clock=100.0) is None


def test_rows_of_an_older_build_are_not_served_after_a_newer_one_was_read():
    memory = RememberedRows()
    memory.keep(ONE, FIRST, "with", {BOOTS: ROW}, clock=100.0)
    memory.keep(ONE, SECOND, "with", {WAX: ()}, clock=101.0)

    assert memory.find(ONE, "with", [BOOTS], clock=101.0) is None


def test_a_shop_that_came_back_counts_from_one_again_without_meeting_its_old_rows():
    memory = RememberedRows()
    memory.keep(ONE, FIRST, "with", {BOOTS: ROW}, clock=100.0)
    memory.keep(ONE, (1, NOW + timedelta(days=9)), "with", {WAX: ()}, clock=101.0)

    assert memory.find(ONE, "with", [BOOTS], clock=101.0) is None


def test_least_lately_asked_for_goes_first():
    memory = RememberedRows(most_rows=2)
    memory.keep(ONE, FIRST, "with", {BOOTS: ROW, SOCKS: ROW}, clock=100.0)
    memory.find(ONE, "with", [BOOTS], clock=100.0)
    memory.keep(ONE, FIRST, "with", {WAX: ROW}, clock=100.0)

    assert memory.find(ONE, "with", [BOOTS, WAX], clock=100.0) is not None
    assert memory.find(ONE, "with", [SOCKS], clock=100.0) is None


def test_what_is_forgotten_is_asked_for_again():
    memory = RememberedRows()
    for shop_id in (ONE, TWO):
        memory.keep(shop_id, FIRST, "with", {BOOTS: ROW}, clock=100.0)

    memory.forget(ONE)
    assert memory.find(ONE, "with", [BOOTS], clock=100.0) is None
    assert memory.find(TWO, "with", [BOOTS], clock=100.0) is not None

    memory.clear()
    assert memory.find(TWO, "with", [BOOTS], clock=100.0) is None


def a_shop_with(database, companion, domain="one.myshopify.com"):
    with database.write() as session:
        shop_id = add_shop(session, domain)
        bind_shop(session, shop_id)
        replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 2, 1), {BOOTS: (companion,)})
    return shop_id


def test_second_look_asks_the_database_nothing_and_a_new_build_is_seen_at_once(database):
    shop_id = a_shop_with(database, a_companion(SOCKS))
    asked = []

    def note(*call):
        asked.append(call[2])

    event.listen(database.engine, "before_cursor_execute", note)

    with database.read() as session:
        bind_shop(session, shop_id)
        first = evidence_for(session, shop_id, [BOOTS, WAX])
        asked.clear()
        assert evidence_for(session, shop_id, [BOOTS, WAX]) == first
        assert evidence_for(session, shop_id, [WAX]).companions == {}
    event.remove(database.engine, "before_cursor_execute", note)
    assert asked == []
    assert (first.version, first.companions) == (1, {BOOTS: (a_companion(SOCKS),)})

    with database.write() as session:
        bind_shop(session, shop_id)
        replace_rows(session, shop_id, MatrixBuild(2, NOW, 1000, 2, 1), {BOOTS: (a_companion(WAX),)})
    with database.read() as session:
        bind_shop(session, shop_id)
        assert evidence_for(session, shop_id, [BOOTS]).version == 2
        assert companions_of(session, shop_id, [BOOTS]) == {BOOTS: (a_companion(WAX),)}


def test_a_build_that_was_rolled_back_leaves_what_was_remembered(database):
    shop_id = a_shop_with(database, a_companion(SOCKS))
    with database.read() as session:
        bind_shop(session, shop_id)
        evidence_for(session, shop_id, [BOOTS])

    class Undone(Exception):
        pass

    try:
        with database.write() as session:
            bind_shop(session, shop_id)
            replace_rows(session, shop_id, MatrixBuild(2, NOW, 1, 1, 1), {BOOTS: (a_companion(WAX),)})
            raise Undone
    except Undone:
        pass

    known = database.memory[MEMORY].find(shop_id, "with", [BOOTS], clock=0.0)
    assert known == (1, {BOOTS: (a_companion(SOCKS),)})


def test_a_session_bound_to_another_shop_is_not_served_from_memory(database):
    one = a_shop_with(database, a_companion(SOCKS))
    two = a_shop_with(database, a_companion(WAX), "two.myshopify.com")
    with database.read() as session:
        bind_shop(session, one)
        evidence_for(session, one, [BOOTS])
    with database.write() as session:
        bind_shop(session, one)
        session.execute(update(MatrixRow).where(MatrixRow.shop_id == one).values(product_id=ProductId(99)))

    with database.read() as session:
        bind_shop(session, two)
        assert evidence_for(session, one, [BOOTS]).companions == {}
        assert companions_of(session, two, [BOOTS]) == {BOOTS: (a_companion(WAX),)}
