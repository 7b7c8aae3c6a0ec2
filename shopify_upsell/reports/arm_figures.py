"""What offers did to customers, arm against arm: spending, frequency, survival, products, lifetime value.

Comes in: a quarter's units as they were assigned, and what known customers kept. Goes out: figures with intervals that
hold at every look, or what is missing for one. Everybody counts in the arm that chance gave them, bought or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shopify_upsell.core import CustomerId
from shopify_upsell.experiments.always_valid import EXPECTED_UNITS, critical_value
from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.reports.customer_figures import additional_json
from shopify_upsell.reports.figures import AdditionalPurchases, Breadth, additional_purchases, breadth_of_products
from shopify_upsell.reports.figures_by_arm import (
    PER_DAYS,
    CustomerOutcome,
    arpu_uplift,
    order_frequency,
)
from shopify_upsell.reports.incremental import Effect, Missing, missing_of, plain, shown_effect
from shopify_upsell.reports.kept import KeptHistory, PlacedOrder
from shopify_upsell.reports.lifetime_by_arm import Lifetime
from shopify_upsell.reports.outcome_store import UnitRecord
from shopify_upsell.reports.unit_curves import Step, Waited, survival_steps, uplift_as_units_came

HORIZON = timedelta(days=30)
"""How long every customer is watched for revenue per customer: the same for all. Source: our choice; a quarter's first
two months then count."""

ONE_LOOK = 1.96
"""Critical value of a test looked at once, drawn beside the one that holds at every look."""


@dataclass(frozen=True, slots=True)
class ArmProducts:
    """What one arm's known customers added since their trigger."""

    arm: str
    customers: int
    breadth: Breadth
    additional: AdditionalPurchases

    def to_json(self) -> dict[str, Any]:
        """Plain values with their rates."""
        return {
            "arm": self.arm,
            "customers": self.customers,
            "products_per_buyer": self.breadth.mean,
            "additional_purchases": additional_json(self.additional),
        }


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One quarter by arm.

    Units: `arpu` minor units per customer known at the trigger, over their first 30 days; `frequency` orders per
    shopper per 30 days; `survival` the share still without an order, by day since the trigger; `sequence` the
    difference in net revenue per shopper as they came.
    """

    arpu: Effect
    frequency: Effect
    survival: Mapping[str, tuple[Step, ...]]
    sequence: tuple[Step, ...]
    products: tuple[ArmProducts, ...]
    lifetime: tuple[Lifetime, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = {
            name: plain(getattr(self, name)) for name in ("arpu", "frequency", "survival", "sequence", "lifetime")
        }
        return found | {"products": [one.to_json() for one in self.products]}


def arm_figures(
    records: Sequence[UnitRecord], history: KeptHistory, lifetime: tuple[Lifetime, ...], *, until: datetime
) -> ArmFigures:
    """Count everything by arm. Units: watched until `until`, the end of the quarter or now."""
    waited = [_waited(one, until) for one in records if one.arm in (OPEN, HOLDOUT)]
    return ArmFigures(
        arpu=_arpu(records, history, until),
        frequency=_frequency(records, until),
        survival={arm: survival_steps([one for one in waited if one.arm == arm]) for arm in (OPEN, HOLDOUT)},
        sequence=uplift_as_units_came(waited),
        products=tuple(_products(arm, records, history, until) for arm in (OPEN, HOLDOUT)),
        lifetime=lifetime,
    )


def known_members(records: Iterable[UnitRecord], history: KeptHistory) -> dict[str, dict[CustomerId, datetime]]:
    """By arm, the customers known as such at their trigger who are in the sample, and since when they count."""
    found: dict[str, dict[CustomerId, datetime]] = {OPEN: {}, HOLDOUT: {}}
    for one in records:
        if one.customer_id is not None and one.arm in found and history.holds(one.customer_id):
            found[one.arm][one.customer_id] = one.counts_from
    return found


def _waited(record: UnitRecord, until: datetime) -> Waited:
    day = timedelta(days=1)
    ordered = record.totals.first_ordered_at
    end = ordered if ordered is not None else until
    return Waited(
        record.arm, record.first_at, max(0.0, (end - record.counts_from) / day), ordered is not None, record.totals.net
    )


def _arpu(records: Sequence[UnitRecord], history: KeptHistory, until: datetime) -> Effect:
    by_customer: dict[int, list[PlacedOrder]] = {}
    for order in history.orders:
        by_customer.setdefault(order.customer_id, []).append(order)
    outcomes = []
    for one in records:
        if one.customer_id is None or not history.holds(one.customer_id):
            continue
        placed = by_customer.get(one.customer_id, ())
        within = [order for order in placed if one.counts_from <= order.ordered_at < one.counts_from + HORIZON]
        net = sum(order.net_minor_units for order in within)
        watched = (until - one.counts_from) // timedelta(days=1)
        outcomes.append(CustomerOutcome(one.arm, net, len(within), watched, one.totals.prior_net))
    critical, sizes = _critical(outcomes, HORIZON.days)
    empty = Effect("net_revenue_per_customer_30_days", *sizes)
    if critical is None:
        return shown_effect(empty, NotEnoughData("too_few_units", min(sizes), 2))
    found = arpu_uplift(outcomes, treated=OPEN, control=HOLDOUT, horizon_days=HORIZON.days, critical=critical)
    if found.shown is None:
        return Effect(empty.metric, *sizes, adjustment=found.status, missing=Missing(found.status, 0, 1))
    return shown_effect(Effect(empty.metric, *sizes, adjustment=found.status), found.shown)


def _frequency(records: Sequence[UnitRecord], until: datetime) -> Effect:
    day = timedelta(days=1)
    outcomes = [
        CustomerOutcome(one.arm, one.totals.net, one.totals.orders, (until - one.counts_from) // day) for one in records
    ]
    critical, sizes = _critical(outcomes, 1)
    empty = Effect("orders_per_shopper_30_days", *sizes)
    found = order_frequency(outcomes, treated=OPEN, control=HOLDOUT, critical=critical)
    if isinstance(found, NotEnoughData):
        return Effect(empty.metric, *sizes, missing=missing_of(found))
    relative = found.comparison.relative
    return Effect(
        empty.metric,
        *sizes,
        treated=found.treated,
        control=found.control,
        difference=found.difference,
        low=found.interval.low,
        high=found.interval.high,
        lift=found.difference / found.control if found.control else None,
        lift_low=relative.low if isinstance(relative, Interval) else None,
        lift_high=relative.high if isinstance(relative, Interval) else None,
        critical=found.comparison.critical,
        standard_error=PER_DAYS * found.comparison.standard_error,
    )


def _critical(outcomes: Sequence[CustomerOutcome], least_days: int) -> tuple[float | None, tuple[int, int]]:
    """The critical value that holds at every look for the units that count, and how many those are by arm."""
    mature = [one.arm for one in outcomes if one.watched_days >= least_days]
    sizes = (mature.count(OPEN), mature.count(HOLDOUT))
    units = sum(sizes)
    return (float(critical_value(units, expected_units=EXPECTED_UNITS)) if units else None), sizes


def _products(arm: str, records: Iterable[UnitRecord], history: KeptHistory, until: datetime) -> ArmProducts:
    members = known_members(records, history)[arm]
    placed = {
        order.order_id
        for order in history.orders
        if (since := members.get(CustomerId(order.customer_id))) is not None and since <= order.ordered_at < until
    }
    lines = [line for line in history.lines if line.order_id in placed]
    return ArmProducts(arm, len(members), breadth_of_products(lines), additional_purchases(lines))
