"""`make demo ONCE=1` on the embedded defaults, and on PostgreSQL as the app's own role with Redis."""

import json
import os
import subprocess
import sys

import pytest
from builders_database import TENANT_ROLE, an_empty_database

pytestmark = pytest.mark.browser

COMMAND = (sys.executable, "-m", "shopify_upsell.cli.main", "demo", "--once", "--orders", "1200")


def walk(folder, **environment):
    done = subprocess.run(
        [*COMMAND, "--folder", str(folder / "demo")],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(summary):
    assert summary["orders_ingested"] > 1200
    assert summary["pairs_learned"] > 0
    assert summary["offer_shown"] is True
    assert summary["cart_token_seen"] is True
    assert summary["post_purchase_accepted"] is True
    assert summary["credited_minor_units"] == summary["accepted_minor_units"] > 0
    assert summary["ledger_minor_units"] > summary["credited_minor_units"]
    assert summary["residual_minor_units"] == 0
    assert summary["reasons"]


def test_the_demo_checks_itself_on_the_embedded_defaults(tmp_path):
    check(walk(tmp_path))


def test_the_demo_checks_itself_on_postgresql_and_redis(tmp_path, monkeypatch):
    redis = os.environ.get("TEST_REDIS_URL")
    if redis is None or "TEST_POSTGRES_URL" not in os.environ:
        pytest.skip("needs tools/with_services.py --postgres --redis")
    monkeypatch.setenv("TEST_DATABASE", "postgresql")

    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        check(walk(tmp_path, DATABASE_URL=url, REDIS_URL=redis))
