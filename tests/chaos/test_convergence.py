"""The same deliveries, shuffled, repeated and sent by several clients at once, give the same bytes."""

import hashlib
import os
import random
import threading
from queue import Empty, Queue

import pytest
from builders_database import NOW, TENANT_ROLE, an_empty_database, migrate
from builders_proofs import API_KEY, SECRET, signed_webhook
from chaos.deliveries import History
from sqlalchemy import select, update

from shopify_upsell import app as joined
from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import ShopId
from shopify_upsell.database import Base, Database, bind_shop
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.keyring import Keyring
from shopify_upsell.settings import read_settings
from shopify_upsell.shops.store import ShopRow

pytestmark = pytest.mark.chaos

SOAK = bool(os.environ.get("SOAK"))
SEEDS = range(20 if SOAK else 3)
MESSAGES = 1000 if SOAK else 200
DOMAIN = "one.myshopify.com"
LEDGER_TABLES = (
    "product", "variant", "sales_order", "order_line", "refund", "refund_line", "order_edit_change",
    "redacted_customer", "credit",
)  # fmt: skip
ENVIRONMENT = {
    "WELLPAIRED_ENV": "test",
    "APP_URL": "https://app.test",
    "SHOPIFY_API_KEY": API_KEY,
    "SHOPIFY_API_SECRET": SECRET,
    "ENCRYPTION_KEYS": "k" * 32,
    "SQLITE_SYNCHRONOUS": "NORMAL",
}


def an_app(url, folder):
    migrate(url)
    database = Database(url)
    with database.write() as session:
        session.add(
            ShopRow(
                shop_id=1, domain=DOMAIN, state="installed", currency="USD", holdout_salt="s", created_at=NOW,
                installed_at=NOW,
            )
        )  # fmt: skip
    database.dispose()
    return joined.create_app(read_settings(ENVIRONMENT | {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder)}))


def deliver_all(application, messages, seed):
    """Send every message one to three times from four clients while two workers run, until nothing is due."""
    parts = application.extensions["wellpaired"]
    parts.database.wake = None
    chance = random.Random(seed)
    copies = [message for message in messages for _ in range(chance.randrange(1, 4))]
    chance.shuffle(copies)
    queue = Queue()
    for message in copies:
        queue.put(message)
    sending = [threading.Thread(target=send_from, args=(application, queue)) for _ in range(4)]
    working = [threading.Thread(target=work_until, args=(parts, sending)) for _ in range(2)]
    for thread in [*sending, *working]:
        thread.start()
    for thread in [*sending, *working]:
        thread.join()
    drain(parts)


def signed_message(message):
    """The body and headers of one message, as Shopify sends it each time."""
    return signed_webhook(
        message.body, topic=message.topic, shop=DOMAIN, webhook_id=message.webhook_id, triggered_at=message.triggered_at
    )


def send_from(application, queue):
    client = application.test_client()
    while True:
        try:
            message = queue.get_nowait()
        except Empty:
            return
        for _ in range(8):
            body, headers = signed_message(message)
            if client.post("/webhooks", data=body, headers=headers).status_code == 200:
                break
        else:
            raise AssertionError("Shopify would have given up")


def work_until(parts, sending):
    worker = joined.make_worker(parts)
    while any(thread.is_alive() for thread in sending):
        worker.drain()


def drain(parts):
    """Run everything, also what was put off after a failure."""
    worker = joined.make_worker(parts)
    for _ in range(20):
        with parts.database.write() as session:
            session.execute(update(JobRow).where(JobRow.state == "new").values(not_before=NOW, lease_until=None))
        if not worker.drain():
            return
    raise AssertionError("work is still due after twenty rounds")


def fingerprint(database):
    """Hex digest of every row of the ledger and credit tables, and how many there are."""
    digest, count = hashlib.sha256(), 0
    with database.read() as session:
        bind_shop(session, ShopId(1))
        for name in LEDGER_TABLES:
            table = Base.metadata.tables[name]
            for row in session.execute(select(table).order_by(*table.primary_key.columns)):
                digest.update(repr(tuple(row)).encode())
                count += 1
    return digest.hexdigest(), count


def test_any_order_any_repetition_any_concurrency_gives_the_same_bytes(tmp_path):
    key = Keyring(("k" * 32,)).signing_keys(TOKEN_PURPOSE, ShopId(1))[0]
    messages = History(11, key, ShopId(1)).write(MESSAGES)
    seen = set()

    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with an_empty_database(folder, role=TENANT_ROLE) as url:
            application = an_app(url, folder)
            deliver_all(application, messages, seed)
            parts = application.extensions["wellpaired"]
            seen.add(fingerprint(parts.database))
            parts.database.dispose()

    assert len(seen) == 1
    ((_, count),) = seen
    assert count > MESSAGES / 2
