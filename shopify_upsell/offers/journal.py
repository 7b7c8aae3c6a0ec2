"""Keep decisions: many shoppers' decisions in one transaction, and none is answered before it is committed.

A thread that comes while nobody commits takes what is waiting, its own decision first, and commits it all at once;
those who come meanwhile wait for the next. So a decision costs a share of a transaction, not one of its own, and no
acknowledged decision can be lost: an answer leaves only after the commit that holds it.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.customers.courtesy import spend
from shopify_upsell.customers.courtesy_store import Swap, swap_state, swap_states, take_from_shop
from shopify_upsell.database import Database, bind_shop, is_transient
from shopify_upsell.gathering import Gathering, attempt, raised_or
from shopify_upsell.metrics import DECISIONS
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import save_decisions
from shopify_upsell.offers.exploration_store import may_try

log = logging.getLogger(__name__)


class DecisionJournal:
    """Where the threads of one process bring their decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line: Gathering[Sequence[Decision], Sequence[bool | Exception]] = Gathering(self._commit)

    def keep(self, decision: Decision) -> bool:
        """Store a decision and charge what it shows; both are committed when this returns True.

        False: the shopper's budget was changed by somebody else meanwhile, nothing was written, decide again.
        Raises: RetryLater, or what the database said.
        """
        (told,) = self.keep_each([decision])
        return raised_or(told)

    def keep_each(self, decisions: Sequence[Decision]) -> Sequence[bool | Exception]:
        """Keep decisions together, each told as `keep` tells it; what went wrong with one is told in its place.

        Raises: RetryLater.
        """
        return self._line.bring(decisions)

    def _commit(self, brought: Sequence[Sequence[Decision]]) -> list[Sequence[bool | Exception]]:
        batch = [decision for decisions in brought for decision in decisions]
        told: Sequence[bool | Exception]
        try:
            told = self._write(batch)
        except Exception as error:
            told = self._settle_apart(batch, error)
        answers = iter(told)
        return [list(islice(answers, len(decisions))) for decisions in brought]

    def _settle_apart(self, batch: Sequence[Decision], error: Exception) -> list[bool | Exception]:
        """One bad decision must not take its neighbours with it. A database that is busy is so for all of them."""
        if len(batch) == 1 or is_transient(error):
            return [error for _ in batch]
        log.warning("decisions_committed_apart", extra={"count": len(batch), "error": type(error).__name__})
        return [attempt(partial(self._alone, decision)) for decision in batch]

    def _alone(self, decision: Decision) -> bool:
        return self._write([decision])[0]

    def _write(self, batch: Sequence[Decision]) -> list[bool]:
        by_shop: dict[ShopId, list[int]] = {}
        for place, decision in enumerate(batch):
            by_shop.setdefault(decision.shop_id, []).append(place)
        is_kept = [False] * len(batch)
        with self._database.write() as session:
            for shop_id, places in sorted(by_shop.items()):
                bind_shop(session, shop_id)
                kept = _charge(session, shop_id, {place: batch[place] for place in places})
                save_decisions(session, shop_id, list(kept.values()))
                for place in kept:
                    is_kept[place] = True
        return is_kept


def _charge(session: Session, shop_id: ShopId, decisions: Mapping[int, Decision]) -> dict[int, Decision]:
    """Charge every card to its shopper's budget, what tries something to the shop's share; return whose hold."""
    now = max(decision.decided_at for decision in decisions.values())
    tried = {place: one for place, one in decisions.items() if may_try(session, shop_id, one)}
    swaps = {place: swap for place, one in tried.items() if (swap := _swap(one)) is not None}
    lost = _lost(session, shop_id, swaps, now)
    held = {place: one for place, one in tried.items() if place not in lost}
    return {place: one for place, one in held.items() if _take_from_shop(session, one)}


def _lost(session: Session, shop_id: ShopId, swaps: Mapping[int, Swap], now: datetime) -> set[int]:
    """Change the budgets; which decisions came second to somebody else. Raises: SwapsCollided."""
    first: dict[str, int] = {}
    for place, swap in swaps.items():
        first.setdefault(swap.subject, place)
    if len(first) == 1:
        (place,) = first.values()
        is_made = swap_state(session, shop_id, swaps[place], now=now)
        return set(swaps) - ({place} if is_made else set())
    swap_states(session, shop_id, [swaps[place] for place in first.values()], now=now)
    return set(swaps) - set(first.values())


def _swap(decision: Decision) -> Swap | None:
    """How the decision changes its shopper's budget; None where it shows nothing or nobody is charged."""
    subject = next(iter(decision.inputs.request.subjects), None)
    if decision.charged is None or subject is None or not decision.chosen:
        return None
    shown = [offer.offer_id for offer in decision.chosen]
    return Swap(subject, decision.charged, spend(decision.charged, shown, now=decision.decided_at))


def _take_from_shop(session: Session, decision: Decision) -> bool:
    """Where a merchant limits the cards of a whole day, a decision that comes too late is not served.

    The shopper's own budget keeps the charge: an error towards silence.
    """
    card_count, caps = len(decision.chosen), decision.inputs.caps
    return take_from_shop(session, decision.shop_id, card_count, caps, now=decision.decided_at)


def note_decided(decision: Decision) -> Decision:
    """Count and log an answer that leaves; nothing personal is in either."""
    outcome = "holdout" if decision.is_holdout else "silent" if not decision.chosen else "decided"
    _counter(decision.placement, outcome).inc()
    if not log.isEnabledFor(logging.INFO):
        return decision
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


@lru_cache(maxsize=256)
def _counter(placement: str, outcome: str) -> Any:
    """The one counter of these labels; finding it again costs ten times as much as counting."""
    return DECISIONS.labels(placement, outcome)
