"""The desk: shoppers who ask at the same moment are answered together, each with a committed decision of their own."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
from builders_courtesy import swap_state
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, a_request, variant_id_of
from builders_surfaces import ONE, TWO, plant
from builders_threads import until
from sqlalchemy import event, func, select

from shopify_upsell.core import CustomerId, DecisionId, InvalidInput, OfferId
from shopify_upsell.customers.courtesy import Caps, spend
from shopify_upsell.customers.courtesy_store import read_states, save_caps
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.decide import remembered_question
from shopify_upsell.offers.decisions import DecisionRow, read_decision
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.snapshot import CartLine
from shopify_upsell.shops.store import get_shop
from shopify_upsell.surfaces import deciding
from shopify_upsell.surfaces.deciding import MOST_TRIES, DecisionDesk

CLIENTS, CARDS = 16, 2
ELSEWHERE = OfferId(10**12)
"""An offer that another page of the shopper showed; far beyond the ids that a database counts up in these tests."""


@pytest.fixture
def shops(database):
    """Two shops with the same product ids and titles of their own; each page shows a card of each of two offers."""
    drafts = [OfferDraft("cross_sell", f"Beside it {n}", ("theme/product_page", "theme/cart")) for n in range(CARDS)]
    with database.write() as session:
        ids = [add_shop(session, domain) for domain in (ONE, TWO)]
        plant(session, ids[0], title="Own ", drafts=drafts)
        plant(session, ids[1], title="Foreign ", drafts=drafts)
        return [get_shop(session, shop_id) for shop_id in ids]


def a_desk(database, journal=None):
    numbers = count()
    return DecisionDesk(
        database,
        journal or DecisionJournal(database),
        holdout_basis_points=0,
        clock=lambda: NOW,
        new_decision_id=lambda: DecisionId(f"d{next(numbers)}"),
    )


def asked_by(shop, visitor, **more):
    return a_request(BOOTS, shop_id=shop.shop_id, visitor_id=visitor, **more)


def at_once(desk, asked):
    """What each of many threads is answered or refused; all of them ask at the same moment."""
    start = threading.Barrier(len(asked))

    def ask(shop, request):
        start.wait(20)
        return desk.serve(shop, request)

    with ThreadPoolExecutor(len(asked)) as pool:
        futures = [pool.submit(ask, *one) for one in asked]
        return [future.exception(60) or future.result() for future in futures]


def stored(database, decision):
    with database.read() as session:
        bind_shop(session, decision.shop_id)
        return read_decision(session, decision.shop_id, decision.decision_id)


def count_stored(database):
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(DecisionRow))


def shown_to(database, shop, visitor):
    """Cards kept in the budget of a visitor, by offer."""
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        state = read_states(session, shop.shop_id, [f"v:{visitor}"]).own
    return sum((Counter({offer: cards}) for _, offer, cards in state.shown), Counter())


def cards_of(decisions):
    return Counter(offer.offer_id for decision in decisions for offer in decision.chosen)


def titles_of(decision):
    return {item.title.split()[0] for offer in decision.chosen for item in offer.items}


def assert_all_are_committed(database, decisions):
    """Every answer is stored as it was given, and there is no other."""
    for decision in decisions:
        kept = stored(database, decision)
        assert (kept.answer, kept.inputs) == (decision.answer, decision.inputs)
    assert len({(one.shop_id, one.decision_id) for one in decisions}) == len(decisions) == count_stored(database)


# --- many at once


def test_shoppers_who_ask_at_once_each_get_a_committed_decision_of_their_own(database, shops):
    desk, visitors = a_desk(database), [f"visitor-{number:02}" for number in range(CLIENTS)]

    for turn in (1, 2):  # cold, then warm
        decisions = at_once(desk, [(shops[0], asked_by(shops[0], visitor)) for visitor in visitors])

        assert [one.inputs.request.visitor_id for one in decisions] == visitors
        assert [one.unit for one in decisions] == [f"v:{visitor}" for visitor in visitors]
        assert {len(one.chosen) for one in decisions} == {CARDS}
        for visitor, decision in zip(visitors, decisions, strict=True):
            kept = stored(database, decision)
            assert (kept.inputs.request.visitor_id, kept.answer) == (visitor, decision.answer)
            assert shown_to(database, shops[0], visitor).total() == CARDS * turn
    assert count_stored(database) == 2 * CLIENTS


def test_shoppers_of_many_shops_who_share_a_line_are_answered_from_their_own_shop(database, shops, monkeypatch):
    monkeypatch.setattr(deciding, "LINES", 1)
    desk = a_desk(database)
    asked = [(shops[number % 2], f"visitor-{number // 2}") for number in range(CLIENTS)]

    decisions = at_once(desk, [(shop, asked_by(shop, visitor)) for shop, visitor in asked])

    told = [(one.shop_id, one.inputs.request.visitor_id, titles_of(one)) for one in decisions]
    assert told == [(shop.shop_id, visitor, {"Own" if shop is shops[0] else "Foreign"}) for shop, visitor in asked]
    assert_all_are_committed(database, decisions)
    assert {shown_to(database, shop, visitor).total() for shop, visitor in asked} == {CARDS}


def test_questions_of_two_shops_and_of_one_name_that_are_served_together_are_kept_apart(database, shops):
    desk = a_desk(database)
    asked = [(shops[0], "same"), (shops[1], "same"), (shops[0], "other"), (shops[1], "same"), (shops[0], "same")]

    decisions = desk._serve_lined_up([desk._question(shop, asked_by(shop, visitor)) for shop, visitor in asked])

    told = [(one.shop_id, one.unit, titles_of(one)) for one in decisions]
    assert told == [
        (shop.shop_id, f"v:{visitor}", {"Own" if shop is shops[0] else "Foreign"}) for shop, visitor in asked
    ]
    assert_all_are_committed(database, decisions)
    assert [shown_to(database, shop, visitor).total() for shop, visitor in asked] == [4, 4, 2, 4, 4]


@pytest.mark.parametrize("caps", [Caps(), Caps(session=7, day=7, month=50), Caps(offer_day=3), Caps(0, 0, 0, 0, 0)])
def test_tabs_of_one_shopper_at_once_never_exceed_the_caps_and_every_answer_is_stored(database, shops, caps):
    with database.write() as session:
        bind_shop(session, shops[0].shop_id)
        save_caps(session, shops[0].shop_id, caps)

    decisions = at_once(a_desk(database), [(shops[0], asked_by(shops[0], "visitor-a"))] * CLIENTS)

    shown = cards_of(decisions)
    assert shown == shown_to(database, shops[0], "visitor-a")
    assert shown.total() == min(caps.session, CARDS * caps.offer_day)
    assert max(shown.values(), default=0) <= caps.offer_day
    assert_all_are_committed(database, decisions)


def test_tabs_of_one_shopper_at_two_desks_never_exceed_the_caps_either(database, shops):
    """As two processes, whose lines know nothing of each other."""
    desks = [a_desk(database), a_desk(database)]
    desks[1]._new_decision_id = map("e{}".format, count()).__next__
    start = threading.Barrier(CLIENTS)

    def ask(number):
        start.wait(20)
        return desks[number % 2].serve(shops[0], asked_by(shops[0], "visitor-a"))

    with ThreadPoolExecutor(CLIENTS) as pool:
        decisions = list(pool.map(ask, range(CLIENTS)))

    assert cards_of(decisions) == shown_to(database, shops[0], "visitor-a")
    assert cards_of(decisions).total() <= CARDS * Caps().offer_day
    assert {one.answer.gate for one in decisions if not one.chosen} <= {"budget_taken", "cap_session", None}
    assert_all_are_committed(database, decisions)


def test_both_names_of_a_shopper_are_one_shopper_among_those_served_together(database, shops):
    desk, shop = a_desk(database), shops[0]
    both = asked_by(shop, "visitor-a", customer_id=CustomerId(5))
    asked = [asked_by(shop, "visitor-a"), both, a_request(BOOTS, shop_id=shop.shop_id, customer_id=CustomerId(5))] * 3

    decisions = desk._serve_lined_up([desk._question(shop, one) for one in asked])

    assert [one.inputs.request for one in decisions] == asked
    assert_all_are_committed(database, decisions)
    with database.read() as session:
        bind_shop(session, shop.shop_id)
        merged = read_states(session, shop.shop_id, ["c:5", "v:visitor-a"]).merged
    assert sum(cards for _, _, cards in merged.shown) == cards_of(decisions).total()
    assert [len(one.chosen) for one in decisions[:2]] == [CARDS] * 2


def test_somebody_without_a_name_is_answered_and_charged_to_nobody(database, shops):
    decisions = at_once(a_desk(database), [(shops[0], asked_by(shops[0], None))] * 5)

    assert [(one.unit, len(one.chosen)) for one in decisions] == [(None, CARDS)] * 5
    assert_all_are_committed(database, decisions)


# --- errors


class HeldJournal(DecisionJournal):
    """Keeps nothing until it is told to, so that others come to the desk meanwhile."""

    def __init__(self, database):
        super().__init__(database)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def keep_each(self, decisions):
        self.begun.set()
        assert self.go_on.wait(20)
        return super().keep_each(decisions)


def test_a_question_that_fails_is_refused_to_its_asker_alone(database, shops, monkeypatch):
    monkeypatch.setattr(deciding, "LINES", 1)
    journal = HeldJournal(database)
    desk = a_desk(database, journal)
    (line,) = desk._lines
    visitors = ["one", "bad id!", "two", "three"]
    asked = [(shops[number % 2], asked_by(shops[number % 2], visitor)) for number, visitor in enumerate(visitors)]

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(desk.serve, shops[0], asked_by(shops[0], "first"))
        assert journal.begun.wait(20)
        futures = [pool.submit(desk.serve, *one) for one in asked]
        until(lambda: len(line._waiting) + sum(future.done() for future in futures) == len(asked))
        journal.go_on.set()
        told = [future.exception(30) or future.result() for future in (first, *futures)]

    assert [type(one) for one in told if isinstance(one, Exception)] == [InvalidInput]
    assert isinstance(told[2], InvalidInput)
    decisions = [one for one in told if not isinstance(one, Exception)]
    assert [one.unit for one in decisions] == ["v:first", "v:one", "v:two", "v:three"]
    assert_all_are_committed(database, decisions)


def test_a_question_that_fails_alone_is_refused_and_the_desk_still_answers(database, shops):
    desk = a_desk(database)

    for _ in range(2):
        with pytest.raises(InvalidInput):
            desk.serve(shops[0], asked_by(shops[0], "bad id!"))
        assert len(desk.serve(shops[0], asked_by(shops[0], "good")).chosen) == CARDS


def test_what_cannot_be_kept_is_shown_to_nobody_and_the_next_is_answered(database, shops):
    class Broken(DecisionJournal):
        """Fails once."""

        is_broken = True

        def keep_each(self, decisions):
            if self.is_broken:
                self.is_broken = False
                raise OSError("the disk is full")
            return super().keep_each(decisions)

    desk = a_desk(database, Broken(database))
    with pytest.raises(OSError, match="full"):
        desk.serve(shops[0], asked_by(shops[0], "visitor-a"))

    assert count_stored(database) == 0
    decision = desk.serve(shops[0], asked_by(shops[0], "visitor-a"))
    assert_all_are_committed(database, [decision])


# --- what is remembered


@contextmanager
def connections_of(database):
    """The connections taken from the pool meanwhile: each session that does anything takes one."""
    taken = []

    def note(*_):
        taken.append(1)

    event.listen(database.engine, "checkout", note)
    try:
        yield taken
    finally:
        event.remove(database.engine, "checkout", note)


def test_a_warm_anonymous_question_opens_no_session_to_read_the_shop(database, shops):
    desk, counts = a_desk(database), []
    for visitor in ("a", "b", "c"):
        with connections_of(database) as taken:
            assert len(desk.serve(shops[0], asked_by(shops[0], visitor)).chosen) == CARDS
        counts.append(len(taken))

    assert counts == [3, 2, 2]  # the shop, the person and the journal; then the person and the journal


def recalled(database, shop, request, *, share=0):
    return remembered_question(database.memory, request, shop=shop, holdout_basis_points=share)


def test_what_was_asked_lately_is_remembered_for_all_but_customers_and_for_its_own_shop_alone(database, shops):
    desk, (shop, other) = a_desk(database), shops
    question = asked_by(shop, "visitor-a")
    assert recalled(database, shop, question) is None

    read = desk._question(shop, question)

    found = recalled(database, shop, asked_by(shop, "visitor-b"))
    assert (found.shelf, found.owned, found.request.visitor_id) == (read.shelf, {}, "visitor-b")
    assert found.shelf is recalled(database, shop, asked_by(shop, None)).shelf
    assert recalled(database, shop, asked_by(shop, "visitor-a", customer_id=CustomerId(5))) is None
    assert recalled(database, shop, a_request(LACES, shop_id=shop.shop_id)) is None
    assert recalled(database, shop, asked_by(shop, "visitor-a", placement="theme/cart")) is None
    assert recalled(database, shop, question, share=500) is None
    assert recalled(database, other, asked_by(other, "visitor-a")) is None


def test_a_cart_with_a_variant_that_is_not_remembered_must_be_read(database, shops):
    desk, shop = a_desk(database), shops[0]
    known = (CartLine(variant_id_of(LACES), None, 1),)
    unknown = (*known, CartLine(variant_id_of(LACES, 99), None, 1))
    assert recalled(database, shop, asked_by(shop, "a", cart=known)) is None

    read = desk._question(shop, asked_by(shop, "a", cart=known))

    assert [line.product_id for line in read.request.cart] == [LACES]
    assert recalled(database, shop, asked_by(shop, "b", cart=known)).request.cart == read.request.cart
    assert recalled(database, shop, asked_by(shop, "b", cart=unknown)) is None
    assert recalled(database, shops[1], asked_by(shops[1], "b", cart=known)) is None


def test_what_is_remembered_is_answered_as_what_is_read(database, shops):
    cart = (CartLine(variant_id_of(LACES), None, 2),)
    for more in ({}, {"cart": cart}, {"placement": "theme/cart", "anchor_product_ids": (), "cart": cart}):
        desk = a_desk(database)
        desk._new_decision_id = map(f"{len(more)}-{{}}".format, count()).__next__
        database.memory.clear()
        cold, warm = (desk.serve(shops[0], asked_by(shops[0], name, **more)) for name in ("cold", "warm"))
        assert (cold.chosen, cold.rejections) == (warm.chosen, warm.rejections)


# --- races


class MeddledJournal(DecisionJournal):
    """Another process shows the shopper a card before each of the first decisions is kept."""

    def __init__(self, database, shop, visitor, times):
        super().__init__(database)
        self.database, self.shop, self.visitor, self.times = database, shop, f"v:{visitor}", times

    def keep_each(self, decisions):
        if self.times and any(self.visitor in one.inputs.request.subjects for one in decisions):
            self.times -= 1
            with self.database.write() as session:
                bind_shop(session, self.shop.shop_id)
                before = read_states(session, self.shop.shop_id, [self.visitor]).own
                after = spend(before, [ELSEWHERE], now=NOW)
                assert swap_state(session, self.shop.shop_id, self.visitor, before, after, now=NOW)
        return super().keep_each(decisions)


@pytest.mark.parametrize("times", [*range(MOST_TRIES + 1), 1000])
def test_a_decision_that_came_second_is_decided_again_and_kept_unless_it_always_does(database, shops, times):
    shop, neighbours = shops[0], ["b", "c"]
    desk = a_desk(database, MeddledJournal(database, shop, "a", times))
    questions = [desk._question(shop, asked_by(shop, visitor)) for visitor in ("a", *neighbours)]

    decisions = desk._serve_lined_up(questions)

    decision, is_lost = decisions[0], times >= MOST_TRIES
    assert [one.unit for one in decisions] == ["v:a", "v:b", "v:c"]
    assert [len(one.chosen) for one in decisions] == [0 if is_lost else CARDS, CARDS, CARDS]
    assert (decision.answer.gate, decision.inputs.lost_race) == (("budget_taken", True) if is_lost else (None, False))
    assert sum(cards for _, _, cards in decision.inputs.courtesy.shown) == min(times, MOST_TRIES)
    shown = shown_to(database, shop, "a")
    # Losing ends with the try that shows nothing: the row is changed once more, and that takes nothing from anybody.
    assert (shown.pop(ELSEWHERE, 0), shown.total()) == (min(times, MOST_TRIES + 1), len(decision.chosen))
    assert_all_are_committed(database, decisions)
