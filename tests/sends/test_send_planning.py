"""The nightly job: one open send a customer, the same however often it runs, ended by purchases, learned from."""

from datetime import timedelta

from builders_database import NOW
from builders_kept import keep
from builders_offers import BOOTS, SOCKS, WAX
from builders_sends import DAY, ONE, TWO, a_buyer, a_sending_shop, plan
from sqlalchemy import insert, select, update

from shopify_upsell.core import CustomerId, OrderId
from shopify_upsell.database import bind_shop
from shopify_upsell.inbox.forget import forget
from shopify_upsell.jobs.queue import Job
from shopify_upsell.matrix.said import BLOCKED, MERCHANT, PairWord
from shopify_upsell.matrix.store import say
from shopify_upsell.offers.store import live_offers, pause_offer
from shopify_upsell.reports.privacy_export import customer_export
from shopify_upsell.sends import planning
from shopify_upsell.sends.learned import Tried
from shopify_upsell.sends.store import (
    KEPT_FOR,
    SendSetting,
    forget_old_sends,
    save_setting,
    sends_of,
    tried_counts,
)
from shopify_upsell.sends.tables import SendRow
from shopify_upsell.shops.store import save_privacy_request


def two_shops(database, **options):
    with database.write() as session:
        other = a_sending_shop(session, TWO, **options)
        a_buyer(session, other, 5)
    with database.write() as session:
        return a_sending_shop(session, ONE, **options), other


def rows(database, shop_id):
    with database.read() as session:
        bind_shop(session, shop_id)
        table = SendRow.__table__
        return session.execute(select(table).where(table.c.shop_id == shop_id).order_by(table.c.send_id)).all()


def test_a_customer_with_delivered_boots_is_planned_once_however_often_the_job_runs(database):
    shop_id, other = two_shops(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        a_buyer(session, shop_id, 5)
        a_buyer(session, shop_id, 6, consents=False)
        a_buyer(session, shop_id, 7, arrived_days_ago=-2)

    plan(database, shop_id)
    plan(database, shop_id, now=NOW + timedelta(hours=1))

    (row,) = rows(database, shop_id)
    assert (row.customer_id, row.anchor_product_id, row.companion_product_id, row.anchor_order_id) == (5, 1, 2, 50)
    assert (row.state, row.eligible, row.is_holdout, row.pitched_at) == ("planned", "3,4,5,6,7", False, None)
    assert row.send_window in (3, 4, 5, 6, 7)
    assert round(row.propensity, 9) == 0.2
    assert row.planned_at == NOW
    assert rows(database, other) == []


def test_nothing_is_planned_while_it_is_off_or_no_offer_is_for_it_or_the_shop_is_no_fit(database):
    shop_id, other = two_shops(database, is_on=False)
    with database.write() as session:
        bind_shop(session, shop_id)
        a_buyer(session, shop_id, 5)
    plan(database, shop_id)
    assert rows(database, shop_id) == []

    with database.write() as session:
        bind_shop(session, shop_id)
        save_setting(session, shop_id, SendSetting(is_on=True), now=NOW)
    # A year on, the orders that made it a fit are too old.
    plan(database, shop_id, now=NOW + 365 * DAY)
    assert rows(database, shop_id) == []

    with database.write() as session:
        bind_shop(session, shop_id)
        pause_offer(session, shop_id, live_offers(session, shop_id)[0].offer_id, now=NOW)
    plan(database, shop_id, now=NOW + DAY)
    assert rows(database, shop_id) == []
    assert rows(database, other) == []


def test_a_pair_that_the_merchant_blocked_is_not_planned(database):
    shop_id, _ = two_shops(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        a_buyer(session, shop_id, 5)
        say(session, shop_id, PairWord(BOOTS, SOCKS, MERCHANT, BLOCKED, 0.0, 0, None), NOW)

    plan(database, shop_id)

    assert [row.companion_product_id for row in rows(database, shop_id)] == [WAX]


def test_a_job_that_stops_after_each_page_goes_on_behind_it_and_plans_everybody_once(database, monkeypatch):
    monkeypatch.setattr(planning, "PAGE", 3)
    monkeypatch.setattr(planning, "PAGES_A_RUN", 1)
    shop_id, _ = two_shops(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        for number in range(1, 11):
            a_buyer(session, shop_id, number)

    runs = plan(database, shop_id)

    assert runs > 10
    assert [row.customer_id for row in rows(database, shop_id)] == list(range(1, 11))


def test_a_purchase_ends_the_send_and_the_night_after_another_pair_is_planned(database):
    shop_id, _ = two_shops(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        a_buyer(session, shop_id, 5)
    plan(database, shop_id)
    with database.write() as session:
        bind_shop(session, shop_id)
        keep(session, shop_id, (999, 5, NOW + timedelta(hours=5), {SOCKS: 500}))

    plan(database, shop_id, now=NOW + DAY)

    first, second = rows(database, shop_id)
    assert (first.state, first.bought_at, first.ended_at) == ("bought", NOW + timedelta(hours=5), NOW + DAY)
    assert (second.companion_product_id, second.ended_at) == (WAX, None)
    with database.read() as session:
        bind_shop(session, shop_id)
        # It was never handed over, so it says nothing of its window.
        assert tried_counts(session, shop_id, now=NOW + 60 * DAY) == []


PITCHED = {
    "anchor_product_id": BOOTS, "companion_product_id": SOCKS, "anchor_order_id": 1, "relation": "complement",
    "eligible": "4", "send_window": 4, "is_random": True, "propensity": 1.0, "planned_at": NOW, "due_at": NOW,
    "closes_at": NOW, "offered_product_id": SOCKS, "state": "handed_over", "is_holdout": False, "pitched_at": NOW,
    "bought_at": None, "ended_at": NOW,
}  # fmt: skip


def test_the_night_plans_by_what_its_log_says_and_writes_down_the_chance_that_it_drew_with(database):
    shop_id, _ = two_shops(database)
    later = NOW + 20 * DAY
    with database.write() as session:
        bind_shop(session, shop_id)
        log = [
            PITCHED | {"shop_id": shop_id, "customer_id": 800_000, "send_window": window, "bought_at": bought}
            for window in range(8)
            for bought in [NOW if n < (30 if window == 4 else 2) else None for n in range(60)]
        ]
        session.execute(insert(SendRow), log)
        for number in range(1, 61):
            a_buyer(session, shop_id, number, arrived_days_ago=0, now=later)

    plan(database, shop_id, now=later)

    made = [row for row in rows(database, shop_id) if row.planned_at == later]
    assert len(made) == 60
    assert {row.eligible for row in made} == {"1,2,3,4,5,6,7"}  # a complement is silent in its first week
    best = [row for row in made if row.send_window == 4]
    assert len(best) > 35
    assert {round(row.propensity, 2) for row in best} == {round(0.2 / 7 + 0.8, 2)}
    assert {round(row.propensity, 2) for row in made if row.send_window != 4} == {round(0.2 / 7, 2)}
    assert all(row.is_random for row in made if row.send_window != 4)


def test_the_log_counts_what_was_handed_over_and_withheld_once_its_fourteen_days_are_over(database):
    shop_id, other = two_shops(database)
    pitched = PITCHED | {"relation": "accessory", "offered_product_id": WAX, "ended_at": None}
    with database.write() as session:
        for shop, customer, changes in (
            (shop_id, 1, {}),
            (shop_id, 2, {"state": "bought", "bought_at": NOW + DAY}),
            (shop_id, 3, {"state": "withheld", "is_holdout": True}),
            (shop_id, 4, {"state": "failed"}),
            (shop_id, 5, {"pitched_at": NOW + DAY}),
            (other, 6, {}),
        ):
            bind_shop(session, shop)
            session.execute(insert(SendRow).values(pitched | changes | {"shop_id": shop, "customer_id": customer}))

    with database.read() as session:
        bind_shop(session, shop_id)
        found = sorted(tried_counts(session, shop_id, now=NOW + 14 * DAY), key=lambda one: one.is_holdout)

    pair = (BOOTS, WAX)
    assert found == [Tried(pair, "accessory", 4, False, 2, 1), Tried(pair, "accessory", 4, True, 1, 0)]


def test_what_is_kept_of_a_customer_is_told_and_forgotten_with_them(database):
    shop_id, other = two_shops(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        a_buyer(session, shop_id, 5)
        a_buyer(session, shop_id, 6)
    plan(database, shop_id)
    plan(database, other)

    with database.write() as session:
        bind_shop(session, shop_id)
        told = customer_export(session, shop_id, CustomerId(5), now=NOW)["planned_sends"]
        save_privacy_request(session, shop_id, "customer_redaction", "r", received_at=NOW)
        payload = {"subject_id": 5, "kind": "customer_redaction", "request_key": "r", "order_ids": []}
        forget(session, Job(1, shop_id, "forget_customer", payload, 1, "t", NOW))

    assert [(one["companion_product_id"], one["anchor_order_id"]) for one in told] == [(SOCKS, OrderId(50))]
    assert [row.customer_id for row in rows(database, shop_id)] == [6]
    assert [row.customer_id for row in rows(database, other)] == [5]


def test_old_sends_are_forgotten_and_open_ones_are_not(database):
    shop_id, other = two_shops(database)
    for shop in (shop_id, other):
        with database.write() as session:
            bind_shop(session, shop)
            a_buyer(session, shop, 8)
            a_buyer(session, shop, 9)
        plan(database, shop)
        with database.write() as session:
            bind_shop(session, shop)
            old = update(SendRow).where(SendRow.shop_id == shop, SendRow.customer_id == 8)
            session.execute(old.values(ended_at=NOW, state="expired"))

    with database.write() as session:
        bind_shop(session, shop_id)
        assert forget_old_sends(session, shop_id, now=NOW + KEPT_FOR) == 0
        assert forget_old_sends(session, shop_id, now=NOW + KEPT_FOR + DAY) == 1
        assert sends_of(session, shop_id, CustomerId(8)) == []
        assert len(sends_of(session, shop_id, CustomerId(9))) == 1
    assert len(rows(database, other)) == 3
