"""Work that threads bring and one of them does for all who wait: the others' share costs next to nothing.

A thread that comes while nobody works takes what is waiting, its own piece included, and does it all at once; those who
come meanwhile wait for the next turn. Nobody waits for company: alone, a thread does its own piece at once.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from shopify_upsell.core import RetryLater

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST_AT_ONCE = 64

PATIENCE_SECONDS = 4.0
"""Longest wait for a turn. A shopper's page has given up by then."""


def _closed() -> threading.Lock:
    """A lock that its opener opens once: the bare half of an Event, at a tenth of its price."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class _Ticket(Generic[Piece, Result]):
    """One piece in line. `turn` opens when it is done, or when it `is_named` to lead."""

    piece: Piece
    turn: threading.Lock = field(default_factory=_closed)
    is_named: bool = False
    is_done: bool = False
    result: Result | Exception | None = None


def attempt(work: Callable[[], Result]) -> Result | Exception:
    """Do one piece among others: its result, or what it raised, in its place."""
    try:
        return work()
    except Exception as error:
        return error


def raised_or(told: Result | Exception) -> Result:
    """What was told, unless it is an error. Raises: that error."""
    if isinstance(told, Exception):
        raise told
    return told


class Gathering(Generic[Piece, Result]):
    """Where the threads of one process bring pieces of one kind of work.

    `work` does many pieces and answers in their order: a result or, for a piece that failed by itself, its error. What
    it raises fails them all.
    """

    def __init__(self, work: Callable[[Sequence[Piece]], Sequence[Result | Exception]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Piece, Result]] = []
        self._is_led = False

    def bring(self, piece: Piece) -> Result:
        """Have a piece done. Raises: what its work raised; RetryLater when its turn did not come in time."""
        ticket: _Ticket[Piece, Result] = _Ticket(piece)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._is_led = not self._is_led, True
        if not leads and not ticket.turn.acquire(timeout=PATIENCE_SECONDS):
            self._give_up(ticket)
        if not ticket.is_done:
            self._take_turn(ticket)
        return raised_or(ticket.result)  # type: ignore[return-value]  # done, so it is no longer None

    def _give_up(self, ticket: _Ticket[Piece, Result]) -> None:
        """Leave the line, unless the turn came at the last moment. Raises: RetryLater."""
        with self._lock:
            if ticket in self._waiting and not ticket.is_named:
                self._waiting.remove(ticket)
                raise RetryLater("too much is waiting at the moment", after=timedelta(seconds=1))
        ticket.turn.acquire()

    def _take_turn(self, leader: _Ticket[Piece, Result]) -> None:
        """Do what waits, then hand the lead to whoever came meanwhile."""
        with self._lock:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        try:
            self._do(batch)
        finally:
            for ticket in batch:
                if not ticket.is_done:  # the leader was told to stop; nobody may take that for an answer
                    ticket.result, ticket.is_done = RetryLater("it was not done", after=timedelta(seconds=1)), True
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._is_led = heir is not None
                if heir is not None:
                    heir.is_named = True  # inside the lock: an heir must not give up between being named and knowing it
                    heir.turn.release()
            for ticket in batch:
                if ticket is not leader:
                    ticket.turn.release()

    def _do(self, batch: Sequence[_Ticket[Piece, Result]]) -> None:
        try:
            results = self._work([ticket.piece for ticket in batch])
            told: list[tuple[_Ticket[Piece, Result], Result | Exception]] = list(zip(batch, results, strict=True))
        except Exception as error:
            told = [(ticket, error) for ticket in batch]
        for ticket, result in told:
            ticket.result, ticket.is_done = result, True
