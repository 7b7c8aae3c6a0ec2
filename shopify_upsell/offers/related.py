"""Which products an offer may put beside the anchors: the merchant's own list, else the matrix.

Pure. Shared by the kinds that add a product.
"""

from dataclasses import dataclass

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.snapshot import Snapshot

SCORE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class RelatedProduct:
    """A product that could be shown, the anchor it goes with best, and how well it goes with all of them.

    `evidence` None: the shop's orders say nothing about it. The merchant picked it, or with `is_untried` nobody did.
    """

    product_id: ProductId
    anchor_product_id: ProductId
    score: float
    position: int
    evidence: Companion | None
    is_untried: bool = False


def anchors_of(offer: Offer, snapshot: Snapshot) -> tuple[ProductId, ...]:
    """The anchors of the request that the offer is meant for, in the request's order, each once."""
    asked = dict.fromkeys(snapshot.request.anchor_product_ids)
    return tuple(anchor for anchor in asked if offer.anchors is None or anchor in offer.anchors)


def related_products(offer: Offer, anchors: tuple[ProductId, ...], snapshot: Snapshot) -> tuple[RelatedProduct, ...]:
    """List what goes with the anchors: the merchant's products in the merchant's order, else the matrix's by score."""
    if not anchors:
        return ()
    pairs = _pairs_by_companion(anchors, snapshot)
    if offer.companions is not None:
        return tuple(_related(product_id, anchors[0], pairs, at) for at, product_id in enumerate(offer.companions))
    found = [_related(product_id, anchors[0], pairs, 0) for product_id in pairs]
    return tuple(sorted(found, key=lambda one: (-one.score, one.product_id)))


def untried_products(offer: Offer, anchors: tuple[ProductId, ...], snapshot: Snapshot) -> tuple[RelatedProduct, ...]:
    """List what an offer that picks by itself could try beside the anchors, the likeliest first."""
    if offer.companions is not None or not snapshot.untried:
        return ()
    known = {one.product_id for anchor in anchors for one in snapshot.companions.get(anchor, ())}
    best: dict[ProductId, RelatedProduct] = {}
    for anchor in sorted(anchors):
        for one in snapshot.untried.get(anchor, ()):
            held = best.get(one.product_id)
            if one.product_id not in known and (held is None or one.score > held.score):
                best[one.product_id] = RelatedProduct(one.product_id, anchor, one.score, 0, None, is_untried=True)
    # In the order of the anchors' rows: a dictionary keeps it, and sorting keeps the order of equals.
    return tuple(sorted(best.values(), key=lambda one: -one.score))


def _pairs_by_companion(
    anchors: tuple[ProductId, ...], snapshot: Snapshot
) -> dict[ProductId, list[tuple[ProductId, Companion]]]:
    pairs: dict[ProductId, list[tuple[ProductId, Companion]]] = {}
    for anchor in sorted(anchors):
        for companion in snapshot.companions.get(anchor, ()):
            pairs.setdefault(companion.product_id, []).append((anchor, companion))
    return pairs


def _related(
    product_id: ProductId,
    first_anchor: ProductId,
    pairs: dict[ProductId, list[tuple[ProductId, Companion]]],
    position: int,
) -> RelatedProduct:
    """Join what several anchors say about one product: the chance that at least one of them brings it along."""
    known = pairs.get(product_id, [])
    if not known:
        return RelatedProduct(product_id, first_anchor, 0.0, position, None)
    missed = 1.0
    for _, companion in known:
        missed *= 1.0 - companion.score
    anchor, best = max(known, key=lambda pair: (pair[1].score, -pair[0]))
    return RelatedProduct(product_id, anchor, round(1.0 - missed, SCORE_DIGITS), position, best)
