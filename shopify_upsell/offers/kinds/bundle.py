"""Bundle: the anchor and one or two companions as one card with one total."""

from itertools import chain, combinations

from shopify_upsell.core import ProductId
from shopify_upsell.offers.candidate import Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.related import SCORE_DIGITS, RelatedProduct, anchors_of, related_products
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.terms import FIXED_PRICE, FREE_SHIPPING, GIFT, need

MOST_PARTS = 10
"""Products that a merchant's bundle may join: more than that nobody reads on one card."""

MOST_COMPANIONS = 4
"""Companions that automatic bundles are built from: 4 give 10 combinations, more would only lengthen the answer."""

FULL_SET = 2
"""Companions that make a set worth a card of its own; a bundle of one counts half, a cross-sell does that better."""


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """Automatic bundles are every single and every pair of the best companions; a merchant's list is one bundle."""
    found: list[Candidate] = []
    for anchor in anchors_of(offer, snapshot):
        related = related_products(offer, (anchor,), snapshot)
        others = tuple(one for one in related if one.product_id != anchor)
        found.extend(_candidate(offer, anchor, parts, snapshot) for parts in _combinations(offer, others, snapshot))
    return found


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind not in (FREE_SHIPPING, GIFT), "incentive.kind", "is another kind of offer")
    need(len(draft.companions or ()) < MOST_PARTS, "companions", f"are fewer than {MOST_PARTS}")
    is_one_set = draft.companions is not None and draft.anchors is not None and len(draft.anchors) == 1
    need(kind != FIXED_PRICE or is_one_set, "incentive.kind", "is a fixed price only for one set of named products")


def _combinations(
    offer: Offer, related: tuple[RelatedProduct, ...], snapshot: Snapshot
) -> list[tuple[RelatedProduct, ...]]:
    if offer.companions is not None:
        return [related] if related else []
    # Products that cannot be added would use up the few places; a cross-sell says why they are missing.
    in_cart = snapshot.cart_product_ids
    addable = [one for one in related if one.product_id not in in_cart and _is_sellable(one.product_id, snapshot)]
    usable = addable[:MOST_COMPANIONS]
    return list(chain(combinations(usable, 2), combinations(usable, 1)))


def _candidate(offer: Offer, anchor: ProductId, parts: tuple[RelatedProduct, ...], snapshot: Snapshot) -> Candidate:
    """Score: all parts are taken or none, so the weakest decides; an incomplete set counts for its part."""
    evidence = tuple(one.evidence for one in parts if one.evidence is not None)
    weakest = min(one.score for one in parts)
    return Candidate(
        offer=offer,
        anchor_product_id=anchor,
        items=tuple(_item(product_id, snapshot) for product_id in (anchor, *(one.product_id for one in parts))),
        score=round(weakest * min(len(parts), FULL_SET) / FULL_SET, SCORE_DIGITS),
        reason_code="completes_the_set" if offer.companions is None else "picked_by_shop",
        evidence=evidence,
        includes_anchor=True,
    )


def _item(product_id: ProductId, snapshot: Snapshot) -> CandidateItem:
    product = snapshot.products.get(product_id)
    variant = product.first_variant() if product else None
    return CandidateItem(product_id, variant.variant_id if variant else None)


def _is_sellable(product_id: ProductId, snapshot: Snapshot) -> bool:
    product = snapshot.products.get(product_id)
    return product is not None and any(variant.is_sellable for variant in product.variants)
