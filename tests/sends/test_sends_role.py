"""Planning and handing over work as the app's own PostgreSQL role, which row level security binds to one shop."""

import pytest
from builders_database import NOW, TENANT_ROLE, an_empty_database, migrate, on_postgres
from builders_sends import ONE, TWO, Feed, a_buyer, a_number, a_sending_shop, plan
from sqlalchemy import select, update

from shopify_upsell.database import Database, bind_shop
from shopify_upsell.sends.tables import SendRow

pytestmark = pytest.mark.skipif(not on_postgres(), reason="row level security is PostgreSQL's")


def test_each_shops_send_is_planned_and_handed_over_in_its_own_shop_alone(tmp_path):
    customer = a_number(held_out=False)
    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        migrate(url)
        database = Database(url)
        shops = []
        for domain in (TWO, ONE):
            with database.write() as session:
                shops.append(a_sending_shop(session, domain))
                a_buyer(session, shops[-1], customer)
        for shop_id in shops:
            plan(database, shop_id)
            with database.write() as session:
                bind_shop(session, shop_id)
                session.execute(update(SendRow).values(due_at=NOW))  # forgets its shop on purpose

        assert len(Feed(database).due()["sends"]) == 1

        states = {}
        for shop_id in shops:
            with database.read() as session:
                bind_shop(session, shop_id)
                states[shop_id] = session.scalars(select(SendRow.state)).all()
        assert states == {shops[0]: ["planned"], shops[1]: ["handed_over"]}
        database.dispose()
