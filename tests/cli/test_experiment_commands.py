"""`shopify-upsell experiment` and `report programme`, run as an operator would."""

import json
from datetime import timedelta

import pytest
from builders_cli import Command
from builders_database import NOW, add_shop
from builders_experiments import LAUNCH, a_decision, a_live_offer, store
from builders_programmes import Spending, World, live_through
from sqlalchemy import text

from shopify_upsell.cli.experiments import experiment, programme
from shopify_upsell.cli.main import cli
from shopify_upsell.cli.reports import report
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.offers.experiment_store import experiments_in
from shopify_upsell.reports.exposures import ExposureCount
from shopify_upsell.reports.outcome_store import arm_totals, counted_until

DOMAIN = "one.myshopify.com"
CREATE = (
    "--kind", "placement", "--name", "Where", "--objective", "earn more", "--hypothesis", "the cart is better",
)  # fmt: skip
ARM = 'treatment={"placements":["theme/cart"]}'


@pytest.fixture
def shop(database):
    """An installed shop with a live offer, beside another one."""
    with database.write() as session:
        add_shop(session, "noise.myshopify.com")
        shop_id = add_shop(session, DOMAIN)
        bind_shop(session, shop_id)
        offer = a_live_offer(session, shop_id)
    return shop_id, offer


@pytest.fixture
def run(database, tmp_path):
    """The command on the test's database."""
    cli.commands.setdefault("experiment", experiment)
    report.commands.setdefault("programme", programme)
    return Command(database, tmp_path, HOLDOUT_BASIS_POINTS="5000")


def the_states(database, shop_id):
    with database.read() as session:
        bind_shop(session, shop_id)
        return [(one.name, one.state, one.reason) for one in experiments_in(session, shop_id)]


def test_an_experiment_is_created_started_listed_shown_and_stopped(database, shop, run):
    shop_id, offer = shop
    created = run("experiment", "create", "--shop", DOMAIN, "--offer", offer.offer_id, *CREATE, "--arm", ARM)
    number = created.stdout.split()[1]
    started = run("experiment", "start", "--shop", DOMAIN, number)
    listed = json.loads(run("experiment", "list", "--shop", DOMAIN, "--json").stdout)
    shown = run("experiment", "show", "--shop", DOMAIN, number)
    told = json.loads(run("experiment", "show", "--shop", DOMAIN, number, "--json").stdout)
    stopped = run("experiment", "stop", "--shop", DOMAIN, number, "--reason", "enough")

    assert [one.exit_code for one in (created, started, shown, stopped)] == [0, 0, 0, 0]
    assert "it can find" in created.stdout
    assert [one["state"] for one in listed] == ["running"]
    assert "missing: too_few_days, 0 of 7" in shown.stdout
    assert told["freshness"]["waiting_events"] == 0
    assert the_states(database, shop_id) == [("Where", "stopped", "enough")]


def test_traffic_is_widened_by_command_and_never_made_less(database, shop, run):
    shop_id, offer = shop
    words = ("--shop", DOMAIN, "--offer", offer.offer_id, *CREATE, "--arm", ARM, "--traffic", "2000")
    number = run("experiment", "create", *words).stdout.split()[1]
    run("experiment", "start", "--shop", DOMAIN, number)

    wider = run("experiment", "widen", "--shop", DOMAIN, number, "6000")
    fewer = run("experiment", "widen", "--shop", DOMAIN, number, "5999")

    assert (wider.exit_code, wider.stdout) == (0, f"experiment {number} lets in 6000 of 10000\n")
    assert (fewer.exit_code, fewer.stdout) == (2, "")
    with database.read() as session:
        bind_shop(session, shop_id)
        (found,) = experiments_in(session, shop_id)
    assert (found.running.traffic_basis_points, found.traffics) == (6000, (2000, 6000))


def test_an_arm_that_is_no_json_and_a_group_without_ends_are_refused_and_nothing_is_written(database, shop, run):
    shop_id, offer = shop
    words = ("experiment", "create", "--shop", DOMAIN, "--offer", offer.offer_id, *CREATE)

    refused = [run(*words, "--arm", "treatment=cart"), run(*words, "--arm", ARM, "--group", "prices")]

    assert [one.exit_code for one in refused] == [2, 2]
    assert [one.stderr.strip() for one in refused] == [
        "shopify-upsell: an arm is NAME=JSON", "shopify-upsell: a group is NAME:FROM:TO",
    ]  # fmt: skip
    assert the_states(database, shop_id) == []


def test_the_programme_is_told_as_text_json_and_html_with_the_freshness_of_its_numbers(database, shop, run):
    shop_id, offer = shop
    with database.write() as session:
        bind_shop(session, shop_id)
        world = World(60, lambda place, chance: Spending(4_000), holdout_basis_points=5_000)
        live_through(session, shop_id, offer, world)
    count(database, shop_id)

    forms = {form: run("report", "programme", "--shop", DOMAIN, "--quarter", "20264", "--format", form).stdout
             for form in ("text", "json", "html")}  # fmt: skip

    assert "There is not enough data to say anything yet." in forms["text"]
    document = json.loads(forms["json"])
    assert document["programme"]["units"]["holdout"] + document["programme"]["units"]["open"] == 60
    assert document["freshness"]["waiting_events"] == 0
    assert forms["html"].startswith("<!doctype html>")
    assert "Programme, quarter 2026 Q4" in forms["html"]


def test_counting_as_a_job_goes_page_by_page_and_remembers_where_it_stopped(database, shop):
    shop_id, offer = shop
    with database.write() as session:
        bind_shop(session, shop_id)
        store(session, shop_id, *(
            a_decision(shop_id, (offer,), LAUNCH + timedelta(seconds=n), visitor=f"v{n}") for n in range(1_001)
        ))  # fmt: skip

    count(database, shop_id)
    count(database, shop_id)

    with database.read() as session:
        bind_shop(session, shop_id)
        assert arm_totals(session, shop_id, 0, 20264)["open"].units == 1_001
        assert counted_until(session, shop_id) == NOW


def test_recounting_repairs_sums_that_somebody_broke(database, shop, run):
    shop_id, offer = shop
    with database.write() as session:
        bind_shop(session, shop_id)
        store(session, shop_id, a_decision(shop_id, (offer,), LAUNCH, visitor="v1"))
    count(database, shop_id)
    with database.write() as session:
        bind_shop(session, shop_id)
        session.execute(text("DELETE FROM experiment_arm"))

    told = run("experiment", "recount", "--shop", DOMAIN)

    assert told.stdout == "1 units measured\n"
    with database.read() as session:
        bind_shop(session, shop_id)
        assert arm_totals(session, shop_id, 0, 20264)["open"].units == 1


def count(database, shop_id):
    write = ExposureCount(database).count(Job(1, shop_id, "count_exposures", {}, 1, "lease", NOW))
    with database.write() as session:
        bind_shop(session, shop_id)
        write(session)
