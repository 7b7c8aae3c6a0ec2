"""No transaction reads or writes another shop's rows: enforced by PostgreSQL, whatever the code above forgets."""

import pytest
from builders_database import NOW, TENANT_ROLE, add_shop, an_empty_database, migrate, on_postgres
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from shopify_upsell.customers.store import SuppressionRow
from shopify_upsell.database import Base, Database, bind_shop

pytestmark = pytest.mark.skipif(not on_postgres(), reason="row level security is PostgreSQL's")

SHARED = {"shop", "job", "schedule", "inbox_event"}
"""Tables that serve every shop before one is known."""


@pytest.fixture(scope="module")
def tenants(tmp_path_factory):
    """A database opened as the app's own role, with one wish in each of two shops."""
    with an_empty_database(tmp_path_factory.mktemp("tenants"), role=TENANT_ROLE) as url:
        migrate(url)
        database = Database(url)
        with database.write() as session:
            shops = (add_shop(session, "one.myshopify.com"), add_shop(session, "two.myshopify.com"))
        for shop_id in shops:
            with database.write() as session:
                bind_shop(session, shop_id)
                session.add(a_wish(shop_id))
        yield database, *shops
        database.dispose()


def a_wish(shop_id, subject="v:visitor-1"):
    return SuppressionRow(shop_id=shop_id, subject=subject, product_id=1, reason="dismissed", until=NOW)


def seen_by(database, shop_id):
    with database.read() as session:
        if shop_id is not None:
            bind_shop(session, shop_id)
        return session.scalars(select(SuppressionRow.shop_id)).all()


def test_a_query_that_forgets_its_shop_sees_only_the_bound_one(tenants):
    database, one, two = tenants

    assert seen_by(database, one) == [one]
    assert seen_by(database, two) == [two]


def test_a_transaction_without_a_shop_sees_nothing(tenants):
    database, one, _ = tenants
    seen_by(database, one)  # the pooled connection was bound before

    assert seen_by(database, None) == []


def test_another_shops_row_can_not_be_written(tenants):
    database, one, two = tenants

    def intrude():
        with database.write() as session:
            bind_shop(session, one)
            session.add(a_wish(two, "v:intruder"))

    with pytest.raises(ProgrammingError, match="row-level security"):
        intrude()

    assert seen_by(database, two) == [two]


def test_an_update_that_forgets_its_shop_changes_only_the_bound_one(tenants):
    database, one, two = tenants

    with database.write() as session:
        bind_shop(session, one)
        session.execute(text("UPDATE suppression SET reason = 'snoozed'"))
    with database.read() as session:
        bind_shop(session, two)
        assert session.scalars(select(SuppressionRow.reason)).all() == ["dismissed"]


def test_every_tenant_table_forces_a_policy_that_checks_writes_too(tenants):
    database, *_ = tenants

    with database.read() as session:
        forced = set(
            session.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")).all()
        )
        checked = set(session.scalars(text("SELECT tablename FROM pg_policies WHERE with_check IS NOT NULL")).all())

    assert forced == checked == set(Base.metadata.tables) - SHARED
