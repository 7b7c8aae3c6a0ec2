"""The command as a whole: every subcommand explains itself, and every foreseen failure is one line and exit code 2."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from builders_apps import ENVIRONMENT
from builders_cli import Command, lines_of
from builders_surfaces import an_unreachable_url
from click.testing import CliRunner

from shopify_upsell.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent.parent


def subcommands(group=cli, path=()):
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from subcommands(command, (*path, name))


EVERY = list(subcommands())


@pytest.fixture
def command(database, tmp_path):
    return Command(database, tmp_path)


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text()
    named = {path[0] for path in EVERY}

    assert {"clock", "decide", "demo", "experiment", "export", "offers", "signals", "simulate", "statement"} <= named
    assert {name for name in named if not re.search(rf"`(shopify-upsell )?{name}\b", readme)} == set()


@pytest.mark.parametrize("path", [(), *EVERY], ids=" ".join)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_every_subcommand_says_what_it_does_and_needs_no_settings_for_that(path, word):
    result = CliRunner().invoke(cli, [*path, word], env=dict.fromkeys(ENVIRONMENT))

    usage, sentence = lines_of(result.stdout)[0], lines_of(result.stdout)[1]
    assert result.exit_code == 0
    assert usage.startswith("Usage: ")
    assert sentence.startswith("  [OPTIONS]") or len(sentence.strip()) > 20


@pytest.mark.parametrize("path", [["frobnicate"], ["shops", "frobnicate"], ["decide"], ["import-orders"]])
def test_a_subcommand_that_does_not_exist_or_lacks_a_word_is_a_usage_error(path):
    result = CliRunner().invoke(cli, path)

    assert (result.exit_code, "Error:" in result.stderr) == (2, True)


WRONG = {
    "WELLPAIRED_ENV": "staging",
    "APP_URL": "ftp://app.test",
    "SHOPIFY_API_KEY": "",
    "SHOPIFY_API_SECRET": "",
    "ENCRYPTION_KEYS": "short",
    "DATABASE_URL": "mysql://host/db",
    "REDIS_URL": "host:6379",
    "WELLPAIRED_VAR_DIR": os.devnull,
    "SHOPIFY_ORIGIN": "nonsense",
    "LOG_LEVEL": "LOUD",
    "SQLITE_SYNCHRONOUS": "OFF",
    "HOLDOUT_BASIS_POINTS": "10%",
    "OFFER_RATE_PER_SECOND": "0",
    "JOB_LEASE_SECONDS": "1",
    "METRICS_TOKEN": "é",
}


@pytest.mark.parametrize(("key", "value"), WRONG.items(), ids=WRONG)
def test_a_wrong_setting_ends_the_command_with_one_line_that_names_it(command, key, value):
    result = command("shops", "list", **{key: value})

    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = lines_of(result.stderr)
    assert line.startswith(f"shopify-upsell: {key} ")


@pytest.mark.parametrize("words", [["jobs", "status"], ["routes"], ["openapi"], ["worker"], ["clock"]], ids=" ".join)
def test_every_way_into_the_app_reads_the_settings_first(command, words):
    result = command(*words, HOLDOUT_BASIS_POINTS="5001")

    assert result.exit_code == 2
    assert result.stderr == "shopify-upsell: HOLDOUT_BASIS_POINTS must be a whole number from 0 to 5000\n"


def test_the_installed_command_and_the_web_factory_end_alike_on_a_wrong_setting(tmp_path):
    environment = {"PATH": os.environ["PATH"]} | ENVIRONMENT | {"ENCRYPTION_KEYS": "short"}
    factory = "from shopify_upsell.app import create_app_from_environment as make; make()"

    def run(*words):
        return subprocess.run([sys.executable, *words], env=environment, cwd=tmp_path, capture_output=True, text=True)

    command = run("-m", "shopify_upsell.cli.main", "jobs", "status")
    web = run("-c", factory)

    complaint = "ENCRYPTION_KEYS must be comma-separated keys of at least 32 characters, newest first"
    assert (command.returncode, command.stdout, command.stderr) == (2, "", f"shopify-upsell: {complaint}\n")
    assert (web.returncode, web.stdout, web.stderr) == (1, "", f"wellpaired: {complaint}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_or_was_never_migrated_is_one_line(command, tmp_path):
    away = command("shops", "list", DATABASE_URL=an_unreachable_url(tmp_path))
    empty = command("shops", "list", DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")

    for result in (away, empty):
        (line,) = lines_of(result.stderr)
        assert result.exit_code == 2
        assert line.startswith("shopify-upsell: the database refused: ")
        assert line.endswith("(is it there, and migrated with alembic?)")


def test_routes_lists_every_address_of_the_app(command):
    told = lines_of(command("routes").stdout)

    assert told == sorted(told, key=lambda line: line.split()[1])
    assert {"GET    /", "POST   /webhooks", "GET    /proxy/offers", "POST   /proxy/events"} <= set(told)
    assert {"GET    /api/merchant/v1/decisions", "POST   /api/v1/signals", "GET    /proxy/preferences"} <= set(told)


def test_openapi_describes_the_surfaces(command):
    import json

    document = json.loads(command("openapi").stdout)

    assert (document["openapi"], document["info"]["title"]) == ("3.0.3", "Wellpaired")
    assert {
        "/ext/post-purchase/events", "/ext/post-purchase/offers", "/ext/post-purchase/sign", "/proxy/events",
        "/proxy/offers", "/api/v1/signals", "/api/merchant/v1/offers/{offer_id}/go-live",
    } <= set(document["paths"])  # fmt: skip
    assert document["components"]["schemas"]["SignBody"]["additionalProperties"] is False


def test_the_dev_store_never_starts_in_production(command):
    result = command(
        "devstore", "--app-url", "http://127.0.0.1:1", WELLPAIRED_ENV="production", APP_URL="https://app.test"
    )

    assert result.exit_code == 2
    assert result.stderr == (
        "shopify-upsell: the dev store starts only when WELLPAIRED_ENV is 'development' or 'test'\n"
    )


def test_what_the_command_writes_is_for_its_owner_alone(database, tmp_path):
    folder = tmp_path / "fresh"

    Command(database, folder)("jobs", "status")

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, folder / "huey.db")}
    assert modes == {"fresh": "0o700", "huey.db": "0o600"}
