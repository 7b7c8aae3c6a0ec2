"""Decisions of many threads share transactions, and none is answered before it is stored."""

import fcntl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders_courtesy import swap_state
from builders_database import NOW, add_shop
from builders_offers import BOOTS, a_request, a_snapshot
from builders_threads import until
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from shopify_upsell.core import DecisionId, OfferId
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, spend
from shopify_upsell.customers.courtesy_store import read_states
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import DecisionPartRow, DecisionRow, read_decision
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from

ELSEWHERE = OfferId(10**12)
"""An offer that another page of the shopper showed; far beyond the ids that a database counts up in these tests."""


def a_decision(shop_id, name, *, visitor="abcdefgh", charged=None):
    snapshot = a_snapshot(request=a_request(BOOTS, shop_id=shop_id, visitor_id=visitor))
    return Decision(
        DecisionId(name),
        shop_id,
        NOW,
        "theme/product_page",
        decide_from(snapshot),
        snapshot,
        ENGINE_VERSION,
        charged=charged,
    )


def a_charge(shop_id, name, visitor, before=NOTHING_SHOWN):
    """A decision that shows one card, charged to the budget of its visitor as it was read."""
    return a_decision(shop_id, name, visitor=visitor, charged=before)


@pytest.fixture
def two_shops(database):
    with database.write() as session:
        return add_shop(session, "one.myshopify.com"), add_shop(session, "two.myshopify.com")


def stored(database):
    with database.read() as session:
        return set(session.scalars(select(DecisionRow.decision_id)))


def shown_to(database, shop_id, visitor):
    """Cards kept in the budget of a visitor, as one number."""
    with database.read() as session:
        bind_shop(session, shop_id)
        return sum(cards for _, _, cards in read_states(session, shop_id, [f"v:{visitor}"]).own.shown)


def take_elsewhere(database, shop_id, visitor):
    """Another page of the visitor shows a card; the budget as it is then."""
    with database.write() as session:
        bind_shop(session, shop_id)
        before = read_states(session, shop_id, [f"v:{visitor}"]).own
        after = spend(before, [ELSEWHERE], now=NOW)
        assert swap_state(session, shop_id, f"v:{visitor}", before, after, now=NOW)
        return after


@contextmanager
def commits_of(database):
    """The commits of a database meanwhile."""
    commits = []

    def note(_connection):
        commits.append(1)

    event.listen(database.engine, "commit", note)
    try:
        yield commits
    finally:
        event.remove(database.engine, "commit", note)


class HeldJournal(DecisionJournal):
    """Begins its first commit only when it is told to, so that others come meanwhile."""

    def __init__(self, database):
        super().__init__(database)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def _write(self, batch):
        self.begun.set()
        assert self.go_on.wait(20)
        return super()._write(batch)


def kept_in_company(journal, first, others):
    """Bring a decision, and all others while it is being committed; what each was told."""
    with ThreadPoolExecutor(1 + len(others)) as pool:
        futures = [pool.submit(journal.keep, first)]
        assert journal.begun.wait(20)
        futures += [pool.submit(journal.keep, one) for one in others]
        until(lambda: len(journal._line._waiting) == len(others))
        journal.go_on.set()
        return [future.exception(30) or future.result() for future in futures]


def test_decisions_of_many_threads_and_shops_are_all_there_when_they_return(database, two_shops):
    journal, missing = DecisionJournal(database), []

    def bring(number):
        name = f"d{number}"
        journal.keep(a_decision(two_shops[number % 2], name))
        if name not in stored(database):
            missing.append(name)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert missing == []
    assert stored(database) == {f"d{number}" for number in range(24)}


def test_those_who_come_while_one_commits_share_the_next_transaction(database, two_shops):
    others = [a_decision(two_shops[number % 2], f"d{number}") for number in range(10)]
    with commits_of(database) as commits:
        told = kept_in_company(HeldJournal(database), a_decision(two_shops[0], "first"), others)

    assert told == [True] * 11
    assert len(commits) == 2
    assert len(stored(database)) == 11


def test_one_bad_decision_is_refused_alone(database, two_shops):
    DecisionJournal(database).keep(a_decision(two_shops[0], "twice"))
    others = [a_decision(two_shops[0], "good"), a_decision(two_shops[0], "twice"), a_decision(two_shops[1], "good")]

    told = kept_in_company(HeldJournal(database), a_decision(two_shops[0], "first"), others)

    assert (told[:2], type(told[2]), told[3]) == ([True, True], IntegrityError, True)
    assert stored(database) == {"twice", "first", "good"}


def test_what_decisions_share_is_stored_once_a_shop(database, two_shops):
    journal = DecisionJournal(database)
    for number in range(3):
        journal.keep(a_decision(two_shops[0], f"a{number}", visitor=f"visitor-{number}"))
        journal.keep(a_decision(two_shops[1], f"b{number}", visitor=f"visitor-{number}"))

    with database.read() as session:
        parts = dict(
            session.execute(select(DecisionPartRow.shop_id, func.count()).group_by(DecisionPartRow.shop_id)).all()
        )
        again = read_decision(session, two_shops[0], DecisionId("a1"))

    assert parts == {two_shops[0]: 3, two_shops[1]: 3}
    assert again == a_decision(two_shops[0], "a1", visitor="visitor-1")


def test_decisions_brought_together_are_committed_together_and_each_is_told_its_fate_in_its_place(database, two_shops):
    one, two = two_shops
    names = [f"d{number}" for number in range(40)]
    decisions = [a_charge(two_shops[place % 2], name, f"visitor-{name}") for place, name in enumerate(names)]
    with commits_of(database) as commits:
        assert DecisionJournal(database).keep_each(decisions) == [True] * 40

    assert (len(commits), stored(database)) == (1, set(names))
    assert (shown_to(database, one, "visitor-d0"), shown_to(database, two, "visitor-d1")) == (1, 1)
    assert (shown_to(database, two, "visitor-d0"), shown_to(database, one, "visitor-d1")) == (0, 0)


def test_a_duplicate_among_those_brought_together_is_told_in_its_place_and_charges_nobody(database, two_shops):
    one, two = two_shops
    journal = DecisionJournal(database)
    journal.keep(a_decision(one, "known"))

    told = journal.keep_each(
        [
            a_charge(one, "a", "visitor-a"),
            a_charge(one, "known", "visitor-b"),
            a_charge(one, "c", "visitor-c"),
            a_charge(one, "a", "visitor-d"),
            a_charge(two, "known", "visitor-b"),
        ]
    )

    assert [type(each) if isinstance(each, Exception) else each for each in told] == [
        True, IntegrityError, True, IntegrityError, True,
    ]  # fmt: skip
    assert stored(database) == {"known", "a", "c"}
    visitors = ("visitor-a", "visitor-b", "visitor-c", "visitor-d")
    assert [shown_to(database, one, visitor) for visitor in visitors] == [1, 0, 1, 0]
    assert shown_to(database, two, "visitor-b") == 1


def test_the_error_of_a_decision_that_comes_alone_is_raised_to_who_brought_it(database, two_shops):
    journal = DecisionJournal(database)
    journal.keep(a_decision(two_shops[0], "twice"))

    with pytest.raises(IntegrityError):
        journal.keep(a_decision(two_shops[0], "twice"))

    assert journal.keep(a_decision(two_shops[0], "next")) is True


def test_of_two_decisions_of_one_shopper_from_the_same_state_exactly_one_is_kept(database, two_shops):
    shop, _ = two_shops
    told = DecisionJournal(database).keep_each(
        [
            a_charge(shop, "first", "visitor-a"),
            a_charge(shop, "second", "visitor-a"),
            a_charge(shop, "other", "visitor-b"),
        ]
    )
    assert told == [True, False, True]

    before = take_elsewhere(database, shop, "visitor-a")
    again = [a_charge(shop, name, "visitor-a", before) for name in ("third", "fourth")]
    assert DecisionJournal(database).keep_each(again) == [True, False]

    assert stored(database) == {"first", "other", "third"}
    assert (shown_to(database, shop, "visitor-a"), shown_to(database, shop, "visitor-b")) == (3, 1)


def test_of_many_threads_with_the_same_state_of_one_shopper_exactly_one_is_kept(database, two_shops):
    others = [a_charge(two_shops[0], f"d{number}", "visitor-a") for number in range(12)]
    others += [a_charge(two_shops[0], f"e{number}", f"visitor-{number}") for number in range(3)]

    told = kept_in_company(HeldJournal(database), a_decision(two_shops[1], "first"), others)

    assert (told[0], told[1:13].count(True), told[1:13].count(False), told[13:]) == (True, 1, 11, [True] * 3)
    assert len(stored(database)) == 5
    assert shown_to(database, two_shops[0], "visitor-a") == 1


def test_the_same_visitor_id_in_two_shops_is_two_shoppers(database, two_shops):
    decisions = [a_charge(shop, "d", "visitor-a") for shop in two_shops]

    assert DecisionJournal(database).keep_each(decisions) == [True, True]

    assert [shown_to(database, shop, "visitor-a") for shop in two_shops] == [1, 1]


@pytest.mark.parametrize("taken", [["visitor-b"], ["visitor-a"], ["visitor-a", "visitor-c"]])
def test_when_somebody_else_took_from_one_shoppers_budget_the_others_are_still_kept(database, two_shops, taken):
    one, two = two_shops
    visitors = ("visitor-a", "visitor-b", "visitor-c")
    decisions = [a_charge(one, visitor, visitor) for visitor in visitors]
    decisions += [a_charge(two, "there", "visitor-a"), a_decision(one, "uncharged")]
    for visitor in taken:
        take_elsewhere(database, one, visitor)

    told = DecisionJournal(database).keep_each(decisions)

    assert told == [visitor not in taken for visitor in visitors] + [True, True]
    assert stored(database) == {*visitors, "there", "uncharged"} - {*taken}
    assert [shown_to(database, one, visitor) for visitor in visitors] == [1, 1, 1]
    assert shown_to(database, two, "visitor-a") == 1


def test_nothing_brought_is_nothing_told(database):
    assert list(DecisionJournal(database).keep_each([])) == []


def test_a_busy_database_is_waited_for_once_however_many_decisions_wait(database, two_shops):
    """Each would wait a second and a half again, and a shopper's page has long given up."""
    if not database.is_sqlite:
        pytest.skip("the write gate is SQLite's")
    decisions = [a_decision(two_shops[0], f"d{number}", visitor=f"visitor-{number}") for number in range(4)]
    with Path(f"{database.engine.url.database}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        started = time.monotonic()
        told = DecisionJournal(database).keep_each(decisions)
        waited = time.monotonic() - started

    assert [type(one) for one in told] == [TimeoutError] * 4
    assert waited < 3
    assert stored(database) == set()
