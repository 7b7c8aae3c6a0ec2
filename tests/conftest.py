"""Fixtures shared by the suite. TEST_DATABASE chooses `sqlite` (default) or `postgresql`; the suite runs on both."""

import os
import uuid
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Base, Database, bind_shop
from shopify_upsell.shops.store import ShopRow

ROOT = Path(__file__).resolve().parent.parent

# In the past, so that what is due by this clock is due by a database server's own clock too.
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def _postgres_server() -> str:
    return os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5499/postgres")


def migrate(url: str, revision: str = "head") -> None:
    """Bring a database to a revision with the real migrations."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.cmd_opts = Namespace(x=[f"url={url}"])
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


TENANT_ROLE = "wellpaired_app"
"""A PostgreSQL role as production has it: owner of its database, no superuser, so that row level security binds it."""


def on_postgres() -> bool:
    """Tell which database this run of the suite uses."""
    return os.environ.get("TEST_DATABASE", "sqlite") == "postgresql"


@contextmanager
def an_empty_database(folder: Path, *, role: str | None = None) -> Iterator[str]:
    """Give the address of a database with nothing in it; on PostgreSQL owned by, and opened as, a role if named."""
    if not on_postgres():
        yield f"sqlite:///{folder / 'test.db'}"
        return
    name = f"wp_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(_postgres_server(), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        if role is not None and not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": role}):
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"CREATE DATABASE {name}" + (f" OWNER {role}" if role else "")))
    address = make_url(_postgres_server()).set(database=name)
    yield (address.set(username=role) if role else address).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def empty_database_url(tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    with an_empty_database(tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database made by the real migrations, once per test process."""
    with an_empty_database(tmp_path_factory.mktemp("db")) as url:
        migrate(url)
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture
def database(migrated_database: Database) -> Database:
    """The database with every table empty before the test: for tests that commit."""
    with migrated_database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    return migrated_database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session whose work is rolled back."""
    with Session(database.engine, expire_on_commit=False) as session:
        yield session
        session.rollback()


def add_shop(session: Session, domain: str = "one.myshopify.com", state: str = "installed") -> ShopId:
    """Insert a shop as an installed one."""
    row = ShopRow(
        domain=domain,
        state=state,
        currency="USD",
        time_zone="UTC",
        holdout_salt="salt-" + domain,
        created_at=NOW,
        installed_at=NOW,
    )
    session.add(row)
    session.flush()
    return ShopId(row.shop_id)


@pytest.fixture
def shop_id(session: Session) -> ShopId:
    """An installed shop in the rolled-back session, beside another one as noise."""
    add_shop(session, "noise.myshopify.com")
    shop_id = add_shop(session)
    bind_shop(session, shop_id)
    return shop_id


@pytest.fixture
def tmp_home(tmp_path: Path) -> Path:
    return tmp_path
