"""`jobs` and `shops`: what an operator sees and mends."""

import json
from datetime import timedelta

import pytest
from builders_apps import an_application, parts_of, real_now
from builders_cli import Command, lines_of
from builders_database import NOW, add_shop
from builders_shops import a_token
from builders_surfaces import count_rows, read_rows
from sqlalchemy import select, update

from shopify_upsell.app import INSTALL_JOBS
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.keyring import Keyring
from shopify_upsell.offers.store import OfferRow
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.sealing import open_access_token
from shopify_upsell.shops.store import ShopRow, complete_privacy_request, read_token, save_privacy_request

OLD_KEY, NEW_KEY = "o" * 32, "n" * 32


@pytest.fixture
def command(database, tmp_path):
    return Command(database, tmp_path)


@pytest.fixture
def application(database, tmp_path):
    return an_application(database, tmp_path)


@pytest.fixture
def shop_id(database):
    with database.write() as session:
        add_shop(session, "two.myshopify.com")
        return add_shop(session)


def ask_for(database, shop_id, *kinds, at=NOW):
    with database.write() as session:
        for kind in kinds:
            enqueue(session, shop_id, JobRequest(kind, kind), at)


def kill(database, *kinds, error="out of luck"):
    with database.write() as session:
        dead = update(JobRow).where(JobRow.kind.in_(kinds))
        session.execute(dead.values(state="dead", error=error, attempts=8, done_at=NOW))


def test_status_counts_rows_and_says_how_long_the_oldest_has_waited(command, database, shop_id):
    ask_for(database, shop_id, "set_up_offers", at=real_now() - timedelta(seconds=100))
    ask_for(database, shop_id, "note_order", at=real_now() + timedelta(hours=1))
    ask_for(database, shop_id, "learn_matrix")
    kill(database, "learn_matrix")

    report = json.loads(command("jobs", "status").stdout)

    assert report["rows"] == {"dead": 1, "new": 2}
    assert 100 <= report["oldest_due_seconds"] < 130


def test_status_of_an_empty_queue_is_zero(command):
    assert json.loads(command("jobs", "status").stdout) == {"rows": {}, "oldest_due_seconds": 0}


def test_dead_rows_are_listed_newest_first_with_shop_kind_and_reason(command, database, shop_id):
    ask_for(database, shop_id, "set_up_offers", "learn_matrix", "note_order")
    kill(database, "set_up_offers", "learn_matrix")

    listed = [line.split("\t") for line in lines_of(command("jobs", "dead").stdout)]
    shorter = lines_of(command("jobs", "dead", "--limit", "1").stdout)

    assert [columns[1:] for columns in listed] == [
        [f"shop {shop_id}", "learn_matrix", "out of luck"], [f"shop {shop_id}", "set_up_offers", "out of luck"],
    ]  # fmt: skip
    assert len(shorter) == 1


def test_a_dead_row_can_be_given_a_fresh_start_and_runs(command, database, application, shop_id):
    ask_for(database, shop_id, "set_up_offers")
    kill(database, "set_up_offers")
    ((job_id,),) = read_rows(application, JobRow, "job_id")

    revived = command("jobs", "retry", job_id)
    ran = command("jobs", "run")

    assert (revived.exit_code, revived.stdout) == (0, f"job {job_id} will run again\n")
    assert (ran.exit_code, ran.stdout) == (0, "1 jobs had an outcome\n")
    assert read_rows(application, JobRow, "state", "attempts") == [("done", 1)]
    assert count_rows(application, OfferRow) == 4


@pytest.mark.parametrize("state", ["new", "done"])
def test_only_a_dead_row_can_be_retried(command, database, application, shop_id, state):
    ask_for(database, shop_id, "set_up_offers")
    ((job_id,),) = read_rows(application, JobRow, "job_id")
    with database.write() as session:
        session.execute(update(JobRow).values(state=state))

    result = command("jobs", "retry", job_id)

    assert (result.exit_code, result.stderr) == (1, f"Error: no dead job {job_id}\n")
    assert command("jobs", "retry", job_id + 1).exit_code == 1
    assert read_rows(application, JobRow, "state") == [(state,)]


def test_shops_are_listed_by_domain_with_state_and_currency(command, database, shop_id):
    with database.write() as session:
        add_shop(session, "gone.myshopify.com", state="uninstalled")
        session.execute(update(ShopRow).where(ShopRow.domain == "two.myshopify.com").values(currency=None))

    assert command("shops", "list").stdout == (
        "gone.myshopify.com\tuninstalled\tUSD\none.myshopify.com\tinstalled\tUSD\ntwo.myshopify.com\tinstalled\t-\n"
    )


def test_a_shop_can_be_registered_without_shopify_and_gets_its_first_offers(command, application):
    result = command("shops", "add", "study.myshopify.com", "--currency", "EUR")
    command("jobs", "run")

    assert (result.exit_code, result.stdout) == (0, "study.myshopify.com registered\n")
    assert read_rows(application, ShopRow, "domain", "state", "currency") == [
        ("study.myshopify.com", "installed", "EUR")
    ]
    assert count_rows(application, OfferRow) == 4


@pytest.mark.parametrize(
    ("domain", "currency", "complaint"),
    [
        ("study.example.com", "EUR", "a shop's domain looks like name.myshopify.com"),
        ("Study.myshopify.com", "EUR", "a shop's domain looks like name.myshopify.com"),
        ("study.myshopify.com", "EURO", None), ("study.myshopify.com", "eur", None),
        ("one.myshopify.com", "EUR", "one.myshopify.com is already there"),
    ],
)  # fmt: skip
def test_a_shop_that_cannot_be_registered_is_one_line_and_changes_nothing(
    command, application, shop_id, domain, currency, complaint
):
    result = command("shops", "add", domain, "--currency", currency)

    (line,) = lines_of(result.stderr)
    assert result.exit_code == 2
    assert line == f"shopify-upsell: {complaint}" if complaint else "currency" in line
    assert read_rows(application, ShopRow, "domain", "currency") == [
        ("one.myshopify.com", "USD"), ("two.myshopify.com", "USD"),
    ]  # fmt: skip
    assert count_rows(application, JobRow) == 0


def test_a_shop_can_be_read_again_as_after_its_install(command, application, shop_id):
    result = command("shops", "sync", "one.myshopify.com")

    assert result.stdout == "one.myshopify.com will be read again\n"
    assert read_rows(application, JobRow, "shop_id", "kind") == sorted((shop_id, kind) for kind in INSTALL_JOBS)
    assert command("shops", "sync", "three.myshopify.com").exit_code == 2


def installed_with(database, *keys):
    with database.write() as session:
        return install_shop(session, "sealed.myshopify.com", a_token(NOW), NOW, Keyring(keys)).shop_id


def test_rotating_keys_leaves_no_token_that_needs_the_old_key(command, database, shop_id):
    sealed_id = installed_with(database, OLD_KEY)

    result = command("shops", "rotate-keys", ENCRYPTION_KEYS=f"{NEW_KEY},{OLD_KEY}")

    assert (result.exit_code, result.stdout) == (
        0, "1 tokens encrypted with the newest key, 0 unreadable\n",
    )  # fmt: skip
    with database.read() as session:
        assert open_access_token(Keyring((NEW_KEY,)), sealed_id, read_token(session, sealed_id)) == "shpat_1"


def test_rotating_keys_fails_while_a_token_cannot_be_read_and_leaves_it_as_it_is(command, database):
    sealed_id = installed_with(database, OLD_KEY)

    result = command("shops", "rotate-keys", ENCRYPTION_KEYS=NEW_KEY)

    assert (result.exit_code, result.stdout) == (
        1, "0 tokens encrypted with the newest key, 1 unreadable\n",
    )  # fmt: skip
    assert "shpat_1" not in result.stderr
    with database.read() as session:
        assert open_access_token(Keyring((OLD_KEY,)), sealed_id, read_token(session, sealed_id)) == "shpat_1"


def test_privacy_requests_are_listed_with_their_times_and_an_export_can_be_printed(command, application, shop_id):
    parts = parts_of(application)
    with parts.database.write() as session:
        two = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == "two.myshopify.com")).one()
        save_privacy_request(session, two, "customers/data_request", "9", received_at=NOW)
        save_privacy_request(session, shop_id, "customers/data_request", "9999", received_at=NOW)
        save_privacy_request(session, shop_id, "customers/redact", "w-1", received_at=NOW)
        complete_privacy_request(
            session, shop_id, "customers/data_request", "9999", completed_at=NOW, export='{"orders":[]}'
        )

    listed = [line.split("\t") for line in lines_of(command("shops", "privacy", "one.myshopify.com").stdout)]
    export = command("shops", "privacy", "one.myshopify.com", "--export", "9999")

    assert listed == [
        ["customers/data_request", "9999", str(NOW), str(NOW)], ["customers/redact", "w-1", str(NOW), "None"],
    ]  # fmt: skip
    assert export.stdout == '{"orders":[]}\n'
