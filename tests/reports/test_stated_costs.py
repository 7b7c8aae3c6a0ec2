"""Margins in reports are by what the merchant states; saying something else measures the past anew, to the cent."""

import json
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import LAUNCH, a_decision, a_live_offer, book_order, counted, kept_costs, store
from builders_offers import a_product, a_variant, add_products
from sqlalchemy import select, update

from shopify_upsell.attribution.tables import CreditRow
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.tables import RefundLineRow, RefundRow, VariantRow, put_rows
from shopify_upsell.money import Money
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.store import save_costs
from shopify_upsell.offers.terms import FREE_SHIPPING, Incentive, Terms
from shopify_upsell.reports import remeasuring
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.outcome_store import arm_totals, records_in
from shopify_upsell.reports.outcomes import measure_orders, rebuild_outcomes
from shopify_upsell.reports.programme import assumed_parts
from shopify_upsell.reports.remeasuring import MEASURE_ANEW, Walk, ask_to_measure_anew, measure_anew, measured_anew

AT = LAUNCH + timedelta(hours=1)


def state(session, shop_id, **costs):
    return save_costs(session, shop_id, Costs(**costs, known=tuple(sorted(costs))), now=NOW)


def step(session, shop_id):
    """Run the oldest step that waits, as a worker does. Returns whether there was one."""
    row = session.scalars(select(JobRow).where(JobRow.shop_id == shop_id, JobRow.state == "new")).first()
    if row is None:
        return False
    measure_anew(session, Job(row.job_id, shop_id, row.kind, json.loads(row.payload), 1, "lease", NOW))
    row.state, row.payload = "done", "{}"
    session.flush()
    return True


def walk(session, shop_id):
    """Run every step. Returns how many there were."""
    count = 0
    while step(session, shop_id):
        count += 1
    return count


def margins(session, shop_id):
    return {record.customer_id: record.totals.margin for record in records_in(session, shop_id, 0, 20264)}


def credit_to(session, shop_id, offer):
    """Let every credit be this offer's."""
    session.execute(update(CreditRow).where(CreditRow.shop_id == shop_id).values(offer_id=offer.offer_id))


def give_back(session, shop_id, order_id, refund_id, quantity):
    refund = {"shop_id": shop_id, "refund_id": refund_id, "order_id": order_id, "refunded_at": AT, "currency": "USD",
              "discrepancy": "0", "content_digest": "d"}  # fmt: skip
    line = {"shop_id": shop_id, "refund_id": refund_id, "line_id": order_id * 10, "quantity": quantity,
            "subtotal": "100.00", "tax": "0"}  # fmt: skip
    put_rows(session, shop_id, RefundRow, [refund])
    put_rows(session, shop_id, RefundLineRow, [line])


@pytest.fixture
def offer(session, shop_id):
    """The shop's one offer; customers 5 and 6 were asked, 5 bought for 100.00."""
    made = a_live_offer(session, shop_id)
    for customer in (5, 6):
        store(session, shop_id, a_decision(shop_id, (made,), AT, customer=customer))
    book_order(session, shop_id, 1, 10_000, AT, customer=5)
    count_exposures(session, shop_id, now=NOW)
    return made


def test_a_stated_cost_changes_the_margin_to_the_minor_unit_and_stating_it_again_changes_nothing(
    session, shop_id, offer
):
    before = margins(session, shop_id)
    state(session, shop_id, fee_basis_points=145, fee_minor_units=25, goods_basis_points=4_000, app_basis_points=100)
    ask_to_measure_anew(session, shop_id, now=NOW)

    steps = walk(session, shop_id)
    once = counted(session, shop_id)
    ask_to_measure_anew(session, shop_id, now=NOW + timedelta(seconds=1))
    walk(session, shop_id)

    assert before == {5: 10_000 - 5_000 - 290 - 30, 6: 0}
    assert margins(session, shop_id) == {5: 10_000 - 4_000 - 145 - 100 - 25, 6: 0}
    assert arm_totals(session, shop_id, 0, 20264)["open"].moments["margin"].total("y") == 5_730
    assert steps == 1
    assert counted(session, shop_id) == once
    rebuild_outcomes(session, shop_id)
    assert counted(session, shop_id) == once


def test_orders_that_come_later_are_measured_at_what_is_stated_by_then(session, shop_id, offer):
    state(session, shop_id, goods_basis_points=1_000, fee_basis_points=0, fee_minor_units=0)

    measure_orders(session, shop_id, [book_order(session, shop_id, 2, 2_000, AT, customer=6)])

    assert margins(session, shop_id)[6] == 2_000 - 200


def test_measuring_anew_goes_in_steps_that_say_how_far_they_came(session, shop_id, offer, monkeypatch):
    monkeypatch.setattr(remeasuring, "PEOPLE_AT_ONCE", 1)
    state(session, shop_id, fee_minor_units=0)

    assert ask_to_measure_anew(session, shop_id, now=NOW) == 2
    progress = [measured_anew(session, shop_id)]
    while step(session, shop_id):
        progress.append(measured_anew(session, shop_id))

    assert progress == [Walk(0, 2), Walk(1, 2), Walk(2, 2), None]
    assert margins(session, shop_id)[5] == 10_000 - 5_000 - 290


def test_a_walk_at_costs_that_were_overtaken_ends_without_measuring(session, shop_id, offer):
    state(session, shop_id, fee_minor_units=0)
    ask_to_measure_anew(session, shop_id, now=NOW)
    state(session, shop_id, fee_minor_units=10)
    before = counted(session, shop_id)

    assert walk(session, shop_id) == 1

    assert counted(session, shop_id) == before
    assert measured_anew(session, shop_id) is None


def test_another_shop_keeps_its_own_costs_and_has_nothing_to_measure(session, shop_id, offer):
    before = counted(session, shop_id)
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    state(session, other, goods_basis_points=0)

    assert ask_to_measure_anew(session, other, now=NOW) == 0
    measure_anew(session, Job(1, other, MEASURE_ANEW, {"costs": "gone", "after": -1, "done": 0}, 1, "t", NOW))
    bind_shop(session, shop_id)
    rebuild_outcomes(session, shop_id)
    assert counted(session, shop_id) == before


def test_what_comes_back_costs_its_goods_and_work_as_far_as_the_merchant_says(session, shop_id, offer):
    book_order(session, shop_id, 1, 0, AT, customer=5, refunded=10_000)
    give_back(session, shop_id, 1, 71, 1)
    measure_orders(session, shop_id, [1])
    assumed = margins(session, shop_id)[5]

    state(session, shop_id, goods_lost_basis_points=2_000, handling_minor_units=350)
    rebuild_outcomes(session, shop_id)

    # Half of the price are goods; all of them are taken to be lost, then a fifth.
    assert (assumed, margins(session, shop_id)[5]) == (-5_000, -1_000 - 350)


def test_money_given_back_without_a_piece_loses_no_goods(session, shop_id, offer):
    state(session, shop_id, handling_minor_units=350)
    give_back(session, shop_id, 1, 71, 0)

    rebuild_outcomes(session, shop_id)

    assert margins(session, shop_id)[5] == 10_000 - 5_000 - 290 - 30


def test_a_cost_that_the_catalogue_tells_later_takes_the_place_of_an_assumed_one_and_then_stays(
    session, shop_id, offer
):
    assert kept_costs(session, shop_id) == {(1, 11): (0, True)}
    add_products(session, shop_id, a_product(1, variants=(a_variant(1, price=Money(10_000, "USD")),)))
    mine = update(VariantRow).where(VariantRow.shop_id == shop_id, VariantRow.variant_id == 11)

    for cost in (3_000, 9_000):
        session.execute(mine.values(unit_cost_minor_units=cost))
        rebuild_outcomes(session, shop_id)

    assert kept_costs(session, shop_id) == {(1, 11): (3_000, False)}
    assert margins(session, shop_id)[5] == 10_000 - 3_000 - 290 - 30


def test_shipping_that_an_offer_gives_away_is_taken_off_where_it_was_taken(session, shop_id):
    terms = Terms(incentive=Incentive(kind=FREE_SHIPPING, threshold_minor_units=5_000, currency="USD"))
    offer = a_live_offer(session, shop_id)
    giving = a_live_offer(session, shop_id, kind="free_shipping", terms=terms)
    for customer, claimed in ((5, 1_000), (6, 0)):
        store(session, shop_id, a_decision(shop_id, (offer,), AT, customer=customer))
        book_order(session, shop_id, customer, 10_000, AT, customer=customer, claimed=claimed)
    credit_to(session, shop_id, giving)

    count_exposures(session, shop_id, now=NOW)

    assert margins(session, shop_id) == {5: 4_680 - 500, 6: 4_680}


def test_only_what_nobody_told_is_called_assumed(session, shop_id, offer):
    assert assumed_parts(session, shop_id) == ("cost", "payment_fee", "shipping", "returns", "app")
    state(session, shop_id, goods_basis_points=4_000, fee_basis_points=200, app_basis_points=0)
    assert assumed_parts(session, shop_id) == ("payment_fee", "shipping", "returns")
    state(session, shop_id, fee_basis_points=200, fee_minor_units=20)
    assert assumed_parts(session, shop_id) == ("cost", "shipping", "returns", "app")
