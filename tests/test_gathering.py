"""A line in which one works for all who wait: everybody gets their own result or error, and nobody is left waiting."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from builders_threads import SOON, until

from shopify_upsell import gathering
from shopify_upsell.core import RetryLater
from shopify_upsell.gathering import MOST_AT_ONCE, Gathering


def doubled(pieces):
    return [piece * 2 for piece in pieces]


class Workshop:
    """Work that notes what it was given together, and the first time goes on only when it is told to."""

    def __init__(self, work=doubled):
        self.work, self.batches = work, []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, pieces):
        self.batches.append(list(pieces))
        self.begun.set()
        assert self.go_on.wait(SOON)
        return self.work(pieces)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3 * MOST_AT_ONCE) as found:
        yield found


def while_one_works(pool, workshop, pieces):
    """A line where piece 0 is being worked at and others have come in their order, and what all of them wait for."""
    line = Gathering(workshop)
    first = pool.submit(line.bring, 0)
    assert workshop.begun.wait(SOON)
    others = []
    for count, piece in enumerate(pieces, 1):
        others.append(pool.submit(line.bring, piece))
        until(lambda count=count: len(line._waiting) == count)
    return line, first, others


def outcome(future):
    """The result of a thread, or the kind and text of its error."""
    error = future.exception(SOON)
    return (type(error), str(error)) if error is not None else future.result()


def odd_ones_fail(pieces):
    return [ValueError(f"{piece} is odd") if piece % 2 else piece * 2 for piece in pieces]


def test_alone_a_piece_is_done_at_once():
    batches = []
    line = Gathering(lambda pieces: batches.append(list(pieces)) or doubled(pieces))

    assert [line.bring(piece) for piece in (1, 2, 3)] == [2, 4, 6]
    assert batches == [[1], [2], [3]]


def test_a_result_may_be_nothing_or_false():
    line = Gathering(lambda pieces: list(pieces))

    assert [line.bring(piece) for piece in (None, False, 0, ())] == [None, False, 0, ()]


def test_pieces_that_come_while_one_works_are_done_together_and_in_order(pool):
    workshop = Workshop()
    line, first, others = while_one_works(pool, workshop, range(1, 11))
    workshop.go_on.set()

    assert [outcome(one) for one in (first, *others)] == [number * 2 for number in range(11)]
    assert workshop.batches == [[0], list(range(1, 11))]
    assert line.bring(50) == 100


def test_no_more_are_done_at_once_than_the_line_allows(pool):
    count, workshop = 2 * MOST_AT_ONCE + 9, Workshop()
    _line, first, others = while_one_works(pool, workshop, range(1, count + 1))
    workshop.go_on.set()

    assert [outcome(one) for one in (first, *others)] == [number * 2 for number in range(count + 1)]
    assert [len(batch) for batch in workshop.batches] == [1, MOST_AT_ONCE, MOST_AT_ONCE, 9]


def test_a_pieces_own_error_is_raised_to_its_bringer_alone(pool):
    workshop = Workshop(odd_ones_fail)
    line, first, others = while_one_works(pool, workshop, range(1, 5))
    workshop.go_on.set()

    told = [outcome(one) for one in (first, *others)]
    assert told == [0, (ValueError, "1 is odd"), 4, (ValueError, "3 is odd"), 8]
    assert line.bring(6) == 12


def test_what_work_raises_is_raised_to_all_of_a_turn_and_the_next_turn_works(pool):
    def fails_once(pieces):
        if 1 in pieces:
            raise KeyError("no ledger")
        return doubled(pieces)

    workshop = Workshop(fails_once)
    line, first, others = while_one_works(pool, workshop, range(1, 5))
    workshop.go_on.set()

    assert outcome(first) == 0
    assert {outcome(one) for one in others} == {(KeyError, "'no ledger'")}
    assert line.bring(7) == 14


def test_who_waits_too_long_gives_up_is_no_longer_in_line_and_the_others_go_on(pool, monkeypatch):
    workshop = Workshop()
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.05)
    line, first, impatient = while_one_works(pool, workshop, [1])
    given_up = outcome(impatient[0])
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", SOON)
    patient = pool.submit(line.bring, 2)
    until(lambda: len(line._waiting) == 1)
    workshop.go_on.set()

    assert given_up == (RetryLater, "too much is waiting at the moment")
    assert [outcome(first), outcome(patient)] == [0, 4]
    assert workshop.batches == [[0], [2]]


def test_after_everybody_has_given_up_the_line_still_works(pool, monkeypatch):
    workshop = Workshop()
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.05)
    line, first, impatient = while_one_works(pool, workshop, [1, 2, 3])
    assert [outcome(one)[0] for one in impatient] == [RetryLater] * 3
    assert line._waiting == []
    workshop.go_on.set()

    assert outcome(first) == 0
    assert [line.bring(piece) for piece in (4, 5)] == [8, 10]
    assert workshop.batches == [[0], [4], [5]]


def test_who_is_being_served_waits_for_the_result_however_long_it_takes(pool, monkeypatch):
    def slow_in_company(pieces):
        time.sleep(0.6 if len(pieces) > 1 else 0)
        return doubled(pieces)

    workshop = Workshop(slow_in_company)
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.3)
    _line, first, others = while_one_works(pool, workshop, [1, 2])
    workshop.go_on.set()

    assert [outcome(one) for one in (first, *others)] == [0, 2, 4]


class Busy:
    """Work of changing length that sometimes stumbles and never can do a seventh piece."""

    def __init__(self, longest):
        self.longest, self.chance, self.lock = longest, random.Random(7), threading.Lock()
        self.at_work, self.most_at_work, self.done = 0, 0, Counter()

    def __call__(self, pieces):
        with self.lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            self.done.update(pieces)
            nap, stumbles = self.chance.random() * self.longest, self.chance.random() < 0.01
        time.sleep(nap)
        with self.lock:
            self.at_work -= 1
        if stumbles:
            raise KeyError("stumbled")
        return [ValueError(piece) if piece % 7 == 0 else piece * 2 for piece in pieces]


def crowd(line, *, each):
    """What each piece of sixteen threads came to, if none of them hangs."""
    told, finished = {}, []

    def client(number):
        own = random.Random(number)
        for piece in range(number * 1000, number * 1000 + each):
            try:
                told[piece] = line.bring(piece)
            except Exception as error:
                told[piece] = error
            if own.random() < 0.2:
                time.sleep(own.random() / 2000)
        finished.append(number)

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(finished) == list(range(16)), "a thread hangs"
    assert len(told) == 16 * each
    return told


def is_own(piece, result):
    """Tell whether this is what the piece itself came to, or what all of a turn were told."""
    if isinstance(result, ValueError):
        return piece % 7 == 0 and result.args == (piece,)
    return isinstance(result, (KeyError, RetryLater)) or (piece % 7 != 0 and result == piece * 2)


def test_threads_that_come_and_go_all_get_their_own_and_only_one_works_at_a_time():
    work = Busy(longest=1 / 2000)
    line = Gathering(work)

    told = crowd(line, each=200)

    assert [piece for piece, result in told.items() if not is_own(piece, result)] == []
    assert sum(isinstance(result, int) for result in told.values()) > 1600
    assert (work.most_at_work, work.done) == (1, Counter(told.keys()))
    assert (line._waiting, line._is_led) == ([], False)


def test_impatient_threads_in_a_crowd_get_their_own_or_give_up_and_none_hangs(monkeypatch):
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.003)
    work = Busy(longest=1 / 250)
    line = Gathering(work)

    told = crowd(line, each=100)

    assert [piece for piece, result in told.items() if not is_own(piece, result)] == []
    gave_up = {piece for piece, result in told.items() if isinstance(result, RetryLater)}
    assert 0 < len(gave_up) < len(told)
    assert work.most_at_work == 1
    assert work.done == Counter(told.keys() - gave_up), "a piece was done for nobody, or twice"
    assert (line._waiting, line._is_led) == ([], False)


def test_work_that_answers_too_few_fails_for_all_and_nobody_takes_nothing_for_a_result(pool):
    workshop = Workshop(lambda pieces: doubled(pieces)[:1])
    _, first, others = while_one_works(pool, workshop, [1, 2, 3])
    workshop.go_on.set()

    assert first.result(SOON) == 0
    for other in others:
        with pytest.raises(ValueError, match="zip"):
            other.result(SOON)


def test_whoever_waited_for_a_leader_that_was_told_to_stop_is_told_to_come_again(pool):
    def stopped(pieces):
        if pieces != [0]:
            raise SystemExit
        return doubled(pieces)

    workshop = Workshop(stopped)
    line, first, others = while_one_works(pool, workshop, [1, 2, 3])
    workshop.go_on.set()

    assert first.result(SOON) == 0
    outcomes = [type(other.exception(SOON)) for other in others]
    assert Counter(outcomes) == {SystemExit: 1, RetryLater: 2}
    workshop.work = doubled
    assert line.bring(9) == 18
