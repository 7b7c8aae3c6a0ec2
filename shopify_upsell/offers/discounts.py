"""What a cart will cost under all discounts of the shop, or that this cannot be known.

Pure. Comes in: lines at list price and the shop's active discounts. Goes out: the price of every line and of the cart,
or a reason why nobody outside Shopify can tell. What cannot be predicted is not promised: wherever the platform's
behaviour is not documented (halves of a minor unit, an amount spread over lines, a discount computed by an app), the
answer is `Unpredictable`, never a guess.

Source: admin schema 2026-10, `DiscountCombinesWith` (one product discount a line unless tagged, both must allow the
other's class); Shopify help, combining discounts (the best combination applies; product before order discounts; each
order percentage is taken from the same subtotal; at most one shipping discount), read 2026-11-22.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from shopify_upsell.core import ProductId, VariantId

PRODUCT, ORDER, SHIPPING = "product", "order", "shipping"
PERCENTAGE, AMOUNT_EACH, AMOUNT_ONCE, OPAQUE = "percentage", "amount_each", "amount_once", "opaque"

WHOLE = 10_000

MOST_DISCOUNTS = 10
"""Discounts that may meet in one cart before we give up. Source: our choice; a shop has 25 automatic ones at most."""


@dataclass(frozen=True, slots=True)
class ActiveDiscount:
    """One discount of the shop, as far as it can be written down.

    `value_kind` opaque: an app's function, buy X get Y, a customer segment, a usage limit: it may or may not apply.
    `product_ids`, `variant_ids` None: every product. `title`: what the merchant calls it. Units: `minor_units` of the
    shop's currency, off each unit or once an order; `minimum_minor_units` of the entitled lines for a product
    discount, of the cart for others.
    """

    discount_id: str
    discount_class: str
    value_kind: str
    basis_points: int = 0
    minor_units: int = 0
    combines_with: tuple[str, ...] = ()
    code: str | None = None
    product_ids: tuple[ProductId, ...] | None = None
    variant_ids: tuple[VariantId, ...] | None = None
    minimum_minor_units: int = 0
    minimum_quantity: int = 0
    is_for_subscriptions: bool = False
    is_for_one_time: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    title: str = ""

    def __hash__(self) -> int:
        """The id alone: predictions are remembered by their discounts, and a shop may have a hundred."""
        return hash(self.discount_id)

    def is_for(self, line: "PricedLine") -> bool:
        """Tell whether the discount is meant for the way the line is bought."""
        return self.is_for_subscriptions if line.is_subscription else self.is_for_one_time

    def entitles(self, line: "PricedLine") -> bool:
        """Tell whether the discount is meant for what is on the line."""
        is_right_purchase = self.is_for(line)
        is_named = self.product_ids is None and self.variant_ids is None
        is_named |= line.product_id in (self.product_ids or ()) or line.variant_id in (self.variant_ids or ())
        return is_right_purchase and is_named


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line of a cart at list price. Units: minor units for one piece."""

    product_id: ProductId
    variant_id: VariantId
    quantity: int
    unit_minor_units: int
    is_subscription: bool = False

    @property
    def list_total(self) -> int:
        """The line before any discount."""
        return self.quantity * self.unit_minor_units


@dataclass(frozen=True, slots=True)
class Predicted:
    """What Shopify will charge.

    Shape: `line_totals` as the lines given, after product discounts, before order discounts. Units: minor units.
    `applied`: ids of the discounts at work.
    """

    line_totals: tuple[int, ...]
    order_discount: int
    applied: tuple[str, ...]

    @property
    def total(self) -> int:
        """The cart without shipping and tax."""
        return sum(self.line_totals) - self.order_discount


@dataclass(frozen=True, slots=True)
class Unpredictable:
    """Nobody outside Shopify can tell.

    `reason`: opaque, too_many, rounding, spread, minimum, shipping, tie, mixed or code. `because_of`: the discounts
    that stand in the way, where it is some in particular.
    """

    reason: str
    because_of: tuple[str, ...] = field(default=(), compare=False)


Prediction = Predicted | Unpredictable


def active_at(discounts: Iterable[ActiveDiscount], now: datetime) -> tuple[ActiveDiscount, ...]:
    """The discounts that are running, in a settled order. The end is excluded."""
    running = (
        one
        for one in discounts
        if (one.starts_at is None or one.starts_at <= now) and (one.ends_at is None or now < one.ends_at)
    )
    return tuple(sorted(running, key=lambda one: one.discount_id))


def predict(lines: Sequence[PricedLine], discounts: Iterable[ActiveDiscount], codes: Sequence[str] = ()) -> Prediction:
    """Tell what a cart will cost. `codes`: those the shopper has entered; a code never applies by itself.

    Shape: lines of one currency, the shop's.
    """
    offered = [one for one in discounts if one.code is None or codes]
    if codes:
        entered = {code.upper() for code in codes}
        offered = [one for one in offered if one.code is None or one.code.upper() in entered]
        if entered - {one.code.upper() for one in offered if one.code is not None}:
            return Unpredictable("code")
    return _predict(tuple(lines), tuple(offered))


@lru_cache(maxsize=1024)
def _predict(lines: tuple[PricedLine, ...], offered: tuple[ActiveDiscount, ...]) -> Prediction:
    """The same cart is asked about by every rule and every candidate beside it."""
    meeting = [one for one in offered if _reaches(one, lines)]
    if not meeting:
        return Predicted(tuple(line.list_total for line in lines), 0, ())
    opaque = tuple(one.discount_id for one in meeting if one.value_kind == OPAQUE and _matters(one, meeting))
    if opaque:
        return Unpredictable("opaque", opaque)
    mixed = tuple(one.discount_id for one in meeting if _is_mixed(one, lines))
    if mixed:
        return Unpredictable("mixed", mixed)
    meeting = [one for one in meeting if one.value_kind != OPAQUE]
    if len(meeting) > MOST_DISCOUNTS:
        return Unpredictable("too_many")
    return _best(lines, meeting)


def _matters(opaque: ActiveDiscount, meeting: Sequence[ActiveDiscount]) -> bool:
    """Whether shipping is free changes no product's price, unless it keeps another discount from applying."""
    others = (one for one in meeting if one.discount_class != SHIPPING)
    return opaque.discount_class != SHIPPING or not all(combine(opaque, other) for other in others)


def _is_mixed(one: ActiveDiscount, lines: Sequence[PricedLine]) -> bool:
    """What an order discount for one way of buying makes of a cart with both is not documented."""
    return one.discount_class != PRODUCT and not all(one.is_for(line) for line in lines)


def combine(one: ActiveDiscount, other: ActiveDiscount) -> bool:
    """Tell whether two discounts may apply to one cart: each must allow the other's class."""
    if one.discount_class == other.discount_class == SHIPPING:
        return False
    return other.discount_class in one.combines_with and one.discount_class in other.combines_with


def _reaches(one: ActiveDiscount, lines: Sequence[PricedLine]) -> bool:
    """Tell whether the discount has anything to do with this cart; its minimum for a cart is asked later."""
    entitled = [line for line in lines if (one.entitles(line) if one.discount_class == PRODUCT else one.is_for(line))]
    if not entitled or sum(line.quantity for line in entitled) < one.minimum_quantity:
        return False
    return sum(line.list_total for line in entitled) >= one.minimum_minor_units


def _best(lines: Sequence[PricedLine], meeting: Sequence[ActiveDiscount]) -> Prediction:
    """The greatest set of discounts that combine is applied. Two that save alike, differently, cannot be told apart."""
    outcomes: list[tuple[Predicted, frozenset[str]]] = []
    for group in _greatest_groups(frozenset(), frozenset(range(len(meeting))), frozenset(), meeting):
        chosen = [meeting[place] for place in sorted(group)]
        outcome = _applied(lines, chosen)
        if isinstance(outcome, Unpredictable):
            return outcome
        shipping = frozenset(one.discount_id for one in chosen if one.discount_class == SHIPPING)
        outcomes.append((outcome, shipping))
    best, best_shipping = min(outcomes, key=lambda pair: (pair[0].total, pair[0].applied))
    for outcome, shipping in outcomes:
        is_same = (outcome.line_totals, outcome.order_discount) == (best.line_totals, best.order_discount)
        if not is_same and shipping - best_shipping:
            return Unpredictable("shipping")
        if not is_same and outcome.total == best.total:
            return Unpredictable("tie")
    return best


def _greatest_groups(
    group: frozenset[int], open_: frozenset[int], closed: frozenset[int], meeting: Sequence[ActiveDiscount]
) -> Iterator[frozenset[int]]:
    """Sets of discounts that combine pairwise and can take no further one.

    Source: Bron and Kerbosch, Algorithm 457 (1973).
    """
    if not open_ and not closed:
        yield group
    for place in sorted(open_):
        friends = frozenset(
            other for other in range(len(meeting)) if other != place and combine(meeting[place], meeting[other])
        )
        yield from _greatest_groups(group | {place}, open_ & friends, closed & friends, meeting)
        open_, closed = open_ - {place}, closed | {place}


def _applied(lines: Sequence[PricedLine], chosen: Sequence[ActiveDiscount]) -> Prediction:
    """Apply discounts that combine: the best product discount a line, then every order discount on what is left."""
    totals = []
    for line in lines:
        savings = [_line_saving(line, one, lines) for one in chosen if one.discount_class == PRODUCT]
        known = [saving for saving in savings if isinstance(saving, int)]
        unknown = next((saving for saving in savings if isinstance(saving, Unpredictable)), None)
        if unknown is not None:
            return unknown
        totals.append(line.list_total - max(known, default=0))
    order_discount = _order_saving(sum(line.list_total for line in lines), sum(totals), chosen)
    if isinstance(order_discount, Unpredictable):
        return order_discount
    return Predicted(tuple(totals), order_discount, tuple(sorted(one.discount_id for one in chosen)))


def _line_saving(line: PricedLine, one: ActiveDiscount, lines: Sequence[PricedLine]) -> int | Unpredictable:
    if not one.entitles(line):
        return 0
    if one.value_kind == AMOUNT_EACH:
        return line.quantity * min(one.minor_units, line.unit_minor_units)
    if one.value_kind == AMOUNT_ONCE:
        # How Shopify spreads one amount over several lines, to the minor unit, is not documented.
        is_alone = sum(other.list_total > 0 and one.entitles(other) for other in lines) == 1
        return min(one.minor_units, line.list_total) if is_alone or not line.list_total else Unpredictable("spread")
    # Whether a piece or the line is rounded is not documented either: only where both agree is the price known.
    piece, whole = share_of(line.unit_minor_units, one.basis_points), share_of(line.list_total, one.basis_points)
    if piece is None or whole is None or piece * line.quantity != whole:
        return Unpredictable("rounding")
    return whole


def _order_saving(before: int, subtotal: int, chosen: Sequence[ActiveDiscount]) -> int | Unpredictable:
    """Each order discount is taken from the same subtotal. The cart never costs less than nothing."""
    for one in chosen:
        if one.discount_class != PRODUCT and (before < one.minimum_minor_units) != (subtotal < one.minimum_minor_units):
            return Unpredictable("minimum")
    counted = [one for one in chosen if one.discount_class == ORDER]
    shares = [share_of(subtotal, one.basis_points) for one in counted if one.value_kind == PERCENTAGE]
    known = [share for share in shares if share is not None]
    together = share_of(subtotal, sum(one.basis_points for one in counted if one.value_kind == PERCENTAGE))
    if len(known) < len(shares) or (shares and sum(known) != together):
        return Unpredictable("rounding")
    amounts = sum(one.minor_units for one in counted if one.value_kind != PERCENTAGE)
    return min(sum(known) + amounts, subtotal)


def share_of(amount: int, basis_points: int) -> int | None:
    """A share of an amount, to the nearest minor unit; None for exact halves, which platforms round as they like."""
    product = amount * basis_points
    if product % WHOLE * 2 == WHOLE:
        return None
    return (2 * product + WHOLE) // (2 * WHOLE)


def without_dates(discount: ActiveDiscount) -> ActiveDiscount:
    """The discount as a decision keeps it: that it runs was asked before."""
    return replace(discount, starts_at=None, ends_at=None)
