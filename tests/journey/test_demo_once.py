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
    check_judgement(summary)


def check_judgement(summary):
    """What went wrong for customers silenced every offer to them, with its reason and its end, within a minute."""
    stories = summary["stories"]
    assert summary["gates"] == [
        "late_delivery", "open_ticket", "preference_none", "return_in_progress", "suppressed_snoozed"
    ]  # fmt: skip
    assert summary["slowest_silence_seconds"] <= 60
    assert {name: story["cards_after"] for name, story in stories.items() if story["cards_after"]} == {
        "delivered_on_time": 1
    }
    assert "delivered_on_time" in stories["delivered_on_time"]["reasons"]
    assert stories["preference_none"]["places_asked"] == ["theme/product_page", "theme/cart", "post_purchase/offer"]
    assert [name for name, story in stories.items() if story["cards_again"]] == ["return_requested", "ticket_opened"]
    explained = summary["explained"]
    assert explained["gate"] == "late_delivery"
    assert explained["next_at"] == stories["late_delivery"]["until"]


def test_the_demo_checks_itself_on_the_embedded_defaults(tmp_path):
    check(walk(tmp_path))


def test_the_demo_checks_itself_on_postgresql_and_redis(tmp_path, monkeypatch):
    redis = os.environ.get("TEST_REDIS_URL")
    if redis is None or "TEST_POSTGRES_URL" not in os.environ:
        pytest.skip("needs tools/with_services.py --postgres --redis")
    monkeypatch.setenv("TEST_DATABASE", "postgresql")

    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        check(walk(tmp_path, DATABASE_URL=url, REDIS_URL=redis))
