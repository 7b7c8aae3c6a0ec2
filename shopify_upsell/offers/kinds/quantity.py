"""Quantity: more pieces of a variant that is in the cart already, up to the number that the merchant names."""

from shopify_upsell.core import ProductId
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.terms import FIXED_PRICE, NONE, PERCENTAGE, need


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate an anchor of which the cart has fewer pieces; its item is the pieces still missing.

    Only the pieces that come on top are counted and credited. After a purchase nothing is left to add to.
    """
    if snapshot.request.surface == POST_PURCHASE or offer.terms.quantity is None:
        return []
    found = (_candidate(offer, anchor, offer.terms.quantity, snapshot) for anchor in anchors_of(offer, snapshot))
    return [candidate for candidate in found if candidate is not None]


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    need(draft.terms.quantity is not None, "quantity", "is required")
    need(draft.companions is None, "companions", "do not go with a quantity: it is more of the anchor")
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind in (NONE, PERCENTAGE, FIXED_PRICE), "incentive.kind", "is a percentage or a price a piece")


def _candidate(offer: Offer, anchor: ProductId, target: int, snapshot: Snapshot) -> Candidate | None:
    lines = [line for line in snapshot.request.cart if line.product_id == anchor and line.selling_plan_id is None]
    if not lines:
        return None
    held = sum(line.quantity for line in lines if line.variant_id == lines[0].variant_id)
    if held >= target:
        return None
    return Candidate(
        offer=offer,
        anchor_product_id=anchor,
        items=(CandidateItem(anchor, lines[0].variant_id, target - held),),
        score=0.0,
        reason_code="larger_quantity",
        includes_anchor=True,
    )
