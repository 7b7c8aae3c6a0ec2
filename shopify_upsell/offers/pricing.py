"""What a chosen candidate costs: each unit discounted and rounded by itself, the total their sum.

Pure. Money is integer minor units throughout.
"""

from shopify_upsell.matrix.companion import Companion
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import Candidate, CandidateItem, ChosenOffer, OfferItem
from shopify_upsell.offers.snapshot import CatalogVariant, Snapshot

WHOLE = 10_000

ONLY_VARIANT = "Default Title"
"""What Shopify calls the variant of a product without options; no shopper should read it."""


def discounted(price: Money, basis_points: int) -> Money:
    """Take a share off a unit price, rounding half up to the minor unit.

    Units: `basis_points` of the price, 0 to 10,000.
    Source: Shopify applies a percentage to the unit price of the added variant; the rounding is ours to confirm.
    """
    return Money((2 * price.minor_units * (WHOLE - basis_points) + WHOLE) // (2 * WHOLE), price.currency)


def priced(candidate: Candidate, snapshot: Snapshot) -> ChosenOffer:
    """Turn an eligible candidate into what is shown."""
    discount, offer = candidate.offer.discount_basis_points, candidate.offer
    lines = [(item, _variant(item, snapshot)) for item in candidate.items]
    items = tuple(_item(item, variant, discount, snapshot) for item, variant in lines)
    return ChosenOffer(
        offer_id=offer.offer_id,
        kind=offer.kind,
        offer_version=offer.version,
        reason_code=candidate.reason_code,
        items=items,
        total=_sum([item.price * item.quantity for item in items], snapshot),
        original_total=_sum([variant.price * item.quantity for item, variant in lines], snapshot),
        discount_basis_points=discount,
        replaces_variant_id=candidate.replaces_variant_id,
        replaced_unit_minor_units=_replaced_price(candidate, snapshot),
        evidence=_evidence(candidate, snapshot),
    )


def _replaced_price(candidate: Candidate, snapshot: Snapshot) -> int:
    product = snapshot.products.get(candidate.anchor_product_id)
    replaced = product.variant(candidate.replaces_variant_id) if product else None
    return replaced.price.minor_units if replaced else 0


def _variant(item: CandidateItem, snapshot: Snapshot) -> CatalogVariant:
    variant = snapshot.products[item.product_id].variant(item.variant_id)
    if variant is None:
        raise LookupError("an eligible candidate has a variant")
    return variant


def _item(item: CandidateItem, variant: CatalogVariant, discount: int, snapshot: Snapshot) -> OfferItem:
    product = snapshot.products[item.product_id]
    return OfferItem(
        product_id=product.product_id,
        variant_id=variant.variant_id,
        quantity=item.quantity,
        price=discounted(variant.price, discount),
        title=product.title,
        variant_title="" if variant.title == ONLY_VARIANT else variant.title,
        handle=product.handle,
        image_url=product.image_url,
    )


def _sum(amounts: list[Money], snapshot: Snapshot) -> Money:
    total = Money.zero(snapshot.currency)
    for amount in amounts:
        total = total + amount
    return total


def _evidence(candidate: Candidate, snapshot: Snapshot) -> dict[str, str | int | float]:
    """The numbers of the weakest pair that the candidate rests on, with the version they come from."""
    if not candidate.evidence:
        return {}
    weakest: Companion = min(candidate.evidence, key=lambda pair: (pair.score, pair.product_id))
    return {
        "matrix_version": snapshot.matrix_version,
        "anchor_product_id": candidate.anchor_product_id,
        "companion_product_id": weakest.product_id,
        "pair_count": weakest.pair_count,
        "anchor_count": weakest.anchor_count,
        "companion_count": weakest.companion_count,
        "basket_count": weakest.basket_count,
        "support": weakest.support,
        "confidence": weakest.confidence,
        "association_lift": weakest.association_lift,
        "score": candidate.score,
    }
