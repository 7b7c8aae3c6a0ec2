"""Subscribe: what is bought once, on one of the product's own selling plans: as it comes, or prepaid."""

from collections.abc import Iterator

from shopify_upsell.core import ProductId
from shopify_upsell.ledger.catalog import PREPAID, SellingPlan
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.offer import Offer, OfferDraft, incentive_of
from shopify_upsell.offers.related import anchors_of
from shopify_upsell.offers.snapshot import CartLine, CatalogProduct, Snapshot
from shopify_upsell.offers.terms import NONE, need


def propose(offer: Offer, snapshot: Snapshot) -> list[Candidate]:
    """One candidate a one-time line of the cart, which it replaces; without one, a product that the customer owns.

    After a purchase the candidate is made and refused, so that the explanation says why nobody is asked there.
    """
    anchors = set(anchors_of(offer, snapshot))
    lines = [line for line in snapshot.request.cart if line.product_id in anchors and line.selling_plan_id is None]
    if lines:
        return list(_from_cart(offer, lines, snapshot))
    meant = [
        product_id for product_id in sorted(snapshot.owned) if offer.anchors is None or product_id in offer.anchors
    ]
    in_cart = snapshot.cart_product_ids
    products = (snapshot.products.get(product_id) for product_id in meant if product_id not in in_cart)
    return [_candidate(offer, product, None) for product in products if product is not None and product.selling_plans]


def check(draft: OfferDraft) -> None:
    """Raises: InvalidInput naming the field."""
    kind = incentive_of(draft.discount_basis_points, draft.terms).kind
    need(kind == NONE, "incentive.kind", "is the selling plan's own: change the plan")
    need(draft.companions is None, "companions", "do not go with a subscription: it is of the anchor")


def best_plan(product: CatalogProduct) -> SellingPlan | None:
    """The plan to offer: paid as it comes before prepaid, with a known price before others, then the oldest."""

    def place(plan: SellingPlan) -> tuple[bool, bool, int]:
        return plan.percentage_off_basis_points is None, plan.kind == PREPAID, plan.selling_plan_id

    return min(product.selling_plans, key=place, default=None)


def _from_cart(offer: Offer, lines: list[CartLine], snapshot: Snapshot) -> Iterator[Candidate]:
    for line in lines:
        product = snapshot.products.get(line.product_id or ProductId(0))
        if product is not None and product.selling_plans:
            is_paid = snapshot.request.surface == POST_PURCHASE
            yield _candidate(offer, product, line, replaces=not is_paid)


def _candidate(offer: Offer, product: CatalogProduct, line: CartLine | None, *, replaces: bool = False) -> Candidate:
    first, plan = product.first_variant(), best_plan(product)
    variant_id = line.variant_id if line is not None else first.variant_id if first is not None else None
    quantity = line.quantity if line is not None else 1
    return Candidate(
        offer=offer,
        anchor_product_id=product.product_id,
        items=(CandidateItem(product.product_id, variant_id, quantity, plan.selling_plan_id if plan else None),),
        score=0.0,
        reason_code="regular_delivery",
        includes_anchor=True,
        replaces_variant_id=variant_id if replaces else None,
        replaced_quantity=quantity if replaces else 0,
    )
