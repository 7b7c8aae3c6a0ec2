"""What cards came to: counted again from touches, credits, orders and the holdout's decisions."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_request, a_snapshot, an_offer
from builders_past import add_past_order, plant_past
from sqlalchemy import update

from shopify_upsell.attribution.credit import Credit
from shopify_upsell.attribution.store import replace_credits
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import CustomerId, DecisionId, OfferId, OrderId
from shopify_upsell.database import bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import OrderLineRow
from shopify_upsell.matrix.supply_store import put_supply
from shopify_upsell.offers.acceptance import AnywayCount, Bought, Withheld, acceptance_counts, count_anyway
from shopify_upsell.offers.acceptance_store import (
    PAGE,
    AcceptanceLearning,
    acceptance_for,
    count_cards,
    put_acceptance,
)
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.decisions import save_decisions
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.snapshot import AcceptanceCount
from shopify_upsell.shops.store import get_shop

DAY = timedelta(days=1)
OFFER = OfferId(1)
CARD = (OFFER, SOCKS)
ANN, BEN = CustomerId(7), CustomerId(8)


def withheld(days_ago, customer=ANN, card=CARD):
    return Withheld(customer, card, NOW - days_ago * DAY)


def purchase(days_ago, customer=ANN, product=SOCKS):
    return Bought(customer, product, NOW - days_ago * DAY)


def test_a_purchase_within_a_week_belongs_to_the_latest_card_before_it():
    cards = [withheld(20), withheld(12), withheld(11), withheld(2), withheld(12, BEN)]
    bought = [purchase(10), purchase(30), purchase(10, product=WAX), purchase(3), purchase(4, BEN)]

    assert count_anyway(cards, bought) == {CARD: AnywayCount(5, 1)}


@pytest.mark.parametrize(("days_before", "count"), [(0, 1), (6.99, 1), (7, 0), (-0.01, 0)])
def test_the_week_begins_with_the_card_and_its_end_is_outside(days_before, count):
    assert count_anyway([withheld(5 + days_before)], [purchase(5)])[CARD].bought_count == count


def test_two_purchases_after_one_card_are_one_card_that_would_have_been_taken():
    assert count_anyway([withheld(5)], [purchase(4), purchase(3)]) == {CARD: AnywayCount(1, 1)}


def test_the_holdouts_rate_is_scaled_to_cards_shown_and_drawn_towards_that_of_all_cards():
    other = (OFFER, WAX)
    anyway = {CARD: AnywayCount(100, 20), (OFFER, LACES): AnywayCount(100, 0)}

    counts = acceptance_counts({CARD: 1000, other: 50}, {CARD: 90}, anyway)

    # 20 and a hundred cards of one in ten, of 200; the card nobody was kept from has the rate of all.
    assert counts == (
        AcceptanceCount(OFFER, SOCKS, 1000, 90, 150.0),
        AcceptanceCount(OFFER, WAX, 50, 0, 5.0),
    )


def test_without_a_holdout_nothing_is_expected_anyway_and_what_was_taken_was_seen():
    assert acceptance_counts({CARD: 2}, {CARD: 3, (OFFER, WAX): 4}, {}) == (AcceptanceCount(OFFER, SOCKS, 3, 3, 0.0),)


def see(session, shop_id, number, days_ago=1, kind="impression", product=SOCKS, **given):
    touch = Touch(
        decision_id=DecisionId(f"{number:032x}"),
        offer_id=OFFER,
        variant_id=0,
        kind=kind,
        placement="theme/product_page",
        occurred_at=NOW - days_ago * DAY,
        product_ids=(product,),
    )
    record_touchpoint(session, shop_id, replace(touch, **given))


def take(session, shop_id, order_id, number, days_ago=1, credit_class="direct", product=SOCKS):
    """An order whose line is credited to a decision."""
    add_past_order(session, shop_id, order_id, NOW - days_ago * DAY, None, [product])
    credit = Credit(order_id * 100 + 1, credit_class, 1, 2000, "USD", OFFER, DecisionId(f"{number:032x}"), "cross_sell")
    replace_credits(session, shop_id, {OrderId(order_id): [credit]})


def hold_out(session, shop_id, number, days_ago, customer=ANN):
    """A decision of the holdout that would have shown socks beside boots."""
    at = NOW - days_ago * DAY
    snapshot = a_snapshot(
        request=a_request(BOOTS, shop_id=shop_id, customer_id=customer, visitor_id="abc", limit=1),
        offers=(an_offer(),),
        now=at,
        holdout_basis_points=10_000,
    )
    answer = decide_from(snapshot)
    assert [offer.items[-1].product_id for offer in answer.would_have_shown] == [SOCKS]
    named = (DecisionId(f"{number:032x}"), shop_id, at, "theme/product_page")
    save_decisions(session, shop_id, [Decision(*named, answer, snapshot, ENGINE_VERSION)])


def a_job(shop_id):
    return Job(1, shop_id, "learn_acceptance", {}, 1, "t", NOW)


def learned(session, shop_id, *products):
    put_acceptance(session, shop_id, count_cards(session, shop_id, now=NOW))
    return acceptance_for(session, shop_id, None, products or (SOCKS, WAX))


def plant(session, shop_id):
    """Four cards shown of which one was bought, and two withheld of which one was bought all the same."""
    for number in range(4):
        see(session, shop_id, number, days_ago=number + 1)
    see(session, shop_id, 0, variant_id=21)
    see(session, shop_id, 0, kind="accept")
    see(session, shop_id, 9, days_ago=91)
    take(session, shop_id, 501, 0)
    hold_out(session, shop_id, 20, 10)
    hold_out(session, shop_id, 21, 10, BEN)
    add_past_order(session, shop_id, 502, NOW - 8 * DAY, ANN, [SOCKS, WAX])


def test_counting_again_from_facts_gives_the_same(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    plant(session, shop_id)
    see(session, other, 77)
    take(session, other, 900, 77)

    # One of two withheld cards was bought, and so was one of two of all cards.
    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 4, 1, 2.0),)
    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 4, 1, 2.0),)
    assert acceptance_for(session, other, None, [SOCKS]) == ()
    assert learned(session, other) == (AcceptanceCount(OFFER, SOCKS, 1, 1, 0.0),)
    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 4, 1, 2.0),)


def test_an_assisted_sale_counts_and_one_given_back_or_unattributed_does_not(session, shop_id):
    for number in range(4):
        see(session, shop_id, number)
    take(session, shop_id, 1, 0, credit_class="assisted")
    take(session, shop_id, 2, 1, credit_class="unattributed")
    take(session, shop_id, 3, 2)
    given_back = update(OrderLineRow).where(OrderLineRow.shop_id == shop_id, OrderLineRow.order_id == 3)
    session.execute(given_back.values(net_quantity=0))

    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 4, 1, 0.0),)


def test_a_visitor_without_an_account_and_a_shopper_who_saw_cards_say_nothing_of_buying_anyway(session, shop_id):
    see(session, shop_id, 1)
    hold_out(session, shop_id, 20, 10, customer=None)
    add_past_order(session, shop_id, 502, NOW - 8 * DAY, ANN, [SOCKS])

    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 1, 0, 0.0),)


def test_the_holdout_is_read_page_by_page_to_its_end(session, shop_id, monkeypatch):
    monkeypatch.setattr("shopify_upsell.offers.acceptance_store.PAGE", 2)
    see(session, shop_id, 1)
    for number in range(5):
        hold_out(session, shop_id, 20 + number, 10 if number < 3 else 11, customer=CustomerId(30 + number))
        add_past_order(session, shop_id, 600 + number, NOW - 9 * DAY, 30 + number, [SOCKS])

    assert PAGE > 2
    assert learned(session, shop_id) == (AcceptanceCount(OFFER, SOCKS, 1, 0, 1.0),)


def test_counts_are_read_by_product_and_offer(session, shop_id):
    counts = [AcceptanceCount(OfferId(offer), product, 10, 1, 0.5) for offer in (1, 2) for product in (SOCKS, WAX)]
    put_acceptance(session, shop_id, counts)

    assert acceptance_for(session, shop_id, None, [WAX, SOCKS]) == tuple(counts)
    assert acceptance_for(session, shop_id, [OfferId(2)], [WAX]) == (counts[3],)
    assert acceptance_for(session, shop_id, [], [WAX]) == acceptance_for(session, shop_id, None, []) == ()


def test_a_decision_reads_the_counts_of_live_offers_and_how_long_products_last(session, shop_id):
    offer_id = plant_past(session, shop_id)
    counts = [AcceptanceCount(offer, SOCKS, 10, 1, 0.5) for offer in (offer_id, OfferId(offer_id + 1000))]
    put_acceptance(session, shop_id, counts)
    put_supply(session, shop_id, {SOCKS: 30.0})

    decision = decide(
        session,
        a_request(BOOTS, shop_id=shop_id),
        now=NOW,
        decision_id=DecisionId("d1"),
        shop=get_shop(session, shop_id),
        holdout_basis_points=0,
    )

    assert decision.inputs.acceptance == (counts[0],)
    assert {key: one.supply_days for key, one in decision.inputs.products.items()}[SOCKS] == 30.0
    assert decision.inputs.products[BOOTS].supply_days is None


def test_the_job_reads_in_a_transaction_of_its_own_and_writes_last(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        plant(session, shop_id)

    write = AcceptanceLearning(database).learn(a_job(shop_id))

    with database.read() as session:
        bind_shop(session, shop_id)
        assert acceptance_for(session, shop_id, None, [SOCKS]) == ()
    with database.write() as session:
        bind_shop(session, shop_id)
        write(session)
    with database.read() as session:
        bind_shop(session, shop_id)
        assert acceptance_for(session, shop_id, None, [SOCKS]) == (AcceptanceCount(OFFER, SOCKS, 4, 1, 2.0),)
