"""What a candidate leaves the shop: its price less everything that goes with selling it, to the minor unit.

Pure. Comes in: a candidate, its quote and the shop's costs. Goes out: a `Contribution` whose parts add up to it, with
the names of those that were assumed. An assumption counts against the floor, never for a rank.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from shopify_upsell.core import ProductId
from shopify_upsell.offers.candidate import POST_PURCHASE, Candidate
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.quoting import plan_of, quote, replaced_quantity, replaced_value, variant_of
from shopify_upsell.offers.snapshot import CatalogVariant, Snapshot
from shopify_upsell.offers.terms import FREE_SHIPPING, WHOLE


@dataclass(frozen=True, slots=True)
class Contribution:
    """What accepting the candidate once leaves the shop.

    Shape: `parts` add up to `minor_units`; costs are below 0. Keys: list, discount, replaced, tax, cost, payment_fee,
    shipping, refunds, returns, app. `assumed`: the parts that rest on an assumption, in the order of their names.
    """

    minor_units: int
    currency: str
    parts: Mapping[str, int]
    assumed: tuple[str, ...]

    @property
    def net_minor_units(self) -> int:
        """What the shopper pays more for it, without contained tax."""
        return sum(self.parts[name] for name in ("list", "discount", "replaced", "tax"))

    @property
    def may_rank(self) -> bool:
        """Tell whether the goods' cost is known, so that the margin may say what goes first."""
        return self.assumed.count("cost") == 0


_WORKED_OUT: ContextVar[dict[object, Contribution | None] | None] = ContextVar("worked_out", default=None)


@contextmanager
def worked_out_once() -> Iterator[None]:
    """Inside the block, contributions of one snapshot are worked out once for all offers that add the same."""
    token = _WORKED_OUT.set({})
    try:
        yield
    finally:
        _WORKED_OUT.reset(token)


def contribution_of(candidate: Candidate, snapshot: Snapshot) -> Contribution | None:
    """Work out what a candidate leaves; None where an item is not in the catalogue. See `_contribution`."""
    known = _WORKED_OUT.get()
    if known is None:
        return _contribution(candidate, snapshot)
    offer = candidate.offer
    key = (candidate.items, candidate.anchor_product_id, candidate.replaces_variant_id, offer.kind, offer.incentive)
    if key not in known:
        known[key] = _contribution(candidate, snapshot)
    return known[key]


def _contribution(candidate: Candidate, snapshot: Snapshot) -> Contribution | None:
    """Work out what a candidate leaves; None where an item is not in the catalogue.

    An upgrade counts the difference only: price and cost of what it replaces stay out of the sum. A piece expected
    back gives back its margin (refunds), and what was lost of its goods with the work it made (returns).

    Source: contribution margin as in any text on managerial accounting, per product rule R109: net less goods,
    discount, shipping, payment fee, returns and the app's own cost. Each part is rounded half up by itself.
    """
    prices = quote(candidate, snapshot)
    if prices is None:
        return None
    costs, request = snapshot.costs, snapshot.request
    list_value = sum(price * item.quantity for price, item in zip(prices.listed, candidate.items, strict=True))
    replaced = replaced_value(candidate, snapshot)
    paid = prices.cart_change
    tax = _contained(paid, costs.tax_basis_points)
    goods, is_goods_assumed = _goods(candidate, snapshot)
    rate, is_rate_assumed = _refund_rate(candidate, snapshot)
    lost = _share(goods, costs.goods_lost_basis_points) + costs.handling_minor_units
    opens_payment = request.surface == POST_PURCHASE or not request.cart
    parts = {
        "list": list_value,
        "discount": paid - (list_value - replaced),
        "replaced": -replaced,
        "tax": -tax,
        "cost": -goods,
        "payment_fee": -_share(paid, costs.fee_basis_points) - (costs.fee_minor_units if opens_payment else 0),
        "shipping": -_shipping(candidate, costs),
        "refunds": -_share(paid - tax - goods, rate),
        "returns": -_share(lost, rate),
        "app": -_share(paid - tax, costs.app_basis_points),
    }
    guesses = {"cost": is_goods_assumed, "refunds": is_rate_assumed, "discount": prices.charged is None}
    names = (*_assumed_parts(costs), *(name for name, is_guess in guesses.items() if is_guess))
    return Contribution(sum(parts.values()), snapshot.currency, parts, tuple(sorted(names)))


def below_floor(contribution: Contribution, offer: Offer) -> bool:
    """Tell whether the offer would leave less than its merchant's floor; without one, less than nothing."""
    floor = offer.terms.floor
    if contribution.minor_units < floor.minor_units:
        return True
    is_short = contribution.minor_units * WHOLE < contribution.net_minor_units * floor.basis_points
    return floor.basis_points > 0 and is_short


def ranking_margin(contribution: Contribution | None) -> int | None:
    """The margin that ranking may use; None where it rests on an assumed cost, which counts as no better or worse."""
    return contribution.minor_units if contribution is not None and contribution.may_rank else None


def unit_cost(variant: CatalogVariant, costs: Costs) -> tuple[int, bool]:
    """What one piece costs the shop, and whether that is assumed. Units: minor units."""
    if variant.unit_cost_minor_units is not None:
        return variant.unit_cost_minor_units, False
    return _share(variant.price.minor_units, costs.goods_basis_points), "goods_basis_points" not in costs.known


def _goods(candidate: Candidate, snapshot: Snapshot) -> tuple[int, bool]:
    total, is_assumed = 0, False
    for variant, quantity in _pieces(candidate, snapshot):
        cost, is_guess = unit_cost(variant, snapshot.costs)
        total, is_assumed = total + cost * quantity, is_assumed or is_guess
    return total, is_assumed


def _pieces(candidate: Candidate, snapshot: Snapshot) -> Iterator[tuple[CatalogVariant, int]]:
    """What leaves the shelf, and, below 0, what stays there because it is replaced."""
    for item in candidate.items:
        variant, plan = variant_of(item, snapshot), plan_of(item, snapshot)
        if variant is not None:
            yield variant, item.quantity * (plan.deliveries if plan is not None else 1)
    anchor = snapshot.products.get(candidate.anchor_product_id)
    replaced = anchor.variant(candidate.replaces_variant_id) if anchor is not None else None
    if replaced is not None:
        yield replaced, -replaced_quantity(candidate)


def _refund_rate(candidate: Candidate, snapshot: Snapshot) -> tuple[int, bool]:
    """The highest rate among the items, in basis points: one bad part brings the whole back."""
    told = [_told_refund_rate(item.product_id, snapshot) for item in candidate.items]
    known = [rate for rate in told if rate is not None]
    is_assumed = len(known) < len(told)
    rates = [round(rate * WHOLE) for rate in known]
    if is_assumed:
        rates.append(snapshot.costs.refund_basis_points)
    return max(rates, default=0), is_assumed and "refund_basis_points" not in snapshot.costs.known


def _told_refund_rate(product_id: ProductId, snapshot: Snapshot) -> float | None:
    """The catalogue's own word, else what the ledger counted; None where nothing was sold yet."""
    product, health = snapshot.products.get(product_id), snapshot.health.get(product_id)
    if product is not None and product.refund_rate is not None:
        return product.refund_rate
    return health.refund_rate if health is not None and health.sold else None


def _shipping(candidate: Candidate, costs: Costs) -> int:
    pieces = sum(item.quantity for item in candidate.items) - replaced_quantity(candidate)
    given_away = costs.free_shipping_minor_units if candidate.offer.incentive.kind == FREE_SHIPPING else 0
    return given_away + costs.extra_shipping_minor_units * max(0, pieces)


@lru_cache(maxsize=256)
def _assumed_parts(costs: Costs) -> tuple[str, ...]:
    fields = {
        "payment_fee": ("fee_basis_points", "fee_minor_units"),
        "shipping": ("extra_shipping_minor_units", "free_shipping_minor_units"),
        "returns": ("goods_lost_basis_points", "handling_minor_units"),
        "tax": ("tax_basis_points",),
    }
    return tuple(part for part, names in fields.items() if not set(names) <= set(costs.known))


def _contained(amount: int, basis_points: int) -> int:
    """Tax contained in an amount, rounded half up."""
    whole = WHOLE + basis_points
    return (2 * amount * basis_points + whole) // (2 * whole)


def _share(amount: int, basis_points: int) -> int:
    """A share of an amount, rounded half up."""
    return (2 * amount * basis_points + WHOLE) // (2 * WHOLE)
