"""What a unit of an experiment amounts to, and which of it each measure reads. Pure.

Comes in: a unit's totals since its trigger, and from the 28 days before. Goes out: for each measure the pair of columns
that statistics need. A new measure is one entry in `MEASURES`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from shopify_upsell.experiments.moments import NO_UNITS, Moments, UnitTotals, of_units

PRIOR_PERIOD = timedelta(days=28)
"""How much of a customer's past is compared. Source: measurement specification 3.3."""

REVENUE, MARGIN, CLAIMED, CLAIMED_MARGIN = "revenue", "margin", "claimed", "claimed_margin"
ATTACH, REFUNDS, WITHOUT_OFFER, DISMISSALS, REPEAT = "attach", "refunds", "without_offer", "dismissals", "repeat"


@dataclass(frozen=True, slots=True)
class Totals:
    """What one unit amounts to in one experiment.

    Units: minor units of the shop's currency. `net` after discounts, taxes and refunds; `margin` what of it is left;
    `attributed` direct credits; `offer_orders` orders with a credit; `prior_` the 28 days before the trigger, for
    units known as customers at the trigger.
    """

    net: int = 0
    margin: int = 0
    attributed: int = 0
    refunded: int = 0
    orders: int = 0
    offer_orders: int = 0
    refunded_orders: int = 0
    dismissals: int = 0
    prior_net: int = 0
    prior_margin: int = 0
    prior_orders: int = 0
    has_history: bool = False
    first_ordered_at: datetime | None = None


NOTHING = Totals()


def _columns(y: Callable[[Totals], int], d: Callable[[Totals], int], past: str = "") -> Callable[[Totals], UnitTotals]:
    """Read a measure's outcome and divisor, and their past where it has one: prior_net or prior_margin."""

    def read(totals: Totals) -> UnitTotals:
        x, w = (getattr(totals, past), totals.prior_orders) if past and totals.has_history else (0, 0)
        return UnitTotals(
            y=y(totals), d=d(totals), x=x, w=w, has_history=totals.has_history, is_converter=totals.orders > 0
        )

    return read


MEASURES: Mapping[str, Callable[[Totals], UnitTotals]] = MappingProxyType(
    {
        REVENUE: _columns(lambda it: it.net, lambda it: it.orders, "prior_net"),
        MARGIN: _columns(lambda it: it.margin, lambda it: it.orders, "prior_margin"),
        CLAIMED: _columns(lambda it: it.net, lambda it: it.attributed),
        CLAIMED_MARGIN: _columns(lambda it: it.margin, lambda it: it.attributed),
        ATTACH: _columns(lambda it: it.offer_orders, lambda it: it.orders),
        REFUNDS: _columns(lambda it: it.refunded_orders, lambda it: it.orders),
        WITHOUT_OFFER: _columns(lambda it: it.net - it.attributed, lambda it: it.orders),
        DISMISSALS: _columns(lambda it: int(it.dismissals > 0), lambda it: 1),
        REPEAT: _columns(lambda it: int(it.orders > 1), lambda it: int(it.orders > 0)),
    }
)

ByMeasure = Mapping[str, Moments]


def moments_of(units: Iterable[Totals]) -> dict[str, Moments]:
    """The moments of some units, by measure."""
    listed = list(units)
    return {name: of_units(map(read, listed)) for name, read in MEASURES.items()}


def added(first: ByMeasure, second: ByMeasure) -> dict[str, Moments]:
    """Merge two disjoint sets of units. A measure that one lacks counts as empty."""
    return {name: first.get(name, NO_UNITS) + second.get(name, NO_UNITS) for name in MEASURES}


def taken(first: ByMeasure, second: ByMeasure) -> dict[str, Moments]:
    """Take a set of units out again."""
    return {name: first.get(name, NO_UNITS) - second.get(name, NO_UNITS) for name in MEASURES}
