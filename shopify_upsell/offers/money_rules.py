"""May this candidate be shown for the money's sake: is its price certain, and does it leave the shop enough.

Pure. Each rule returns a `Rejection` or None. What cannot be predicted is not promised. `FIRST_MONEY_RULES` and
`LAST_MONEY_RULES` read the question and the shop only; `PERSONAL_MONEY_RULES` read who asks and when.
"""

from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate, CandidateItem, Rejection
from shopify_upsell.offers.discounts import OPAQUE, PERCENTAGE, SHIPPING, ActiveDiscount
from shopify_upsell.offers.margin import below_floor, contribution_of
from shopify_upsell.offers.offer import SUBSCRIBE
from shopify_upsell.offers.quoting import Quote, cart_value, plan_of, quote, variant_of
from shopify_upsell.offers.rejecting import reject
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.terms import AMOUNT, FIXED_PRICE, FREE_SHIPPING, GIFT, WHOLE
from shopify_upsell.offers.terms import PERCENTAGE as PERCENTAGE_OFF

CHARGED_AFTER_PURCHASE = (PERCENTAGE_OFF, AMOUNT, FIXED_PRICE)
"""Incentives that the signed changeset of the post-purchase surface carries (`pricing.changeset_discount`)."""


def discount_not_backed(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """No price is shown that the checkout would not honour: something must be there that takes the promise off."""
    incentive = candidate.offer.incentive
    if not incentive.is_promise:
        return None
    first = candidate.items[0]
    if incentive.currency not in ("", snapshot.currency):
        return reject(candidate, "currency_not_supported", first, asked=incentive.currency)
    if _is_backed(candidate, snapshot):
        return None
    if incentive.kind != PERCENTAGE_OFF:
        return reject(candidate, "discount_not_backed", first, incentive=incentive.kind)
    return reject(candidate, "discount_not_backed", first, discount_basis_points=incentive.basis_points)


def discount_unpredictable(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A promised price that the shop's discounts might change in a way nobody can work out is not promised."""
    if not candidate.offer.incentive.is_promise:
        return None
    is_divisible = candidate.offer.incentive.kind != AMOUNT or all(item.quantity == 1 for item in candidate.items)
    if not is_divisible:
        return reject(candidate, "discount_unpredictable", candidate.items[0], reason="spread")
    if candidate.offer.incentive.kind == FREE_SHIPPING:
        return None
    prices = quote(candidate, snapshot)
    if prices is None or prices.charged is not None:
        return None
    named = _named(prices.discount_ids, snapshot)
    return reject(candidate, "discount_unpredictable", candidate.items[0], reason=prices.doubt, **named)


def discount_conflict(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Another discount would come on top of the promise, or instead of it: shown and charged would differ."""
    incentive = candidate.offer.incentive
    prices = quote(candidate, snapshot) if incentive.is_promise and incentive.kind != FREE_SHIPPING else None
    if prices is None or prices.charged is None:
        return None
    for item, promised, charged in zip(candidate.items, prices.promised, prices.charged, strict=True):
        if promised != charged:
            named = _named(prices.discount_ids, snapshot)
            return reject(candidate, "discount_conflict", item, promised=promised, charged=charged, **named)
    return None


def below_margin_floor(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """No offer sells at a loss, or for less than its merchant's floor; an assumed cost counts like a known one."""
    contribution = contribution_of(candidate, snapshot)
    if contribution is None or not below_floor(contribution, candidate.offer):
        return None
    left, assumed = contribution.minor_units, "+".join(contribution.assumed)
    return reject(candidate, "below_margin_floor", candidate.items[0], contribution=left, assumed=assumed)


def no_selling_plan(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A subscription is offered only on a plan of the shop's whose price is known."""
    if candidate.offer.kind != SUBSCRIBE:
        return None
    for item in candidate.items:
        plan = plan_of(item, snapshot)
        if plan is None or plan.percentage_off_basis_points is None:
            return reject(candidate, "no_selling_plan", item)
    return None


def subscription_in_order(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """After a purchase a plan cannot be added to an order that has one, and the input does not say whether it has.

    Source: post-purchase `add_subscription`; platform notes, section 6.5.
    """
    if candidate.offer.kind != SUBSCRIBE or snapshot.request.surface != POST_PURCHASE:
        return None
    return reject(candidate, "subscription_in_order", candidate.items[0])


def cart_value_unknown(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Without the cart's value nothing can be said of a threshold."""
    if not _has_threshold(candidate) or cart_value(snapshot) is not None:
        return None
    return reject(candidate, "cart_value_unknown", candidate.items[0])


def threshold_reached(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A cart that ships for free already needs nothing to get there."""
    incentive = candidate.offer.incentive
    value = cart_value(snapshot) if incentive.kind == FREE_SHIPPING else None
    line = incentive.threshold_minor_units
    if value is None or value < line:
        return None
    return reject(candidate, "threshold_reached", candidate.items[0], cart=value, threshold=line)


def threshold_missed(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """The product has to take the cart to free shipping by itself; a gift is given to a cart that is there already."""
    if not _has_threshold(candidate):
        return None
    prices, value = quote(candidate, snapshot), cart_value(snapshot)
    if prices is None or value is None:
        return None
    line = candidate.offer.incentive.threshold_minor_units
    reached = value + (prices.cart_change if candidate.offer.incentive.kind == FREE_SHIPPING else 0)
    if reached >= line:
        return None
    return reject(candidate, "threshold_missed", candidate.items[0], cart=reached, threshold=line)


def too_few_in_stock(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """An offer of several pieces needs them all; a bundle can be had as often as its scarcest part."""
    for item in candidate.items:
        variant = variant_of(item, snapshot)
        if variant is None or variant.quantity is None or variant.inventory_policy == "continue":
            continue
        wanted = _wanted(item, candidate, snapshot)
        if variant.is_available and 0 < variant.quantity < wanted:
            return reject(candidate, "too_few_in_stock", item, quantity=wanted, stock=variant.quantity)
    return None


def not_due(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What the shopper has will last for a while yet."""
    start = candidate.offered_from
    if start is None or start <= snapshot.now:
        return None
    return reject(candidate, "not_due", candidate.items[0], until=start.isoformat())


def no_longer_due(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Who should have run out long ago has found something else, or stopped."""
    end = candidate.offered_until
    if end is None or snapshot.now < end:
        return None
    return reject(candidate, "no_longer_due", candidate.items[0], since=end.isoformat())


FIRST_MONEY_RULES = (
    no_selling_plan,
    subscription_in_order,
    cart_value_unknown,
    threshold_reached,
    threshold_missed,
    discount_not_backed,
    discount_unpredictable,
    discount_conflict,
    below_margin_floor,
)
PERSONAL_MONEY_RULES = (not_due, no_longer_due)
LAST_MONEY_RULES = (too_few_in_stock,)
MONEY_RULES = (*FIRST_MONEY_RULES, *PERSONAL_MONEY_RULES, *LAST_MONEY_RULES)


def _has_threshold(candidate: Candidate) -> bool:
    incentive = candidate.offer.incentive
    return incentive.kind in (FREE_SHIPPING, GIFT) and incentive.threshold_minor_units > 0


def _wanted(item: CandidateItem, candidate: Candidate, snapshot: Snapshot) -> int:
    """Pieces needed with those of the same variant that stay in the cart."""
    held = sum(line.quantity for line in snapshot.request.cart if line.variant_id == item.variant_id)
    is_paid = snapshot.request.surface == POST_PURCHASE
    is_replaced = candidate.replaces_variant_id == item.variant_id
    return item.quantity + (0 if is_paid or is_replaced else held)


def _named(discount_ids: tuple[str, ...], snapshot: Snapshot) -> dict[str, str]:
    """What the merchant calls the discounts, so that they can be found; nothing where they have no names."""
    titles = [one.title for one in snapshot.discounts if one.discount_id in discount_ids and one.title]
    return {"discount": "; ".join(dict.fromkeys(titles))} if titles else {}


def _is_backed(candidate: Candidate, snapshot: Snapshot) -> bool:
    incentive = candidate.offer.incentive
    if snapshot.request.surface == POST_PURCHASE:
        return _is_signable(candidate) and _lowers(candidate, quote(candidate, snapshot))
    if incentive.kind == FREE_SHIPPING:
        return incentive.is_shop_rate or any(_is_free_from(one, candidate) for one in snapshot.discounts)
    prices = quote(candidate, snapshot)
    if not snapshot.knows_discounts or prices is None:
        return False
    # Nothing at all takes anything off: the promise is not backed. Something else does: that is a conflict.
    return prices.charged is None or prices.charged != prices.listed


def _is_signable(candidate: Candidate) -> bool:
    """An amount off is signed for one piece of one item: whether Shopify takes it off a line or a piece is not told."""
    kind = candidate.offer.incentive.kind
    is_one_piece = len(candidate.items) == 1 and candidate.items[0].quantity == 1
    return kind in CHARGED_AFTER_PURCHASE and (kind == PERCENTAGE_OFF or is_one_piece)


def _lowers(candidate: Candidate, prices: Quote | None) -> bool:
    """A fixed price above the list price cannot be charged by any discount."""
    is_fixed = candidate.offer.incentive.kind == FIXED_PRICE
    return not is_fixed or (prices is not None and prices.promised != prices.listed)


def _is_free_from(one: ActiveDiscount, candidate: Candidate) -> bool:
    incentive = candidate.offer.incentive
    is_free = one.discount_class == SHIPPING and one.value_kind == PERCENTAGE and one.basis_points == WHOLE
    is_open = one.value_kind != OPAQUE and one.code is None and one.minimum_quantity == 0
    return is_free and is_open and one.minimum_minor_units <= incentive.threshold_minor_units
