"""May an offer be live at all, here and now: state, placement, anchors, evidence.

Pure. Each rule returns a `Rejection` of the whole offer, or None. A rule is one function and one entry in `RULES`.
Readiness is asked before eligibility, so that an offer for another page is refused once, not once a product.
"""

from collections.abc import Callable, Sequence

from shopify_upsell.offers.candidate import Candidate, Rejection
from shopify_upsell.offers.kinds.registry import PERSONAL_KINDS
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import Snapshot

Rule = Callable[[Offer, Snapshot], Rejection | None]


def not_live(offer: Offer, _snapshot: Snapshot) -> Rejection | None:
    """Drafts and paused offers are never shown."""
    return None if offer.state == "live" else Rejection("not_live", offer.offer_id, detail={"state": offer.state})


def wrong_placement(offer: Offer, snapshot: Snapshot) -> Rejection | None:
    """An offer is shown where its merchant wants it."""
    asked = snapshot.request.placement
    return None if asked in offer.placements else Rejection("wrong_placement", offer.offer_id, detail={"asked": asked})


def no_anchor(offer: Offer, snapshot: Snapshot) -> Rejection | None:
    """What goes with something needs something: an empty cart has nothing to go with."""
    has_anchor = bool(snapshot.request.anchor_product_ids) or offer.kind in PERSONAL_KINDS
    return None if has_anchor else Rejection("no_anchor", offer.offer_id)


def wrong_anchor(offer: Offer, snapshot: Snapshot) -> Rejection | None:
    """A merchant may tie an offer to certain products."""
    is_meant = bool(anchors_of(offer, snapshot)) or offer.kind in PERSONAL_KINDS
    return None if is_meant else Rejection("wrong_anchor", offer.offer_id)


RULES: tuple[Rule, ...] = (not_live, wrong_placement, no_anchor, wrong_anchor)


def refusal(offer: Offer, snapshot: Snapshot) -> Rejection | None:
    """The first rule that the offer breaks before anything is proposed, or None when it is ready."""
    return next((why_not for rule in RULES if (why_not := rule(offer, snapshot)) is not None), None)


def no_evidence(offer: Offer, candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """With nothing to propose there is nothing to judge. A new shop shows nothing rather than the same to all."""
    if candidates:
        return None
    return Rejection("no_evidence", offer.offer_id, detail={"matrix_version": snapshot.matrix_version})
