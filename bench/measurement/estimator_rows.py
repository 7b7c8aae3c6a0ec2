"""Rows B1 and B4: the relative interval of revenue per unit, and the bias of its difference, in a dozen worlds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.measurement.covering import TAIL, UNEVEN_TAIL, Coverage, Usual, covered
from bench.measurement.outcome import Outcome, is_near, worlds_at
from bench.measurement.worlds import HEAVY_TAIL, Calendar, Generator, Shop, Sums, daily_sums, draw_sums
from shopify_upsell.experiments.estimators import PER_UNIT, Comparison, compare, estimate

ROWS = ("B1", "B4")

LARGEST_BIAS = 0.01
"""Gate of B4: bias of the difference over the mean."""


@dataclass(frozen=True)
class Case:
    """Two arms, or with `calendar` two arms watched to its last day. Shape: `arms` 2, or 3 for a second treated arm."""

    name: str
    control: Shop
    treated: Shop
    control_units: int
    treated_units: int
    calendar: Calendar | None = None
    arms: int = 2
    has_bias_row: bool = False
    tails: tuple[float, float] = TAIL

    @property
    def truth(self) -> tuple[float, float]:
        """Give revenue per unit of control and treated, in closed form."""
        if self.calendar is not None:
            return self.calendar.revenue(self.control), self.calendar.revenue(self.treated)
        return self.control.revenue, self.treated.revenue


def even(name: str, units: int, shop: Shop, treated: Shop, *, has_bias_row: bool = False) -> Case:
    """Describe two arms of the same size."""
    return Case(name, shop, treated, units, units, has_bias_row=has_bias_row)


BUYERS = Shop()
BETTER = BUYERS.with_effect(orders=0.10, value=0.05)
RETURNED = Shop(refund=0.08, pull=0.3)
WATCHED = Calendar(days=28, units_per_day=250, returning=0.35)

CASES = (
    even("1,000 an arm, no effect", 1_000, BUYERS, BUYERS, has_bias_row=True),
    even("5,000 an arm, +15.5 %", 5_000, BUYERS, BETTER, has_bias_row=True),
    even("20,000 an arm, +15.5 %", 20_000, BUYERS, BETTER, has_bias_row=True),
    even("heavy tail, 5,000 an arm, no effect", 5_000, HEAVY_TAIL, HEAVY_TAIL),
    Case("90/10 arms, 2,000 held out, no effect", BUYERS, BUYERS, 2_000, 18_000, tails=UNEVEN_TAIL),
    Case("90/10 arms, 10,000 held out, +15.5 %", BUYERS, BETTER, 10_000, 90_000, tails=UNEVEN_TAIL),
    Case("3 arms of 3,000, both against control, no effect", BUYERS, BUYERS, 3_000, 3_000, arms=3),
    even("refunds 8 to 16 % with the offer, 5,000 an arm", 5_000, RETURNED, RETURNED.with_effect(refund=0.08)),
    Case("weekdays, returning visitors, late refunds, no effect", RETURNED, RETURNED, 0, 0, calendar=WATCHED),
    Case(
        "the same, +15.5 % gross and refunds 8 to 16 %",
        RETURNED,
        RETURNED.with_effect(orders=0.10, value=0.05, refund=0.08),
        0,
        0,
        calendar=WATCHED,
    ),
)


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run every case. Units: `scale` 1 is 4,000 worlds each."""
    for number, case in enumerate(CASES):
        yield from _outcomes(case, np.random.default_rng([seed, number]), scale=scale)


def _outcomes(case: Case, random: Generator, *, scale: float) -> Iterator[Outcome]:
    control_truth, treated_truth = case.truth
    lift = treated_truth / control_truth - 1
    ours, usual = Coverage(lift), Usual(lift)
    differences: list[float] = []
    for comparison in _comparisons(case, random, worlds=worlds_at(scale)):
        ours.count(comparison.relative)
        usual.count(comparison)
        differences.append(comparison.difference)
    yield covered("B1", f"RPV relative CI, {case.name}", ours, scale=scale, peers=str(usual), tails=case.tails)
    if case.has_bias_row:
        found = np.array(differences) / control_truth
        yield _bias(case, found, treated_truth / control_truth - 1, scale=scale)


def _bias(case: Case, found: np.ndarray[tuple[int], np.dtype[np.float64]], truth: float, *, scale: float) -> Outcome:
    error = float(found.std(ddof=1)) / math.sqrt(len(found))
    bias = float(found.mean()) - truth
    passed = is_near(bias, 0.0, LARGEST_BIAS, error=error, scale=scale)
    text = f"{100 * bias:+.2f} (s.e. {100 * error:.2f}) %"
    return Outcome("B4", f"bias of RPV difference / mean, {case.name}", "< 1 %", text, passed)


def _comparisons(case: Case, random: Generator, *, worlds: int) -> Iterator[Comparison]:
    control = _arm(case, case.control, random, worlds, case.control_units)
    last = () if case.calendar is None else (-1,)
    for _ in range(case.arms - 1):
        treated = _arm(case, case.treated, random, worlds, case.treated_units)
        for world in range(worlds):
            found = compare(
                estimate(treated.moments(world, *last), PER_UNIT), estimate(control.moments(world, *last), PER_UNIT)
            )
            if isinstance(found, Comparison):
                yield found


def _arm(case: Case, shop: Shop, random: Generator, worlds: int, units: int) -> Sums:
    if case.calendar is not None:
        return daily_sums(shop, random, worlds=worlds, calendar=case.calendar)
    return draw_sums(shop, random, worlds=worlds, units=units)
