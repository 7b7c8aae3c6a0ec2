"""What a candidate will cost the shopper, and how sure that is, before it is shown.

Pure. Comes in: a candidate and the snapshot. Goes out: a `Quote` with the price of each item as Shopify will charge
it. Three prices meet here: the list price, what the offer promises, and what the shop's discounts make of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shopify_upsell.core import ProductId, VariantId
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.money import apportion
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem
from shopify_upsell.offers.discounts import PricedLine, Unpredictable, predict
from shopify_upsell.offers.offer import BUNDLE
from shopify_upsell.offers.snapshot import CartLine, CatalogProduct, CatalogVariant, Snapshot
from shopify_upsell.offers.terms import AMOUNT, FIXED_PRICE, GIFT, PERCENTAGE, WHOLE, Incentive


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of one candidate.

    Shape: one amount an item, for one piece. Units: minor units of the shop's currency. `promised` is what the offer
    says; `charged` what Shopify will take, None where `doubt` says why that is not known. `cart_change` is what
    accepting adds to the cart's total, with other lines and what is replaced; without doubt it is exact.
    `discount_ids`: the shop's discounts at work, or those that the doubt comes from.
    """

    listed: tuple[int, ...]
    promised: tuple[int, ...]
    charged: tuple[int, ...] | None
    cart_change: int
    doubt: str = ""
    discount_ids: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """What the card says: what will be charged where that is known, else the promise."""
        return self.promised if self.charged is None else self.charged


def quote(candidate: Candidate, snapshot: Snapshot) -> Quote | None:
    """Tell what the candidate costs; None where an item is not in the catalogue, which other rules refuse."""
    variants = [variant_of(item, snapshot) for item in candidate.items]
    known = [variant for variant in variants if variant is not None]
    if len(known) < len(variants):
        return None
    listed = tuple(variant.price.minor_units for variant in known)
    promised = _promised(candidate, listed, snapshot)
    plain = _worth(promised, candidate.items) - replaced_value(candidate, snapshot)
    if snapshot.request.surface == POST_PURCHASE:
        # The signed changeset names the price; the shop's discounts do not touch lines added after payment.
        return Quote(listed, promised, promised, plain)
    if not snapshot.knows_discounts:
        charged = None if candidate.offer.incentive.is_promise else promised
        return Quote(listed, promised, charged, plain, "unknown_discounts")
    if not snapshot.discounts and not snapshot.request.codes:
        return _undiscounted(candidate, listed, promised, snapshot)
    return _predicted(candidate, listed, promised, snapshot)


def variant_of(item: CandidateItem, snapshot: Snapshot) -> CatalogVariant | None:
    """The variant of an item, if the catalogue has it."""
    product = snapshot.products.get(item.product_id)
    return product.variant(item.variant_id) if product is not None else None


def plan_of(item: CandidateItem, snapshot: Snapshot) -> SellingPlan | None:
    """The selling plan of an item, if it has one that the product offers."""
    product = snapshot.products.get(item.product_id)
    return _plan(product, item.selling_plan_id) if product is not None else None


def replaced_unit(candidate: Candidate, snapshot: Snapshot) -> int:
    """List price of one piece of what leaves the cart, 0 where nothing does."""
    if candidate.replaces_variant_id is None:
        return 0
    product = snapshot.products.get(candidate.anchor_product_id)
    variant = product.variant(candidate.replaces_variant_id) if product is not None else None
    return variant.price.minor_units if variant is not None else 0


def replaced_value(candidate: Candidate, snapshot: Snapshot) -> int:
    """List price of all that leaves the cart for the candidate."""
    return replaced_unit(candidate, snapshot) * replaced_quantity(candidate)


def replaced_quantity(candidate: Candidate) -> int:
    """Pieces that leave the cart: as many as come, where the kind says nothing else."""
    if candidate.replaces_variant_id is None:
        return 0
    return candidate.replaced_quantity or candidate.items[0].quantity


def cart_value(snapshot: Snapshot) -> int | None:
    """The cart as the shop's discounts leave it, without shipping; None where that is not known. Units: minor units."""
    cart = _cart_lines(snapshot)
    if cart is None:
        return None
    predicted = predict(cart, snapshot.discounts, snapshot.request.codes)
    return None if isinstance(predicted, Unpredictable) else predicted.total


def promised_prices(incentive: Incentive, kind: str, listed: Sequence[int], variants: Sequence[int]) -> tuple[int, ...]:
    """What one piece of each item costs by the offer's own word.

    A percentage is taken from each piece, rounding the price half up. An amount, and the fixed price of a bundle, are
    divided over items of one piece by list price so that they add up exactly (Webster). A fixed price elsewhere is
    that of one piece. It never exceeds the list price.

    Shape: `variants` are the items' variant ids, `listed` their prices. Units: minor units of one currency.
    """
    if incentive.kind == PERCENTAGE:
        rate = WHOLE - incentive.basis_points
        return tuple((2 * price * rate + WHOLE) // (2 * WHOLE) for price in listed)
    total = sum(listed)
    if incentive.kind == AMOUNT and total:
        return tuple(apportion(max(0, total - incentive.minor_units), listed))
    if incentive.kind == FIXED_PRICE and kind == BUNDLE and total:
        return tuple(apportion(min(total, incentive.minor_units), listed))
    if incentive.kind == FIXED_PRICE:
        return tuple(min(price, incentive.minor_units) for price in listed)
    if incentive.kind == GIFT:
        paired = zip(listed, variants, strict=True)
        return tuple(0 if variant == incentive.gift_variant_id else price for price, variant in paired)
    return tuple(listed)


def _promised(candidate: Candidate, listed: tuple[int, ...], snapshot: Snapshot) -> tuple[int, ...]:
    plans = [plan_of(item, snapshot) for item in candidate.items]
    if any(plans):
        return tuple(_plan_price(price, plan) if plan else price for price, plan in zip(listed, plans, strict=True))
    variants = [item.variant_id or 0 for item in candidate.items]
    return promised_prices(candidate.offer.incentive, candidate.offer.kind, listed, variants)


def _undiscounted(
    candidate: Candidate, listed: tuple[int, ...], promised: tuple[int, ...], snapshot: Snapshot
) -> Quote:
    has_plan = any(plan_of(item, snapshot) for item in candidate.items)
    charged = promised if has_plan else listed
    change = _worth(charged, candidate.items) - replaced_value(candidate, snapshot)
    return Quote(listed, promised, charged, change)


def _predicted(candidate: Candidate, listed: tuple[int, ...], promised: tuple[int, ...], snapshot: Snapshot) -> Quote:
    plain = _worth(promised, candidate.items) - replaced_value(candidate, snapshot)
    cart = _cart_lines(snapshot)
    if cart is None:
        return Quote(listed, promised, None, plain, "cart_unknown")
    offered = [_line(item, price, snapshot) for item, price in zip(candidate.items, listed, strict=True)]
    kept = tuple(_without_replaced(candidate, cart))
    codes = snapshot.request.codes
    after = predict((*kept, *offered), snapshot.discounts, codes)
    before = predict(cart, snapshot.discounts, codes)
    if isinstance(after, Unpredictable):
        return Quote(listed, promised, None, plain, after.reason, after.because_of)
    if isinstance(before, Unpredictable):
        return Quote(listed, promised, None, plain, before.reason, before.because_of)
    totals = after.line_totals[len(kept) :]
    if any(total % line.quantity for total, line in zip(totals, offered, strict=True)):
        return Quote(listed, promised, None, plain, "rounding")
    charged = tuple(total // line.quantity for total, line in zip(totals, offered, strict=True))
    return Quote(listed, promised, charged, after.total - before.total, discount_ids=after.applied)


def _line(item: CandidateItem, price: int, snapshot: Snapshot) -> PricedLine:
    plan = plan_of(item, snapshot)
    unit = _plan_price(price, plan) if plan is not None else price
    return PricedLine(item.product_id, item.variant_id or VariantId(0), item.quantity, unit, plan is not None)


def _plan_price(price: int, plan: SellingPlan) -> int:
    """Source: a plan's percentage comes off the price of each delivery; prepaid ones are paid for together."""
    share = WHOLE - (plan.percentage_off_basis_points or 0)
    return (2 * price * share + WHOLE) // (2 * WHOLE) * plan.deliveries


def _cart_lines(snapshot: Snapshot) -> tuple[PricedLine, ...] | None:
    """The cart before discounts; None if the price of any line is not known, because a discount may turn on it."""
    lines = [_cart_line(line, snapshot) for line in snapshot.request.cart]
    known = tuple(line for line in lines if line is not None)
    return known if len(known) == len(lines) else None


def _cart_line(line: CartLine, snapshot: Snapshot) -> PricedLine | None:
    product = snapshot.products.get(line.product_id or ProductId(0))
    variant = product.variant(line.variant_id) if product is not None else None
    if product is None or variant is None:
        return None
    price, plan = variant.price.minor_units, _plan(product, line.selling_plan_id)
    if line.selling_plan_id is not None:
        if plan is None or plan.percentage_off_basis_points is None:
            return None
        price = _plan_price(price, plan)
    return PricedLine(product.product_id, line.variant_id, line.quantity, price, plan is not None)


def _plan(product: CatalogProduct, selling_plan_id: int | None) -> SellingPlan | None:
    return next((plan for plan in product.selling_plans if plan.selling_plan_id == selling_plan_id), None)


def _without_replaced(candidate: Candidate, cart: Iterable[PricedLine]) -> Iterable[PricedLine]:
    left = replaced_quantity(candidate)
    for line in cart:
        is_replaced = line.variant_id == candidate.replaces_variant_id and not line.is_subscription
        taken = min(left, line.quantity) if is_replaced else 0
        left -= taken
        if line.quantity > taken:
            yield replace(line, quantity=line.quantity - taken)


def _worth(prices: Sequence[int], items: Sequence[CandidateItem]) -> int:
    return sum(price * item.quantity for price, item in zip(prices, items, strict=True))
