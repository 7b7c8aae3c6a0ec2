"""The compliance webhooks from their delivery to the last row, and what stays of whom."""

import json
from datetime import timedelta

import pytest
import responses
from builders_apps import parts_of, real_now, work_off
from builders_offers import SOCKS, variant_id_of
from builders_orders import a_line, an_order, at
from builders_proofs import signed_webhook
from builders_shops import a_token
from builders_surfaces import (
    ONE,
    TWO,
    a_customer,
    a_planted_application,
    a_purchase,
    ask_theme,
    call_page,
    count_rows,
    purchase_token,
    say,
)
from sqlalchemy import func, select, text, update

from shopify_upsell.core import gid
from shopify_upsell.customers.store import SuppressionRow
from shopify_upsell.database import Base
from shopify_upsell.inbox.store import EventRow
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.schedule import set_schedule
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.store import PrivacyRequestRow, ShopRow, ShopTokenRow

WHO = a_customer(held_out=False, at_least=207_119_551)
"""Nine digits, so that the number cannot be in the database by accident."""
OTHER = a_customer(held_out=False, at_least=WHO + 1)
MAIL = "robin@example.com"


@pytest.fixture
def application(database, tmp_path):
    application = a_planted_application(database, tmp_path)
    parts, now = parts_of(application), real_now() - timedelta(hours=1)
    for domain in (TWO, ONE):
        with parts.database.write() as session:
            install_shop(session, domain, a_token(now, access=f"shpat_{domain[:3]}"), now, parts.keyring)
    return application


def deliver(application, topic, body, *, shop=ONE, hours=0, webhook_id=None):
    moment = real_now() + timedelta(hours=hours)
    raw, headers = signed_webhook(body, topic=topic, shop=shop, triggered_at=moment, webhook_id=webhook_id)
    answer = application.test_client().post("/webhooks", data=raw, headers=headers)
    assert answer.get_json() == {"state": "stored"}
    work_off(application)


def order(application, order_id, customer_id, *, shop=ONE, token=None, minutes=0):
    line = a_line(order_id * 10, product_id=SOCKS, variant_id=variant_id_of(SOCKS), price="20.00", token=token)
    document = an_order(order_id, [line], customer_id=customer_id, updated_at=at(minutes))
    deliver(application, "orders/create", document, shop=shop)


def redact(application, *, customer_id=WHO, orders=(), shop=ONE, webhook_id="redact-1"):
    body = {"shop_domain": shop, "customer": {"id": customer_id, "email": MAIL}, "orders_to_redact": list(orders)}
    deliver(application, "customers/redact", body, shop=shop, webhook_id=webhook_id)


def shop_id_of(application, domain=ONE):
    with parts_of(application).database.read() as session:
        return session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == domain)).one()


def links(application):
    with parts_of(application).database.read() as session:
        rows = session.execute(select(OrderRow.order_id, OrderRow.customer_id, ShopRow.domain).join(ShopRow))
        return sorted((domain, order_id, customer_id) for order_id, customer_id, domain in rows)


def requests(application):
    with parts_of(application).database.read() as session:
        rows = session.scalars(select(PrivacyRequestRow).order_by(PrivacyRequestRow.privacy_request_id))
        return [(row.kind, row.request_key, row.completed_at is not None, row.note) for row in rows]


def traces_of(application, needle, *, shop=ONE):
    """Tables and columns of a shop in which a text is found."""
    shop_id, found = shop_id_of(application, shop), set()
    with parts_of(application).database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table).where(table.c.shop_id == shop_id)).mappings():
                found |= {f"{table.name}.{name}" for name, value in row.items() if needle in _text(value)}
    return found


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def rows_of(application, shop):
    shop_id = shop_id_of(application, shop)
    with parts_of(application).database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table).where(table.c.shop_id == shop_id))
            for table in Base.metadata.sorted_tables
        }


def live_with_the_shop(application, customer_id=WHO, *, shop=ONE):
    """Buy, look at an offer, dismiss it, take another after the purchase: everything that leaves a trace."""
    order(application, 1, customer_id, shop=shop)
    order(application, 2, OTHER, shop=shop)
    answer = ask_theme(application, shop=shop, customer_id=customer_id, visitor="visitor-of-robin").get_json()
    event = {"decision_id": answer["decision_id"], "offer_id": answer["offers"][0]["offer_id"], "event": "dismiss"}
    say(application, event, shop=shop)
    token = purchase_token(a_purchase(customer_id=customer_id), shop=shop)
    call_page(application, "offers", token=token)
    ask_theme(application, shop=shop, customer_id=OTHER)


def test_a_customer_who_asks_to_be_forgotten_is_forgotten_in_ledger_wishes_decisions_and_raw_bodies(application):
    live_with_the_shop(application)
    assert {"sales_order.customer_id", "dismissal.subject", "decision.inputs", "inbox_event.body"} <= traces_of(
        application, str(WHO)
    )

    redact(application, orders=[1])

    assert links(application) == [(ONE, 1, None), (ONE, 2, OTHER)]
    assert count_rows(application, SuppressionRow) == 0
    assert count_rows(application, DecisionRow, DecisionRow.unit == f"c:{WHO}") == 0
    assert count_rows(application, DecisionRow, DecisionRow.unit == f"c:{OTHER}") == 1
    with parts_of(application).database.read() as session:
        events = session.execute(select(EventRow.topic, EventRow.subject, EventRow.body).order_by(EventRow.event_id))
        held = [(topic, subject, body is not None) for topic, subject, body in events]
    assert held == [
        ("orders/create", None, False), ("orders/create", "order:2", True), ("customers/redact", None, False),
    ]  # fmt: skip
    assert requests(application) == [("customers/redact", "redact-1", True, "")]
    assert not traces_of(application, str(WHO)) & {
        "sales_order.customer_id", "suppression.subject", "dismissal.subject", "courtesy.subject",
        "customer_signal.subject", "customer_profile.subject", "touchpoint.unit", "decision.inputs", "decision.unit",
        "inbox_event.body",
        "privacy_request.request_key", "inbox_event.subject",
    }  # fmt: skip


def test_amounts_and_products_stay_because_they_name_nobody(application):
    order(application, 1, WHO)
    before = rows_of(application, ONE)

    redact(application)

    after = rows_of(application, ONE)
    assert {name: after[name] for name in ("sales_order", "order_line", "credit")} == {
        name: before[name] for name in ("sales_order", "order_line", "credit")
    }
    assert (after["sales_order"], after["order_line"], after["redacted_customer"]) == (1, 1, 1)


def test_an_order_that_comes_after_its_customer_was_forgotten_is_stored_without_the_link(application):
    redact(application)

    order(application, 3, WHO)
    order(application, 4, OTHER)

    assert links(application) == [(ONE, 3, None), (ONE, 4, OTHER)]


def test_a_newer_version_of_an_old_order_does_not_bring_the_link_back(application):
    order(application, 1, WHO)
    redact(application)

    order(application, 1, WHO, minutes=30)

    assert links(application) == [(ONE, 1, None)]


def test_orders_that_shopify_names_are_cleaned_even_where_the_link_was_never_known(application):
    order(application, 5, None)

    redact(application, orders=[5])

    with parts_of(application).database.read() as session:
        assert session.scalars(select(EventRow.body).where(EventRow.topic == "orders/create")).one() is None


def test_the_raw_body_of_a_delivery_that_died_is_erased_as_well(application):
    deliver(application, "orders/create", an_order(6, customer_id=WHO, currency=None))
    assert count_rows(application, EventRow, EventRow.state == "dead") == 1

    redact(application, orders=[6])

    assert traces_of(application, MAIL) == set()
    assert count_rows(application, EventRow, EventRow.state == "dead") == 1


def test_the_same_customer_of_another_shop_is_left_alone(application):
    live_with_the_shop(application, shop=TWO)
    order(application, 1, WHO)

    redact(application)

    assert (TWO, 1, WHO) in links(application)
    assert {"dismissal.subject", "decision.unit", "inbox_event.body"} <= traces_of(application, str(WHO), shop=TWO)


def test_a_redaction_about_another_shop_than_its_header_names_is_dead_and_forgets_nobody(application):
    order(application, 1, WHO)
    body = {"shop_domain": TWO, "customer": {"id": WHO}, "orders_to_redact": []}

    deliver(application, "customers/redact", body)

    assert links(application) == [(ONE, 1, WHO)]
    assert count_rows(application, EventRow, EventRow.state == "dead") == 1
    assert requests(application) == []


def test_said_twice_a_redaction_is_one_request_done_once(application):
    order(application, 1, WHO)

    redact(application)
    raw, headers = signed_webhook(
        {"shop_domain": ONE, "customer": {"id": WHO}}, topic="customers/redact", webhook_id="redact-1"
    )
    answer = application.test_client().post("/webhooks", data=raw, headers=headers)
    work_off(application)

    assert answer.get_json() == {"state": "duplicate"}
    assert requests(application) == [("customers/redact", "redact-1", True, "")]


def test_a_customer_who_asks_what_is_held_is_answered_with_their_own_orders_and_touches(application):
    answer = ask_theme(application, customer_id=WHO).get_json()
    offer = answer["offers"][0]
    say(application, {"decision_id": answer["decision_id"], "offer_id": offer["offer_id"], "event": "accept"})
    with parts_of(application).database.write() as session:
        session.execute(update(DecisionRow).values(decided_at=at(-5)))
    order(application, 1, WHO, token=offer["items"][0]["token"])
    order(application, 2, OTHER)
    body = {"shop_domain": ONE, "customer": {"id": WHO}, "orders_requested": [1, 2], "data_request": {"id": 9999}}

    deliver(application, "customers/data_request", body)

    assert requests(application) == [("customers/data_request", "9999", True, "")]
    with parts_of(application).database.read() as session:
        export = json.loads(session.scalars(select(PrivacyRequestRow.export)).one())
    assert export["customer_id"] == gid("Customer", WHO)
    assert [found["order_id"] for found in export["orders"]] == [gid("Order", 1)]
    (found,) = export["orders"]
    assert found["lines"] == [
        {
            "line_id": gid("LineItem", 10),
            "product_id": gid("Product", SOCKS),
            "variant_id": gid("ProductVariant", variant_id_of(SOCKS)),
            "quantity": 1,
            "net_minor_units": 2000,
            "carries_offer_token": True,
        }
    ]
    assert [part["amount_minor_units"] for part in found["credited_to"]] == [2000]
    assert [(touch["kind"], touch["decision_id"]) for touch in export["touchpoints"]] == [
        ("accept", answer["decision_id"])
    ]
    assert MAIL not in json.dumps(export)


def test_a_shop_that_left_and_asks_to_be_forgotten_leaves_no_row_but_its_address_and_the_proof(application):
    for shop in (ONE, TWO):
        live_with_the_shop(application, shop=shop)
        with parts_of(application).database.write() as session:
            set_schedule(session, shop_id_of(application, shop), "learn_matrix", timedelta(days=1), real_now())
    noise = rows_of(application, TWO)
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE})

    deliver(application, "shop/redact", {"shop_domain": ONE}, hours=48, webhook_id="redact-shop")

    kept = {name: count for name, count in rows_of(application, ONE).items() if count}
    assert kept == {"shop": 1, "privacy_request": 1, "job": 1}
    assert rows_of(application, TWO) == noise
    assert requests(application) == [("shop/redact", "redact-shop", True, "")]
    assert traces_of(application, str(WHO)) == traces_of(application, MAIL) == set()
    with parts_of(application).database.read() as session:
        shop = session.scalars(select(ShopRow).where(ShopRow.domain == ONE)).one()
        (job,) = session.scalars(select(JobRow).where(JobRow.shop_id == shop.shop_id))
    assert (shop.state, shop.currency, shop.scopes, shop.time_zone) == ("redacted", None, "", None)
    assert shop.holdout_salt != f"salt-{ONE}"
    assert (job.kind, job.state) == ("erase_shop", "done")


def test_a_request_to_forget_a_shop_that_comes_after_its_return_is_ignored_and_noted(application):
    live_with_the_shop(application)
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE})
    parts, later = parts_of(application), real_now() + timedelta(hours=3)
    with parts.database.write() as session:
        install_shop(session, ONE, a_token(later), later, parts.keyring)
    before = rows_of(application, ONE)

    deliver(application, "shop/redact", {"shop_domain": ONE}, hours=1, webhook_id="late")

    after = rows_of(application, ONE)
    assert (before["sales_order"], before["decision"]) == (after["sales_order"], after["decision"]) == (2, 3)
    assert (after["shop_token"], count_rows(application, ShopRow, ShopRow.state == "installed")) == (1, 2)
    ((kind, key, _, note),) = requests(application)
    assert (kind, key, note) == (
        "shop/redact", "late", "ignored: the shop was installed again after the request",
    )  # fmt: skip


def test_an_erasure_that_is_overtaken_by_a_return_deletes_nothing(application):
    live_with_the_shop(application)
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE})
    parts, shop_id = parts_of(application), shop_id_of(application)
    with parts.database.write() as session:
        left = session.scalars(select(ShopRow.install_epoch).where(ShopRow.domain == ONE)).one()
        asked = {"install_epoch": left, "subject_id": shop_id}
        enqueue(session, shop_id, JobRequest("erase_shop", "erase", asked), real_now())
        install_shop(session, ONE, a_token(real_now()), real_now(), parts.keyring)
    before = rows_of(application, ONE)

    work_off(application)

    assert rows_of(application, ONE) == before


def test_an_uninstall_destroys_the_tokens_and_no_job_calls_shopify_any_more(application):
    parts, shop_id = parts_of(application), shop_id_of(application)
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE})
    with parts.database.write() as session:
        for kind in ("sync_products", "reconcile_orders", "refresh_shop", "keep_token_warm"):
            enqueue(session, shop_id, JobRequest(kind, kind), real_now())

    with responses.RequestsMock() as shopify:
        work_off(application)
        assert len(shopify.calls) == 0

    with parts.database.read() as session:
        tokens = session.scalars(select(ShopTokenRow.shop_id)).all()
        ended = session.execute(select(JobRow.state, JobRow.error).where(JobRow.dedupe_key == JobRow.kind)).all()
        states = dict(session.execute(select(ShopRow.domain, ShopRow.state)).all())
    assert tokens == [shop_id_of(application, TWO)]
    assert states == {ONE: "uninstalled", TWO: "installed"}
    assert set(ended) == {("dead", "shop_unavailable: the app is not installed")}


def test_webhooks_of_a_shop_that_left_are_parked_and_change_nothing(application):
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE})
    raw, headers = signed_webhook(an_order(9, customer_id=WHO))

    answer = application.test_client().post("/webhooks", data=raw, headers=headers)
    work_off(application)

    assert answer.get_json() == {"state": "parked"}
    assert links(application) == []
    assert count_rows(application, EventRow, EventRow.reason == "shop_not_installed") == 1


def test_a_late_uninstall_of_an_earlier_install_takes_nothing_from_the_new_one(application):
    deliver(application, "app/uninstalled", {"myshopify_domain": ONE}, hours=-2)

    assert count_rows(application, ShopRow, ShopRow.state == "installed") == 2
    assert count_rows(application, ShopTokenRow) == 2


def test_nothing_of_the_person_is_kept_outside_of_raw_bodies_while_it_is_held(application):
    live_with_the_shop(application)

    assert traces_of(application, MAIL) == {"inbox_event.body"}
    assert traces_of(application, "Robin") == {"inbox_event.body"}
    with parts_of(application).database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM inbox_event WHERE body IS NOT NULL")) == 2


def test_after_being_forgotten_the_customers_number_is_nowhere_in_the_shops_rows(application):
    live_with_the_shop(application)
    body = {"shop_domain": ONE, "customer": {"id": WHO}, "orders_requested": [1], "data_request": {"id": 9999}}
    deliver(application, "customers/data_request", body)

    redact(application, orders=[1])

    assert traces_of(application, str(WHO)) == set()
