"""Kill -9 web and worker at random while webhooks arrive: nothing acknowledged is lost, nothing is doubled."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from builders_database import TENANT_ROLE, an_empty_database
from chaos.deliveries import History
from chaos.test_convergence import ENVIRONMENT, an_app, fingerprint, signed_message
from sqlalchemy import func, select

from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import ShopId
from shopify_upsell.inbox.store import EventRow
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.keyring import Keyring

pytestmark = pytest.mark.chaos

SOAK = bool(os.environ.get("SOAK"))
MESSAGES = 2000 if SOAK else 300
KILLS = 5 if SOAK else 2
ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "shopify_upsell.cli.main")


class Processes:
    """The web and one worker as a host runs them: started again when they die."""

    def __init__(self, environment, port):
        self.environment, self.port = environment, port
        self.kills = 0
        self.running = {"web": self._start("web"), "worker": self._start("worker")}

    def _start(self, name):
        words = ("web", "--port", str(self.port)) if name == "web" else (name,)
        return subprocess.Popen(
            [*COMMAND, *words], env=self.environment, cwd=ROOT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill_and_restart(self, name):
        os.killpg(self.running[name].pid, signal.SIGKILL)
        self.running[name].wait()
        self.running[name] = self._start(name)
        self.kills += 1

    def stop(self):
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(look, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if look():
            return
        time.sleep(0.2)
    raise AssertionError("did not happen in time")


def is_up(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).ok
    except requests.RequestException:
        return False


def deliver(message, port, acknowledged):
    """Send as Shopify does: again until a 2xx."""
    for _ in range(200):
        body, headers = signed_message(message)
        try:
            answer = requests.post(f"http://127.0.0.1:{port}/webhooks", data=body, headers=headers, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            acknowledged.append(message.webhook_id)
            return
        time.sleep(0.1)
    raise AssertionError(f"{message.webhook_id} was never taken")


def send_all(messages, port):
    """Four clients share the messages; returns the threads and the ids that were acknowledged."""
    acknowledged = []

    def client(share):
        for message in share:
            deliver(message, port, acknowledged)

    threads = [threading.Thread(target=client, args=(messages[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    return threads, acknowledged


def test_killing_web_and_worker_loses_and_doubles_nothing(tmp_path):
    key = Keyring(("k" * 32,)).signing_keys(TOKEN_PURPOSE, ShopId(1))[0]
    messages = History(5, key, ShopId(1)).write(MESSAGES)
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    calm.mkdir(), stormy.mkdir()

    with an_empty_database(calm, role=TENANT_ROLE) as url:
        expected = _without_kills(url, calm, messages)
    with an_empty_database(stormy, role=TENANT_ROLE) as url:
        result, kills, acknowledged = _with_kills(url, stormy, messages)

    assert (kills, sorted(acknowledged)) == (2 * KILLS, sorted(m.webhook_id for m in messages))
    assert result == expected


def _without_kills(url, folder, messages):
    from chaos.test_convergence import deliver_all

    application = an_app(url, folder)
    deliver_all(application, messages, seed=1)
    database = application.extensions["wellpaired"].database
    found = fingerprint(database)
    database.dispose()
    return found


def _with_kills(url, folder, messages):
    database = an_app(url, folder).extensions["wellpaired"].database
    port = free_port()
    environment = os.environ | ENVIRONMENT | {
        "DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder), "JOB_LEASE_SECONDS": "3", "APP_URL": "http://app.test",
        "SQLITE_SYNCHRONOUS": "FULL",
    }  # fmt: skip
    processes = Processes(environment, port)
    try:
        wait_until(lambda: is_up(port), 40)
        threads, acknowledged = send_all(messages, port)
        _kill_at_random(processes, acknowledged, len(messages))
        for thread in threads:
            thread.join()
        wait_until(lambda: _is_idle(database, len(messages)), 180)
    finally:
        processes.stop()
    found = fingerprint(database)
    database.dispose()
    return found, processes.kills, acknowledged


def _kill_at_random(processes, acknowledged, total):
    """Kill each process once in every stretch of the deliveries, at a random point of it."""
    chance = random.Random(3)
    for stretch in range(KILLS):
        for name in ("web", "worker"):
            at = (stretch + chance.random() * 0.8) * total / (KILLS + 0.5)
            wait_until(lambda at=at: len(acknowledged) >= at, 240)
            processes.kill_and_restart(name)


def _is_idle(database, total):
    with database.read() as session:
        waiting = session.scalar(select(func.count()).select_from(JobRow).where(JobRow.state == "new"))
        stored = session.scalar(select(func.count()).select_from(EventRow))
        handled = session.scalar(select(func.count()).select_from(EventRow).where(EventRow.state == "done"))
    assert stored <= total, "a delivery was stored twice"
    return waiting == 0 and handled == total
