"""Run migrations on the database that DATABASE_URL names (or `-x url=…`), one transaction each."""

import os
from importlib import import_module
from pathlib import Path

from alembic import context
from sqlalchemy import text

import shopify_upsell
from shopify_upsell.database import Base, Database

PACKAGE = Path(shopify_upsell.__file__).parent
for file in sorted(PACKAGE.glob("*/*.py")):
    if "__tablename__" in file.read_text():
        import_module(f"shopify_upsell.{file.parent.name}.{file.stem}")


def _url() -> str:
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("DATABASE_URL", "")
    if not url:
        return f"sqlite:///{os.environ.get('WELLPAIRED_VAR_DIR', 'var')}/wellpaired.db"
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url[len(scheme) :]
    return url


def _run() -> None:
    database = Database(_url())
    try:
        with database.engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                transaction_per_migration=True,
                render_as_batch=database.is_sqlite,
                compare_type=True,
            )
            with context.begin_transaction():
                if not database.is_sqlite:
                    # Two releases at once must not interleave; a lock that is not had soon is not waited for.
                    connection.execute(text("SELECT pg_advisory_xact_lock(7263811)"))
                    connection.execute(text("SET LOCAL lock_timeout = '4s'"))
                context.run_migrations()
    finally:
        database.dispose()


_run()
