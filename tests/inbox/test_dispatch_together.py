"""Deliveries applied at once leave what they leave one by one, and an unreadable one spoils no other."""

import json
from collections import Counter

import pytest
from builders_apps import an_application, parts_of, work_off
from builders_database import add_shop
from builders_proofs import signed_webhook
from chaos.deliveries import History
from sqlalchemy import func, select

from shopify_upsell import app as joined
from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import ShopId
from shopify_upsell.customers.signal_tables import ProfileRow, SignalRow
from shopify_upsell.database import Base
from shopify_upsell.inbox.store import EventRow
from shopify_upsell.jobs.worker import Handler, Worker
from shopify_upsell.shops.store import PrivacyRequestRow

DOMAIN, NOISE = "one.myshopify.com", "two.myshopify.com"
COMPARED = (
    "sales_order", "order_line", "refund", "refund_line", "order_edit_change", "credit", "credit_path", "taken_line",
    "counted_basket", "product_count", "pair_count",
)  # fmt: skip

OWN = {"shop_id", "offer_token", "version_digest"}


@pytest.fixture
def application(database, tmp_path):
    with database.write() as session:
        add_shop(session, NOISE)
        add_shop(session, DOMAIN)
    return an_application(database, tmp_path)


def send(application, messages, domain):
    client = application.test_client()
    for topic, webhook_id, body, moment in messages:
        raw, headers = signed_webhook(body, topic=topic, shop=domain, webhook_id=webhook_id, triggered_at=moment)
        assert client.post("/webhooks", data=raw, headers=headers).get_json() == {"state": "stored"}


def a_history(application, shop_id, count):
    key = parts_of(application).keyring.signing_keys(TOKEN_PURPOSE, shop_id)[0]
    told = History(3, key, shop_id).write(count)
    return [(one.topic, one.webhook_id, one.body, one.triggered_at) for one in told]


def one_by_one(application):
    """A worker as the application's, to whom no kind of job may come several at once."""
    handlers = joined.job_handlers(parts_of(application))
    apart = {kind: Handler(one.inside or _alone(one.together), one.outside) for kind, one in handlers.items()}
    return Worker(parts_of(application).database, apart, joined.LISTENERS, gathered=joined.GATHERED)


def _alone(together):
    return None if together is None else lambda session, job: together(session, [job])


def shop_ids(application):
    with parts_of(application).database.read() as session:
        return sorted(session.scalars(select(Base.metadata.tables["shop"].c.shop_id)))


def kept(application, shop_id):
    """Every row of the shop that follows from what was told, but for what names the shop: tokens are signed for it."""
    with parts_of(application).database.read() as session:
        found = {}
        for name in COMPARED:
            table = Base.metadata.tables[name]
            rows = session.execute(select(table).where(table.c.shop_id == shop_id)).mappings()
            found[name] = Counter(repr({key: row[key] for key in row if key not in OWN}) for row in rows)
        signals = (SignalRow.subject, SignalRow.kind, SignalRow.external_id, SignalRow.occurred_at)
        profiles = (ProfileRow.subject, ProfileRow.order_count, ProfileRow.last_ordered_at)
        for columns in (signals, profiles):
            about = select(*columns).where(columns[0].class_.shop_id == shop_id)
            found[columns[0].class_.__tablename__] = Counter(map(repr, session.execute(about)))
        return found


def events(application, domain):
    shop = Base.metadata.tables["shop"]
    with parts_of(application).database.read() as session:
        rows = select(EventRow).join(shop, shop.c.shop_id == EventRow.shop_id).where(shop.c.domain == domain)
        return {row.webhook_id: (row.state, row.reason, row.subject) for row in session.scalars(rows)}


def test_a_history_applied_at_once_leaves_what_it_leaves_one_by_one(application):
    first, second = shop_ids(application)
    send(application, a_history(application, first, 30), NOISE)
    work_off(application)
    send(application, a_history(application, second, 30), DOMAIN)
    one_by_one(application).drain()

    together, apart = kept(application, first), kept(application, second)

    assert together == apart
    assert len(together["sales_order"]) == 8
    assert len(together["pair_count"]) == 3
    assert events(application, NOISE) == events(application, DOMAIN)


def test_an_unreadable_delivery_is_buried_with_its_reason_and_the_others_are_applied(application):
    messages = a_history(application, ShopId(1), 6)
    broken = json.dumps({"id": 77, "currency": None}).encode()
    send(application, [*messages[:3], ("orders/create", "broken", broken, messages[0][3]), *messages[3:]], DOMAIN)

    work_off(application)

    found = events(application, DOMAIN)
    assert found.pop("broken")[::2] == ("dead", "order:77")
    assert Counter(state for state, _, _ in found.values()) == Counter(done=6)


def test_two_requests_about_one_customer_within_a_piece_are_both_answered(application):
    body = {"shop_domain": DOMAIN, "customer": {"id": 207_119_551}, "orders_to_redact": []}
    moment = a_history(application, ShopId(1), 1)[0][3]
    send(application, [("customers/redact", name, body, moment) for name in ("first", "second")], DOMAIN)

    work_off(application)

    with parts_of(application).database.read() as session:
        asked = select(func.count()).where(PrivacyRequestRow.completed_at.is_not(None))
        assert session.scalar(asked.select_from(PrivacyRequestRow)) == 2
