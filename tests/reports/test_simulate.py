"""A replay of past orders counts exactly what live decisions, made one by one on the same data, would have counted."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from builders_courtesy import swap_state
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX
from builders_past import A_DRAFT, add_past_order, plant_past, some_orders
from sqlalchemy import func, select, update

from shopify_upsell.core import DecisionId, InvalidInput
from shopify_upsell.customers.courtesy import Caps, spend
from shopify_upsell.customers.courtesy_store import CourtesyRow, save_caps
from shopify_upsell.customers.dismissals import scopes_of
from shopify_upsell.customers.dismissals_store import remember_dismissal
from shopify_upsell.customers.preferences_store import save_preference
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.tables import OrderLineRow
from shopify_upsell.matrix.said import MERCHANT, PairWord
from shopify_upsell.matrix.words_store import say
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.past_moments import PastOrder, moments_of
from shopify_upsell.offers.snapshot import CartLine
from shopify_upsell.offers.store import save_offer
from shopify_upsell.reports.simulate import Simulation, orders_to_replay, simulate, simulated_json
from shopify_upsell.shops.store import ShopRow, get_shop

TIGHT = Caps(session=2, day=2, month=6, offer_day=1, offer_month=3)
SERVED = ("theme/product_page", "theme/cart", "post_purchase/offer")


def a_shop(session, domain):
    """A shop of which every copy holds out the same people."""
    shop_id = add_shop(session, domain)
    bind_shop(session, shop_id)
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(holdout_salt="the same"))
    session.expire_all()
    return shop_id


def live_counts(session, shop_id, orders, *, holdout=1000, told=lambda _at: None):
    """Make the decisions one by one as the orders come in, and count those about the draft, which is live here."""
    draft = save_offer(session, shop_id, replace(A_DRAFT, state="live"), now=NOW)
    shop, counts, people = get_shop(session, shop_id), Counter(), set()
    for order_id, ordered_at, customer_id, products in orders:
        lines = tuple(CartLine(product * 10 + 1, product, 1) for product in products)
        for moment in moments_of(PastOrder(order_id, ordered_at, customer_id, lines), shop_id, "USD", SERVED):
            decision = decide(
                session,
                moment.request,
                now=moment.at,
                decision_id=DecisionId("0" * 32),
                shop=shop,
                holdout_basis_points=holdout,
            )
            charge(session, shop_id, decision, moment.at)
            if moment.request.placement in A_DRAFT.placements:
                counts.update(said_of(decision, draft.offer_id))
                people |= {decision.unit} if draft.offer_id in [one.offer_id for one in decision.chosen] else set()
        add_past_order(session, shop_id, order_id, ordered_at, customer_id, products)
        told(ordered_at)
    return counts, people


def charge(session, shop_id, decision, at):
    if decision.chosen:
        after = spend(decision.charged, [one.offer_id for one in decision.chosen], now=at)
        assert swap_state(session, shop_id, decision.unit, decision.charged, after, now=at)


def said_of(decision, offer_id):
    """What one decision said of an offer: shown, withheld, or every code that struck it."""
    if offer_id in [one.offer_id for one in decision.chosen]:
        return {"shown"}
    if offer_id in [one.offer_id for one in decision.would_have_shown]:
        return {"withheld"}
    if decision.answer.gate:
        return {decision.answer.gate}
    return {why.code for why in decision.rejections if why.offer_id == offer_id}


def counted(found):
    """The same counts of a simulation."""
    codes = {one.code: one.moment_count for one in found.why_not}
    named = {"shown": found.shown_count, "withheld": found.withheld_count}
    return Counter({name: count for name, count in (codes | named).items() if count})


@pytest.mark.parametrize("caps", [Caps(), TIGHT], ids=["roomy", "tight"])
def test_simulated_counts_are_the_counts_of_live_decisions_made_one_by_one(session, caps):
    orders = some_orders()
    past, live = a_shop(session, "past.myshopify.com"), a_shop(session, "live.myshopify.com")
    bind_shop(session, past)
    plant_past(session, past, orders=orders)
    draft = save_offer(session, past, A_DRAFT, now=NOW)
    save_caps(session, past, caps)
    found = simulate(session, get_shop(session, past), Simulation(draft, NOW, holdout_basis_points=1000))

    bind_shop(session, live)
    plant_past(session, live)
    save_caps(session, live, caps)
    counts, people = live_counts(session, live, orders)

    assert counted(found) == counts
    assert found.customer_count == len(people)
    assert found.shown_count > 0
    assert found.withheld_count > 0
    assert found.order_count == 60
    assert (found.cap_pressure > 0) == (caps == TIGHT)


def test_signals_wishes_and_words_count_as_they_stood_at_each_moment(session):
    orders = some_orders(24, customers=3)
    past, live = a_shop(session, "past.myshopify.com"), a_shop(session, "live.myshopify.com")
    when = orders[11][1]

    def tell(shop_id):
        bind_shop(session, shop_id)
        ticket = Signal("ticket_opened", "c:101", when, "helpdesk", "ticket-1")
        record_signals(session, shop_id, [ticket], when)
        remember_dismissal(session, shop_id, "c:102", scopes_of(0, (), (WAX, LACES)), now=when)
        save_preference(session, shop_id, ["c:100"], "none", now=when)

    bind_shop(session, past)
    plant_past(session, past, orders=orders)
    tell(past)
    found = simulate(session, get_shop(session, past), Simulation(A_DRAFT, NOW))

    bind_shop(session, live)
    plant_past(session, live)
    counts, _ = live_counts(session, live, orders, holdout=0, told=lambda at: tell(live) if at == when else None)

    assert counted(found) == counts
    assert {"open_ticket", "preference_none", "suppressed_dismissed"} <= set(counts)


@pytest.mark.parametrize("word", ["blocked", "pinned", "timed"])
def test_words_on_pairs_that_only_the_draft_makes_count_as_they_will_when_it_is_live(session, word):
    orders = some_orders(24, customers=3)
    past, live = a_shop(session, "past.myshopify.com"), a_shop(session, "live.myshopify.com")
    window = (20, 60) if word == "timed" else None

    def prepared(shop_id, known):
        bind_shop(session, shop_id)
        plant_past(session, shop_id, orders=known)
        for companion in (WAX, LACES):
            say(session, shop_id, PairWord(BOOTS, companion, MERCHANT, word, 0.0, 0, None, window=window), NOW)

    prepared(past, orders)
    found = simulate(session, get_shop(session, past), Simulation(A_DRAFT, NOW))
    prepared(live, ())
    counts, _ = live_counts(session, live, orders, holdout=0)

    assert counted(found) == counts
    assert ("negative_edge" in counts) == (word == "blocked")


def test_a_replay_is_the_same_every_time_and_writes_nothing(session, shop_id):
    plant_past(session, shop_id, orders=some_orders(20))
    shop = get_shop(session, shop_id)

    first, second = (simulate(session, shop, Simulation(A_DRAFT, NOW, seed=3)) for _ in range(2))

    assert first == second
    assert session.scalar(select(func.count()).select_from(DecisionRow)) == 0
    assert session.scalar(select(func.count()).select_from(CourtesyRow)) == 0


def test_a_sample_takes_all_orders_of_some_customers_and_another_seed_takes_others(session, shop_id):
    plant_past(session, shop_id, orders=some_orders(60))
    shop = get_shop(session, shop_id)

    halves = [
        simulate(session, shop, Simulation(A_DRAFT, NOW, seed=seed, share_basis_points=5000)).order_count
        for seed in (1, 2, 1)
    ]

    assert halves[0] == halves[2]
    assert all(0 < half < 60 for half in halves)


def test_only_the_last_months_and_this_shops_orders_are_replayed(session, shop_id):
    plant_past(session, shop_id, orders=[(1, NOW - timedelta(days=100), 5, (BOOTS,)), (2, NOW, 5, (BOOTS,))])
    noise = add_shop(session, "another.myshopify.com")
    add_past_order(session, noise, 3, NOW - timedelta(days=1), 5, (BOOTS,))
    shop = get_shop(session, shop_id)

    assert orders_to_replay(session, shop, Simulation(A_DRAFT, NOW, months=3)) == 0
    assert orders_to_replay(session, shop, Simulation(A_DRAFT, NOW, months=4)) == 1
    assert simulate(session, shop, Simulation(A_DRAFT, NOW, months=4)).order_count == 1


def test_when_who_why_not_and_what_it_might_earn_are_told(session, shop_id):
    day = timedelta(days=1)
    orders = [
        (1, NOW - 40 * day, 100, (BOOTS,)),
        (2, NOW - 39 * day, 100, (BOOTS,)),
        (3, NOW - 3 * day, None, (SOCKS, BOOTS)),
    ]
    plant_past(session, shop_id, orders=orders)
    heard = []

    found = simulate(session, get_shop(session, shop_id), Simulation(A_DRAFT, NOW), on_orders=heard.append)

    assert heard == [3]
    assert (found.order_count, found.moment_count, found.shown_count) == (3, 7, 6)
    assert found.customer_count == 2
    assert found.by_month == (("2026-09", 4), ("2026-10", 2))
    assert {name: count for name, count in found.by_weekday if count} == {"tuesday": 2, "wednesday": 2, "thursday": 2}
    assert [(one.code, one.moment_count) for one in found.why_not] == [("wrong_anchor", 1)]
    assert found.why_not[0].examples[0].product_id is None
    assert "acceptance" in found.margin.assumed
    assert found.margin.card_count == 6
    assert found.margin.if_all_taken_minor_units > found.margin.expected_minor_units >= 0
    assert len(found.limits) == 6


def test_a_stored_draft_replaces_its_own_live_version_while_it_is_replayed(session, shop_id):
    plant_past(session, shop_id, orders=[(1, NOW - timedelta(days=9), 100, (BOOTS,))])
    stored = save_offer(session, shop_id, replace(A_DRAFT, state="live"), now=NOW)
    narrower = replace(stored, placements=("theme/cart",))

    found = simulate(session, get_shop(session, shop_id), Simulation(narrower, NOW))

    assert (found.moment_count, found.shown_count) == (1, 1)


def test_lines_that_an_offer_added_are_no_reason_to_offer(session, shop_id):
    plant_past(session, shop_id, orders=[(1, NOW - timedelta(days=9), 100, (BOOTS, WAX))])
    session.execute(update(OrderLineRow).where(OrderLineRow.product_id == WAX).values(offer_token="t"))

    found = simulate(session, get_shop(session, shop_id), Simulation(A_DRAFT, NOW))

    assert (found.moment_count, found.shown_count) == (2, 2)


@pytest.mark.parametrize("months", [0, 25])
def test_a_period_that_is_none_is_refused(session, shop_id, months):
    with pytest.raises(InvalidInput, match="months: are 1 to 24"):
        simulate(session, get_shop(session, shop_id), Simulation(A_DRAFT, NOW, months=months))


def test_the_report_is_plain_json(session, shop_id):
    plant_past(session, shop_id, orders=some_orders(6))
    automatic = OfferDraft("cross_sell", "Anything", ("theme/cart",), state="draft")

    document = simulated_json(simulate(session, get_shop(session, shop_id), Simulation(automatic, NOW)))

    assert json.loads(json.dumps(document, default=str))["order_count"] == 6
    assert set(document["by_weekday"]) >= {"monday", "sunday"}
