"""Do offers keep customers or drive them off: waiting and lapsing, arm against arm. Pure.

In: units with the arm they were assigned, their trigger, and their orders since. Out: curves, log-rank test, restricted
means and lapse rates, all by assigned arm. A unit has no field for whether it bought an offer: people who take offers
were going to stay anyway, and comparing them with the rest would show a benefit where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopify_upsell.experiments.estimators import Comparison, Estimate, compare
from shopify_upsell.experiments.shortage import FEWEST_UNITS, NotEnoughData

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

LAPSE_DAYS = 90
"""Days without an order that count as lapsed. Source: measurement specification 6."""

HORIZON_DAYS = 180
"""Days over which restricted means are taken. Source: measurement specification 6."""


@dataclass(frozen=True, slots=True)
class AssignedUnit:
    """A unit by the arm it was assigned, whatever it then saw or did.

    Units: `triggered_day` the day number on which the experience could first differ; `order_days` those of its orders
    after the trigger, in any order, fully refunded ones left out.
    """

    arm: str
    triggered_day: int
    order_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """How long each unit was watched, and whether that ended with the event. Shape: arrays of one length."""

    days: Reals
    has_event: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalCurve:
    """The share still without the event: a step function over the distinct days with one.

    Units: `day` as given; `survival`, `low`, `high` shares, 0 to 1; `standard_error` of survival; `at_risk` units
    watched just before; `event_count` events on that day. `last_day` is the longest anybody was watched.
    """

    day: Reals
    survival: Reals
    standard_error: Reals
    low: Reals
    high: Reals
    at_risk: Integers
    event_count: Integers
    unit_count: int
    last_day: float

    def at(self, day: float) -> float:
        """Read the share still without the event at the end of `day`."""
        place = int(np.searchsorted(self.day, day, side="right"))
        return float(self.survival[place - 1]) if place else 1.0

    def median_day(self) -> float | None:
        """Give the day by which half have had the event; None where that is not reached."""
        reached = np.flatnonzero(self.survival <= 0.5)
        return float(self.day[reached[0]]) if len(reached) else None


@dataclass(frozen=True, slots=True)
class LogRank:
    """Whether two curves differ anywhere. Units: `observed` and `expected` events of the first group."""

    statistic: float
    p_value: float
    observed: int
    expected: float


@dataclass(frozen=True, slots=True, eq=False)
class ArmSurvival:
    """One arm's own figures. Units: `lapse_rate` a share; `restricted_mean_days` days without an order."""

    arm: str
    unit_count: int
    lapse_rate: float | NotEnoughData
    restricted_mean_days: float | NotEnoughData
    repeat: SurvivalCurve


@dataclass(frozen=True, slots=True, eq=False)
class ChurnByArm:
    """Treated against control, by assignment.

    `lapse`: share of units without an order within 90 days of their trigger; below 0 is better. `waiting`: mean days to
    the next order, counted up to day 180; below 0 is better. `log_rank`: of the time to the next order.
    """

    treated: ArmSurvival
    control: ArmSurvival
    lapse: Comparison | NotEnoughData
    waiting: Comparison | NotEnoughData
    log_rank: LogRank | NotEnoughData

    @property
    def has_measurable_effect(self) -> bool:
        """Tell whether lapse differs between the arms, beyond chance: the one question asked beforehand."""
        return isinstance(self.lapse, Comparison) and self.lapse.is_measurable


def waits_of(days: ArrayLike, has_event: ArrayLike) -> Waits:
    """Check waits. Raises: ValueError when lengths differ, or a day is negative or not a number."""
    time, event = np.asarray(days, dtype=np.float64), np.asarray(has_event, dtype=np.bool_)
    if time.ndim != 1 or time.shape != event.shape:
        raise ValueError("days and has_event must be 1-d and of one length")
    if not (time >= 0).all() or np.isinf(time).any():
        raise ValueError("days must be 0 or more")
    return Waits(time, event)


def waits_for_order(units: Sequence[AssignedUnit], *, today: int) -> Waits:
    """Give days from each unit's trigger to its next order, or to `today` when it has not come."""
    firsts = [
        min((day for day in unit.order_days if unit.triggered_day <= day <= today), default=None) for unit in units
    ]
    ends = [today if first is None else first for first in firsts]
    days = [max(0, end - unit.triggered_day) for unit, end in zip(units, ends, strict=True)]
    return waits_of(days, [first is not None for first in firsts])


def waits_for_lapse(units: Sequence[AssignedUnit], *, today: int, lapse_days: int = LAPSE_DAYS) -> Waits:
    """Give days from each unit's trigger to the end of its first `lapse_days` without an order, or to `today`."""
    ends = [_lapse_end(unit, today, lapse_days) for unit in units]
    days = [max(0, min(end, today) - unit.triggered_day) for unit, end in zip(units, ends, strict=True)]
    return waits_of(days, [end <= today for end in ends])


def _lapse_end(unit: AssignedUnit, today: int, lapse_days: int) -> int:
    active_until = unit.triggered_day
    for day in sorted(day for day in unit.order_days if unit.triggered_day <= day <= today):
        if day > active_until + lapse_days:
            break
        active_until = day
    return active_until + lapse_days


def kaplan_meier(waits: Waits, *, confidence: float = 0.95) -> SurvivalCurve:
    """Estimate the share still without the event, day by day; who is no longer watched leaves without a verdict.

    Raises: ValueError for a confidence outside 0 to 1.
    Source: Kaplan and Meier (1958); standard error after Greenwood (1926); interval on the log(-log) scale, Kalbfleisch
    and Prentice (1980). Events come before censoring on the same day.
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError("confidence lies between 0 and 1")
    day, at_risk, events = _risk_table(waits)
    survival = np.cumprod(1 - events / at_risk, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.cumsum(events / (at_risk * (at_risk - events)))
        reach = float(ndtri(0.5 + confidence / 2)) * np.sqrt(spread) / np.abs(np.log(survival))
        is_open = survival > 0
        error = np.where(is_open, survival * np.sqrt(spread), 0.0)
        low = np.where(is_open, survival ** np.exp(reach), 0.0)
        high = np.where(is_open, survival ** np.exp(-reach), 0.0)
    last = float(waits.days.max()) if len(waits.days) else 0.0
    return SurvivalCurve(day, survival, error, low, high, at_risk, events, len(waits.days), last)


def _risk_table(waits: Waits) -> tuple[Reals, Integers, Integers]:
    """Give the distinct days with an event, the units at risk on each, and its events."""
    day, events = np.unique(waits.days[waits.has_event], return_counts=True)
    at_risk = len(waits.days) - np.searchsorted(np.sort(waits.days), day, side="left")
    return day, at_risk.astype(np.int64), events.astype(np.int64)


def log_rank(first: Waits, second: Waits) -> LogRank | NotEnoughData:
    """Test that two groups have the same curve, with all the weight on no day in particular.

    Source: Mantel (1966); variance of the hypergeometric distribution, χ² with one degree of freedom.
    """
    from scipy.special import chdtrc

    both = Waits(np.concatenate([first.days, second.days]), np.concatenate([first.has_event, second.has_event]))
    day, at_risk, events = _risk_table(both)
    mine = len(first.days) - np.searchsorted(np.sort(first.days), day, side="left")
    share = mine / np.maximum(at_risk, 1)
    left = (at_risk - events) / np.maximum(at_risk - 1, 1)
    variance = float((events * share * (1 - share) * left).sum())
    if variance <= 0:
        return NotEnoughData("no_variation")
    observed, expected = int(first.has_event.sum()), float((events * share).sum())
    statistic = (observed - expected) ** 2 / variance
    return LogRank(statistic, float(chdtrc(1, statistic)), observed, expected)


def restricted_mean(curve: SurvivalCurve, *, horizon: float = HORIZON_DAYS) -> Estimate | NotEnoughData:
    """Estimate the mean time without the event, counted up to `horizon`: the area under the curve.

    Units: days; the variance is that of the estimate. Nothing is extrapolated: if nobody was watched up to the horizon
    and some are still without the event, the answer is "too_few_days".
    Source: Irwin (1949); variance after Greenwood, e.g. Klein and Moeschberger (2003), Survival Analysis, 4.5.
    """
    if curve.unit_count < FEWEST_UNITS:
        return NotEnoughData("too_few_units", curve.unit_count, FEWEST_UNITS)
    if curve.last_day < horizon and not (len(curve.survival) and curve.survival[-1] == 0):
        return NotEnoughData("too_few_days", int(curve.last_day), int(np.ceil(horizon)))
    within = curve.day < horizon
    edges = np.concatenate([[0.0], curve.day[within], [float(horizon)]])
    heights = np.concatenate([[1.0], curve.survival[within]])
    areas = np.diff(edges) * heights
    ahead = np.cumsum(areas[::-1])[::-1][1:]
    at_risk, events = curve.at_risk[within].astype(np.float64), curve.event_count[within].astype(np.float64)
    left = np.maximum(at_risk - events, 1.0)
    variance = float((ahead**2 * events / (at_risk * left)).sum())
    if variance <= 0:
        return NotEnoughData("no_variation")
    return Estimate(float(areas.sum()), variance, curve.unit_count, curve.unit_count - 1)


def lapse_estimate(
    units: Sequence[AssignedUnit], *, today: int, lapse_days: int = LAPSE_DAYS
) -> Estimate | NotEnoughData:
    """Estimate the share of units without an order from their trigger to `lapse_days` after it.

    Only units triggered at least `lapse_days` ago are counted, whether they ordered or not: counting the recent ones
    that did order would make every young experiment look good.

    Units: `today` a day number, the last full day of data.
    """
    old = [unit for unit in units if today - unit.triggered_day >= lapse_days]
    if len(old) < FEWEST_UNITS:
        return NotEnoughData("too_few_units", len(old), FEWEST_UNITS)
    lapsed = sum(not any(0 <= day - unit.triggered_day <= lapse_days for day in unit.order_days) for unit in old)
    share = lapsed / len(old)
    if lapsed in (0, len(old)):
        return NotEnoughData("no_variation")
    return Estimate(share, share * (1 - share) / (len(old) - 1), len(old), len(old) - 1)


def churn_by_arm(
    units: Sequence[AssignedUnit], *, treated: str, control: str, today: int, horizon: float = HORIZON_DAYS
) -> ChurnByArm:
    """Compare how two arms lapse and come back. All units count in the arm they were assigned: intention to treat.

    Units: `today` a day number, the last full day of data.
    """
    first, second = ([unit for unit in units if unit.arm == arm] for arm in (treated, control))
    lapses = [lapse_estimate(group, today=today) for group in (first, second)]
    waits = [waits_for_order(group, today=today) for group in (first, second)]
    curves = [kaplan_meier(wait) for wait in waits]
    means = [restricted_mean(curve, horizon=horizon) for curve in curves]
    arms = [
        ArmSurvival(arm, curve.unit_count, _value(lapse), _value(mean), curve)
        for arm, curve, lapse, mean in zip((treated, control), curves, lapses, means, strict=True)
    ]
    return ChurnByArm(arms[0], arms[1], compare(*lapses), compare(*means), log_rank(*waits))


def _value(found: Estimate | NotEnoughData) -> float | NotEnoughData:
    return found.value if isinstance(found, Estimate) else found
