"""Spelled statements say and read what SQLAlchemy would, on both databases, inside the session's transaction."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import Double, Text, bindparam, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from shopify_upsell.customers.courtesy_store import CourtesyRow
from shopify_upsell.database import ExternalId, UtcDateTime
from shopify_upsell.spelled import Spelled

TABLE = CourtesyRow.__table__
INSERT = Spelled(insert(TABLE))
READ = Spelled(
    select(TABLE.c.subject, TABLE.c.version, TABLE.c.touched_at, literal(0.5, Double).label("half"))
    .where(TABLE.c.shop_id == bindparam("shop", type_=ExternalId))
    .order_by(TABLE.c.subject),
    {"subject": Text, "version": ExternalId, "touched_at": UtcDateTime, "half": Double},
)
RAISE = Spelled(
    update(TABLE)
    .where(TABLE.c.shop_id == bindparam("shop"), TABLE.c.version >= bindparam("least"))
    .values(version=TABLE.c.version + 10)
)


def a_row(shop_id, subject, version=1):
    return {"shop_id": shop_id, "subject": subject, "version": version, "state": "{}", "touched_at": NOW}


def subjects(session, shop_id):
    return [(row.subject, row.version) for row in READ.rows(session, {"shop": shop_id})]


def test_values_and_columns_are_converted_and_what_the_statement_brought_need_not_be_given(session, shop_id):
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    INSERT.change_each(session, [a_row(shop_id, "c:1") | {"touched_at": there}, a_row(shop_id, "c:2", 7)])
    INSERT.change_each(session, [a_row(add_shop(session, "two.myshopify.com"), "c:3")])

    found = READ.rows(session, {"shop": shop_id})

    assert [tuple(row) for row in found] == [("c:1", 1, NOW, 0.5), ("c:2", 7, NOW, 0.5)]
    assert {row.touched_at.tzinfo for row in found} == {UTC}
    with pytest.raises(Exception, match="naive"):
        INSERT.change_each(session, [a_row(shop_id, "c:4") | {"touched_at": datetime(2026, 1, 1)}])  # noqa: DTZ001


def test_each_run_tells_how_many_rows_it_changed(session, shop_id):
    INSERT.change_each(session, [a_row(shop_id, f"c:{n}", n) for n in (1, 2, 3)])

    counts = RAISE.changes(session, [{"shop": shop_id, "least": 2}, {"shop": shop_id, "least": 99}])

    assert counts == [2, 0]
    assert subjects(session, shop_id) == [("c:1", 1), ("c:2", 12), ("c:3", 13)]
    assert RAISE.changes(session, []) == []


def test_a_parameter_that_is_missing_is_an_error(session, shop_id):
    with pytest.raises(Exception, match="least"):
        RAISE.changes(session, [{"shop": shop_id}])


def test_errors_of_the_driver_come_as_sqlalchemys_and_name_no_value(database):
    with database.write() as session:
        shop_id = add_shop(session)
        INSERT.change_each(session, [a_row(shop_id, "c:secret")])

    with pytest.raises(IntegrityError) as refused, database.write() as session:
        INSERT.change_each(session, [a_row(shop_id, "c:other"), a_row(shop_id, "c:secret")])

    assert refused.value.params in ({}, None)
    with database.read() as session:
        assert subjects(session, shop_id) == [("c:secret", 1)]
