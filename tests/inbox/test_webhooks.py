import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from builders_apps import an_application, parts_of, work_off
from builders_database import add_shop
from builders_proofs import OLD_SECRET, signed_webhook
from sqlalchemy import func, select, text

from shopify_upsell.inbox.store import EventRow
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.store import OrderRow
from shopify_upsell.shops.store import ShopRow

ORDER = {
    "id": 450789469,
    "created_at": "2026-10-01T10:00:00-04:00",
    "processed_at": "2026-10-01T10:00:00-04:00",
    "updated_at": "2026-10-01T10:00:00-04:00",
    "cancelled_at": None,
    "test": False,
    "source_name": "web",
    "financial_status": "paid",
    "currency": "USD",
    "presentment_currency": "USD",
    "taxes_included": False,
    "email": "someone@example.com",
    "customer": {"id": 207119551, "first_name": "Somebody", "email": "someone@example.com"},
    "line_items": [
        {"id": 1, "product_id": 7, "variant_id": 70, "quantity": 1, "current_quantity": 1, "price": "19.99"}
    ],
    "refunds": [],
}


@pytest.fixture
def application(database, tmp_path):
    with database.write() as session:
        add_shop(session)
        add_shop(session, "two.myshopify.com")
    return an_application(database, tmp_path, SHOPIFY_API_SECRET_OLD=OLD_SECRET)


def send(application, body=None, **proof):
    raw, headers = signed_webhook(ORDER if body is None else body, **proof)
    return application.test_client().post("/webhooks", data=raw, headers=headers)


def count(application, row, *conditions):
    with parts_of(application).database.read() as session:
        return session.scalar(select(func.count()).select_from(row).where(*conditions))


def the_event(application):
    with parts_of(application).database.read() as session:
        return session.scalars(select(EventRow)).one()


def test_a_signed_order_is_stored_answered_and_becomes_a_fact(application):
    answer = send(application)
    work_off(application)

    assert (answer.status_code, answer.get_json()) == (200, {"state": "stored"})
    assert the_event(application).state == "done"
    assert the_event(application).subject == "order:450789469"
    assert count(application, OrderRow, OrderRow.order_id == 450789469) == 1


def test_nothing_of_the_person_reaches_the_ledger(application):
    send(application)
    work_off(application)

    with parts_of(application).database.read() as session:
        for table in ("sales_order", "order_line", "job"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert "someone@example.com" not in repr(rows)
            assert "Somebody" not in repr(rows)


def test_a_wrong_signature_is_401_and_stores_nothing(application):
    answer = send(application, secret="another secret")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert (count(application, EventRow), count(application, JobRow)) == (0, 0)


def test_a_body_changed_after_signing_is_401(application):
    raw, headers = signed_webhook(ORDER)

    for body in (raw + b"\n", raw[:-1], json.dumps(json.loads(raw), indent=1).encode()):
        assert application.test_client().post("/webhooks", data=body, headers=headers).status_code == 401
    assert count(application, EventRow) == 0


def test_the_old_secret_is_accepted_while_it_is_configured(application):
    assert send(application, secret=OLD_SECRET).status_code == 200


def test_ten_copies_at_once_are_ten_answers_one_row_one_order(application):
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: send(application, webhook_id="the same"), range(10)))
    work_off(application)

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.get_json()["state"] for answer in answers) == ["duplicate"] * 9 + ["stored"]
    assert (count(application, EventRow), count(application, OrderRow)) == (1, 1)


def test_two_subscriptions_of_one_event_are_two_rows_and_one_order(application):
    send(application, webhook_id="a", event_id="one event")
    send(application, webhook_id="b", event_id="one event")
    work_off(application)

    assert (count(application, EventRow), count(application, OrderRow)) == (2, 1)


def test_the_same_delivery_under_another_shops_header_touches_only_that_shop(application):
    send(application, webhook_id="a")
    send(application, webhook_id="a", shop="two.myshopify.com")
    work_off(application)

    with parts_of(application).database.read() as session:
        shops = session.scalars(select(OrderRow.shop_id)).all()
    assert len(set(shops)) == len(shops) == 2


def test_an_unknown_topic_is_parked_with_a_reason(application):
    answer = send(application, topic="carts/create")
    work_off(application)

    assert answer.get_json() == {"state": "parked"}
    assert (the_event(application).state, the_event(application).reason) == ("parked", "unknown_topic")


def test_an_unknown_shop_is_parked_and_never_applied(application):
    answer = send(application, shop="stranger.myshopify.com")
    work_off(application)

    assert answer.get_json() == {"state": "parked"}
    assert (the_event(application).state, the_event(application).reason) == ("parked", "unknown_shop")
    assert count(application, OrderRow) == 0
    assert count(application, ShopRow, ShopRow.state == "unknown") == 1


def test_what_came_before_the_install_is_applied_after_it(application):
    from shopify_upsell.jobs.queue import JobRequest, enqueue

    send(application, shop="late.myshopify.com")
    parts = parts_of(application)
    with parts.database.write() as session:
        shop = session.scalars(select(ShopRow).where(ShopRow.domain == "late.myshopify.com")).one()
        shop.state, shop.currency = "installed", "USD"
        enqueue(session, shop.shop_id, JobRequest("release_parked", "release_parked:1"), the_event_time())
    work_off(application)

    assert the_event(application).state == "done"
    assert count(application, OrderRow) == 1


def the_event_time():
    from builders_apps import real_now

    return real_now()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"7", b'"text"', b"{", b'{"id": NaN}', b'{"id": Infinity}', b"\xef\xbb\xbf{}",
        '{"id": 1}'.encode("utf-16"), b'{"id": "\xff"}', b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"id": ' + b"9" * 10_000 + b"}", b'{"id": 1e400}', gzip.compress(b"{}" * 1000, mtime=0), b"{}",
        json.dumps(ORDER | {"id": 2**63}).encode(), json.dumps(ORDER | {"currency": None}).encode(),
        json.dumps(ORDER | {"line_items": [{"id": 1, "quantity": 1, "price": "1,99"}]}).encode(),
        json.dumps(ORDER | {"line_items": [{"id": 1, "quantity": -1, "price": "1.99"}]}).encode(),
        json.dumps(ORDER | {"line_items": {"id": 1}}).encode(), json.dumps(ORDER | {"updated_at": "soon"}).encode(),
    ],
)  # fmt: skip
def test_a_malformed_body_is_stored_as_dead_with_a_reason_and_harms_no_other(application, body):
    assert send(application, body, webhook_id="bad").status_code == 200
    assert send(application, webhook_id="good").status_code == 200
    work_off(application)

    with parts_of(application).database.read() as session:
        events = {row.webhook_id: (row.state, row.reason) for row in session.scalars(select(EventRow))}
        dead_jobs = session.scalar(select(func.count()).select_from(JobRow).where(JobRow.state == "dead"))
    assert events["bad"][0] == "dead"
    assert events["bad"][1]
    assert events["good"] == ("done", None)
    assert dead_jobs == 0


@pytest.mark.parametrize(
    "change",
    [
        {"X-Shopify-Shop-Domain": "evil.example.com"}, {"X-Shopify-Shop-Domain": "one.myshopify.com.evil.com"},
        {"X-Shopify-Shop-Domain": ""}, {"X-Shopify-Webhook-Id": ""}, {"X-Shopify-Webhook-Id": "x" * 5000},
        {"X-Shopify-Topic": ""},
    ],
)  # fmt: skip
def test_unusable_headers_are_refused_and_nothing_is_stored(application, change):
    raw, headers = signed_webhook(ORDER)

    answer = application.test_client().post("/webhooks", data=raw, headers=headers | change)

    assert answer.status_code == 400
    assert count(application, EventRow) == 0


def test_a_body_over_five_megabytes_is_413(application):
    answer = send(application, b" " * (5 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert count(application, EventRow) == 0


def test_five_hundred_lines_are_one_order(application):
    lines = [ORDER["line_items"][0] | {"id": n} for n in range(1, 501)]
    send(application, ORDER | {"line_items": lines})
    work_off(application)

    assert the_event(application).state == "done"
