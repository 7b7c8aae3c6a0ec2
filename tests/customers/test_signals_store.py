"""Signals are kept once per thing, the profile follows from them, and a person can be forgotten."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from builders_database import NOW, add_shop
from builders_signals import ME, a_signal, an_order, days
from sqlalchemy import event, func, select

from shopify_upsell.core import CustomerId, InvalidInput
from shopify_upsell.customers.profile_store import save_affinities, save_attributes
from shopify_upsell.customers.shopper import ANONYMOUS
from shopify_upsell.customers.signal_store import (
    customers_by_state,
    erase_old_signals,
    read_shopper,
    record_signals,
    signals_of_subject,
)
from shopify_upsell.customers.signal_tables import ProfileRow, SignalRow
from shopify_upsell.customers.store import erase_subject, merge_visitor
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger.store import forget_customer


@pytest.fixture
def noise(session, shop_id):
    """Another shop's ticket of a customer with the same number."""
    other = add_shop(session, "two.myshopify.com")
    record_signals(session, other, [a_signal("ticket_opened", external_id="noise")], NOW)
    return other


def tell(session, shop_id, *signals):
    return record_signals(session, shop_id, signals, NOW)


def me(session, shop_id, *subjects, now=NOW):
    return read_shopper(session, shop_id, subjects or (ME,), now=now)


@pytest.mark.usefixtures("noise")
def test_what_was_told_is_read_again_exactly(session, shop_id):
    review = a_signal("review", 2, value=4.5, order_id=2**62, product_id=7, reason="too_small")

    assert tell(session, shop_id, review) == 1
    assert me(session, shop_id).signals == (review,)


@pytest.mark.usefixtures("noise")
def test_telling_the_same_again_changes_nothing(session, shop_id):
    signals = [a_signal("ticket_opened", 1), an_order(1, 3)]

    assert [tell(session, shop_id, *signals), tell(session, shop_id, *signals)] == [2, 0]
    assert tell(session, shop_id, *signals, *signals) == 0
    assert signals_of_subject(session, shop_id, ME) == sorted(signals, key=lambda one: one.occurred_at)


@pytest.mark.usefixtures("noise")
def test_of_two_tellings_of_one_thing_the_later_is_kept_whichever_came_first(session, shop_id):
    bad, better = a_signal("review", 5, value=1.0), a_signal("review", 1, value=5.0)
    for order in permutations([bad, better]):
        for signal in order:
            tell(session, shop_id, signal)
        assert me(session, shop_id).signals == (better,)
        erase_subject(session, shop_id, ME)


@pytest.mark.usefixtures("noise")
def test_two_tellings_of_one_moment_end_alike_in_either_order(session, shop_id):
    found = set()
    for order in permutations([a_signal("review", 5, value=1.0), a_signal("review", 5, value=5.0)]):
        for signal in order:
            tell(session, shop_id, signal)
        found.add(me(session, shop_id).signals)
        erase_subject(session, shop_id, ME)

    assert len(found) == 1


@pytest.mark.usefixtures("noise")
def test_a_parcel_arrives_once_at_the_earliest_moment_told(session, shop_id):
    for age in (3, 5, 4):
        tell(session, shop_id, a_signal("delivered", age, order_id=1))

    assert [signal.occurred_at for signal in signals_of_subject(session, shop_id, ME)] == [NOW - days(5)]


@pytest.mark.usefixtures("noise")
def test_profile_follows_from_lasting_signals_in_any_order(session, shop_id):
    told = [
        an_order(1, 400),
        an_order(2, 30),
        an_order(3, 20),
        a_signal("order_cancelled", 19, order_id=3),
        a_signal("delivered", 25, order_id=2),
        a_signal("marketing_consent_given", 30),
        a_signal("marketing_consent_withdrawn", 10),
        a_signal("subscription_started", 8),
    ]
    found = set()
    for order in (told, list(reversed(told)), told[3:] + told[:3]):
        for signal in order:
            tell(session, shop_id, signal)
        row = session.execute(select(ProfileRow.__table__).where(ProfileRow.shop_id == shop_id)).one()
        found.add(tuple(row))
        erase_subject(session, shop_id, ME)

    assert len(found) == 1
    assert found.pop()[2:9] == (2, NOW - days(400), NOW - days(30), 1, NOW - days(25), "active", False)


@pytest.mark.usefixtures("noise")
def test_a_person_is_read_under_all_their_names_with_at_most_two_selects(session, shop_id):
    tell(
        session,
        shop_id,
        a_signal("referral_shown", subject="v:browser-1"),
        an_order(1, 3),
        an_order(2, 2, subject="c:6"),
    )
    seen = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: seen.append(args[2]))

    shopper = me(session, shop_id, ME, "v:browser-1")

    assert len(seen) == 2
    assert (shopper.is_known, shopper.stage) == (True, "first_order")
    assert [signal.kind for signal in shopper.signals] == ["order_placed", "referral_shown"]


@pytest.mark.usefixtures("noise")
def test_a_browser_alone_is_nobody(session, shop_id):
    tell(session, shop_id, an_order(1, 3))

    assert me(session, shop_id, "v:browser-1") == ANONYMOUS
    assert read_shopper(session, shop_id, (), now=NOW) == ANONYMOUS


@pytest.mark.usefixtures("noise")
def test_what_no_longer_counts_is_not_read_but_stage_and_opt_out_remain(session, shop_id):
    tell(session, shop_id, a_signal("preference_none", 700), an_order(1, 400), a_signal("ticket_opened", 300))

    shopper = me(session, shop_id, now=NOW + days(100))

    assert [signal.kind for signal in shopper.signals] == ["preference_none"]
    assert shopper.stage == "lapsed"


@pytest.mark.usefixtures("noise")
def test_a_signal_that_never_counted_is_not_kept(session, shop_id):
    assert tell(session, shop_id, a_signal("ticket_opened", 366)) == 0


@pytest.mark.usefixtures("noise")
def test_consent_lets_affinities_be_used_and_opting_out_ends_that(session, shop_id):
    save_affinities(session, shop_id, ME, {"Socks": 0.75})
    save_attributes(session, shop_id, ME, {"tier": "gold"})
    tell(session, shop_id, a_signal("account_created"))
    unasked = me(session, shop_id)
    tell(session, shop_id, a_signal("marketing_consent_given", 3))
    agreed = me(session, shop_id)
    tell(session, shop_id, a_signal("preference_none", 1))
    gone = me(session, shop_id)

    assert [one.may_personalise for one in (unasked, agreed, gone)] == [False, True, False]
    assert [dict(one.affinities) for one in (unasked, agreed, gone)] == [{}, {"Socks": 0.75}, {}]
    assert {one.attributes["tier"] for one in (unasked, agreed, gone)} == {"gold"}


@pytest.mark.usefixtures("noise")
def test_attributes_beyond_measure_are_refused(session, shop_id):
    with pytest.raises(InvalidInput):
        save_attributes(session, shop_id, ME, {"note": "x" * 81})

    assert me(session, shop_id).attributes == {}


@pytest.mark.usefixtures("noise")
def test_what_a_browser_did_is_the_customers_after_log_in(session, shop_id):
    tell(session, shop_id, a_signal("offer_dismissed", subject="v:browser-1"))

    merge_visitor(session, shop_id, "browser-1", CustomerId(5), NOW)

    assert [signal.kind for signal in me(session, shop_id).signals] == ["offer_dismissed"]
    assert me(session, shop_id, "v:browser-1") == ANONYMOUS


def test_a_forgotten_customer_leaves_nothing_and_nothing_new_is_kept(session, shop_id, noise):
    tell(session, shop_id, an_order(1, 3), a_signal("review", value=5.0), an_order(2, 3, subject="c:6"))
    save_attributes(session, shop_id, ME, {"tier": "gold"})

    forget_customer(session, shop_id, CustomerId(5))
    assert erase_subject(session, shop_id, ME) == 3

    assert (
        tell(session, shop_id, a_signal("ticket_opened"), a_signal("ticket_opened", subject="c:6", external_id="2"))
        == 1
    )
    for row in (SignalRow, ProfileRow):
        names = set(map(tuple, session.execute(select(row.shop_id, row.subject))))
        assert names == {(shop_id, "c:6"), (noise, ME)}


def test_retention_erases_what_is_over_and_keeps_what_stage_is_made_of(session, shop_id, noise):
    later = NOW + days(365)
    tell(
        session, shop_id, a_signal("ticket_opened"), a_signal("review", -0.1, value=5.0), an_order(1, 0),
        a_signal("preference_none"), a_signal("delivered", order_id=9, subject="o:9"),
        a_signal("quiz_done", subject="v:b"),
    )  # fmt: skip

    assert erase_old_signals(session, shop_id, later) == 3

    left = session.execute(select(SignalRow.shop_id, SignalRow.kind).order_by(SignalRow.kind)).all()
    assert {tuple(row) for row in left} == {
        (shop_id, "order_placed"), (shop_id, "preference_none"), (shop_id, "review"), (noise, "ticket_opened"),
    }  # fmt: skip


@pytest.mark.usefixtures("noise")
def test_customers_are_listed_by_state_with_reasons_page_by_page(session, shop_id):
    for number in range(7):
        held = a_signal("ticket_opened", 1, subject=f"c:{number}", external_id=f"t{number}")
        tell(session, shop_id, an_order(number, 2, subject=f"c:{number}"), *([held] if number % 2 else []))

    first = customers_by_state(session, shop_id, "hold", now=NOW, limit=2)
    second = customers_by_state(session, shop_id, "hold", now=NOW, limit=2, after=first.next_after)

    assert [one.subject for one in first.customers + second.customers] == ["c:1", "c:3", "c:5"]
    assert {one.readiness.reasons for one in first.customers} == {("open_ticket",)}
    assert second.next_after is None
    assert [one.subject for one in customers_by_state(session, shop_id, "ready", now=NOW).customers] == [
        "c:0", "c:2", "c:4", "c:6",
    ]  # fmt: skip


def test_what_many_tell_at_once_of_one_customer_is_all_summed_up(database):
    with database.write() as own:
        shop = add_shop(own)

    def tell_one(number):
        with database.write() as own:
            bind_shop(own, shop)
            return tell(own, shop, an_order(number, number))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tell_one, range(1, 25))) == [1] * 24

    with database.read() as own:
        bind_shop(own, shop)
        row = own.execute(select(ProfileRow.__table__)).one()
        assert (row.order_count, row.first_ordered_at, row.last_ordered_at) == (24, NOW - days(24), NOW - days(1))


@pytest.mark.usefixtures("noise")
def test_rows_of_signals_hold_no_more_than_a_signal(session, shop_id):
    tell(session, shop_id, an_order(1, 3))

    assert session.scalar(select(func.count()).select_from(SignalRow).where(SignalRow.shop_id == shop_id)) == 1
    assert set(SignalRow.__table__.columns.keys()) == {
        "shop_id", "source", "external_id", "kind", "subject", "occurred_at", "value", "order_id", "product_id",
        "reason", "digest",
    }  # fmt: skip
