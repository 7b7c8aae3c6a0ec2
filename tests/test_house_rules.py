"""Rules about the house itself: what is not allowed to drift apart."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shopify_upsell import app as joined
from shopify_upsell.database import Base, Database
from shopify_upsell.gateway.scopes import WEBHOOK_SCOPES, operation_scopes
from shopify_upsell.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shopify_upsell"
TOML = tomllib.loads((ROOT / "shopify.app.toml").read_text())
SETTINGS = {
    "WELLPAIRED_ENV": "test",
    "APP_URL": "https://app.test",
    "SHOPIFY_API_KEY": "key",
    "SHOPIFY_API_SECRET": "secret",
    "ENCRYPTION_KEYS": "k" * 32,
}
OPEN_TO_ALL = {"/healthz", "/readyz", "/metrics"}
"""Probes for operators: they say nothing of a shop or a person."""

ACROSS_SHOPS = {
    "shops": {"find_shop", "remember_unknown_shop", "installed_shops"},
}
"""Store functions that have no tenant yet, or serve every one of them."""

STATIONS = ("shops", "jobs", "inbox", "ledger", "customers", "matrix", "offers", "attribution", "sends")


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    url = f"sqlite:///{folder / 'house.db'}"
    database = Database(url)
    Base.metadata.create_all(database.engine)
    database.dispose()
    settings = read_settings(SETTINGS | {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder)})
    return joined.create_app(settings)


def every_route(application):
    for rule in application.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, path


def row_counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def test_every_route_refuses_a_caller_without_proof_and_writes_nothing(application):
    database = application.extensions["wellpaired"].database
    before = row_counts(database)
    client = application.test_client()

    answers = {
        (method, rule): client.open(path, method=method, json={} if method == "POST" else None)
        for method, rule, path in every_route(application)
        if rule not in OPEN_TO_ALL
    }

    assert {key: answer.status_code for key, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert {answer.get_json()["error"]["code"] for answer in answers.values()} == {"invalid_signature"}
    assert row_counts(database) == before


def test_readme_lists_every_route(application):
    readme = (ROOT / "README.md").read_text()

    missing = {rule for _, rule, _ in every_route(application) if f"`{rule}`" not in readme}

    assert missing == set()


def test_readme_and_env_example_list_every_setting():
    keys = set(re.findall(r'"([A-Z][A-Z_]{3,})"', (PACKAGE / "settings.py").read_text())) - {
        "FULL", "NORMAL", "DEBUG", "INFO", "WARNING", "ERROR",
    }  # fmt: skip
    for document in ("README.md", ".env.example"):
        text = (ROOT / document).read_text()
        assert {key for key in keys if key not in text} == set(), document


def test_topics_subscribed_equal_topics_handled():
    subscribed = set()
    for subscription in TOML["webhooks"]["subscriptions"]:
        subscribed |= set(subscription.get("topics", [])) | set(subscription.get("compliance_topics", []))

    assert subscribed == set(joined.WEBHOOK_HANDLERS)


def test_scopes_asked_for_are_those_the_code_needs():
    topics = joined.WEBHOOK_HANDLERS
    needed = set(operation_scopes()) | {WEBHOOK_SCOPES[topic] for topic in topics if WEBHOOK_SCOPES[topic]}
    needed |= {"write_app_proxy"} if "app_proxy" in TOML else set()

    assert set(TOML["access_scopes"]["scopes"].split(",")) == needed


def test_every_job_asked_for_has_a_handler(application):
    handlers = set(joined.job_handlers(application.extensions["wellpaired"]))
    asked = {kind for kinds in joined.LISTENERS.values() for kind in kinds}
    asked |= set(joined.INSTALL_JOBS) | set(joined.SCHEDULE)
    for file in PACKAGE.rglob("*.py"):
        asked |= set(re.findall(r'JobRequest\(\s*"([a-z_]+)"', file.read_text()))

    assert asked == handlers


def test_every_announcement_has_a_listener():
    announced = set()
    for file in PACKAGE.rglob("*.py"):
        announced |= set(re.findall(r'Announcement\(\s*"([a-z_]+)"', file.read_text()))

    assert announced == set(joined.LISTENERS)


@pytest.mark.parametrize("station", STATIONS)
def test_every_store_function_names_the_shop_first(station):
    module = import_module(f"shopify_upsell.{station}.store")
    wrong = []
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or name.startswith("_") or name in ACROSS_SHOPS.get(station, ()):
            continue
        if list(inspect.signature(function).parameters)[:2] != ["session", "shop_id"]:
            wrong.append(name)

    assert wrong == []


def test_every_table_belongs_to_a_shop_and_every_key_starts_with_it():
    for table in Base.metadata.sorted_tables:
        assert "shop_id" in table.columns, table.name
        assert not table.columns["shop_id"].nullable, table.name


def test_no_file_is_over_400_lines_and_none_is_a_drawer():
    drawers = {"utils", "helpers", "common", "misc", "manager", "base"}
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    too_long = {str(f.relative_to(ROOT)): n for f in sources if (n := len(f.read_text().splitlines())) > 400}

    assert too_long == {}
    assert [f for f in sources if f.stem in drawers] == []


PUBLIC_API = PACKAGE / "matrix" / "__init__.py"
"""The one exception to empty init files, for `from shopify_upsell.matrix import OrderLines, learn` is promised to
notebooks. It forwards names, lazily, so that reading stored rows never loads scipy."""


def test_init_files_hold_a_docstring_and_no_code():
    for file in PACKAGE.rglob("__init__.py"):
        body = ast.parse(file.read_text()).body
        assert file == PUBLIC_API or [type(node) for node in body] == [ast.Expr], file


def test_the_matrix_forwards_every_public_name_and_reading_rows_loads_no_scipy():
    program = (
        "import sys, shopify_upsell.matrix.store as _, shopify_upsell.matrix as matrix\n"
        "assert 'scipy' not in sys.modules\n"
        "assert set(matrix.__all__) == set(matrix._HOME)\n"
        "for name in matrix.__all__: assert getattr(matrix, name).__name__ == name\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]


PURE_STATIONS = ("ledger", "customers", "matrix", "offers", "attribution", "experiments", "sends")
VERBS = {
    "acceptance_store", "api_key_store", "backfill", "cataloguing", "confirm", "courtesy_store", "decide",
    "decisions", "delivery", "delivery_store", "discount_store", "discount_sync", "dismissals_store",
    "edit_schemas", "experiment_store", "exploration_store", "fields", "freshening", "handing_over", "histories",
    "importing", "intake", "journal", "journeys", "launching", "merchant_settings", "months", "opt_out_store",
    "order_schemas", "order_signals", "ownership", "planning", "preferences_store", "product_ratings",
    "product_schemas", "profile_store", "pruning", "recording", "refit", "regret_store", "regretting", "replay",
    "returned_store", "settings_store", "settle", "setup", "shelving", "signal_intake", "signal_schemas",
    "signal_store", "signal_tables", "sold_store", "standing", "store", "supply_store", "sync", "tables",
    "throttle_store", "timing_store", "touch", "tracing", "unit_store", "upkeep", "words_store",
}  # fmt: skip
IMPURE_IMPORTS = {
    "flask",
    "sqlalchemy",
    "marshmallow",
    "requests",
    "shopify",
    "jwt",
    "huey",
    "random",
    "secrets",
    "time",
}


@pytest.mark.parametrize("station", PURE_STATIONS)
def test_pure_modules_import_nothing_impure_and_read_no_clock(station):
    for file in (PACKAGE / station).rglob("*.py"):
        if file.stem in VERBS:
            continue
        source = file.read_text()
        imported = {
            (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
            for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        assert not imported & IMPURE_IMPORTS, file
        assert "datetime.now(" not in source, file
        assert ".store import" not in source, file


def test_nothing_names_a_path_of_this_machine_or_a_package_registry():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    hosts = ("pypi" + ".org", "registry.npm" + "js", "files.python" + "hosted")
    for name in listed:
        text = (ROOT / name).read_bytes().decode("utf-8", "replace")
        assert not any(host in text for host in hosts), name
        assert not re.search(r"(?<![\w.])/(?:work|root)/", text), name


def test_layers_hold():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-3000:]
