"""Every surface works as production opens PostgreSQL: as a role that row level security binds to one shop at a time."""

import pytest
import responses
from builders_apps import an_application, parts_of, work_off
from builders_cli import Command
from builders_database import TENANT_ROLE, add_shop, an_empty_database, migrate, on_postgres
from builders_offers import SOCKS, variant_id_of
from builders_orders import a_line, an_order
from builders_proofs import admin_id_token, signed_webhook
from builders_surfaces import ONE, TWO, a_customer, a_purchase, ask_theme, call_page, plant, purchase_token, say
from sqlalchemy import select

from shopify_upsell.database import Database, bind_shop
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.shops.store import ShopRow

pytestmark = pytest.mark.skipif(not on_postgres(), reason="row level security is PostgreSQL's")

WHO = a_customer(held_out=False)


@pytest.fixture
def bound(tmp_path):
    """An application that opens its database as the role, and two planted shops."""
    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        migrate(url)
        database = Database(url)
        for domain in (TWO, ONE):
            with database.write() as session:
                plant(session, add_shop(session, domain))
        yield an_application(database, tmp_path), Command(database, tmp_path)
        database.dispose()


def send(application, topic, body):
    raw, headers = signed_webhook(body, topic=topic)
    assert application.test_client().post("/webhooks", data=raw, headers=headers).get_json() == {"state": "stored"}
    work_off(application)


def links(application):
    with parts_of(application).database.read() as session:
        bind_shop(session, session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == ONE)).one())
        return session.execute(select(OrderRow.order_id, OrderRow.customer_id)).all()


def test_theme_purchase_page_webhooks_privacy_and_commands_all_bind_the_shop_they_serve(bound):
    application, command = bound
    page = purchase_token(a_purchase(customer_id=WHO))

    shown = ask_theme(application, customer_id=WHO).get_json()
    taken = {"decision_id": shown["decision_id"], "offer_id": shown["offers"][0]["offer_id"]}
    said = say(application, taken | {"event": "dismiss"})
    offered = call_page(application, "offers", token=page).get_json()
    accepted = {"decision_id": offered["decision_id"], "offer_id": offered["offers"][0]["offer_id"]}
    signed = call_page(application, "sign", accepted, token=page)
    line = a_line(10, product_id=SOCKS, variant_id=variant_id_of(SOCKS), token=shown["offers"][0]["items"][0]["token"])
    send(application, "orders/create", an_order(1, [line], customer_id=WHO))
    linked = links(application)
    send(application, "customers/redact", {"shop_domain": ONE, "customer": {"id": WHO}, "orders_to_redact": [1]})

    assert (said.get_json(), signed.status_code) == ({"recorded": True}, 200)
    assert (linked, links(application)) == ([(1, WHO)], [(1, None)])
    assert "Net revenue" in command("report", "statement", "--shop", ONE).stdout
    assert command("report", "statement", "--shop", TWO).stdout.startswith("No orders in this period.")
    assert '"offers": [{' in command("decide", "--shop", ONE, "--product", "1").stdout
    assert command("shops", "privacy", ONE).stdout.startswith("customers/redact\t")
    assert command("jobs", "dead").stdout == ""


def test_opening_the_app_installs_it_and_keys_can_be_rotated(bound):
    application, command = bound
    grant = {
        "access_token": "shpat_1",
        "expires_in": 3600,
        "refresh_token": "shprt_1",
        "refresh_token_expires_in": 7_776_000,
        "scope": "read_orders",
    }

    with responses.RequestsMock() as shopify:
        shopify.post(f"https://{ONE}/admin/oauth/access_token", json=grant)
        answers = [application.test_client().get(f"/?id_token={admin_id_token()}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert command("shops", "rotate-keys").stdout == "1 tokens encrypted with the newest key, 0 unreadable\n"
