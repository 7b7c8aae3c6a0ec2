"""Decide for a surface and keep the decision, again if another page of the same shopper took from the budget first.

Shoppers who ask at the same moment are answered together: their standing is read in one query and their decisions are
committed in one transaction. What must be read of the shop is read before, each thread for itself, so that a page that
nobody asked for lately holds up nobody else.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from shopify_upsell.core import DecisionId, ShopId
from shopify_upsell.customers.store import merge_visitor
from shopify_upsell.customers.upkeep import merge_courtesy
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.gathering import Gathering
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decide import Question, decide_each, read_question, remembered_question
from shopify_upsell.offers.journal import DecisionJournal, note_decided
from shopify_upsell.offers.pipeline import without_cards
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.shops.store import Shop

log = logging.getLogger(__name__)

MOST_TRIES = 3
"""Times that a shopper's decision may lose against another process before it shows nothing."""

LINES = 64
"""Lines in which shoppers wait, by shop: whoever asks in one shop does not wait for another, as a rule."""

Told = Decision | Exception


class DecisionDesk:
    """Where a process's surfaces have decisions made."""

    def __init__(
        self,
        database: Database,
        journal: DecisionJournal,
        *,
        holdout_basis_points: int,
        clock: Callable[[], datetime],
        new_decision_id: Callable[[], DecisionId],
    ) -> None:
        self._database, self._journal = database, journal
        self._holdout_basis_points = holdout_basis_points
        self._clock, self._new_decision_id = clock, new_decision_id
        self._lines: list[Gathering[Question, Decision]] = [Gathering(self._serve_lined_up) for _ in range(LINES)]

    def serve(self, shop: Shop, request: OfferRequest) -> Decision:
        """A decision that is committed, with what it shows charged to the shopper's budget.

        Raises: RetryLater when it cannot be stored; nothing may be shown then.
        """
        decision = self._lines[shop.shop_id % LINES].bring(self._question(shop, request))
        self._carry_over(decision)
        return note_decided(decision)

    def _question(self, shop: Shop, request: OfferRequest) -> Question:
        known = remembered_question(
            self._database.memory, request, shop=shop, holdout_basis_points=self._holdout_basis_points
        )
        if known is not None:
            return known
        with self._database.read() as session:
            bind_shop(session, shop.shop_id)
            now, share = self._clock(), self._holdout_basis_points
            return read_question(session, request, now=now, shop=shop, holdout_basis_points=share)

    def _serve_lined_up(self, questions: Sequence[Question]) -> list[Told]:
        told: dict[int, Told] = {}
        by_shop: dict[ShopId, list[int]] = {}
        for place, question in enumerate(questions):
            by_shop.setdefault(question.shop.shop_id, []).append(place)
        for shop_id, places in by_shop.items():
            told |= self._serve_shop(shop_id, {place: questions[place] for place in places})
        return [told[place] for place in range(len(questions))]

    def _serve_shop(self, shop_id: ShopId, questions: Mapping[int, Question]) -> dict[int, Told]:
        """Serve the questions of one shop, a round at a time: those of one shopper follow each other."""
        told: dict[int, Told] = {}
        losses: Counter[int] = Counter()
        while len(told) < len(questions):
            turn = _one_of_each({place: one for place, one in questions.items() if place not in told})
            decided = self._decided(shop_id, list(turn.values()))
            for place, answer in zip(turn, self._kept(decided, [losses[place] for place in turn]), strict=True):
                if answer is None:
                    losses[place] += 1
                else:
                    told[place] = answer
        return told

    def _decided(self, shop_id: ShopId, questions: Sequence[Question]) -> list[Told]:
        ids = [self._new_decision_id() for _ in questions]
        try:
            with self._database.look() as session:
                bind_shop(session, shop_id)
                return decide_each(session, questions, now=self._clock(), decision_ids=ids)
        except Exception as error:
            return [error for _ in questions]

    def _kept(self, decided: Sequence[Told], losses: Sequence[int]) -> list[Told | None]:
        """Keep what was decided; None where somebody else took from the shopper's budget first."""
        ready = [
            without_cards(one) if isinstance(one, Decision) and lost >= MOST_TRIES else one
            for one, lost in zip(decided, losses, strict=True)
        ]
        decisions = [one for one in ready if isinstance(one, Decision)]
        try:
            kept = iter(self._journal.keep_each(decisions) if decisions else ())
        except Exception as error:
            return [error for _ in ready]
        return [_outcome(one, next(kept)) if isinstance(one, Decision) else one for one in ready]

    def _carry_over(self, decision: Decision) -> None:
        """What a visitor asked for before they logged in becomes the customer's, so that it holds on every device.

        Done once, at the first sight of both names together with such a wish; until then, and if it fails, both are
        read.
        """
        asked, known = decision.inputs.request, decision.inputs
        if asked.customer_id is None or not asked.visitor_id:
            return
        whose = [*(wish.subject for wish in known.suppressions), *(one.subject for one in known.dismissals)]
        if not any(name.startswith("v:") for name in whose):
            return
        try:
            with self._database.write() as session:
                bind_shop(session, decision.shop_id)
                merge_visitor(session, decision.shop_id, asked.visitor_id, asked.customer_id, decision.decided_at)
                merge_courtesy(session, decision.shop_id, asked.visitor_id, asked.customer_id, decision.decided_at)
        except Exception as error:
            # The page has its answer; the next page tries again.
            log.warning("wishes_not_carried_over", extra={"shop_id": decision.shop_id, "error": type(error).__name__})


def _one_of_each(questions: Mapping[int, Question]) -> dict[int, Question]:
    """The first question of each shopper, so that no two of a round charge one budget."""
    seen: set[str] = set()
    turn: dict[int, Question] = {}
    for place, question in questions.items():
        if seen.isdisjoint(question.subjects):
            turn[place] = question
        seen.update(question.subjects)
    return turn


def _outcome(decision: Decision, kept: bool | Exception) -> Told | None:
    if isinstance(kept, Exception):
        return kept
    return decision if kept else None
