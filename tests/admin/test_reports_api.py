"""Reports over the merchant API: proof first, one shop only, stamped, and refused in the one shape."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from builders_database import NOW, add_shop
from builders_kept import a_catalogue, keep
from builders_merchant import Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_surfaces import ONE, TWO
from sqlalchemy import func, select, update

from shopify_upsell.admin.api.proof import PREFIX
from shopify_upsell.database import Base, bind_shop
from shopify_upsell.reports.page import POLICY
from shopify_upsell.shops.store import ShopRow

PAIR = {"anchor": "gid://shopify/Product/1", "companion": "gid://shopify/Product/2"}
COHORT = {"anchor": 1, "target": 2}
ROUTES = {
    "/reports/programme": {},
    "/reports/programme.html": {},
    "/reports/statements": {},
    "/reports/baseline": {},
    "/reports/credit-models": {},
    "/reports/retention": {},
    "/reports/attach-rates": {},
    "/reports/cohorts": COHORT,
    "/reports/timing": PAIR,
    "/reports/timing.svg": PAIR,
}


def ago(days):
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
def api(database):
    application = a_merchant_api(database)
    with database.write() as session:
        for domain, amount in ((TWO, 7_777), (ONE, 1_000)):
            shop_id = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == domain)).one()
            bind_shop(session, shop_id)
            keep(
                session, shop_id,
                (1, 1, ago(200), {1: amount}), (2, 1, ago(180), {2: amount}), (3, 2, ago(200), {1: amount}),
                *(((4, 3, ago(200), {1: amount, 2: amount}),) if domain == TWO else ()),
            )  # fmt: skip
            a_catalogue(session, shop_id)
    return application


@pytest.fixture
def merchant(api):
    return Merchant(api)


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def test_nothing_is_told_without_proof(api):
    paths = [*ROUTES, "/reports/experiments/1"]

    answers = [api.test_client().get(f"{PREFIX}{path}") for path in paths]

    assert {(answer.status_code, answer.get_json()["error"]["code"]) for answer in answers} == {
        (401, "invalid_signature")
    }


def test_every_report_is_stamped_and_reading_changes_nothing(merchant, database):
    before = counts(database)

    for path, query in ROUTES.items():
        if "." not in path:
            stamp = merchant.get(path, **query)["freshness"]
            assert set(stamp) == {"as_of", "newest_event_at", "lag_seconds", "waiting_events"}, path
            assert stamp["waiting_events"] == 0

    assert counts(database) == before


def test_the_stamp_tells_of_deliveries_of_this_shop_alone(merchant, database):
    table = Base.metadata.tables["inbox_event"]
    columns = {column.name for column in table.columns if not column.nullable and column.name != "event_id"}
    filled = dict.fromkeys(columns, "x") | {"received_at": ago(1), "triggered_at": ago(1)}
    filled |= {name: b"" for name in columns if "Binary" in str(type(table.c[name].type))}
    numbers = {name: 0 for name in columns if "Integer" in str(type(table.c[name].type))}
    with database.write() as session:
        for domain, state, webhook in ((TWO, "stored", "a"), (TWO, "done", "b"), (ONE, "stored", "c")):
            shop = shop_id_of(database, domain)
            bind_shop(session, shop)
            session.execute(
                table.insert().values(filled | numbers | {"shop_id": shop, "state": state, "webhook_id": webhook})
            )

    stamp = merchant.get("/reports/baseline")["freshness"]

    assert (stamp["waiting_events"], stamp["newest_event_at"]) == (1, None)


def test_one_shop_reads_its_own_numbers_and_no_other_ones(api):
    one, two = Merchant(api), Merchant(api, shop=TWO)

    for path, query in ROUTES.items():
        first, second = (caller("GET", path, **query) for caller in (one, two))
        assert (first.status_code, second.status_code) == (200, 200), (path, first.get_data(as_text=True))
        assert "7777" not in first.get_data(as_text=True).replace(",", ""), path
    assert one.get("/reports/baseline")["baseline"]["net_minor_units"] == 3_000
    assert two.get("/reports/baseline")["baseline"]["net_minor_units"] == 5 * 7_777


def test_attach_rates_name_both_definitions(merchant):
    found = merchant.get("/reports/attach-rates", **PAIR, window_days=90)

    (pair,) = found["pairs"]
    assert (pair["anchor"], pair["companion"]) == (PAIR["anchor"], PAIR["companion"])
    assert {name: pair["customer_attach_rate"][name] for name in ("count", "of", "value")} == {
        "count": 1, "of": 2, "value": 0.5,
    }  # fmt: skip
    assert {name: pair["order_attach_rate"][name] for name in ("count", "of", "value")} == {
        "count": 0, "of": 2, "value": 0.0,
    }  # fmt: skip
    assert found["window_days"] == 90


def test_cohorts_and_timing_tell_counts_and_what_is_assumed(merchant):
    tenures = merchant.get("/reports/cohorts", **COHORT)["tenures"]
    timing = merchant.get("/reports/timing", **PAIR)

    assert [(one["tenure_days"], one["customer_count"], one["bought_count"]) for one in tenures] == [
        (30, 2, 1), (60, 2, 1), (90, 2, 1), (180, 2, 1),
    ]  # fmt: skip
    assert (timing["timing"]["buyers"], timing["timing"]["bought"]) == (2, 1)
    assert [one["code"] for one in timing["assumptions"]] == ["delivery", "window"]


def test_the_page_and_the_picture_come_with_a_policy_that_lets_nothing_in(merchant):
    shown, drawn = merchant("GET", "/reports/programme.html"), merchant("GET", "/reports/timing.svg", **PAIR)

    assert shown.content_type == "text/html; charset=utf-8"
    assert drawn.content_type == "image/svg+xml; charset=utf-8"
    for answer in (shown, drawn):
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["Cache-Control"] == "no-store"
    assert ElementTree.fromstring(drawn.get_data(as_text=True)).get("role") == "img"  # noqa: S314  # our own
    assert "<h1>Programme, quarter" in shown.get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/reports/experiments/1", {}, "not_found"),
        ("/reports/experiments/99999999999999999999", {}, "not_found"),
        ("/reports/timing", PAIR | {"companion": 999}, "not_found"),
        ("/reports/timing.svg", PAIR | {"companion": 999}, "not_found"),
        ("/reports/cohorts", COHORT | {"anchor": 999}, "not_found"),
        ("/reports/attach-rates", PAIR | {"anchor": 999}, "not_found"),
        ("/reports/statements", {"month": "1999-01"}, "not_found"),
        ("/reports/nothing", {}, "not_found"),
    ],
)
def test_what_is_unknown_is_not_found_in_the_one_shape(merchant, path, query, code):
    assert refusal_of(merchant("GET", path, **query))[:2] == (404, code)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/reports/programme", {"quarter": 20265}),
        ("/reports/programme", {"surprise": 1}),
        ("/reports/statements", {"month": "2026-13"}),
        ("/reports/timing", {"anchor": 1}),
        ("/reports/timing", {"anchor": 1, "companion": 1}),
        ("/reports/cohorts", {"anchor": "gid://shopify/Order/1", "target": 2}),
        ("/reports/attach-rates", {"anchor": 1}),
        ("/reports/attach-rates", {"window_days": 0}),
        ("/reports/credit-models", {"since": "yesterday"}),
    ],
)
def test_what_makes_no_sense_is_refused(merchant, path, query):
    assert merchant("GET", path, **query).status_code == 422


def test_a_product_of_another_shop_is_not_found(api, database):
    with database.write() as session:
        shop_id = shop_id_of(database, TWO)
        bind_shop(session, shop_id)
        other = add_shop(session, "three.myshopify.com")
        keep(session, other, (50, 1, NOW, {9: 100}))
        session.execute(update(ShopRow).where(ShopRow.shop_id == other).values(currency="USD"))

    answer = Merchant(api)("GET", "/reports/timing", anchor=1, companion=9)

    assert answer.status_code == 404


def test_an_experiment_of_another_shop_is_not_found(api, database):
    from builders_experiments import a_live_offer, an_experiment

    with database.write() as session:
        shop_id = shop_id_of(database, TWO)
        bind_shop(session, shop_id)
        arms = {"treatment": {"placements": ["theme/cart"]}}
        made = an_experiment(session, shop_id, a_live_offer(session, shop_id), "placement", arms)

    mine = Merchant(api, shop=TWO).get(f"/reports/experiments/{made.experiment_id}")
    theirs = Merchant(api)("GET", f"/reports/experiments/{made.experiment_id}")

    assert mine["experiment"]["kind"] == "placement"
    assert refusal_of(theirs)[:2] == (404, "not_found")
