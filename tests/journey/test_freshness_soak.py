"""Fifty webhooks a second: what reports rest on stays less than a minute behind what has come in. SOAK=1 runs it.

Web and one worker as a host runs them. Watched every second: the stamp that reports carry, the oldest delivery that
waits, and the oldest piece of work that is due, because a delivery that is handled still has to be settled.
"""

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, Queue

import pytest
import requests
from builders_database import TENANT_ROLE, an_empty_database
from chaos.deliveries import History
from chaos.test_convergence import ENVIRONMENT, an_app, signed_message
from chaos.test_kill import Processes, free_port, is_up, wait_until
from sqlalchemy import func, select

from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import ShopId
from shopify_upsell.database import bind_shop
from shopify_upsell.inbox.store import EventRow, freshness
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.keyring import Keyring
from shopify_upsell.reports.statement import Freshness

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not os.environ.get("SOAK"), reason="a minute of load on both processes: SOAK=1"),
]

RATE, SECONDS = 50, 60
CLIENTS = 16
MOST_BEHIND = 60.0
SHOP = ShopId(1)


@dataclass
class Seen:
    """The worst that was seen. Units: seconds behind; deliveries a second that were taken."""

    stamp: float = 0.0
    delivery: float = 0.0
    work: float = 0.0
    rate: float = 0.0
    caught_up: float = 0.0
    refused: Counter = field(default_factory=Counter)


def test_reports_stay_a_minute_behind_at_most_at_fifty_webhooks_a_second(tmp_path):
    key = Keyring(("k" * 32,)).signing_keys(TOKEN_PURPOSE, SHOP)[0]
    messages = History(11, key, SHOP).write(RATE * SECONDS)
    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        seen = bear(url, tmp_path, messages)

    print(  # noqa: T201 what a reader of the run wants to see
        f"\n{seen.rate:.1f} webhooks a second for {SECONDS} s: stamp at most {seen.stamp:.1f} s behind, "
        f"oldest delivery {seen.delivery:.1f} s, oldest work {seen.work:.1f} s; "
        f"all done {seen.caught_up:.1f} s after the last"
    )
    assert seen.refused == Counter()
    assert seen.rate >= RATE * 0.95
    # What came last is settled when all is done: until then reports are behind by that much.
    assert max(seen.stamp, seen.delivery, seen.work, seen.caught_up) <= MOST_BEHIND


def bear(url, folder, messages):
    """Send the messages at their rate while watching how far behind the numbers are."""
    database = an_app(url, folder).extensions["wellpaired"].database
    port = free_port()
    own = {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder), "APP_URL": "http://app.test"}
    processes = Processes(os.environ | ENVIRONMENT | own, port)
    seen, is_over = Seen(), threading.Event()
    try:
        wait_until(lambda: is_up(port), 60)
        watching = threading.Thread(target=watch, args=(database, seen, is_over))
        watching.start()
        started = time.monotonic()
        send_at_rate(messages, port, seen)
        ended = time.monotonic()
        seen.rate = len(messages) / (ended - started)
        wait_until(lambda: is_idle(database), 600)
        seen.caught_up = time.monotonic() - ended
    finally:
        is_over.set()
        watching.join()
        processes.stop()
        database.dispose()
    return seen


def send_at_rate(messages, port, seen):
    """Each message at its moment, by whichever client is free; a client never sends two at once."""
    due, started = Queue(), time.monotonic()
    for number, message in enumerate(messages):
        due.put((started + number / RATE, message))

    def client():
        browser = requests.Session()
        while True:
            try:
                moment, message = due.get_nowait()
            except Empty:
                return
            time.sleep(max(0.0, moment - time.monotonic()))
            body, headers = signed_message(message)
            answer = browser.post(f"http://127.0.0.1:{port}/webhooks", data=body, headers=headers, timeout=30)
            if answer.status_code != 200:
                seen.refused[answer.status_code] += 1

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def watch(database, seen, is_over):
    """Once a second: how far behind are the stamp, the oldest delivery and the oldest work."""
    while not is_over.wait(1.0):
        now = datetime.now(UTC)
        with database.read() as session:
            bind_shop(session, SHOP)
            newest, waiting = freshness(session, SHOP)
            oldest = session.scalar(select(func.min(EventRow.received_at)).where(EventRow.state == "stored"))
            work = session.scalar(
                select(func.min(JobRow.not_before)).where(JobRow.state == "new", JobRow.not_before <= now)
            )
        # Without anything waiting the stamp is old only because nothing came.
        if waiting:
            seen.stamp = max(seen.stamp, Freshness(now, newest, waiting).to_json()["lag_seconds"] or 0.0)
        seen.delivery = max(seen.delivery, (now - oldest).total_seconds() if oldest else 0.0)
        seen.work = max(seen.work, (now - work).total_seconds() if work else 0.0)


def is_idle(database):
    with database.read() as session:
        waiting = session.scalar(select(func.count()).where(EventRow.state == "stored"))
        due = session.scalar(select(func.count()).where(JobRow.state == "new", JobRow.not_before <= datetime.now(UTC)))
    return not waiting and not due
