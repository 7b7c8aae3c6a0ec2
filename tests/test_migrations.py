"""The migrations make exactly what the models describe, up and down, on both databases."""

import re
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from shopify_upsell.database import Base, Database

ROOT = Path(__file__).resolve().parent.parent


def configuration(url: str) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.cmd_opts = type("Options", (), {"x": [f"url={url}"]})()
    return config


@pytest.fixture
def empty_database(empty_database_url):
    database = Database(empty_database_url)
    yield database, configuration(empty_database_url)
    database.dispose()


def test_there_is_one_head_and_every_name_is_numbered():
    script = ScriptDirectory(str(ROOT / "migrations"))

    assert len(script.get_heads()) == 1
    for revision in script.walk_revisions():
        name = Path(revision.path).stem
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+", name), name
        assert name.split("_")[0] == revision.revision
        assert "shopify_upsell" not in Path(revision.path).read_text(), "migrations import nothing of ours"


def test_up_down_and_up_again_ends_at_the_models(empty_database):
    database, config = empty_database

    command.upgrade(config, "head")
    command.downgrade(config, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    command.upgrade(config, "head")

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
