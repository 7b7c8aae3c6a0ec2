"""Reconciliation over the Admin API: Shopify's answers are scripted, everything else is real."""

import json
from datetime import timedelta

import pytest
import responses
from builders_admin_nodes import an_order_node
from builders_database import NOW
from builders_shops import KEYRING, a_token
from sqlalchemy import func, select

from shopify_upsell.core import RetryLater
from shopify_upsell.database import bind_shop
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.jobs.queue import Job
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger import sync
from shopify_upsell.ledger.store import newest_order_version
from shopify_upsell.ledger.sync import OrderReconciliation
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow
from shopify_upsell.shops.access import ShopAccess
from shopify_upsell.shops.install import install_shop

URL = "https://one.myshopify.com/admin/api/2026-10/graphql.json"


@pytest.fixture
def shop(database):
    with database.write() as session:
        return install_shop(session, "one.myshopify.com", a_token(NOW), NOW, KEYRING)


@pytest.fixture
def reconciliation(database):
    client = TokenClient("key", ("secret",), lambda shop_domain: f"https://{shop_domain}")
    return OrderReconciliation(
        ShopAccess(database, KEYRING, client, lambda shop_domain: f"https://{shop_domain}"), database
    )


def a_job(shop, **payload):
    return Job(1, shop.shop_id, "reconcile_orders", payload, 1, "lease", NOW)


def answers(*pages):
    """Have Shopify answer each call with the next page, and return the variables of the calls."""
    asked = []

    def answer(request):
        asked.append(json.loads(request.body)["variables"])
        document = pages[len(asked) - 1]
        return 200, {}, json.dumps(document if "errors" in document else {"data": document})

    responses.add_callback(responses.POST, URL, callback=answer, content_type="application/json")
    return asked


def a_page(*nodes, cursor=None):
    page_info = {"hasNextPage": cursor is not None, "endCursor": cursor}
    return {"orders": {"nodes": list(nodes), "pageInfo": page_info}}


def reconcile(database, reconciliation, job):
    write = reconciliation.reconcile(job)
    with database.write() as session:
        bind_shop(session, job.shop_id)
        return write(session)


def count(database, shop, row):
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        return session.scalar(select(func.count()).select_from(row).where(row.shop_id == shop.shop_id))


@responses.activate
def test_orders_whose_webhooks_never_came_are_found_and_a_second_run_changes_nothing(database, shop, reconciliation):
    found = a_page(an_order_node(1), an_order_node(2), cursor="c1"), a_page(an_order_node(3))
    answers(*found, *found)

    first = reconcile(database, reconciliation, a_job(shop))
    second = reconcile(database, reconciliation, a_job(shop))

    assert [announced.name for announced in first] == ["order_recorded"] * 3
    assert (list(second), count(database, shop, OrderRow)) == ([], 3)


@responses.activate
def test_after_an_install_sixty_days_are_read_whatever_came_already(database, shop, reconciliation):
    asked = answers(a_page(an_order_node(1)), a_page(), a_page())

    reconcile(database, reconciliation, a_job(shop, is_first=True))
    reconcile(database, reconciliation, a_job(shop, is_first=True))
    reconcile(database, reconciliation, a_job(shop))

    with database.read() as session:
        bind_shop(session, shop.shop_id)
        newest = newest_order_version(session, shop.shop_id)
    sixty_days = f"updated_at:>='{NOW - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}'"
    two_days = f"updated_at:>='{min(newest, NOW) - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}'"
    assert [variables["query"] for variables in asked] == [sixty_days, sixty_days, two_days]


@responses.activate
def test_a_page_that_costs_too_much_is_asked_for_in_halves(database, shop, reconciliation):
    refused = {"errors": [{"message": "too much", "extensions": {"code": "MAX_COST_EXCEEDED"}}]}
    asked = answers(refused, refused, a_page(an_order_node(1)))

    reconcile(database, reconciliation, a_job(shop))

    assert [variables["first"] for variables in asked] == [10, 5, 2]
    assert count(database, shop, OrderRow) == 1


@responses.activate
def test_lines_that_did_not_fit_their_page_are_read_before_the_order_is_recorded(database, shop, reconciliation):
    whole = an_order_node(1)
    more = json.loads(json.dumps(whole))
    more["lineItems"]["nodes"] = [line | {"id": line["id"] + "99"} for line in more["lineItems"]["nodes"]]
    cut = json.loads(json.dumps(whole))
    cut["lineItems"]["pageInfo"] = {"hasNextPage": True, "endCursor": "l1"}
    asked = answers(a_page(cut), a_page(more))

    reconcile(database, reconciliation, a_job(shop))

    assert (asked[1]["query"], asked[1]["linesAfter"]) == ("id:1", "l1")
    assert count(database, shop, OrderLineRow) == 2 * len(whole["lineItems"]["nodes"])


@responses.activate
def test_a_large_shop_is_read_in_pieces_each_asking_for_the_next(database, shop, reconciliation, monkeypatch):
    monkeypatch.setattr(sync, "PAGES_A_JOB", 1)
    asked = answers(a_page(an_order_node(1), cursor="c1"), a_page(an_order_node(2)))

    reconcile(database, reconciliation, a_job(shop))
    with database.read() as session:
        payload = json.loads(session.scalars(select(JobRow.payload).where(JobRow.kind == "reconcile_orders")).one())
    reconcile(database, reconciliation, a_job(shop, **payload))

    assert [variables["after"] for variables in asked] == [None, "c1"]
    assert asked[0]["query"] == asked[1]["query"]
    assert count(database, shop, OrderRow) == 2


@responses.activate
def test_shopify_being_away_is_tried_again_and_writes_nothing(database, shop, reconciliation):
    responses.add(responses.POST, URL, status=503)

    with pytest.raises(RetryLater):
        reconciliation.reconcile(a_job(shop))

    assert count(database, shop, OrderRow) == 0
