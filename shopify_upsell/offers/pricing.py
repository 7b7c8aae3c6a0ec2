"""What a chosen candidate costs: each unit priced and rounded by itself, the total their sum.

Pure. Money is integer minor units throughout. The price shown is the price charged: in the shop's currency,
because Shopify's own conversion and rounding for others is not known here; `currency_not_supported` refuses those.
"""

from shopify_upsell.matrix.companion import Companion
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import Candidate, CandidateItem, ChosenOffer, OfferItem
from shopify_upsell.offers.claims import Claims, days_of_supply_of, filled, saving_of, saving_rate_of
from shopify_upsell.offers.offer import UP_SELL
from shopify_upsell.offers.quoting import Quote, quote, replaced_quantity, replaced_unit, variant_of
from shopify_upsell.offers.snapshot import CatalogVariant, Snapshot
from shopify_upsell.offers.terms import AMOUNT, FIXED_PRICE, GIFT, PERCENTAGE, WHOLE

ONLY_VARIANT = "Default Title"
"""What Shopify calls the variant of a product without options; no shopper should read it."""


FIXED_AMOUNT = "fixed_amount"
"""What a changeset calls an amount off. Source: as `changeset_discount`."""


def discounted(price: Money, basis_points: int) -> Money:
    """Take a share off a unit price, rounding half up to the minor unit.

    Units: `basis_points` of the price, 0 to 10,000.
    Source: Shopify applies a percentage to the unit price of the added variant; the rounding is ours to confirm.
    """
    return Money((2 * price.minor_units * (WHOLE - basis_points) + WHOLE) // (2 * WHOLE), price.currency)


def priced(candidate: Candidate, snapshot: Snapshot) -> ChosenOffer:
    """Turn an eligible candidate into what is shown."""
    offer, prices = candidate.offer, quote(candidate, snapshot)
    if prices is None:
        raise LookupError("an eligible candidate has a variant")
    lines = [(item, _variant(item, snapshot)) for item in candidate.items]
    items = tuple(
        _item(item, variant, price, snapshot) for (item, variant), price in zip(lines, prices.shown, strict=True)
    )
    is_up_sell = offer.kind == UP_SELL
    return ChosenOffer(
        offer_id=offer.offer_id,
        kind=offer.kind,
        offer_version=offer.version,
        reason_code=candidate.reason_code,
        items=items,
        total=_sum([item.price * item.quantity for item in items], snapshot),
        original_total=_sum([variant.price * item.quantity for item, variant in lines], snapshot),
        discount_basis_points=offer.incentive.basis_points,
        replaces_variant_id=candidate.replaces_variant_id,
        replaced_unit_minor_units=replaced_unit(candidate, snapshot) if is_up_sell else 0,
        evidence=_evidence(candidate, snapshot),
        replaced_quantity=replaced_quantity(candidate),
        benefits=_benefits(candidate, prices, snapshot),
    )


def changeset_discount(offer: ChosenOffer, incentive_kind: str) -> tuple[str, str] | None:
    """The discount that a signed changeset needs so that the price shown is charged: kind and decimal value.

    Shape: an amount needs an offer of one item of one piece; eligibility refuses others after a purchase.
    Source: post-purchase `add_variant`, `discount.valueType` percentage or fixed_amount; platform notes, section 6.3.
    """
    if incentive_kind in (AMOUNT, FIXED_PRICE):
        return FIXED_AMOUNT, (offer.original_total - offer.total).to_decimal_string()
    if incentive_kind == GIFT:
        return PERCENTAGE, "100"
    if incentive_kind == PERCENTAGE:
        whole, part = divmod(offer.discount_basis_points, 100)
        return PERCENTAGE, f"{whole}.{part:02d}".rstrip("0").rstrip(".")
    return None


def claims_of(candidate: Candidate, prices: Quote, snapshot: Snapshot) -> Claims:
    """The numbers that may be told of the offer, from the prices of this decision.

    A saving is told only where the price charged is known; a promise that others may change saves nobody anything.
    """
    pairs = list(zip(prices.listed, prices.shown, candidate.items, strict=True))
    listed = Money(sum(price * item.quantity for price, _, item in pairs), snapshot.currency)
    charged = Money(sum(price * item.quantity for _, price, item in pairs), snapshot.currency)
    # A saving after what is replaced would compare two different things; a prepaid plan is several deliveries.
    is_comparable = prices.charged is not None and all(item.selling_plan_id is None for _, _, item in pairs)
    terms = candidate.offer.terms
    threshold = terms.incentive.threshold_minor_units
    first = candidate.items[0]
    product = snapshot.products.get(first.product_id)
    days = terms.supply_days or (product.supply_days if product is not None else None)
    return Claims(
        total=charged,
        saving=saving_of(listed, charged) if is_comparable else None,
        saving_rate=saving_rate_of(listed, charged) if is_comparable else None,
        days_of_supply=days_of_supply_of(days, first.quantity) if len(pairs) == 1 else None,
        threshold=Money(threshold, snapshot.currency) if threshold else None,
    )


def _benefits(candidate: Candidate, prices: Quote, snapshot: Snapshot) -> tuple[str, ...]:
    if not candidate.offer.terms.benefits:
        return ()
    claims = claims_of(candidate, prices, snapshot)
    written = (filled(benefit, claims) for benefit in candidate.offer.terms.benefits)
    return tuple(line for line in written if line is not None)


def _variant(item: CandidateItem, snapshot: Snapshot) -> CatalogVariant:
    variant = variant_of(item, snapshot)
    if variant is None:
        raise LookupError("an eligible candidate has a variant")
    return variant


def _item(item: CandidateItem, variant: CatalogVariant, price: int, snapshot: Snapshot) -> OfferItem:
    product = snapshot.products[item.product_id]
    return OfferItem(
        product_id=product.product_id,
        variant_id=variant.variant_id,
        quantity=item.quantity,
        price=Money(price, snapshot.currency),
        title=product.title,
        variant_title="" if variant.title == ONLY_VARIANT else variant.title,
        handle=product.handle,
        image_url=product.image_url,
        list_price=variant.price,
        selling_plan_id=item.selling_plan_id,
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
