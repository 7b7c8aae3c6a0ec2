"""Use case: hand over what is due. Each send is decided at that moment; what does not pass is held with its reason.

The decision is the one that every surface gets: gates, consent, stock, negative edges, budget, holdout. It is kept
before anybody hears of it, and its id was written down before it was made, so asking twice decides and charges once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shopify_upsell.core import ConflictingRequest, DecisionId, NotFound, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.offers.candidate import Answer, ChosenOffer, Decision, Rejection
from shopify_upsell.offers.choice import LIFECYCLE
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.decisions import Served, read_served
from shopify_upsell.offers.gates import paused, preference_none, unhappy
from shopify_upsell.offers.journal import DecisionJournal, note_decided
from shopify_upsell.offers.pipeline import without_cards
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot
from shopify_upsell.sends.sent import (
    EXPIRED,
    FAILED,
    HANDED_OVER,
    HELD,
    WITHHELD,
    Ending,
    PlannedSend,
)
from shopify_upsell.sends.store import (
    Verdict,
    claim_due,
    end_sends,
    note_sent,
    put_verdicts,
    read_send,
    setting_of,
)
from shopify_upsell.shops.store import Shop

log = logging.getLogger(__name__)

MOST_TRIES = 3
"""Pages of the same customer that may be charged at the same moment before the send waits for another day."""

ASK_AGAIN = timedelta(days=1)
"""A held send is looked at again after a day at the earliest: good news may come at any time."""

NOTHING_PROPOSED = "nothing_proposed"

SENT = "sent"
OUTCOMES = (SENT, FAILED)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A send that passed, with the one offer it is about."""

    send: PlannedSend
    served: Decision | Served
    offer: ChosenOffer


@dataclass(frozen=True, slots=True)
class Page:
    """What came of some sends that were due. The holdout's are in none of the lists."""

    handed_over: tuple[HandedOver, ...] = ()
    held: tuple[Verdict, ...] = ()
    next_after: int | None = None


@dataclass(frozen=True)
class SendDesk:
    """Parts that handing over works with."""

    database: Database
    journal: DecisionJournal
    holdout_basis_points: int
    new_decision_id: Callable[[], DecisionId]

    def due(self, shop: Shop, *, after: int, limit: int, now: datetime) -> Page:
        """Look at up to `limit` sends that are due. A page may be short and not the last: `next_after` None is the end.

        Raises: RetryLater when decisions cannot be stored; what was handed over until then is told again.
        """
        with self.database.write() as session:
            bind_shop(session, shop.shop_id)
            sends: list[PlannedSend] = []
            if setting_of(session, shop.shop_id).is_on:
                sends = claim_due(session, shop.shop_id, self.new_decision_id, after=after, limit=limit, now=now)
        passed: list[HandedOver] = []
        verdicts: list[Verdict] = []
        for send in sends:
            if send.state == HANDED_OVER:
                passed += self._again(shop, send, now)
                continue
            served = self._decided(shop, send, now)
            verdict = verdict_on(send, served.answer, at=served.decided_at, now=now)
            self._write(shop.shop_id, [verdict])
            verdicts.append(verdict)
            passed += [HandedOver(send, served, offer) for offer in served.answer.chosen[:1]]
        log.info(
            "sends_handed_over",
            extra={"shop_id": shop.shop_id, "send_count": len(passed), "looked_at": len(sends)},
        )
        held = tuple(one for one in verdicts if one.state in (HELD, EXPIRED))
        return Page(tuple(passed), held, sends[-1].send_id if len(sends) == limit else None)

    def _decided(self, shop: Shop, send: PlannedSend, now: datetime) -> Decision | Served:
        """The decision of a send: the one that is kept already, or a new one."""
        assert send.decision_id is not None  # noqa: S101 claimed just now
        for _ in range(MOST_TRIES):
            known = self._known(shop.shop_id, send.decision_id)
            if known is not None:
                return known
            decision = self._decide(shop, send, now)
            if self._is_kept(decision):
                return note_decided(decision)
        silent = without_cards(decision)
        self._is_kept(silent)
        return self._known(shop.shop_id, send.decision_id) or note_decided(silent)

    def _is_kept(self, decision: Decision) -> bool:
        try:
            return self.journal.keep(decision)
        except IntegrityError:
            # Another caller decided the same send at this moment, and theirs counts.
            return False

    def _known(self, shop_id: ShopId, decision_id: DecisionId) -> Served | None:
        with self.database.read() as session:
            bind_shop(session, shop_id)
            try:
                return read_served(session, shop_id, decision_id)
            except NotFound:
                return None

    def _decide(self, shop: Shop, send: PlannedSend, now: datetime) -> Decision:
        request = OfferRequest(
            shop.shop_id,
            LIFECYCLE,
            anchor_product_ids=(send.anchor_product_id,),
            customer_id=send.customer_id,
            limit=1,
        )
        with self.database.read() as session:
            bind_shop(session, shop.shop_id)
            return decide(
                session,
                request,
                now=now,
                decision_id=send.decision_id or self.new_decision_id(),
                shop=shop,
                holdout_basis_points=self.holdout_basis_points,
            )

    def _again(self, shop: Shop, send: PlannedSend, now: datetime) -> list[HandedOver]:
        """Tell again what was handed over and not answered for, unless the customer may not be written to any more."""
        if not is_welcome(self._decide(shop, send, now).inputs):
            return []
        served = self._known(shop.shop_id, send.decision_id) if send.decision_id is not None else None
        return [] if served is None else [HandedOver(send, served, offer) for offer in served.chosen[:1]]

    def _write(self, shop_id: ShopId, verdicts: Sequence[Verdict]) -> None:
        with self.database.write() as session:
            bind_shop(session, shop_id)
            put_verdicts(session, shop_id, verdicts)


def is_welcome(snapshot: Snapshot) -> bool:
    """Tell whether a customer may still be written to at all: they agree, and nothing bad is fresh."""
    if snapshot.shopper.marketing_consent is not True:
        return False
    return not any(gate(snapshot) for gate in (preference_none, paused, unhappy))


def verdict_on(send: PlannedSend, answer: Answer, *, at: datetime, now: datetime) -> Verdict:
    """What an answer makes of a send: handed over, withheld from the holdout, held until a day, or over."""
    assert send.decision_id is not None  # noqa: S101 claimed before it was decided
    offer = next(iter(answer.chosen or answer.would_have_shown), None)
    if offer is not None:
        state = WITHHELD if answer.is_holdout else HANDED_OVER
        listed = [item.product_id for item in offer.items if item.product_id != send.anchor_product_id]
        pitched = send.companion_product_id if send.companion_product_id in listed else next(iter(listed), None)
        return Verdict(
            send.send_id, send.decision_id, state, send.due_at, offer.reason_code, offer.offer_id, pitched, at
        )
    reason = reason_of_hold(send, answer)
    due_at = max(now + ASK_AGAIN, answer.next_at or now)
    if due_at >= send.closes_at:
        return Verdict(send.send_id, send.decision_id, EXPIRED, due_at, reason, ended_at=now)
    return Verdict(send.send_id, send.decision_id, HELD, due_at, reason)


def reason_of_hold(send: PlannedSend, answer: Answer) -> str:
    """The code that names best why nothing was offered: the gate, else what struck the planned companion."""
    if answer.gate is not None:
        return answer.gate
    struck: tuple[Rejection, ...] = answer.rejections
    own = [one.code for one in struck if one.product_id == send.companion_product_id]
    return next(iter(own or [one.code for one in struck]), NOTHING_PROPOSED)


def answer_for(session: Session, shop_id: ShopId, send_id: int, outcome: str, *, now: datetime) -> PlannedSend:
    """Note that a mail went out, or that it could not be sent and is no pitch. Saying it twice changes nothing.

    Raises: NotFound; ConflictingRequest for a send that was not handed over, or that failed before.
    """
    send = read_send(session, shop_id, send_id)
    if send.is_holdout or send.pitched_at is None:
        raise NotFound("no such send")
    if send.state == FAILED and outcome != FAILED:
        raise ConflictingRequest("the send has failed", code="send_failed")
    if outcome == SENT:
        note_sent(session, shop_id, send_id, now=now)
    elif send.state == HANDED_OVER:
        end_sends(session, shop_id, [Ending(send_id, FAILED)], now=now)
    return read_send(session, shop_id, send_id)
