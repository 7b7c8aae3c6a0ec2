"""Databases made by the real migrations, and shops in them.

TEST_DATABASE chooses `sqlite` (default) or `postgresql`; TEST_POSTGRES_URL names the server.
"""

import os
import uuid
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
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
        if role is not None:
            create = f"CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL;"
            connection.execute(text(f"DO $$ BEGIN {create} END $$"))
        connection.execute(text(f"CREATE DATABASE {name}" + (f" OWNER {role}" if role else "")))
    address = make_url(_postgres_server()).set(database=name)
    try:
        yield (address.set(username=role) if role else address).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


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
