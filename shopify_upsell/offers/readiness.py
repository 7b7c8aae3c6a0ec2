"""May an offer be live at all, here and now: state, placement, anchors, evidence.

Pure. Each rule returns a `Rejection` of the whole offer, or None. A rule is one function and one entry in `RULES`.
Readiness is asked before eligibility, so that an offer for another page is refused once, not once a product.
"""

from collections.abc import Callable, Sequence

from shopify_upsell.offers.candidate import Candidate, Rejection
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import Snapshot

Rule = Callable[[Offer, Sequence[Candidate], Snapshot], Rejection | None]


def not_live(offer: Offer, _candidates: Sequence[Candidate], _snapshot: Snapshot) -> Rejection | None:
    """Drafts and paused offers are never shown."""
    return None if offer.state == "live" else Rejection("not_live", offer.offer_id, detail={"state": offer.state})


def wrong_placement(offer: Offer, _candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """An offer is shown where its merchant wants it."""
    asked = snapshot.request.placement
    return None if asked in offer.placements else Rejection("wrong_placement", offer.offer_id, detail={"asked": asked})


def no_anchor(offer: Offer, _candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """Every kind so far goes with something: an empty cart has nothing to go with."""
    return None if snapshot.request.anchor_product_ids else Rejection("no_anchor", offer.offer_id)


def wrong_anchor(offer: Offer, _candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """A merchant may tie an offer to certain products."""
    return None if anchors_of(offer, snapshot) else Rejection("wrong_anchor", offer.offer_id)


def no_evidence(offer: Offer, candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """With nothing to propose there is nothing to judge. A new shop shows nothing rather than the same to all."""
    if candidates:
        return None
    return Rejection("no_evidence", offer.offer_id, detail={"matrix_version": snapshot.matrix_version})


RULES: tuple[Rule, ...] = (not_live, wrong_placement, no_anchor, wrong_anchor, no_evidence)


def refusal(offer: Offer, candidates: Sequence[Candidate], snapshot: Snapshot) -> Rejection | None:
    """The first rule that the offer breaks, or None when it is ready."""
    answers = (rule(offer, candidates, snapshot) for rule in RULES)
    return next((answer for answer in answers if answer is not None), None)
