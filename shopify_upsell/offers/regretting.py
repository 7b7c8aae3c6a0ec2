"""Use case: follow what was taken, and pause an offer that is regretted too often.

Runs after an order was settled, for then its credits say which lines are an offer's. Saying the same thing twice
changes nothing.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import DIRECT, Credit
from shopify_upsell.attribution.store import credits_of_order
from shopify_upsell.core import LineId, NotFound, OfferId, OrderId, ProductId, ShopId
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.booked import BookedLine, BookedOrder
from shopify_upsell.ledger.store import booked_orders
from shopify_upsell.ledger.tables import lock_orders
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.regret import CANCELLED, REFUNDED, UNDONE, RegretVerdict, regret_of
from shopify_upsell.offers.regret_store import (
    OTHER_LINE,
    Incident,
    TakenLine,
    acknowledge_incident,
    open_incident,
    put_taken_lines,
    record_complaint,
    regret_counts,
    taken_lines,
)
from shopify_upsell.offers.store import pause_offer, read_offer

log = logging.getLogger(__name__)

INCIDENT = "regret"


def note_regret(session: Session, job: Job) -> None:
    """Job: follow one order that was settled, and judge the offers it took."""
    follow_order(session, job.shop_id, OrderId(int(job.payload["subject_id"])), now=job.now)


def follow_order(session: Session, shop_id: ShopId, order_id: OrderId, *, now: datetime) -> list[Incident]:
    """Bring what is held of an order up to date; incidents of offers that were paused for it."""
    lock_orders(session, shop_id, [order_id])
    held = taken_lines(session, shop_id, order_id)
    order = booked_orders(session, shop_id, [order_id]).get(order_id)
    taken = {
        credit.line_id: credit
        for credit in credits_of_order(session, shop_id, order_id)
        if credit.credit_class == DIRECT and credit.offer_id is not None
    }
    if order is None or not (taken or held):
        return []
    lines = [_line_now(order, line, taken.get(line.line_id), held.get(line.line_id)) for line in order.lines]
    put_taken_lines(session, shop_id, [line for line in lines if line != held.get(line.line_id)])
    return judge_offers(session, shop_id, {line.offer_id for line in lines}, now=now)


def follow_complaint(
    session: Session,
    shop_id: ShopId,
    order_id: OrderId,
    complaint: str,
    *,
    product_id: ProductId | None = None,
    now: datetime,
) -> list[Incident]:
    """Count a ticket, a return or a low review against the offers it is about. Raises: InvalidInput."""
    offers = record_complaint(session, shop_id, order_id, complaint, product_id=product_id)
    return judge_offers(session, shop_id, offers, now=now)


def judge_offers(session: Session, shop_id: ShopId, offer_ids: Iterable[OfferId], *, now: datetime) -> list[Incident]:
    """Pause each of these offers that is regretted too often and is live; what was written down of it."""
    opened = []
    for offer_id in sorted(set(offer_ids) - {OTHER_LINE}):
        verdict = regret_of(regret_counts(session, shop_id, offer_id))
        if verdict.should_pause and _is_live(session, shop_id, offer_id):
            opened.append(_pause(session, shop_id, offer_id, verdict, now))
    return opened


def settle_incident(session: Session, shop_id: ShopId, incident_id: int, *, note: str, now: datetime) -> Offer:
    """Take the merchant's word that an offer may go on: lines taken from now on are counted anew.

    It stays paused until it goes live again, which asks the launch checks (`launching.go_live`).

    Raises: NotFound for an unknown incident or an offer that is gone, InvalidInput without a note.
    """
    incident = acknowledge_incident(session, shop_id, incident_id, note=note, now=now)
    offer = read_offer(session, shop_id, incident.offer_id)
    log.info("incident_settled", extra={"shop_id": shop_id, "offer_id": offer.offer_id, "incident_id": incident_id})
    return offer


def _pause(session: Session, shop_id: ShopId, offer_id: OfferId, verdict: RegretVerdict, now: datetime) -> Incident:
    rates = {"rate": verdict.rate, "at_least": verdict.at_least, "limit": verdict.limit}
    incident = open_incident(session, shop_id, INCIDENT, offer_id, asdict(verdict.counts) | rates, now=now)
    pause_offer(session, shop_id, offer_id, now=now)
    named = {"shop_id": shop_id, "offer_id": offer_id, "incident_id": incident.incident_id}
    log.warning("offer_paused_for_regret", extra=named | dict(incident.numbers))
    return incident


def _is_live(session: Session, shop_id: ShopId, offer_id: OfferId) -> bool:
    try:
        return read_offer(session, shop_id, offer_id).state == "live"
    except NotFound:
        return False


def _line_now(order: BookedOrder, line: BookedLine, credit: Credit | None, before: TakenLine | None) -> TakenLine:
    """A line as it stands. A cancelled order has no credits: its lines stay whose they were."""
    offer_id = (credit.offer_id if credit else before.offer_id if before else None) or OTHER_LINE
    units = credit.quantity if credit else line.net_quantity
    most = max(units, before.quantity if before else 1 if credit else line.quantity)
    return TakenLine(
        order_id=order.order_id,
        line_id=line.line_id,
        offer_id=offer_id,
        product_id=line.product_id,
        quantity=most,
        taken_at=order.ordered_at,
        given_back=_given_back(order, line, is_short=units < most),
        complaint=before.complaint if before else None,
    )


def _given_back(order: BookedOrder, line: BookedLine, *, is_short: bool) -> str | None:
    if not order.is_booked:
        return CANCELLED
    if not is_short and line.net_quantity:
        return None
    return UNDONE if _shrunk(order).get(line.line_id, 0) < 0 else REFUNDED


def _shrunk(order: BookedOrder) -> Mapping[LineId, int]:
    """Units that edits took away, by line; what one edit added is no excuse for another."""
    lost: dict[LineId, int] = {}
    for change in order.edits:
        lost[change.line_id] = lost.get(change.line_id, 0) + min(0, change.delta)
    return lost
