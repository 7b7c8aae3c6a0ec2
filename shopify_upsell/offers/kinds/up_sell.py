"""Up-sell: replace a variant in the cart by the next larger one of the same product, never add both."""

from shopify_upsell.core import ProductId, VariantId
from shopify_upsell.matrix.upgrade import Step, steps_up
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import CartLine, CatalogProduct, Snapshot
from shopify_upsell.offers.terms import NONE, PERCENTAGE, need


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate an anchor that has a larger variant.

    An upgrade has no evidence in the matrix yet, so its score is 0 and everything with evidence goes first.
    """
    products = [snapshot.products[anchor] for anchor in anchors_of(offer, snapshot) if anchor in snapshot.products]
    found = (_candidate(offer, product, snapshot) for product in products)
    return [candidate for candidate in found if candidate is not None]


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    need(draft.companions is None, "companions", "do not go with an up-sell: it is a larger size of the anchor")
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind in (NONE, PERCENTAGE), "incentive.kind", "is a percentage: sizes differ in price")


def _candidate(offer: Offer, product: CatalogProduct, snapshot: Snapshot) -> Candidate | None:
    if _is_subscribed(product.product_id, snapshot):
        return None
    replaced, quantity = _in_cart(product.product_id, snapshot)
    first = product.first_variant()
    current = replaced or (first.variant_id if first else None)
    target = _target(product, current) if current is not None else None
    if target is None:
        return None
    return Candidate(
        offer=offer,
        anchor_product_id=product.product_id,
        items=(CandidateItem(product.product_id, target, quantity),),
        score=0.0,
        reason_code="larger_size",
        includes_anchor=True,
        replaces_variant_id=replaced,
        replaced_quantity=quantity if replaced is not None else 0,
    )


def _is_subscribed(product_id: ProductId, snapshot: Snapshot) -> bool:
    """Tell whether all there is of the product is on a plan: one click would end a subscription, or add a second."""
    lines = _lines_of(product_id, snapshot)
    return bool(lines) and all(line.selling_plan_id is not None for line in lines)


def _lines_of(product_id: ProductId, snapshot: Snapshot) -> list[CartLine]:
    return [line for line in snapshot.request.cart if line.product_id == product_id]


def _in_cart(product_id: ProductId, snapshot: Snapshot) -> tuple[VariantId | None, int]:
    """The variant of this product in the cart, the first if several, and how many of it."""
    lines = [line for line in _lines_of(product_id, snapshot) if line.selling_plan_id is None]
    if not lines or snapshot.request.surface == POST_PURCHASE:  # what is paid for can no longer be replaced
        return None, 1
    variant_id = lines[0].variant_id
    return variant_id, sum(line.quantity for line in lines if line.variant_id == variant_id)


def _target(product: CatalogProduct, current: VariantId) -> VariantId | None:
    """The nearest larger variant that can be bought, else the nearest, so that a rule can say why not."""
    steps = [Step(one.variant_id, one.position, one.title, one.price) for one in product.variants]
    larger = steps_up(steps, current)
    sellable = {one.variant_id for one in product.variants if one.is_sellable}
    return next((variant_id for variant_id in larger if variant_id in sellable), larger[0] if larger else None)
