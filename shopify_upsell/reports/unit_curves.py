"""Curves of units: how long they waited for an order, and how the arms' difference settled as they came. Pure.

Comes in: units with their trigger, wait and revenue. Goes out: steps with bands. The band of survival holds at each day
taken alone; the band of the difference holds at all of its steps at once, however often somebody looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.experiments.always_valid import EXPECTED_UNITS, critical_value
from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.experiments.shortage import FEWEST_CONVERTERS

MOST_STEPS = 60
"""Steps of a curve that is shown; more would not be seen. Source: our choice."""

LOOKS = 24
"""Points of the difference, evenly by units. Source: our choice."""


@dataclass(frozen=True, slots=True)
class Waited:
    """One unit. Units: `days` from its trigger to its first order, or to the end of watching; minor units, net."""

    arm: str
    first_at: datetime
    days: float
    has_ordered: bool
    net: int


@dataclass(frozen=True, slots=True)
class Step:
    """A value from `x` on, with the ends of its interval. Units: those of the curve."""

    x: float
    value: float
    low: float
    high: float


def survival_steps(units: Sequence[Waited]) -> tuple[Step, ...]:
    """Give the share still without an order, by day. Shape: from day 0, at most MOST_STEPS + 1; none without units.

    Source: Kaplan and Meier; see `experiments.survival`.
    """
    from shopify_upsell.experiments.survival import kaplan_meier, waits_of

    if not units:
        return ()
    curve = kaplan_meier(waits_of([one.days for one in units], [one.has_ordered for one in units]))
    every = max(1, -(-len(curve.day) // MOST_STEPS))
    places = list(range(every - 1, len(curve.day), every))
    steps = [Step(0.0, 1.0, 1.0, 1.0)] if not places or curve.day[places[0]] > 0 else []
    for place in places:
        values = (curve.day[place], curve.survival[place], curve.low[place], curve.high[place])
        steps.append(Step(*(float(value) for value in values)))
    if curve.last_day > steps[-1].x:
        steps.append(Step(curve.last_day, steps[-1].value, steps[-1].low, steps[-1].high))
    return tuple(steps)


def uplift_as_units_came(units: Sequence[Waited]) -> tuple[Step, ...]:
    """Give the difference in net revenue per unit, open less holdout, over the first n units, for growing n.

    Not adjusted for the past. Units: x in units counted; minor units per unit. Shape: empty until both arms have
    `FEWEST_CONVERTERS` units with an order.
    Source: confidence sequence of `experiments.always_valid`; variance of a difference of means.
    """
    ordered = sorted(units, key=lambda one: one.first_at)
    marks = {len(ordered) * look // LOOKS for look in range(1, LOOKS + 1)}
    sums = {arm: [0, 0, 0, 0] for arm in (OPEN, HOLDOUT)}
    steps = []
    for count, one in enumerate(ordered, 1):
        arm = sums[one.arm]
        for place, value in enumerate((1, one.net, one.net**2, int(one.has_ordered))):
            arm[place] += value
        if count in marks and all(each[3] >= FEWEST_CONVERTERS for each in sums.values()):
            steps.append(_difference(count, sums[OPEN], sums[HOLDOUT]))
    return tuple(steps)


def _difference(count: int, treated: Sequence[int], control: Sequence[int]) -> Step:
    difference = treated[1] / treated[0] - control[1] / control[0]
    variance = sum((squares - total**2 / n) / (n - 1) / n for n, total, squares, _ in (treated, control))
    reach = float(critical_value(count, expected_units=EXPECTED_UNITS)) * max(variance, 0.0) ** 0.5
    return Step(float(count), difference, difference - reach, difference + reach)
