"""What a test could find before it starts, and how long it would take: said up front, so nobody waits for nothing.

Pure. In: how much the metric varies between units and how many units an arm will have. Out: the smallest lift that
the test finds with the power asked for, or the units needed to find a given one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shopify_upsell.experiments.estimators import ALPHA, PER_UNIT, Metric, estimate
from shopify_upsell.experiments.moments import Moments
from shopify_upsell.experiments.sequential import PLANNED_ALPHA
from shopify_upsell.experiments.shortage import NotEnoughData

POWER = 0.80
"""Chance of finding a lift that is there. Source: convention."""

GROUP_SEQUENTIAL_INFLATION = 1.05
"""More units that looking once a day costs. Source: O'Brien-Fleming spending, 28 looks: 5.2 % at 80 % power."""

FIXED_HORIZON = 1.0


@dataclass(frozen=True, slots=True)
class Design:
    """How a test will be judged. `inflation`: units needed over those of a test with one look at its end."""

    alpha: float = ALPHA
    power: float = POWER
    inflation: float = GROUP_SEQUENTIAL_INFLATION

    @property
    def reach(self) -> float:
        """Give by how many standard errors a lift must exceed 0: z for alpha plus z for power.

        Raises: ValueError when alpha or power is not between 0 and 1, or inflation is below 1.
        """
        from scipy.special import ndtri

        if not (0 < self.alpha < 1 and 0 < self.power < 1 and self.inflation >= 1):
            raise ValueError("alpha and power lie between 0 and 1, inflation is at least 1")
        return float(ndtri(1 - self.alpha / 2) + ndtri(self.power))


PLANNED_TEST = Design(alpha=PLANNED_ALPHA)
ONE_LOOK = Design(inflation=FIXED_HORIZON)


def variation(moments: Moments, metric: Metric = PER_UNIT) -> float | NotEnoughData:
    """Give the metric's coefficient of variation between units: standard deviation over mean.

    With history that explains a share ρ² of it, a CUPED test has √(1 - ρ²) of this.
    """
    found = estimate(moments, metric)
    if isinstance(found, NotEnoughData):
        return found
    if found.value <= 0:
        return NotEnoughData("no_denominator")
    return math.sqrt(found.variance * found.n) / found.value


def smallest_lift(
    coefficient: float, *, treated_units: int, control_units: int, design: Design = PLANNED_TEST
) -> float | NotEnoughData:
    """Give the smallest lift over control that the test finds with its power (minimum detectable effect).

    Units: `coefficient` of variation as from `variation`; the result is a share of control, 0.1 for ten per cent.
    Raises: ValueError when the coefficient is not positive.
    Source: (z_{1-α/2} + z_power)·CV·√(1/n_T + 1/n_C), with every arm's units divided by the inflation.
    """
    _check(coefficient)
    fewest = min(treated_units, control_units)
    if fewest < 2:
        return NotEnoughData("too_few_units", max(fewest, 0), 2)
    return design.reach * coefficient * math.sqrt(design.inflation * (1 / treated_units + 1 / control_units))


def units_per_arm(coefficient: float, lift: float, *, design: Design = PLANNED_TEST) -> int:
    """Give the units that each of two equal arms needs to find a lift.

    Units: `lift` as a share of control, above 0.
    Raises: ValueError when coefficient or lift is not positive.
    Source: 2·(z_{1-α/2} + z_power)²·CV²/δ²·inflation.
    """
    _check(coefficient)
    _check(lift)
    return max(2, math.ceil(2 * (design.reach * coefficient / lift) ** 2 * design.inflation))


def days_needed(coefficient: float, lift: float, *, units_per_day: float, arms: int = 2) -> int:
    """Give the full days a planned test with equal arms takes, at the units that enter it each day.

    Raises: ValueError when a number is not positive, or there are fewer than two arms.
    """
    _check(units_per_day)
    if arms < 2:
        raise ValueError("a test has two arms or more")
    return math.ceil(units_per_arm(coefficient, lift) * arms / units_per_day)


def _check(number: float) -> None:
    if not (number > 0 and math.isfinite(number)):
        raise ValueError("a coefficient of variation, a lift and a number of units are above 0")
