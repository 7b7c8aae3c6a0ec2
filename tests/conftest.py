"""Fixtures shared by the suite. TEST_DATABASE chooses `sqlite` (default) or `postgresql`; the suite runs on both."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from builders_database import add_shop, an_empty_database, migrate, on_postgres
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Base, Database, bind_shop

OF_A_DATABASE = ("an_empty_database", "on_postgres", "TEST_DATABASE", "DATABASE_URL")
"""Words of a test file that opens a database without the fixtures."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what reads no database: the run on SQLite has asked it already."""
    if not on_postgres():
        return
    kept = [item for item in items if _is_about_a_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _is_about_a_database(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return bool(names & {"migrated_database", "empty_database_url"}) or any(
        word in _source_of(item.path) for word in OF_A_DATABASE
    )


@cache
def _source_of(path: Path) -> str:
    return path.read_text()


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
    migrated_database.memory.clear()
    return migrated_database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session whose work is rolled back."""
    with Session(database.engine, expire_on_commit=False) as session:
        yield session
        session.rollback()


@pytest.fixture
def shop_id(session: Session) -> ShopId:
    """An installed shop in the rolled-back session, beside another one as noise."""
    add_shop(session, "noise.myshopify.com")
    shop_id = add_shop(session)
    bind_shop(session, shop_id)
    return shop_id
