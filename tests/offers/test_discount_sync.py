"""Reading a shop's discounts over the Admin API: Shopify's answers are scripted, everything else is real."""

import json
from datetime import timedelta

import pytest
import responses
from builders_database import NOW
from builders_discounts import a_node, gets, named
from builders_orders import a_delivery
from builders_shops import KEYRING, a_token

from shopify_upsell.core import Announcement
from shopify_upsell.database import bind_shop
from shopify_upsell.gateway.failures import AdminApiRefused
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger import sync
from shopify_upsell.offers.discount_store import discounts_in_force, save_discounts
from shopify_upsell.offers.discount_sync import AUTOMATIC, WITH_CODE, DiscountSync, record_discount_change
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.shops.access import ShopAccess
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.store import ShopProfile, save_profile

URL = "https://one.myshopify.com/admin/api/2026-10/graphql.json"
KNOWN_BEFORE = ActiveDiscount("9", "product", "percentage", 900)
DENIED = {"errors": [{"message": "Access denied for discountNodes field.", "extensions": {"code": "ACCESS_DENIED"}}]}


@pytest.fixture
def shop(database):
    with database.write() as session:
        shop = install_shop(session, "one.myshopify.com", a_token(NOW), NOW, KEYRING)
        bind_shop(session, shop.shop_id)
        save_profile(session, shop.shop_id, ShopProfile("USD", "UTC", "one.test"), NOW)
        before = NOW - timedelta(hours=1)
        save_discounts(session, shop.shop_id, (KNOWN_BEFORE,), is_whole=True, read_at=before)
        return shop


@pytest.fixture
def discount_sync(database):
    client = TokenClient("key", ("secret",), lambda shop_domain: f"https://{shop_domain}")
    return DiscountSync(ShopAccess(database, KEYRING, client, lambda shop_domain: f"https://{shop_domain}"))


def answers(*pages):
    """Script what Shopify says, one answer a call; returns the variables of every call."""
    asked, left = [], list(pages)

    def answer(request):
        asked.append(json.loads(request.body)["variables"])
        page = left.pop(0)
        return 200, {}, json.dumps(page if "errors" in page else {"data": page})

    responses.add_callback(responses.POST, URL, callback=answer, content_type="application/json")
    return asked


def a_page(*nodes, cursor=None):
    page_info = {"hasNextPage": cursor is not None, "endCursor": cursor}
    return {"discountNodes": {"nodes": list(nodes), "pageInfo": page_info}}


def read(database, discount_sync, shop):
    """Run the job; returns the ids in force and whether they are all."""
    job = Job(1, shop.shop_id, "sync_discounts", {}, 1, "lease", NOW)
    write = discount_sync.sync(job)
    with database.write() as session:
        bind_shop(session, shop.shop_id)
        assert list(write(session)) == []
    return in_force(database, shop)


def in_force(database, shop):
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        found = discounts_in_force(session, shop.shop_id, now=NOW)
    return [one.discount_id for one in found.running], found.are_known


def a_code_node(number, code):
    return a_node(number, "DiscountCodeBasic", codes={"nodes": [{"code": code}]})


@responses.activate
def test_every_page_of_automatic_discounts_and_the_codes_replace_what_was_known(database, shop, discount_sync):
    asked = answers(a_page(a_node(4), cursor="c1"), a_page(a_node(2)), a_page(a_code_node(3, "WALK")))

    assert read(database, discount_sync, shop) == (["2", "3", "4"], True)
    assert [(each["query"], each["after"]) for each in asked] == [
        (AUTOMATIC, None),
        (AUTOMATIC, "c1"),
        (WITH_CODE, None),
    ]


@responses.activate
def test_a_shop_without_discounts_is_known_to_have_none(database, shop, discount_sync):
    answers(a_page(), a_page())

    assert read(database, discount_sync, shop) == ([], True)


@responses.activate
def test_more_automatic_discounts_than_are_read_are_not_all_of_them(database, shop, discount_sync, monkeypatch):
    monkeypatch.setattr(sync, "PAGES_A_JOB", 1)
    answers(a_page(a_node(4), cursor="c1"), a_page(a_code_node(3, "WALK"), cursor="c2"))

    assert read(database, discount_sync, shop) == (["3", "4"], False)


@responses.activate
def test_codes_that_are_not_all_read_leave_the_automatic_ones_known(database, shop, discount_sync, monkeypatch):
    monkeypatch.setattr(sync, "PAGES_A_JOB", 1)
    answers(a_page(a_node(4)), a_page(a_code_node(3, "WALK"), cursor="c2"))

    assert read(database, discount_sync, shop) == (["3", "4"], True)


@responses.activate
def test_products_that_did_not_fit_the_page_are_read_before_the_discount_counts(database, shop, discount_sync):
    cut = a_node(4, customerGets=gets(named(1, page_info={"hasNextPage": True, "endCursor": "p1"})))
    rest = a_node(4, customerGets=gets(named(2)))
    asked = answers(a_page(cut), a_page(), a_page(rest))

    read(database, discount_sync, shop)

    assert (asked[2]["query"], asked[2]["productsAfter"], asked[2]["variantsAfter"]) == ("id:4", "p1", None)
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        (discount,) = discounts_in_force(session, shop.shop_id, now=NOW).running
    assert (discount.value_kind, discount.product_ids) == ("percentage", (1, 2))


@responses.activate
def test_a_discount_that_is_gone_before_its_products_were_read_is_opaque(database, shop, discount_sync):
    cut = a_node(4, customerGets=gets(named(1, page_info={"hasNextPage": True, "endCursor": "p1"})))
    answers(a_page(cut), a_page(), a_page())

    read(database, discount_sync, shop)

    with database.read() as session:
        bind_shop(session, shop.shop_id)
        (discount,) = discounts_in_force(session, shop.shop_id, now=NOW).running
    assert discount.value_kind == "opaque"


@responses.activate
def test_a_merchant_who_has_not_agreed_to_the_scope_leaves_a_shop_that_promises_nothing(database, shop, discount_sync):
    answers(DENIED)

    assert read(database, discount_sync, shop) == ([], False)


@responses.activate
def test_another_refusal_is_a_fault_and_what_was_known_stays(database, shop, discount_sync):
    answers({"errors": [{"message": "no such field", "extensions": {"code": "undefinedField"}}]})

    with pytest.raises(AdminApiRefused):
        read(database, discount_sync, shop)

    assert in_force(database, shop) == (["9"], True)


def test_whatever_a_webhook_says_of_a_discount_asks_for_the_same_reading(session, shop_id):
    body = {"admin_graphql_api_id": "gid://shopify/DiscountAutomaticNode/1"}
    deliveries = [a_delivery(shop_id, topic, body) for topic in ("discounts/update", "discounts/delete")]

    announced = [record_discount_change(session, delivery) for delivery in deliveries]

    assert announced == [[Announcement("discounts_changed", 0)]] * 2
