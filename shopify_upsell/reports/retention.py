"""Do people come back more: lapse and waiting time until the next order, by the arm that chance assigned. Pure.

Comes in: units with their trigger and the first order after it. Goes out: for each horizon the share that did not
order, compared between arms, and the curve of those who did. Buyers are never held against non-buyers: whoever takes an
offer would have come back more often without it, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.experiments.always_valid import EXPECTED_UNITS, critical_value
from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.experiments.moments import NO_UNITS, Moments, UnitTotals, of_units
from shopify_upsell.reports.incremental import Effect, effect

HORIZON_DAYS = (30, 60, 90)
"""Days without an order after which somebody has lapsed. Source: 90 days, measurement specification 6; the shorter
ones because a quarter's first units alone can be watched for ninety."""

CURVE_DAYS = (7, 14, 30, 60, 90)


@dataclass(frozen=True, slots=True)
class Watched:
    """One unit since its trigger. `first_ordered_at` None: has not ordered as far as it was watched."""

    arm: str
    since: datetime
    first_ordered_at: datetime | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The share of an arm that has ordered by a day. Units: shares, 0 to 1, with 95 % at this one day."""

    day: int
    ordered: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Retention:
    """Lapse by horizon, and the curves by arm. Units: `lapse` differences below 0 mean that fewer lapsed."""

    lapse: tuple[Effect, ...]
    curves: Mapping[str, tuple[CurvePoint, ...]]


def retention(units: Iterable[Watched], *, until: datetime) -> Retention:
    """Compare open with holdout. Units: watched until `until`, the end of the quarter or now."""
    watched = list(units)
    by_arm = {arm: [one for one in watched if one.arm == arm] for arm in (HOLDOUT, OPEN)}
    lapse = tuple(_lapse(by_arm, days, until) for days in HORIZON_DAYS)
    return Retention(lapse, {arm: _curve(found, until) for arm, found in by_arm.items() if found})


def _lapse(by_arm: Mapping[str, Sequence[Watched]], days: int, until: datetime) -> Effect:
    """Compare those whose horizon is over, in both arms alike."""
    treated, control = (_lapsed(by_arm[arm], timedelta(days=days), until) for arm in (OPEN, HOLDOUT))
    units = treated.n + control.n
    critical = float(critical_value(units, expected_units=EXPECTED_UNITS)) if units else None
    return effect(f"lapsed_{days}_days", treated, control, critical=critical)


def _lapsed(units: Sequence[Watched], horizon: timedelta, until: datetime) -> Moments:
    mature = [one for one in units if one.since + horizon <= until]
    if not mature:
        return NO_UNITS
    return of_units(UnitTotals(y=int(_has_lapsed(one, horizon))) for one in mature)


def _has_lapsed(unit: Watched, horizon: timedelta) -> bool:
    return unit.first_ordered_at is None or unit.first_ordered_at >= unit.since + horizon


def _curve(units: Sequence[Watched], until: datetime) -> tuple[CurvePoint, ...]:
    """Cumulative share that ordered, by day; units still waiting at the end count as waiting, not as lost."""
    from shopify_upsell.matrix.survival import BOUGHT, CENSORED, cumulative_incidence

    day = timedelta(days=1)
    ends = [one.first_ordered_at if one.first_ordered_at is not None else until for one in units]
    days = [max(0.0, (end - one.since) / day) for one, end in zip(units, ends, strict=True)]
    curve = cumulative_incidence(days, [CENSORED if one.first_ordered_at is None else BOUGHT for one in units])
    longest = max(days)
    points = []
    for at in CURVE_DAYS:
        place = int((curve.day <= at).sum()) - 1
        if place >= 0 and at <= longest:
            low, high = float(curve.low[place]), float(curve.high[place])
            points.append(CurvePoint(at, float(curve.incidence[place]), low, high))
    return tuple(points)
