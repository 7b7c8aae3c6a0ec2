"""The database: declarative base, column types, engine, sessions, and the rules SQLite needs to be safe.

Sessions are opened and committed at the edge (a view, a job, a command) with `Database.write` or `Database.read`;
nothing below commits. `bind_shop` names the tenant of a session; PostgreSQL enforces it with row level security.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Text,
    bindparam,
    create_engine,
    event,
    func,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from shopify_upsell.core import BadSetting, ShopId
from shopify_upsell.spelled import Spelled, driver_errors

SAFE_SQLITE = (3, 51, 3)
"""First release without the WAL-reset corruption. Source: sqlite.org/wal.html, "The WAL-Reset Bug"."""

GATE_SECONDS = 1.5
"""Longest wait for the write gate. Pool wait 1 s, thread lock 1 s, gate 1.5 s and busy timeout 1 s stay under
Shopify's 5 s answer budget together."""

PATIENCE_SECONDS = 0.25
"""Longest that a worker lets others in before it: under a flood of webhooks it still gets its turn."""

AFTER_COMMIT = "after_commit_callbacks"


class Base(DeclarativeBase):
    """Every table of ours. Constraint names follow one convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: refuses naive values and gives back UTC, on SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC. Raises: ValueError for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


ExternalId = BigInteger
"""An id that Shopify gave: 64 bits on both databases."""

OwnId = BigInteger().with_variant(Integer, "sqlite")
"""A key that the database counts up itself: SQLite does that for INTEGER PRIMARY KEY only, also 64 bits."""


class WriteGate:
    """Lets one writer at a time into a SQLite file, fairly, across threads and processes.

    SQLite's own busy handler sleeps up to 100 ms a try and is unfair: a tight worker loop starves the web. Whoever
    waits holds a shared lock on a second file; a patient process (a worker) goes in only when nobody holds it, or
    after it has waited long enough. The kernel frees file locks when a process is killed.
    """

    def __init__(self, lock_file: Path) -> None:
        self.is_patient = False
        self._thread_lock = threading.Lock()
        self._lock_file = lock_file
        self._waiting_file = lock_file.with_name(lock_file.name + ".waiting")
        self._descriptor, self._owner = -1, 0
        self._is_held = False

    def enter(self) -> None:
        """Take the gate: at once where nobody is in it, else in line, and seen to wait. Raises: TimeoutError."""
        if self.is_patient:
            self._let_others_in()
        if not self._is_entered_at_once():
            self._line_up()
        self._is_held = True

    def _is_entered_at_once(self) -> bool:
        if not self._thread_lock.acquire(blocking=False):
            return False
        if self._is_had(_is_locked_now):
            return True
        self._thread_lock.release()
        return False

    def _line_up(self) -> None:
        waiting = None if self.is_patient else self._opened(self._waiting_file)
        try:
            if waiting is not None:
                fcntl.flock(waiting, fcntl.LOCK_SH)
            if not self._thread_lock.acquire(timeout=1.0):
                raise TimeoutError("write gate busy")
            if not self._is_had(partial(_lock_within, seconds=GATE_SECONDS)):
                self._thread_lock.release()
                raise TimeoutError("write gate busy")
        finally:
            if waiting is not None:
                os.close(waiting)

    def _is_had(self, lock: Callable[[int], bool]) -> bool:
        """Lock the file, which this process has opened for itself: children share the locks of what they inherit."""
        try:
            if self._owner != os.getpid():
                self._descriptor, self._owner = self._opened(self._lock_file), os.getpid()
            return lock(self._descriptor)
        except BaseException:
            self._thread_lock.release()
            raise

    def leave(self) -> None:
        """Give the gate back; leaving twice is harmless."""
        if self._is_held and self._owner == os.getpid():
            self._is_held = False
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._thread_lock.release()

    def close(self) -> None:
        """Close the gate's file, if nobody holds it; the next to enter opens it again."""
        if not self._thread_lock.acquire(blocking=False):
            return
        try:
            if self._owner == os.getpid():
                os.close(self._descriptor)
            self._owner = 0
        finally:
            self._thread_lock.release()

    def _let_others_in(self) -> None:
        descriptor = self._opened(self._waiting_file)
        try:
            _lock_within(descriptor, PATIENCE_SECONDS)
        finally:
            os.close(descriptor)

    @staticmethod
    def _opened(path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_within(descriptor: int, seconds: float) -> bool:
    """Try for an exclusive lock in short naps; tell whether it was had."""
    deadline, nap = time.monotonic() + seconds, 0.0002
    while not _is_locked_now(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(nap)
        nap = min(nap * 1.5, 0.002)
    return True


class Database:
    """One engine and the two ways to open a session on it."""

    def __init__(self, url: str, *, synchronous: str = "FULL", pool_size: int = 16) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._gate: WriteGate | None = None
        if self.is_sqlite:
            self.engine, self._gate = _sqlite_engine(url, synchronous, pool_size)
        else:
            self.engine = _postgres_engine(url, pool_size)
        self._read_engine = self.engine.execution_options(sqlite_begin="DEFERRED")
        self._look_engine = self.engine.execution_options(sqlite_begin=None)
        self.wake: Callable[[], None] | None = None
        self.memory: dict[str, Any] = {}
        """What readers of this process may remember across sessions, each under a name of its own."""

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when the block ends well and rolls back when it does not."""
        with Session(self.engine, expire_on_commit=False, info={"wake": self.wake, "memory": self.memory}) as session:
            with session.begin():
                yield session
            run_after_commit(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading: on SQLite it never takes the write lock. Nothing it does is committed."""
        with Session(self._read_engine, expire_on_commit=False, info={"memory": self.memory}) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session for reading with one statement: on SQLite no transaction is begun, so a second would see later."""
        with Session(self._look_engine, expire_on_commit=False, info={"memory": self.memory}) as session:
            yield session

    def let_others_in(self) -> None:
        """Make this process give way at SQLite's write gate: for workers, so that answers come first."""
        if self._gate is not None:
            self._gate.is_patient = True

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        if self._gate is not None:
            self._gate.close()


def is_postgresql(session: Session) -> bool:
    """Tell which of the two databases the session talks to."""
    return session.get_bind().dialect.name == "postgresql"


def dialect_insert(session: Session) -> Any:
    """The INSERT that knows ON CONFLICT: both databases have it, SQLAlchemy has one for each."""
    return postgresql.insert if is_postgresql(session) else sqlite.insert


NAME_SHOP = Spelled(
    select(func.set_config("app.shop_id", bindparam("shop_id", type_=Text), true())), {"set_config": Text}
)


def bind_shop(session: Session, shop_id: ShopId) -> None:
    """Name the tenant whose rows this transaction may see. PostgreSQL hides every other tenant's rows."""
    session.info["shop_id"] = shop_id
    if is_postgresql(session):
        NAME_SHOP.rows(session, {"shop_id": str(shop_id)})


def after_commit(session: Session, key: str, callback: Callable[[], None]) -> None:
    """Run the callback once the session's transaction has committed; one callback a key."""
    session.info.setdefault(AFTER_COMMIT, {})[key] = callback


def run_after_commit(session: Session) -> None:
    """Run and forget what `after_commit` collected. `Database.write` calls it."""
    for callback in session.info.pop(AFTER_COMMIT, {}).values():
        callback()


def is_transient(error: Exception) -> bool:
    """Tell whether the same work may succeed in a moment: lock, gate, deadlock or a lost connection."""
    return isinstance(error, (OperationalError, PoolTimeout, TimeoutError))


def _postgres_engine(url: str, pool_size: int) -> Engine:
    options = "-c statement_timeout=4000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=15000"
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=1,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 3, "options": options},
    )


def _sqlite_engine(url: str, synchronous: str, pool_size: int) -> tuple[Engine, WriteGate]:
    driver = _sqlite_driver()
    path = make_url(url).database
    if not path or path == ":memory:":
        raise BadSetting("DATABASE_URL must name a SQLite file")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        module=driver,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=1,
        connect_args={"timeout": 1, "check_same_thread": False},
    )
    _set_pragmas(engine, synchronous)
    gate = WriteGate(Path(path + ".lock"))
    _guard_writes(engine, gate)
    return engine, gate


def _sqlite_driver() -> Any:
    try:
        import pysqlite3.dbapi2 as driver
    except ImportError:  # where no wheel exists the standard library's SQLite serves if it is new enough
        import sqlite3 as driver
    if driver.sqlite_version_info < SAFE_SQLITE:
        raise BadSetting(
            f"DATABASE_URL needs SQLite {'.'.join(map(str, SAFE_SQLITE))} or newer for its write-ahead log, "
            f"found {driver.sqlite_version}: install the pysqlite3 wheel or use PostgreSQL"
        )
    return driver


def _set_pragmas(engine: Engine, synchronous: str) -> None:
    pragmas = (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "busy_timeout=1000",
        "foreign_keys=ON",
        "journal_size_limit=67108864",
        "trusted_schema=OFF",
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in pragmas:
            connection.execute("PRAGMA " + pragma)


def _guard_writes(engine: Engine, gate: WriteGate) -> None:
    """Begin every transaction as IMMEDIATE inside the gate, unless the engine was opened for reading."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        if mode is None:
            return
        if mode == "IMMEDIATE" and "gate" not in connection.info:
            gate.enter()
            connection.info["gate"] = gate
        try:
            with driver_errors(connection.dialect, "BEGIN"):
                connection.connection.cursor().execute("BEGIN " + mode)
        except BaseException:
            _open_gate(connection)
            raise

    # The commit event fires before the driver's COMMIT; the gate must outlast it, so it opens when the connection
    # is given back. A connection that begins again without being given back still holds it.
    @event.listens_for(engine, "checkin")
    def checkin(_connection: object, record: Any) -> None:
        held = record.info.pop("gate", None)
        if held is not None:
            held.leave()


def _open_gate(connection: Connection) -> None:
    held = connection.info.pop("gate", None)
    if held is not None:
        held.leave()
