"""What the programme did to customers, arm against arm: revenue, frequency and lifetime value. Pure.

In: one row a customer, with the arm it was assigned. Out: comparisons with intervals, or what is missing for one. Every
customer counts in the arm assigned, over the same number of days, whether it saw or bought anything or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopify_upsell.experiments.cuped import UNBALANCED_HISTORY, Cuped, adjust
from shopify_upsell.experiments.estimators import PER_DIVISOR, PER_UNIT, Comparison, compare, estimate
from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.lifetime import Forecast
from shopify_upsell.experiments.moments import Moments, UnitTotals, of_unit
from shopify_upsell.experiments.shortage import NotEnoughData

PER_DAYS = 30
"""Days that order frequency is told for. Source: measurement specification 6."""


@dataclass(frozen=True, slots=True)
class CustomerOutcome:
    """One customer since its trigger, up to the horizon that all share.

    Units: `net_minor_units` and `past_minor_units` of one currency, the past from the 28 days before the trigger, None
    for a customer without a past; `orders` kept since the trigger; `watched_days` full days since the trigger.
    """

    arm: str
    net_minor_units: int
    orders: int
    watched_days: int
    past_minor_units: int | None = None


@dataclass(frozen=True, slots=True)
class ArpuUplift:
    """Net revenue per customer, treated against control.

    Units: minor units per customer. `plain` is unadjusted; `adjusted` by what customers spent before, equal to `plain`
    where history is missing or tells too little. `status` says which, as in `experiments.cuped`; "unbalanced_history"
    is an alarm, and then both are withheld by `shown`.
    """

    plain: Comparison | NotEnoughData
    adjusted: Comparison | NotEnoughData
    status: str

    @property
    def shown(self) -> Comparison | NotEnoughData | None:
        """Give what a report may show; None while the arms' pasts differ by more than luck."""
        return None if self.status == UNBALANCED_HISTORY else self.adjusted


@dataclass(frozen=True, slots=True)
class Frequency:
    """Orders per customer per 30 days. Units: that; `comparison` is per day, see `difference` for 30."""

    treated: float
    control: float
    difference: float
    interval: Interval
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class LifetimeProgress:
    """What a customer of an arm has brought so far and is expected to bring within the year, beside the target.

    Units: minor units per customer; `share_of_target` 1 for reached, None without a target.
    """

    arm: str
    customers: int
    realised: float
    expected: Interval
    expected_mean: float
    target: int | None

    @property
    def share_of_target(self) -> float | None:
        """Give realised and expected value over the target."""
        return (self.realised + self.expected_mean) / self.target if self.target else None


def arpu_uplift(
    customers: Iterable[CustomerOutcome],
    *,
    treated: str,
    control: str,
    horizon_days: int,
    critical: float | None = None,
) -> ArpuUplift:
    """Compare net revenue per customer between two arms over the same horizon.

    Only customers triggered at least `horizon_days` ago count: the caller's rows hold revenue of the first
    `horizon_days` alone, and a customer watched for less has had less time to spend.

    Units: `critical` in standard errors, for intervals that are looked at more than once; None for one planned look.
    Source: measurement specification 3.3; `experiments.cuped` for the adjustment.
    """
    units = [one for one in customers if one.watched_days >= horizon_days]
    arms = [_moments(units, arm) for arm in (treated, control)]
    plain = compare(*(estimate(arm, PER_UNIT) for arm in arms), critical=critical)
    found = adjust(arms, PER_UNIT)
    if not isinstance(found, Cuped):
        return ArpuUplift(plain, found, "no_history")
    return ArpuUplift(plain, compare(*found.estimates, critical=critical), found.status)


def _moments(customers: Sequence[CustomerOutcome], arm: str) -> Moments:
    total = Moments()
    for one in customers:
        if one.arm == arm:
            total += of_unit(
                UnitTotals(
                    y=one.net_minor_units,
                    x=one.past_minor_units or 0,
                    has_history=one.past_minor_units is not None,
                    is_converter=one.orders > 0,
                )
            )
    return total


def order_frequency(
    customers: Iterable[CustomerOutcome], *, treated: str, control: str, critical: float | None = None
) -> Frequency | NotEnoughData:
    """Compare orders per customer per 30 days: Σ orders ÷ Σ days watched · 30, as a ratio of the randomised unit.

    Units: `critical` as for `arpu_uplift`.
    Source: delta method, `experiments.estimators`.
    """
    units = [one for one in customers if one.watched_days > 0]
    arms = []
    for arm in (treated, control):
        total = Moments()
        for one in units:
            if one.arm == arm:
                total += of_unit(UnitTotals(y=one.orders, d=one.watched_days, is_converter=one.orders > 0))
        arms.append(estimate(total, PER_DIVISOR))
    found = compare(arms[0], arms[1], critical=critical)
    if isinstance(found, NotEnoughData):
        return found
    return Frequency(
        treated=PER_DAYS * found.treated.value,
        control=PER_DAYS * found.control.value,
        difference=PER_DAYS * found.difference,
        interval=found.absolute.times(PER_DAYS),
        comparison=found,
    )


def lifetime_progress(
    arm: str, realised_minor_units: Sequence[int], purchases: Forecast, *, value: float, target: int | None = None
) -> LifetimeProgress | NotEnoughData:
    """Set what an arm's customers brought so far beside what a model expects of them yet, and a merchant's target.

    The model must be fitted on control or on the time before the programme, or it takes the effect for nature.

    Shape: one amount per customer. Units: `value` minor units per purchase to come, times margin if margin is meant;
    `purchases` those of all the arm's customers together.
    """
    count = len(realised_minor_units)
    if not count:
        return NotEnoughData("too_few_units", 0, 1)
    return LifetimeProgress(
        arm=arm,
        customers=count,
        realised=sum(realised_minor_units) / count,
        expected=purchases.interval.times(value / count),
        expected_mean=purchases.mean * value / count,
        target=target,
    )
