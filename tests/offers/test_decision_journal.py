"""Decisions of many threads share transactions, and none is answered before it is stored."""

import threading

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, a_request, a_snapshot
from sqlalchemy import event, func, select

from shopify_upsell.core import DecisionId
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import DecisionPartRow, DecisionRow, read_decision
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from


def a_decision(shop_id, name, *, visitor="abcdefgh"):
    snapshot = a_snapshot(request=a_request(BOOTS, shop_id=shop_id, visitor_id=visitor))
    return Decision(
        DecisionId(name), shop_id, NOW, "theme/product_page", decide_from(snapshot), snapshot, ENGINE_VERSION
    )


@pytest.fixture
def two_shops(database):
    with database.write() as session:
        return add_shop(session, "one.myshopify.com"), add_shop(session, "two.myshopify.com")


def stored(database):
    with database.read() as session:
        return set(session.scalars(select(DecisionRow.decision_id)))


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
    journal, commits = DecisionJournal(database), []
    event.listen(database.engine, "commit", lambda _connection: commits.append(1))
    gate, threads = threading.Event(), []
    first = a_decision(two_shops[0], "first")
    write = journal._write

    def slow(batch):
        gate.wait(10)
        write(batch)

    journal._write = slow
    threads.append(threading.Thread(target=journal.keep, args=(first,)))
    threads[0].start()
    while not journal._is_led:
        pass
    for number in range(10):
        threads.append(threading.Thread(target=journal.keep, args=(a_decision(two_shops[0], f"d{number}"),)))
        threads[-1].start()
    while len(journal._waiting) < 10:
        pass
    gate.set()
    for thread in threads:
        thread.join(30)

    assert len(commits) == 2
    assert len(stored(database)) == 11


def test_one_bad_decision_is_refused_alone(database, two_shops):
    journal = DecisionJournal(database)
    journal.keep(a_decision(two_shops[0], "twice"))
    good, bad = a_decision(two_shops[0], "good"), a_decision(two_shops[0], "twice")
    errors = []

    class Both(DecisionJournal):
        """Lets both decisions wait, so that they are committed together."""

    both = Both(database)
    both._is_led = True

    def bring(decision):
        try:
            both.keep(decision)
        except Exception as error:
            errors.append((decision.decision_id, type(error).__name__))

    threads = [threading.Thread(target=bring, args=(one,)) for one in (good, bad)]
    for thread in threads:
        thread.start()
    while len(both._waiting) < 2:
        pass
    both._commit_waiting(None)
    for thread in threads:
        thread.join(30)

    assert errors == [("twice", "IntegrityError")]
    assert stored(database) == {"twice", "good"}


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
