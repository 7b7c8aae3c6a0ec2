"""Probes: alive without a database, ready only with a migrated one, figures for those who may read them."""

import re
from datetime import timedelta

import pytest
from alembic.script import ScriptDirectory
from builders_apps import an_application, parts_of, real_now, work_off
from builders_database import ROOT, add_shop
from builders_proofs import signed_webhook
from builders_surfaces import a_planted_application, an_unreachable_url, ask_theme
from sqlalchemy import update

from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.store import JobRow


def get(application, path, token=None):
    headers = {} if token is None else {"Authorization": token}
    return application.test_client().get(path, headers=headers)


def figures(application):
    text = get(application, "/metrics").get_data(as_text=True)
    return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


def test_a_process_is_alive_whatever_became_of_its_database(database, tmp_path):
    application = an_application(database, tmp_path, DATABASE_URL=an_unreachable_url(tmp_path))

    answer = get(application, "/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "alive"})


def test_a_process_is_ready_when_its_database_answers_and_says_at_which_migration(database, tmp_path):
    head = ScriptDirectory(str(ROOT / "migrations")).get_current_head()

    answer = get(an_application(database, tmp_path), "/readyz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready", "migration": head})


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_without_a_database_a_process_is_not_ready_and_says_when_to_ask_again(database, tmp_path, path):
    application = an_application(database, tmp_path, DATABASE_URL=an_unreachable_url(tmp_path))

    answer = get(application, path)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json() == {"error": {"code": "try_again", "message": "the database is busy"}}


def test_a_database_that_was_never_migrated_is_not_ready(database, tmp_path, empty_database_url):
    application = an_application(database, tmp_path, DATABASE_URL=empty_database_url)

    answer = get(application, "/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["error"].keys() == {"code", "message"}
    parts_of(application).database.dispose()


def test_figures_are_open_unless_a_token_is_set(database, tmp_path):
    open_to_all = an_application(database, tmp_path)
    guarded = an_application(database, tmp_path, METRICS_TOKEN="figures-please")

    refused = [get(guarded, "/metrics", token) for token in (None, "figures-please", "Bearer figures", "Bearer é", "")]
    allowed = get(guarded, "/metrics", "Bearer figures-please")

    assert get(open_to_all, "/metrics").status_code == 200
    assert {(answer.status_code, answer.get_json()["error"]["code"]) for answer in refused} == {
        (401, "invalid_signature")
    }
    assert allowed.status_code == 200
    assert allowed.content_type.startswith("text/plain; version=")


def test_figures_tell_the_depth_of_the_queue_and_how_long_the_oldest_row_has_waited(database, tmp_path):
    application = an_application(database, tmp_path)
    assert figures(application)["wellpaired_job_oldest_due_seconds"] == 0
    with database.write() as session:
        shop_id = add_shop(session)
        for name, moment in (("a", -100), ("b", -10), ("c", 3600)):
            when = real_now() + timedelta(seconds=moment)
            enqueue(session, shop_id, JobRequest("note_order", name, not_before=when), when)
        session.execute(update(JobRow).where(JobRow.dedupe_key == "b").values(state="dead"))

    found = figures(application)

    assert found['wellpaired_job_rows{state="new"}'] == 2
    assert found['wellpaired_job_rows{state="dead"}'] == 1
    assert 100 <= found["wellpaired_job_oldest_due_seconds"] < 130


def test_figures_count_deliveries_and_decisions_and_name_no_shop_and_no_person(database, tmp_path):
    application = a_planted_application(database, tmp_path)
    before = figures(application)
    raw, headers = signed_webhook({"id": 1, "customer": {"id": 207119551}}, topic="orders/create")
    client = application.test_client()

    client.post("/webhooks", data=raw, headers=headers)
    client.post("/webhooks", data=raw, headers=headers)
    client.post("/webhooks", data=raw + b" ", headers=headers)
    ask_theme(application, customer_id=207119551, visitor="visitor-of-robin")
    work_off(application)

    after = figures(application)
    risen = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert risen['wellpaired_webhooks_total{outcome="stored"}'] == 1
    assert risen['wellpaired_webhooks_total{outcome="duplicate"}'] == 1
    assert risen['wellpaired_webhooks_total{outcome="refused"}'] == 1
    assert risen["wellpaired_decision_seconds_count"] == 1
    decided = [name for name in risen if name.startswith("wellpaired_decisions_total")]
    assert len(decided) == 1
    text = get(application, "/metrics").get_data(as_text=True)
    for name in ("myshopify", "207119551", "robin"):
        assert name not in text
