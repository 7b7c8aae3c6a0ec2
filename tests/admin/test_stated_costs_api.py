"""A merchant who states other costs sees the margins of the past follow, and how far that has come."""

from datetime import timedelta

import pytest
from builders_experiments import LAUNCH, a_decision, a_live_offer, book_order, store
from builders_merchant import Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_surfaces import TWO
from sqlalchemy import func, select

from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.jobs.worker import Handler, Worker
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.outcome_store import records_in
from shopify_upsell.reports.remeasuring import MEASURE_ANEW, measure_anew

AT = LAUNCH + timedelta(hours=1)


@pytest.fixture
def api(database):
    return a_merchant_api(database)


@pytest.fixture
def merchant(api, database):
    made = Merchant(api)
    with database.write() as session:
        shop_id = shop_id_of(database)
        bind_shop(session, shop_id)
        offer = a_live_offer(session, shop_id)
        store(session, shop_id, a_decision(shop_id, (offer,), AT, customer=5))
        book_order(session, shop_id, 1, 10_000, AT, customer=5)
        count_exposures(session, shop_id, now=AT + timedelta(days=1))
    return made


def jobs(database):
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(JobRow).where(JobRow.kind == MEASURE_ANEW))


def margin(database):
    with database.read() as session:
        (record,) = records_in(session, shop_id_of(database), 0, 20264)
    return record.totals.margin


def test_stating_other_costs_measures_the_past_and_says_how_far_it_came(merchant, database):
    assert merchant.get("/settings/costs")["measuring"] is None
    before = margin(database)

    answer = merchant("PUT", "/settings/costs", {"fee_basis_points": 100, "fee_minor_units": 0}).get_json()
    warned = merchant.get("/reports/programme")["programme"]["warnings"]
    Worker(database, {MEASURE_ANEW: Handler(inside=measure_anew)}, {}).drain()

    assert answer["measuring"] == {"done": 0, "of": 1}
    assert (before, margin(database)) == (10_000 - 5_000 - 290 - 30, 10_000 - 5_000 - 100)
    assert merchant.get("/settings/costs")["measuring"] is None
    assert warned == ["margins_are_measured_anew"]
    assert merchant.get("/reports/programme")["programme"]["warnings"] == []


def test_the_same_costs_again_refused_ones_and_another_shops_measure_nothing(api, merchant, database):
    merchant("PUT", "/settings/costs", {"fee_basis_points": 100})
    count = jobs(database)

    merchant("PUT", "/settings/costs", {"fee_basis_points": 100})
    refused = merchant("PUT", "/settings/costs", {"fee_basis_points": 10_001})

    assert refusal_of(refused)[0] == 422
    assert (count, jobs(database)) == (1, 1)
    other = Merchant(api, TWO)
    assert other("PUT", "/settings/costs", {"fee_basis_points": 7}).get_json()["measuring"] is None
    assert jobs(database) == 1
