"""The migrations make exactly what the models describe, up and down, on both databases."""

import re
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from builders_database import ROOT, migrate
from sqlalchemy import inspect

from shopify_upsell.database import Base, Database


def test_there_is_one_head_and_every_name_is_numbered():
    script = ScriptDirectory(str(ROOT / "migrations"))

    assert len(script.get_heads()) == 1
    for revision in script.walk_revisions():
        name = Path(revision.path).stem
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+", name), name
        assert name.split("_")[0] == revision.revision
        assert "shopify_upsell" not in Path(revision.path).read_text(), "migrations import nothing of ours"


def test_up_down_and_up_again_ends_at_the_models(empty_database_url):
    migrate(empty_database_url)
    migrate(empty_database_url, "base")
    database = Database(empty_database_url)
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    migrate(empty_database_url)

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()
