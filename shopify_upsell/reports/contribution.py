"""What is left of revenue: contribution from its parts, and how much of it was caused. Pure.

In: sums of an arm's parts, or of its lines. Out: a profit statement that adds up to the cent, and the difference that
assignment made, part by part. A cost that nobody entered is assumed from the shop's default share, and flagged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from shopify_upsell.core import InvalidInput

COST_PARTS = ("goods", "discount_beyond_lines", "shipping_subsidy", "payment_fees", "returns_cost", "app_fees")
"""What is taken off net revenue, in the order it is told."""


@dataclass(frozen=True, slots=True)
class SoldUnits:
    """Lines of one kind, for their cost. Units: `unit_cost` minor units apiece, None when nobody entered it."""

    kept_quantity: int
    net_minor_units: int
    unit_cost: int | None


@dataclass(frozen=True, slots=True)
class GoodsCost:
    """What goods cost. Units: minor units; `assumed` of `total` come from the default share."""

    total: int
    assumed: int
    assumed_lines: int

    @property
    def is_assumed(self) -> bool:
        """Tell whether any cost was assumed: shown with a badge, and left out of rankings by default."""
        return self.assumed_lines > 0


@dataclass(frozen=True, slots=True)
class MarginParts:
    """Revenue and what it cost to make it. Units: minor units of one currency.

    `net_revenue` has discounts on its own lines and refunds taken off already; `discount_beyond_lines` is what was
    given elsewhere to sell it (on the anchor of a bundle), so that no discount is counted twice. `returns_cost` is
    handling and postage of returns, not their refunds.
    """

    currency: str
    net_revenue: int = 0
    goods: int = 0
    discount_beyond_lines: int = 0
    shipping_subsidy: int = 0
    payment_fees: int = 0
    returns_cost: int = 0
    app_fees: int = 0
    has_assumed_costs: bool = False

    @property
    def contribution(self) -> int:
        """Give net revenue less every cost."""
        costs: int = sum(getattr(self, name) for name in COST_PARTS)
        return self.net_revenue - costs

    def __add__(self, other: MarginParts) -> MarginParts:
        if other.currency != self.currency:
            raise InvalidInput(f"{self.currency} and {other.currency} cannot be combined")
        parts = {name: getattr(self, name) + getattr(other, name) for name in ("net_revenue", *COST_PARTS)}
        return MarginParts(self.currency, **parts, has_assumed_costs=self.has_assumed_costs or other.has_assumed_costs)


def goods_cost(lines: Iterable[SoldUnits], *, default_cost_basis_points: int) -> GoodsCost:
    """Sum what goods cost; where nobody entered a cost, take the default share of net revenue.

    Units: basis points of net revenue, 4000 for 40 %. The assumed part is rounded once, half to even.
    Raises: InvalidInput when the share is not within 0 and 10000.
    """
    if not 0 <= default_cost_basis_points <= 10_000:
        raise InvalidInput("a default cost lies between 0 and 10000 basis points")
    known, revenue, count = 0, 0, 0
    for line in lines:
        if line.unit_cost is None:
            revenue += line.net_minor_units
            count += 1
        else:
            known += line.unit_cost * line.kept_quantity
    assumed = round(Fraction(revenue * default_cost_basis_points, 10_000))
    return GoodsCost(known + assumed, assumed, count)


def incremental_margin(
    treated: MarginParts, control: MarginParts, *, treated_units: int, control_units: int
) -> MarginParts:
    """Give what assignment changed for all treated units together, part by part: T - C · N_T / N_C.

    Each part is rounded once, half to even, and the contribution is made of the rounded parts, so the statement adds up
    to the cent. Costs may come out below 0: the treated arm cost less. Its interval is that of margin per unit in
    `experiments.calibration`.

    Raises: InvalidInput for different currencies, or an arm without units.
    """
    if treated.currency != control.currency:
        raise InvalidInput(f"{treated.currency} and {control.currency} cannot be combined")
    if treated_units < 1 or control_units < 1:
        raise InvalidInput("both arms need units")
    scale = Fraction(treated_units, control_units)
    parts = {
        name: round(getattr(treated, name) - getattr(control, name) * scale) for name in ("net_revenue", *COST_PARTS)
    }
    return MarginParts(
        treated.currency, **parts, has_assumed_costs=treated.has_assumed_costs or control.has_assumed_costs
    )
