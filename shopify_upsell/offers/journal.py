"""Keep decisions: many shoppers' decisions in one transaction, and none is answered before it is committed.

A thread that comes while nobody commits takes what is waiting, its own decision first, and commits it all at once;
those who come meanwhile wait for the next. So a decision costs a share of a transaction, not one of its own, and no
acknowledged decision can be lost: an answer leaves only after the commit that holds it.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

from sqlalchemy.orm import Session

from shopify_upsell.core import RetryLater, ShopId
from shopify_upsell.customers.courtesy import spend
from shopify_upsell.customers.courtesy_store import Swap, swap_states, take_from_shop
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.metrics import DECISIONS
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import save_decisions
from shopify_upsell.offers.exploration_store import may_try

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64

PATIENCE_SECONDS = 4.0
"""Longest wait for a commit. A shopper's page has given up by then."""


def _closed() -> threading.Lock:
    """A lock that its opener opens once: the bare half of an Event, at a tenth of its price."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Ticket:
    """One decision in line. `turn` opens when it is done, or when it `is_named` to lead."""

    decision: Decision
    turn: threading.Lock = field(default_factory=_closed)
    is_named: bool = False
    is_done: bool = False
    is_kept: bool = False
    error: Exception | None = None


class DecisionJournal:
    """Where the threads of one process bring their decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._is_led = False

    def keep(self, decision: Decision) -> bool:
        """Store a decision and charge what it shows; both are committed when this returns True.

        False: the shopper's budget was changed by somebody else meanwhile, nothing was written, decide again.
        Raises: RetryLater, or what the database said.
        """
        ticket = _Ticket(decision)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._is_led = not self._is_led, True
        if not leads and not ticket.turn.acquire(timeout=PATIENCE_SECONDS):
            self._give_up(ticket)
        if not ticket.is_done:
            self._commit_waiting(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.is_kept

    def _give_up(self, ticket: _Ticket) -> None:
        """Leave the line, unless the turn came at the last moment. Raises: RetryLater."""
        with self._lock:
            if ticket in self._waiting and not ticket.is_named:
                self._waiting.remove(ticket)
                raise RetryLater("decisions cannot be stored at the moment", after=timedelta(seconds=1))
        ticket.turn.acquire()

    def _commit_waiting(self, leader: _Ticket | None) -> None:
        """Commit what waits, then hand the lead to whoever came meanwhile."""
        with self._lock:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        try:
            self._commit(batch)
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._is_led = heir is not None
                if heir is not None:
                    heir.is_named = True  # inside the lock: an heir must not give up between being named and knowing it
                    heir.turn.release()
            for ticket in batch:
                if ticket is not leader:
                    ticket.turn.release()

    def _commit(self, batch: Sequence[_Ticket]) -> None:
        try:
            self._write(batch)
        except Exception as error:
            self._settle_apart(batch, error)
        for ticket in batch:
            ticket.is_done = True

    def _settle_apart(self, batch: Sequence[_Ticket], error: Exception) -> None:
        """One bad decision must not take its neighbours with it."""
        if len(batch) == 1:
            batch[0].error = error
            return
        log.warning("decisions_committed_apart", extra={"count": len(batch), "error": type(error).__name__})
        for ticket in batch:
            try:
                self._write([ticket])
            except Exception as own:
                ticket.error = own

    def _write(self, batch: Sequence[_Ticket]) -> None:
        by_shop = sorted(batch, key=lambda ticket: ticket.decision.shop_id)
        with self._database.write() as session:
            for shop_id, tickets in groupby(by_shop, key=lambda ticket: ticket.decision.shop_id):
                bind_shop(session, shop_id)
                kept = _charge(session, shop_id, list(tickets))
                save_decisions(session, shop_id, [ticket.decision for ticket in kept])


def _charge(session: Session, shop_id: ShopId, tickets: Sequence[_Ticket]) -> list[_Ticket]:
    """Charge every card to its shopper's budget, what tries something to the shop's share; return whose hold."""
    now = max(ticket.decision.decided_at for ticket in tickets)
    tickets = [ticket for ticket in tickets if may_try(session, shop_id, ticket.decision)]
    swaps = {place: swap for place, ticket in enumerate(tickets) if (swap := _swap(ticket.decision)) is not None}
    made = dict(zip(swaps, swap_states(session, shop_id, list(swaps.values()), now=now), strict=True))
    for place, ticket in enumerate(tickets):
        ticket.is_kept = made.get(place, True)
    limited = [ticket for ticket in tickets if ticket.is_kept and ticket.decision.inputs.caps.shop_day is not None]
    for ticket in limited:
        _take_from_shop(session, ticket)
    return [ticket for ticket in tickets if ticket.is_kept]


def _swap(decision: Decision) -> Swap | None:
    """How the decision changes its shopper's budget; None where it shows nothing or nobody is charged."""
    subject = next(iter(decision.inputs.request.subjects), None)
    if decision.charged is None or subject is None or not decision.chosen:
        return None
    shown = [offer.offer_id for offer in decision.chosen]
    return Swap(subject, decision.charged, spend(decision.charged, shown, now=decision.decided_at))


def _take_from_shop(session: Session, ticket: _Ticket) -> None:
    """Where a merchant limits the cards of a whole day, a decision that comes too late is not served.

    The shopper's own budget keeps the charge: an error towards silence.
    """
    decision = ticket.decision
    card_count = len(decision.chosen)
    ticket.is_kept = take_from_shop(
        session, decision.shop_id, card_count, decision.inputs.caps, now=decision.decided_at
    )


def note_decided(decision: Decision) -> Decision:
    """Count and log an answer that leaves; nothing personal is in either."""
    outcome = "holdout" if decision.is_holdout else "silent" if not decision.chosen else "decided"
    DECISIONS.labels(decision.placement, outcome).inc()
    log.info(
        "offer_decided",
        extra={
            "shop_id": decision.shop_id,
            "decision_id": decision.decision_id,
            "placement": decision.placement,
            "offer_count": len(decision.chosen),
            "gate": decision.answer.gate,
            "is_holdout": decision.is_holdout,
        },
    )
    return decision
