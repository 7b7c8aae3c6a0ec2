"""The share of showings that try something is held on every day and over 30, by any number of processes at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_product, a_request, a_snapshot, add_products
from sqlalchemy import func, select, update

from shopify_upsell.core import DecisionId, ProductId
from shopify_upsell.customers.courtesy_store import CourtesyRow
from shopify_upsell.database import bind_shop, is_transient
from shopify_upsell.ledger.tables import ProductRow
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.exploring import Exploration, explores
from shopify_upsell.matrix.upkeep import learn_shop
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import read_decision, save_decisions
from shopify_upsell.offers.exploration_store import Explored, explored, lot_of, may_try
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.replay import replay
from shopify_upsell.offers.settings_store import ShopSettings, read_settings_of, save_settings_of
from shopify_upsell.offers.store import save_offer
from shopify_upsell.shops.store import get_shop
from shopify_upsell.surfaces.deciding import DecisionDesk

TODAY = NOW.date().isoformat()
CLIENTS = 16
KNOWN = {BOOTS: (Companion(SOCKS, 30, 60, 80, 1000, 0.3),)}
NEW = {BOOTS: (Companion(ProductId(SOCKS), 0, 0, 0, 0, 1e-6),)}


@pytest.fixture
def shop_id(database):
    with database.write() as session:
        other = add_shop(session, "noise.myshopify.com")
        bind_shop(session, other)
        save_decisions(session, other, [a_showing(other, f"noise{number}") for number in range(40)])
        return add_shop(session)


def a_showing(shop_id, name, *, at=NOW, companions=None, untried=None, allowed=None, share=0):
    """A decision: a card with evidence unless told otherwise."""
    snapshot = a_snapshot(
        request=a_request(BOOTS, shop_id=shop_id, visitor_id=f"visitor-{name}"),
        companions=KNOWN if companions is None else companions,
        untried=untried or {},
        exploration=None if allowed is None else Exploration(allowed, 0.05),
        now=at,
        holdout_basis_points=share,
    )
    return Decision(
        DecisionId(name), shop_id, at, "theme/product_page", decide_from(snapshot), snapshot, ENGINE_VERSION
    )


def a_try(shop_id, name="t", at=NOW):
    return a_showing(shop_id, name, at=at, companions={}, untried=NEW, allowed=True)


def withheld(shop_id, name, at=NOW):
    return a_showing(shop_id, name, at=at, companions={}, untried=NEW, allowed=False)


def store(database, shop_id, decisions):
    with database.write() as session:
        bind_shop(session, shop_id)
        save_decisions(session, shop_id, decisions)


def attempt(database, shop_id, name="t", at=NOW):
    """Ask for one try and store it if it may be made, as the journal does."""
    with database.write() as session:
        bind_shop(session, shop_id)
        decision = a_try(shop_id, name, at)
        may = may_try(session, shop_id, decision)
        if may:
            save_decisions(session, shop_id, [decision])
        return may


def counted(database, shop_id):
    with database.read() as session:
        bind_shop(session, shop_id)
        return explored(session, shop_id).days


def test_nothing_is_tried_before_enough_was_shown(database, shop_id):
    before = NOW - timedelta(minutes=5)
    store(database, shop_id, [a_showing(shop_id, f"d{number}", at=before) for number in range(18)])
    assert not attempt(database, shop_id, "early")

    store(database, shop_id, [a_showing(shop_id, "d18", at=NOW + timedelta(seconds=1))])
    later = NOW + timedelta(seconds=2)
    assert attempt(database, shop_id, "twentieth", later)
    assert not attempt(database, shop_id, "next", later + timedelta(seconds=1))
    assert counted(database, shop_id) == {TODAY: [20, 1]}


def test_pages_that_stayed_empty_for_want_of_the_lot_count_and_the_holdout_does_not(database, shop_id):
    at = NOW - timedelta(hours=1)
    store(database, shop_id, [withheld(shop_id, f"w{number}", at) for number in range(19)])
    assert attempt(database, shop_id)

    held_out = [a_showing(shop_id, f"h{number}", at=NOW + timedelta(seconds=1), share=10_000) for number in range(50)]
    nothing = [a_showing(shop_id, f"n{one}", at=NOW + timedelta(seconds=1), companions={}) for one in range(50)]
    store(database, shop_id, held_out + nothing)
    assert not attempt(database, shop_id, "again", NOW + timedelta(seconds=2))
    assert counted(database, shop_id) == {TODAY: [20, 1]}


def test_a_decision_without_a_try_costs_nothing_and_writes_nothing(database, shop_id):
    with database.write() as session:
        bind_shop(session, shop_id)
        assert may_try(session, shop_id, a_showing(shop_id, "d"))
        assert may_try(session, shop_id, withheld(shop_id, "w"))
        assert session.scalar(select(func.count()).select_from(CourtesyRow)) == 0


def test_every_day_is_held_by_itself_and_thirty_days_together(database, shop_id):
    yesterday = NOW - timedelta(days=1)
    store(database, shop_id, [a_showing(shop_id, f"d{number}", at=yesterday) for number in range(99)])
    moments = (yesterday + timedelta(seconds=1 + number) for number in count())
    assert [attempt(database, shop_id, f"y{number}", next(moments)) for number in range(6)] == [True] * 5 + [False]

    assert not attempt(database, shop_id, "today")  # what is left of another day is no room for this one

    days = {(NOW - timedelta(days=age)).date().isoformat(): [100, 5] for age in range(1, 29)}
    held = Explored(days | {TODAY: [100, 0]})
    assert held.room(TODAY, 500) == 5
    assert held.room(TODAY, 400) == 116 - 140  # a share that was lowered holds for the days before, too
    assert Explored().room(TODAY, 500, more=19) == 0


def test_days_out_of_reach_are_forgotten(database, shop_id):
    for age, name in ((31, "old"), (29, "kept"), (0, "new")):
        at = NOW - timedelta(days=age)
        store(database, shop_id, [a_showing(shop_id, f"{name}{number}", at=at) for number in range(19)])
        assert attempt(database, shop_id, name, at + timedelta(seconds=1))

    kept = [(NOW - timedelta(days=age)).date().isoformat() for age in (29, 0)]
    assert counted(database, shop_id) == {day: [20, 1] for day in kept}


def test_a_merchant_who_lowers_the_share_is_heard_at_once(database, shop_id):
    store(database, shop_id, [a_showing(shop_id, f"d{number}", at=NOW - timedelta(hours=1)) for number in range(99)])
    with database.write() as session:
        bind_shop(session, shop_id)
        save_settings_of(session, shop_id, ShopSettings(exploration_basis_points=0), now=NOW)
        assert read_settings_of(session, shop_id).exploration_basis_points == 0
    assert not attempt(database, shop_id)

    with database.write() as session:
        bind_shop(session, shop_id)
        save_settings_of(session, shop_id, ShopSettings(exploration_basis_points=100), now=NOW)
    tries = [attempt(database, shop_id, f"t{number}", NOW + timedelta(seconds=1 + number)) for number in range(3)]
    assert tries == [True, False, False]


def test_sixteen_clients_at_once_never_exceed_the_share(database, shop_id):
    store(database, shop_id, [a_showing(shop_id, f"d{number}", at=NOW - timedelta(hours=1)) for number in range(190)])

    def client(number):
        made = 0
        for turn in range(2):
            for _ in range(200):
                try:
                    made += attempt(database, shop_id, f"t{number}-{turn}", NOW + timedelta(milliseconds=number))
                    break
                except Exception as error:
                    if not is_transient(error):
                        raise
        return made

    with ThreadPoolExecutor(CLIENTS) as pool:
        made = sum(pool.map(client, range(CLIENTS)))

    assert made == 10
    assert counted(database, shop_id) == {TODAY: [200, 10]}


def test_the_lot_is_the_shops_own_and_nobodys_where_the_share_is_used_up(database, shop_id):
    units = [f"v:visitor-{number:04}" for number in range(2_000)]
    with database.read() as session:
        bind_shop(session, shop_id)
        shop = get_shop(session, shop_id)
        lots = {unit for unit in units if lot_of(session, shop, unit, NOW, basis_points=500).is_allowed}
        assert 60 < len(lots) < 140
        assert lots == {unit for unit in units if explores(shop.holdout_salt, unit, NOW).is_allowed}
        assert lot_of(session, shop, None, NOW, basis_points=500) == Exploration(False, 0.0)
        assert lot_of(session, shop, next(iter(lots)), NOW, basis_points=0) == Exploration(False, 0.0)
    assert not attempt(database, shop_id)
    with database.read() as session:
        bind_shop(session, shop_id)
        assert lot_of(session, shop, next(iter(lots)), NOW, basis_points=500) == Exploration(False, 0.0)


def a_new_store(database):
    """A catalogue of one brand and four kinds, the offer that every shop begins with, and not one order."""
    with database.write() as session:
        shop_id = add_shop(session, "new.myshopify.com")
        bind_shop(session, shop_id)
        products = (BOOTS, SOCKS, WAX, LACES)
        add_products(session, shop_id, *(a_product(number) for number in products))
        for number in products:
            own = (ProductRow.shop_id == shop_id, ProductRow.product_id == number)
            session.execute(update(ProductRow).where(*own).values(vendor="Heel & Co", product_type=f"kind {number}"))
        save_offer(session, shop_id, OfferDraft("cross_sell", "Beside it", ("theme/product_page",)), now=NOW)
        learn_shop(session, shop_id, NOW)
        return get_shop(session, shop_id)


def test_a_new_stores_exposure_stays_below_the_cap_and_its_reason_is_cold_start(database):
    """Rows R021 and R055: exposure within the cap at every moment, the reason told, every gate passed, replayable."""
    shop, clock, numbers = a_new_store(database), {"now": datetime(2026, 11, 2, 8, tzinfo=UTC)}, count()
    desk = DecisionDesk(
        database,
        DecisionJournal(database),
        holdout_basis_points=1000,
        clock=lambda: clock["now"],
        new_decision_id=lambda: DecisionId(f"n{next(numbers)}"),
    )
    names = [f"visitor-{number:05}" for number in range(4_000)]
    lucky = [name for name in names if explores(shop.holdout_salt, f"v:{name}", clock["now"]).is_allowed]
    visitors = [lucky.pop() if place % 3 == 2 else name for place, name in enumerate(names[:150])]
    shown, tried = 0, []
    for visitor in visitors:
        clock["now"] += timedelta(seconds=30)
        database.memory.pop("offers.explored", None)  # as a process that has not heard that the share is used up
        decision = desk.serve(shop, a_request(BOOTS, shop_id=shop.shop_id, visitor_id=visitor))
        refused = {one.code for one in decision.answer.refused}
        shown += not decision.is_holdout and (bool(decision.chosen) or refused == {"not_explored"})
        tried += [decision] if decision.chosen else []
        assert len(tried) * 20 <= shown, visitor

    assert len(tried) >= 3
    assert {offer.reason_code for decision in tried for offer in decision.chosen} == {"cold_start"}
    assert {decision.inputs.exploration for decision in tried} == {Exploration(True, 0.05)}
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        for decision in tried:
            assert read_decision(session, shop.shop_id, decision.decision_id).inputs == decision.inputs
            assert replay(session, shop.shop_id, decision.decision_id).is_identical


def test_a_new_store_that_tries_nothing_shows_nothing(database):
    shop = a_new_store(database)
    with database.write() as session:
        bind_shop(session, shop.shop_id)
        save_settings_of(session, shop.shop_id, ShopSettings(exploration_basis_points=0), now=NOW)
    desk = DecisionDesk(
        database,
        DecisionJournal(database),
        holdout_basis_points=0,
        clock=lambda: NOW,
        new_decision_id=lambda: DecisionId("n"),
    )
    lucky = next(
        n for n in map("visitor-{:05}".format, count()) if explores(shop.holdout_salt, f"v:{n}", NOW).is_allowed
    )

    decision = desk.serve(shop, a_request(BOOTS, shop_id=shop.shop_id, visitor_id=lucky))

    assert (decision.chosen, [one.code for one in decision.rejections]) == ((), ["no_evidence"])
    assert decision.inputs.exploration is None
    assert replace(decision.inputs, untried={}) == decision.inputs
