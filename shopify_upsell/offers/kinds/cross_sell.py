"""Cross-sell: add one companion that goes with what the shopper looks at, has in the cart, or has just bought."""

from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.related import RelatedProduct, anchors_of, related_products, untried_products
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.terms import FREE_SHIPPING, GIFT, need


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate a companion, and those that may be tried: first where the shopper's lot allows it, else last."""
    known = propose_known(offer, snapshot)
    untried = untried_products(offer, anchors_of(offer, snapshot), snapshot)
    tries = [_candidate(offer, one, snapshot) for one in untried]
    may_try = snapshot.exploration is not None and snapshot.exploration.is_allowed
    return [*tries, *known] if may_try else [*known, *tries]


def propose_known(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate a companion that orders or the merchant speak for."""
    related = related_products(offer, anchors_of(offer, snapshot), snapshot)
    return [_candidate(offer, one, snapshot) for one in related]


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind not in (FREE_SHIPPING, GIFT), "incentive.kind", "is another kind of offer")


def _candidate(offer: Offer, related: RelatedProduct, snapshot: Snapshot) -> Candidate:
    product = snapshot.products.get(related.product_id)
    variant = product.first_variant() if product else None
    return Candidate(
        offer=offer,
        anchor_product_id=related.anchor_product_id,
        items=(CandidateItem(related.product_id, variant.variant_id if variant else None),),
        score=related.score,
        reason_code=_reason(related, snapshot),
        position=related.position,
        evidence=(related.evidence,) if related.evidence else (),
    )


def _reason(related: RelatedProduct, snapshot: Snapshot) -> str:
    if related.evidence is None:
        return COLD_START if related.is_untried else "picked_by_shop"
    return "goes_with_purchase" if snapshot.request.surface == POST_PURCHASE else "often_bought_together"
