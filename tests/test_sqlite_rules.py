"""SQLite's own rules: a safe release, safe pragmas, one writer at a time, and answers in time while it is locked."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import sqlalchemy.exc
from builders_apps import an_application, parts_of
from builders_database import add_shop, migrate
from builders_proofs import signed_webhook
from sqlalchemy import text

from shopify_upsell import database as database_module
from shopify_upsell.core import BadSetting
from shopify_upsell.database import Database, WriteGate, is_transient


@pytest.fixture
def sqlite_database(tmp_path):
    """A database in a SQLite file, whichever the suite runs on: these rules are SQLite's."""
    found = Database(f"sqlite:///{tmp_path / 'rules.db'}")
    with found.write() as session:
        session.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)"))
        session.execute(text("INSERT INTO counter VALUES (1, 0)"))
    yield found
    found.dispose()


def number_of(database):
    with database.read() as session:
        return session.scalar(text("SELECT number FROM counter"))


def count_up(database, wait=0.0):
    with database.write() as session:
        seen = session.scalar(text("SELECT number FROM counter"))
        time.sleep(wait)
        session.execute(text("UPDATE counter SET number = :number"), {"number": seen + 1})


# --- SQLite: version, pragmas, gate


@pytest.mark.parametrize("version", [(3, 51, 2), (3, 50, 99), (3, 7, 0)])
def test_a_sqlite_that_can_corrupt_its_log_is_refused_by_name(tmp_path, monkeypatch, version):
    driver = database_module._sqlite_driver()
    monkeypatch.setattr(driver, "sqlite_version_info", version)
    monkeypatch.setattr(driver, "sqlite_version", ".".join(map(str, version)))

    with pytest.raises(BadSetting) as refused:
        Database(f"sqlite:///{tmp_path / 'old.db'}")

    assert refused.value.message.startswith("DATABASE_URL needs SQLite 3.51.3 or newer")
    assert f"found {'.'.join(map(str, version))}" in refused.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 52, 0), (4, 0, 0)])
def test_a_sqlite_from_the_first_safe_release_on_is_taken(tmp_path, monkeypatch, version):
    monkeypatch.setattr(database_module._sqlite_driver(), "sqlite_version_info", version)

    Database(f"sqlite:///{tmp_path / 'new.db'}").dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url):
    with pytest.raises(BadSetting, match="DATABASE_URL must name a SQLite file"):
        Database(url)


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
def test_every_connection_has_the_pragmas_that_make_it_safe(tmp_path, synchronous, level):
    found = Database(f"sqlite:///{tmp_path / 'a.db'}", synchronous=synchronous)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema")

    with found.read() as session:
        values = {name: session.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    found.dispose()

    assert values == {
        "journal_mode": "wal", "synchronous": level, "foreign_keys": 1, "busy_timeout": 1000, "trusted_schema": 0,
    }  # fmt: skip


def test_threads_that_read_and_then_write_lose_no_update(sqlite_database):
    threads = [
        threading.Thread(target=lambda: [count_up(sqlite_database, wait=0.001) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert number_of(sqlite_database) == 40


def test_processes_that_read_and_then_write_lose_no_update(sqlite_database):
    program = (
        "import sys; sys.path.insert(0, 'tests'); from test_sqlite_rules import *\n"
        "database = Database(sys.argv[1])\n"
        "for _ in range(15): count_up(database, wait=0.001)"
    )
    url = sqlite_database.engine.url.render_as_string()
    processes = [
        subprocess.Popen([sys.executable, "-c", program, url], env=os.environ | {"PYTHONPATH": "tests"})
        for _ in range(3)
    ]

    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert number_of(sqlite_database) == 45


def test_the_gate_lets_one_in_at_a_time_and_the_next_when_it_is_left(tmp_path):
    gate, entered = WriteGate(tmp_path / "gate"), []
    gate.enter()
    other = threading.Thread(target=lambda: (gate.enter(), entered.append(time.monotonic()), gate.leave()))
    other.start()
    time.sleep(0.2)
    assert entered == []

    left_at = time.monotonic()
    gate.leave()
    other.join(timeout=5)

    assert entered[0] >= left_at


def test_leaving_the_gate_twice_is_harmless(tmp_path):
    gate = WriteGate(tmp_path / "gate")
    gate.enter()
    gate.leave()
    gate.leave()

    gate.enter()
    gate.leave()


def is_held(gate_file):
    """Tell whether somebody holds the gate, as another process would find out: on a file opened for itself."""
    with open(gate_file, "a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_closed_gate_can_be_entered_again_and_holds(tmp_path):
    gate = WriteGate(tmp_path / "gate")
    for _ in range(3):
        gate.close()
        gate.close()
        gate.enter()
        assert is_held(tmp_path / "gate")
        gate.leave()
        assert not is_held(tmp_path / "gate")


def test_a_database_can_be_written_after_it_was_disposed_of(sqlite_database):
    for _ in range(3):
        count_up(sqlite_database)
        sqlite_database.dispose()
        sqlite_database.dispose()

    assert number_of(sqlite_database) == 3


def test_disposing_takes_the_gate_from_no_writer(sqlite_database):
    gate_file = sqlite_database.engine.url.database + ".lock"
    with sqlite_database.write() as session:
        session.execute(text("UPDATE counter SET number = 7"))
        other = threading.Thread(target=sqlite_database.dispose, daemon=True)
        other.start()
        other.join(timeout=0.2)
        assert is_held(gate_file)
    other.join(timeout=5)

    assert not other.is_alive()
    assert not is_held(gate_file)
    count_up(sqlite_database)
    assert number_of(sqlite_database) == 8


def enter_whenever_told(gate, pipe):
    """Enter the gate at every word from the parent and tell how it went."""
    error = None
    while pipe.recv() == "enter":
        error = _error_of(gate.enter)
        pipe.send(type(error).__name__ if error is not None else "entered")
    if error is None:
        gate.leave()


@contextmanager
def a_forked_child(gate):
    """A child of this process as it is now. Yields how it is made to enter the gate."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=enter_whenever_told, args=(gate, theirs), daemon=True)
    child.start()

    def enters():
        ours.send("enter")
        return ours.recv() if ours.poll(10) else "hangs"

    try:
        yield enters
        ours.send("end")
        child.join(10)
        assert child.exitcode == 0
    finally:
        child.kill()
        child.join()
        ours.close()
        theirs.close()


def test_a_child_forked_while_the_gate_is_held_cannot_enter_it_and_gives_nothing_back(tmp_path):
    gate_file = tmp_path / "gate"
    gate, fresh = WriteGate(gate_file), WriteGate(gate_file)
    gate.enter()
    for each in (gate, fresh):
        with a_forked_child(each) as enters:
            assert enters() == "TimeoutError"
        assert is_held(gate_file)
    gate.leave()

    assert not is_held(gate_file)


def test_a_child_forked_between_two_holds_waits_for_its_parents_next_and_enters_once_it_is_left(tmp_path):
    gate_file = tmp_path / "gate"
    gate = WriteGate(gate_file)
    gate.enter()
    gate.leave()
    with a_forked_child(gate) as enters:
        gate.enter()
        assert enters() == "TimeoutError"
        gate.leave()
        assert enters() == "entered"
        assert isinstance(_error_of(gate.enter), TimeoutError)

    gate.enter()
    gate.leave()
    assert not is_held(gate_file)


WAIT_IN_LINE = "import fcntl; held = open(sys.argv[1], 'w'); fcntl.flock(held, fcntl.LOCK_SH)"
"""Be seen to wait for the gate, as a web process that found it held."""


def test_a_patient_gate_gives_way_to_a_process_that_waits_but_not_for_ever(tmp_path):
    gate, waits = WriteGate(tmp_path / "gate"), []
    gate.is_patient = True

    def enter():
        started = time.monotonic()
        gate.enter()
        waits.append(time.monotonic() - started)
        gate.leave()

    enter()
    with held_by_another_process(WAIT_IN_LINE, tmp_path / "gate.waiting"):
        enter()
    enter()

    assert waits[1] >= database_module.PATIENCE_SECONDS > max(waits[0], waits[2])
    assert waits[1] < 1.5


HOLD_GATE = "import fcntl; held = open(sys.argv[1], 'w'); fcntl.flock(held, fcntl.LOCK_EX)"


@contextmanager
def held_by_another_process(taking, path):
    """Run a process that takes a lock and keeps it until it is killed."""
    program = f"import sys, time; {taking}; print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_gate_held_elsewhere_is_given_up_in_time_and_is_free_once_its_holder_is_killed(sqlite_database):
    path = sqlite_database.engine.url.database + ".lock"
    with held_by_another_process(HOLD_GATE, path):
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="write gate busy") as busy:
            count_up(sqlite_database)
        waited = time.monotonic() - started
        assert number_of(sqlite_database) == 0, "reading needs no gate"

    assert is_transient(busy.value)
    assert 1.4 < waited < 3
    count_up(sqlite_database)
    assert number_of(sqlite_database) == 1


def test_a_thread_that_waits_too_long_for_another_is_given_up_as_well(sqlite_database):
    with sqlite_database.write() as session:
        session.execute(text("UPDATE counter SET number = 7"))
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(_error_of(lambda: count_up(sqlite_database))))
        thread.start()
        thread.join(timeout=5)

    assert isinstance(outcome[0], TimeoutError)
    count_up(sqlite_database)
    assert number_of(sqlite_database) == 8


def _error_of(work):
    try:
        work()
    except Exception as error:
        return error
    return None


def test_a_writer_that_fails_at_once_leaves_the_gate_open(sqlite_database):
    for _ in range(20):
        with pytest.raises(sqlalchemy.exc.OperationalError), sqlite_database.write() as session:
            session.execute(text("UPDATE nowhere SET number = 1"))

    count_up(sqlite_database)
    assert number_of(sqlite_database) == 1


# --- a lock that is held for long, seen from outside


@pytest.fixture
def application_on_sqlite(database, tmp_path):
    url = f"sqlite:///{tmp_path / 'app.db'}"
    migrate(url)
    application = an_application(database, tmp_path, DATABASE_URL=url)
    with parts_of(application).database.write() as session:
        add_shop(session)
    yield application
    parts_of(application).database.dispose()


def the_file_locked(path):
    """Hold SQLite's own lock, as a backup or another program would."""
    return held_by_another_process(
        "import sqlite3; held = sqlite3.connect(sys.argv[1], isolation_level=None); held.execute('BEGIN IMMEDIATE')",
        path,
    )


def the_gate_locked(path):
    """Hold the gate, as a writer that hangs would."""
    return held_by_another_process(HOLD_GATE, path + ".lock")


@pytest.mark.parametrize("hold", [the_file_locked, the_gate_locked])
def test_a_delivery_during_a_long_lock_is_503_in_under_five_seconds_and_taken_afterwards(application_on_sqlite, hold):
    raw, headers = signed_webhook({"id": 1}, webhook_id="during")
    path = parts_of(application_on_sqlite).database.engine.url.database
    client = application_on_sqlite.test_client()

    with hold(path):
        started = time.monotonic()
        answer = client.post("/webhooks", data=raw, headers=headers)
        waited = time.monotonic() - started
    again = client.post("/webhooks", data=raw, headers=headers)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json() == {"error": {"code": "try_again", "message": "the database is busy"}}
    assert waited < 5
    assert (again.status_code, again.get_json()) == (200, {"state": "stored"})
