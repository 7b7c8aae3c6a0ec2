"""Record what a shopper did with an offer, and honour a wish not to see it again, in one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import NotFound, ProductId, ShopId, VariantId
from shopify_upsell.customers.store import suppress
from shopify_upsell.customers.suppression import dismissal, snooze
from shopify_upsell.metrics import TOUCHPOINTS
from shopify_upsell.offers.candidate import ChosenOffer, Decision
from shopify_upsell.offers.decisions import read_decision

DECISION_LIFE = timedelta(days=2)
"""How long after a decision its events are taken: a page may stay open, but not for ever."""


def take_touch(session: Session, shop_id: ShopId, touch: Mapping[str, Any], *, now: datetime) -> bool:
    """Keep the touchpoint once. Returns False when it was already known.

    Raises: NotFound for a decision of another shop, an old one, an offer it did not choose, or a variant not in it.
    """
    decision = read_decision(session, shop_id, touch["decision_id"])
    if now - decision.decided_at > DECISION_LIFE or decision.is_holdout:
        raise NotFound("no such decision")
    offer = _chosen(decision, touch["offer_id"])
    variant_id = touch.get("variant_id")
    # Each variant named would count as a touchpoint of its own, so only those that were shown may be.
    if variant_id is not None and all(item.variant_id != variant_id for item in offer.items):
        raise NotFound("no such variant in this offer")
    is_new = record_touchpoint(
        session,
        shop_id,
        Touch(
            decision_id=decision.decision_id,
            offer_id=offer.offer_id,
            variant_id=VariantId(variant_id or 0),
            kind=touch["event"],
            placement=decision.placement,
            occurred_at=now,
        ),
    )
    _honour_wish(session, decision, offer, touch, now)
    if is_new:
        TOUCHPOINTS.labels(touch["event"]).inc()
    return is_new


def _chosen(decision: Decision, offer_id: int) -> ChosenOffer:
    for offer in decision.chosen:
        if offer.offer_id == offer_id:
            return offer
    raise NotFound("no such offer in this decision")


def _honour_wish(
    session: Session, decision: Decision, offer: ChosenOffer, touch: Mapping[str, Any], now: datetime
) -> None:
    """Without a unit (no consent, not logged in) the wish lives in the browser session alone."""
    if decision.unit is None or touch["event"] not in ("dismiss", "snooze"):
        return
    if touch["event"] == "snooze":
        # A snooze is about being asked at all; a dismissal is about these products.
        wishes = [snooze(decision.unit, ProductId(0), touch["days"], now=now)]
    else:
        wishes = [dismissal(decision.unit, item.product_id, now=now) for item in offer.items]
    for wish in wishes:
        suppress(session, decision.shop_id, wish)
