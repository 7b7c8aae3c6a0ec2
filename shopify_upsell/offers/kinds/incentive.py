"""Incentives on a cart: a product that takes it to free shipping, or a gift that it has earned."""

from dataclasses import replace

from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.kinds import cross_sell
from shopify_upsell.offers.offer import Offer, OfferDraft
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.terms import FREE_SHIPPING, GIFT, need


def propose_free_shipping(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """What goes with the cart, as a cross-sell; rules ask whether it closes the gap. Paid carts have none."""
    if snapshot.request.surface == POST_PURCHASE or not snapshot.request.cart:
        return []
    return [replace(candidate, reason_code="closes_the_gap") for candidate in cross_sell.propose_known(offer, snapshot)]


def check_free_shipping(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    need(draft.terms.incentive.kind == FREE_SHIPPING, "incentive.kind", "is free_shipping")


def propose_gift(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """The gift, once a cart, if it is not in it already."""
    gift, anchors = offer.terms.incentive.gift_variant_id, anchors_of(offer, snapshot)
    if snapshot.request.surface == POST_PURCHASE or not snapshot.request.cart or not anchors:
        return []
    found = (product_id for product_id in offer.companions or () if product_id in snapshot.products)
    return [
        Candidate(
            offer=offer,
            anchor_product_id=anchors[0],
            items=(CandidateItem(product_id, gift),),
            score=0.0,
            reason_code="gift_with_cart",
        )
        for product_id in found
        if snapshot.products[product_id].variant(gift) is not None
    ]


def check_gift(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    need(draft.terms.incentive.kind == GIFT, "incentive.kind", "is gift")
    need(len(draft.companions or ()) == 1, "companions", "name the gift's product and nothing else")
