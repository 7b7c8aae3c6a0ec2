"""Record what a shopper did with an offer, and honour a wish not to see it again, in one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.attribution.email_link import email_click
from shopify_upsell.attribution.token import OfferClaim
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import NotFound, ProductId, ShopId, VariantId
from shopify_upsell.customers.dismissals import ANY_OFFER, scopes_of
from shopify_upsell.customers.dismissals_store import remember_dismissal
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.customers.signals import OWN, offer_reason
from shopify_upsell.customers.store import suppress
from shopify_upsell.customers.suppression import snooze
from shopify_upsell.customers.throttle_store import count_refused, count_shown
from shopify_upsell.metrics import TOUCHPOINTS
from shopify_upsell.offers.candidate import ChosenOffer
from shopify_upsell.offers.decisions import Served, read_served

PICKED = "picked_by_shop"

SIGNAL_OF_EVENT = {"accept": "offer_accepted", "dismiss": "offer_dismissed"}

DECISION_LIFE = timedelta(days=2)
"""How long after a decision its events are taken: a page may stay open, but not for ever."""


def take_touch(session: Session, shop_id: ShopId, touch: Mapping[str, Any], *, now: datetime) -> bool:
    """Keep the touchpoint once. Returns False when it was already known.

    Raises: NotFound for a decision of another shop, an old one, an offer it did not choose, or a variant not in it.
    """
    decision = read_served(session, shop_id, touch["decision_id"])
    if now - decision.decided_at > DECISION_LIFE or decision.is_holdout:
        raise NotFound("no such decision")
    offer = _chosen(decision, touch["offer_id"])
    variant_id = touch.get("variant_id")
    # Each variant named would count as a touchpoint of its own, so only those that were shown may be.
    if variant_id is not None and all(item.variant_id != variant_id for item in offer.items):
        raise NotFound("no such variant in this offer")
    is_new = record_touchpoint(session, shop_id, _touchpoint(decision, offer, touch, now))
    _honour_wish(session, decision, offer, touch, now)
    if is_new:
        TOUCHPOINTS.labels(touch["event"]).inc()
        _count_reaction(session, decision, offer, touch["event"], now)
        _tell_signal(session, decision, offer, touch["event"], now)
    return is_new


def take_click(session: Session, shop_id: ShopId, claim: OfferClaim, *, now: datetime) -> bool:
    """Keep the click on a link of an e-mail once. Returns False when it was already known.

    Raises: NotFound when the decision behind the e-mail is gone, or chose no such offer.
    """
    decision = read_served(session, shop_id, claim.decision_id)
    offer = _chosen(decision, claim.offer_id)
    touch = email_click(claim, now=now, unit=_subject(decision), product_ids=_added(decision, offer))
    is_new = record_touchpoint(session, shop_id, touch)
    if is_new:
        TOUCHPOINTS.labels(touch.kind).inc()
    return is_new


def _touchpoint(decision: Served, offer: ChosenOffer, touch: Mapping[str, Any], now: datetime) -> Touch:
    return Touch(
        decision_id=decision.decision_id,
        offer_id=offer.offer_id,
        variant_id=VariantId(touch.get("variant_id") or 0),
        kind=touch["event"],
        placement=decision.placement,
        occurred_at=now,
        unit=_subject(decision),
        cart_token=decision.request.cart_token,
        book=offer.kind,
        product_ids=_added(decision, offer),
    )


def _tell_signal(session: Session, decision: Served, offer: ChosenOffer, event: str, now: datetime) -> None:
    """An offer that was taken or waved away says something of the person; `reason` says which offer."""
    subject, kind = _subject(decision), SIGNAL_OF_EVENT.get(event)
    if subject is not None and kind is not None:
        name = f"{decision.decision_id}:{offer.offer_id}"
        signal = Signal(kind, subject, now, OWN, name, reason=offer_reason(offer.offer_id))
        record_signals(session, decision.shop_id, [signal], now)


def _subject(decision: Served) -> str | None:
    """The best-known name of the shopper who was asked; None for somebody without consent."""
    return next(iter(decision.request.subjects), None)


def _added(decision: Served, offer: ChosenOffer) -> tuple[ProductId, ...]:
    """What the offer would add: of a bundle the parts, without the product that the shopper looks at."""
    anchors = decision.request.anchor_product_ids
    own = tuple(item.product_id for item in offer.items)
    return tuple(product for product in own if product not in anchors) or own


def _count_reaction(session: Session, decision: Served, offer: ChosenOffer, event: str, now: datetime) -> None:
    """What the throttle counts: cards that became visible, and cards that were turned away."""
    slot = int(decision.decision_id[:4], 16)
    if event == "impression":
        count_shown(session, decision.shop_id, offer.offer_id, slot=slot, now=now)
    elif event in ("dismiss", "snooze"):
        count_refused(session, decision.shop_id, offer.offer_id, slot=slot, now=now)


def _chosen(decision: Served, offer_id: int) -> ChosenOffer:
    for offer in decision.chosen:
        if offer.offer_id == offer_id:
            return offer
    raise NotFound("no such offer in this decision")


def _honour_wish(
    session: Session, decision: Served, offer: ChosenOffer, touch: Mapping[str, Any], now: datetime
) -> None:
    """Without a unit (no consent, not logged in) the wish lives in the browser session alone."""
    subject = _subject(decision)
    if subject is None or touch["event"] not in ("dismiss", "snooze"):
        return
    if touch["event"] == "snooze":
        # A snooze is about being asked at all; a dismissal is about this card.
        suppress(session, decision.shop_id, snooze(subject, ProductId(0), touch["days"], now=now))
        return
    scopes = scopes_of(offer.offer_id, decision.request.anchor_product_ids, _added(decision, offer))
    if offer.reason_code != PICKED:
        # An automatic offer is a different card on every page: its product was waved away, not all that it may show.
        scopes = tuple(scope for scope in scopes if scope.offer_id == ANY_OFFER)
    remember_dismissal(session, decision.shop_id, subject, scopes, now=now)
