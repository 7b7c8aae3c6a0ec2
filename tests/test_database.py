"""The rules the database layer keeps: one SQLite writer at a time, aware times, callbacks after the commit only."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy.exc
from builders_database import NOW, add_shop
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, func, select, text, update

from shopify_upsell.database import (
    AFTER_COMMIT,
    UtcDateTime,
    after_commit,
    bind_shop,
    is_transient,
)
from shopify_upsell.inbox.store import EventRow
from shopify_upsell.shops.store import ShopRow


def shops(database):
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(ShopRow))


# --- transactions


def test_a_write_is_committed_when_the_block_ends_well_and_gone_when_it_does_not(database):
    with database.write() as session:
        add_shop(session)
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        add_the_same_shop_twice(database)

    assert shops(database) == 1


def test_what_a_read_changes_is_never_kept(database):
    with database.read() as session:
        add_shop(session)
        session.flush()

    assert shops(database) == 0


def test_a_reader_is_not_held_up_by_a_writer_and_sees_the_state_before_it(database):
    with database.write() as session:
        add_shop(session)
        started = time.monotonic()
        seen = shops(database)
        waited = time.monotonic() - started

    assert (seen, shops(database)) == (0, 1)
    assert waited < 0.5


def test_callbacks_run_once_a_key_and_only_after_the_commit(database):
    seen = []
    with database.write() as session:
        add_shop(session)
        after_commit(session, "wake", lambda: seen.append("first"))
        after_commit(session, "wake", lambda: seen.append(f"wake sees {shops(database)}"))
        after_commit(session, "other", lambda: seen.append("other"))
        assert seen == []

    assert seen == ["wake sees 1", "other"]
    assert AFTER_COMMIT not in session.info


def test_callbacks_of_a_transaction_that_is_rolled_back_never_run(database):
    seen = []

    with pytest.raises(sqlalchemy.exc.IntegrityError):
        add_the_same_shop_twice(database, lambda: seen.append("wake"))

    assert seen == []


def add_the_same_shop_twice(database, callback=print):
    with database.write() as session:
        after_commit(session, "wake", callback)
        add_shop(session, "twice.myshopify.com")
        add_shop(session, "twice.myshopify.com")


def test_a_bound_session_knows_its_shop(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)

        assert session.info["shop_id"] == shop_id
        if not database.is_sqlite:
            assert session.scalar(text("SELECT current_setting('app.shop_id', true)")) == str(shop_id)
    if not database.is_sqlite:
        with database.read() as session:
            assert session.scalar(text("SELECT current_setting('app.shop_id', true)")) in (None, "")


# --- times


def test_a_moment_comes_back_as_the_same_aware_utc_moment(database):
    berlin = datetime(2026, 11, 1, 13, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as session:
        shop_id = add_shop(session)
        session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(installed_at=berlin))

    with database.read() as session:
        found = session.scalars(select(ShopRow.installed_at)).one()

    assert (found, found.tzinfo) == (datetime(2026, 11, 1, 11, 30, 0, 123456, tzinfo=UTC), UTC)


def test_a_naive_moment_is_refused(database):
    with database.write() as session:
        add_shop(session)
    statement = update(ShopRow).values(installed_at=datetime(2026, 11, 1, 12, 0))  # noqa: DTZ001

    with (
        pytest.raises(sqlalchemy.exc.StatementError, match="a naive time cannot be stored"),
        database.write() as session,
    ):
        session.execute(statement)

    with database.read() as session:
        assert session.scalars(select(ShopRow.installed_at)).one() == NOW


def test_no_moment_is_no_moment():
    assert UtcDateTime().process_bind_param(None, create_engine("sqlite://").dialect) is None
    assert UtcDateTime().process_result_value(None, create_engine("sqlite://").dialect) is None


# --- what may be tried again


@pytest.mark.parametrize(
    "error",
    [
        sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("database is locked")),
        TimeoutError("write gate busy"),
        sqlalchemy.exc.TimeoutError("QueuePool limit reached"),
    ],
    ids=["lock", "gate", "pool"],
)
def test_locks_and_lost_connections_may_be_tried_again(error):
    assert is_transient(error)


@pytest.mark.parametrize("error", [sqlalchemy.exc.IntegrityError("x", {}, Exception()), ValueError("x"), KeyError("x")])
def test_a_fault_of_ours_is_not_tried_again(error):
    assert not is_transient(error)


def test_a_row_of_a_shop_that_does_not_exist_is_refused(database):
    event = {
        "shop_id": 999_999, "topic": "t", "webhook_id": "w", "triggered_at": NOW, "received_at": NOW, "digest": "d",
        "state": "stored",
    }  # fmt: skip
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as session:
        session.add(EventRow(**event))


def test_a_table_knows_naive_times_from_aware_ones_on_both_databases(database):
    table = Table("moment", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))
    table.create(database.engine)
    try:
        with database.write() as session:
            session.execute(table.insert().values(id=1, at=NOW))
        with database.read() as session:
            assert session.scalar(select(table.c.at).where(table.c.at <= NOW)) == NOW
            assert session.scalar(select(table.c.at).where(table.c.at < NOW)) is None
    finally:
        table.drop(database.engine)
