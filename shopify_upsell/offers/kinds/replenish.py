"""Replenish: what a customer bought should be used up about now, going by how long a piece lasts."""

from datetime import datetime, timedelta

from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.offers.candidate import Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.snapshot import CatalogProduct, Snapshot
from shopify_upsell.offers.supply import supply_days_for
from shopify_upsell.offers.terms import NONE, PERCENTAGE, need

EARLY_SHARE = 0.2
"""Part of one piece that may be left when the offer begins: of 30 days the last six. Source: product row R044."""

LATE_PIECES = 1.0
"""Pieces' time after which nobody is still waiting for a reminder. Source: our choice."""


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate a product that the customer owns and whose rhythm is known, with the days it is due."""
    owned = snapshot.owned
    allowed = offer.companions if offer.companions is not None else offer.anchors
    candidates = []
    for product_id in sorted(owned):
        product = snapshot.products.get(product_id)
        is_meant = allowed is None or product_id in allowed
        candidate = _candidate(offer, owned[product_id], product) if is_meant and product is not None else None
        if candidate is not None:
            candidates.append(candidate)
    return candidates


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind in (NONE, PERCENTAGE), "incentive.kind", "is a percentage for what is bought again")


def due_between(owned: OwnedProduct, days_a_piece: float) -> tuple[datetime, datetime]:
    """When the customer should be asked: from shortly before the last piece is used up until well after.

    Units: `days_a_piece` how long one piece lasts. Counted from the delivery, so that days in the post do not count.
    """
    begins = (owned.quantity_last - EARLY_SHARE) * days_a_piece
    ends = (owned.quantity_last + LATE_PIECES) * days_a_piece
    start = owned.delivered_at or owned.last_ordered_at
    return start + timedelta(days=begins), start + timedelta(days=ends)


def _candidate(offer: Offer, owned: OwnedProduct, product: CatalogProduct) -> Candidate | None:
    days = offer.terms.supply_days or supply_days_for(product, owned)
    if not days or owned.quantity_last < 1:
        return None
    variant = product.first_variant()
    begins, ends = due_between(owned, days)
    return Candidate(
        offer=offer,
        anchor_product_id=product.product_id,
        items=(CandidateItem(product.product_id, variant.variant_id if variant else None, owned.quantity_last),),
        score=0.0,
        reason_code="running_out",
        includes_anchor=True,
        offered_from=begins,
        offered_until=ends,
    )
