"""Did an arm do better: an estimate for each, their difference, and its intervals, all from sums. Pure.

In: the `Moments` of two arms and a `Metric`. Out: a `Comparison`, or what is missing for one. One critical value
serves the test and both intervals, so that they never contradict each other; a sequential rule brings its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shopify_upsell.experiments.fieller import Interval, Quotient, Unbounded, fieller_interval
from shopify_upsell.experiments.moments import Moments
from shopify_upsell.experiments.shortage import FEWEST_UNITS, NotEnoughData

ALPHA = 0.05
"""Chance of a false positive that tests are made for."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared: the mean of a column per unit or, with a `bottom`, Σ top ÷ Σ bottom of all units.

    Shape: columns "y" and "d" of `UnitTotals`.
    """

    top: str = "y"
    bottom: str | None = None


PER_UNIT = Metric("y")
"""Revenue (or margin) per unit: the primary metric."""

PER_DIVISOR = Metric("y", "d")
"""Σy ÷ Σd: value per order, attach rate, revenue per visit. Whole units are randomised, so units carry the error."""

DIVISORS_PER_UNIT = Metric("d")
"""Σd ÷ n: orders per unit, frequency."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One arm's metric.

    Units: `variance` of the estimate itself, not of a unit; `degrees` of freedom of that variance. `shared` is error
    common to all arms (from a pooled adjustment), which cancels in a difference and not in a ratio.
    """

    value: float
    variance: float
    n: int
    degrees: int
    is_ratio: bool = False
    shared: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A treated arm against control.

    Units: `difference` and `absolute` as the metric (minor units per unit, or a rate); `lift` and `relative` as a
    share of control, 0.1 for ten per cent more. `statistic` is the difference in standard errors. `p_value` is that
    of the fixed-horizon test; None when a sequential rule set the critical value, for then the rule tells its own.
    """

    treated: Estimate
    control: Estimate
    difference: float
    standard_error: float
    degrees: float
    critical: float
    p_value: float | None
    absolute: Interval
    lift: float | Unbounded
    relative: Interval | Unbounded

    @property
    def statistic(self) -> float:
        """Give the difference in standard errors."""
        return self.difference / self.standard_error

    @property
    def is_measurable(self) -> bool:
        """Tell whether the arms differ: 0 lies outside the absolute interval and outside the relative one, if any."""
        return abs(self.difference) > self.critical * self.standard_error


def estimate(moments: Moments, metric: Metric = PER_UNIT) -> Estimate | NotEnoughData:
    """Estimate an arm's metric and the variance of that estimate.

    Source: mean, s²/n; ratio R, delta method: (s_y² - 2R·s_yd + R²·s_d²) / (n·d̄²), e.g. Cochran, Sampling
    Techniques, 6.3. Both are computed in integers and rounded once.
    """
    if moments.n < FEWEST_UNITS:
        return NotEnoughData("too_few_units", moments.n, FEWEST_UNITS)
    found = _mean(moments, metric.top) if metric.bottom is None else _ratio(moments, metric.top, metric.bottom)
    if isinstance(found, Estimate) and found.variance <= 0:
        return NotEnoughData("no_variation")
    return found


def _mean(moments: Moments, column: str) -> Estimate:
    n = moments.n
    variance = moments.centred(column, column) / (n * n * (n - 1))
    return Estimate(moments.total(column) / n, variance, n, n - 1)


def _ratio(moments: Moments, top: str, bottom: str) -> Estimate | NotEnoughData:
    n, y, d = moments.n, moments.total(top), moments.total(bottom)
    if d <= 0:
        return NotEnoughData("no_denominator")
    spread = (
        moments.centred(top, top) * d * d
        - 2 * y * d * moments.centred(top, bottom)
        + y * y * moments.centred(bottom, bottom)
    )
    # Units without an order tell nothing of value per order: what counts is orders, or units if these are fewer.
    return Estimate(y / d, spread / ((n - 1) * d**4), n, min(n, d) - 1, is_ratio=True)


def compare(
    treated: Estimate | NotEnoughData,
    control: Estimate | NotEnoughData,
    *,
    alpha: float = ALPHA,
    critical: float | None = None,
) -> Comparison | NotEnoughData:
    """Compare two arms, with p < alpha exactly where the intervals leave 0 out.

    `critical`: the critical value, in standard errors, of a sequential rule; without it, that of Student's t.

    Raises: ValueError when alpha is not between 0 and 1, or critical is not positive.
    Source: degrees of freedom after Welch for means; for ratios the smaller arm's orders less one.
    """
    if not 0 < alpha < 1 or (critical is not None and not critical > 0):
        raise ValueError("alpha lies between 0 and 1, a critical value above 0")
    if isinstance(control, NotEnoughData):
        return control
    if isinstance(treated, NotEnoughData):
        return treated
    degrees = degrees_of_freedom(treated, control)
    if degrees <= 0:
        return NotEnoughData("too_few_units", 1, FEWEST_UNITS)
    return _compared(treated, control, degrees=degrees, alpha=alpha, critical=critical)


def _compared(
    treated: Estimate, control: Estimate, *, degrees: float, alpha: float, critical: float | None
) -> Comparison:
    difference, error = treated.value - control.value, math.sqrt(treated.variance + control.variance)
    c = critical_value(degrees, alpha) if critical is None else critical
    lift, relative = _relative(treated, control, c)
    return Comparison(
        treated=treated,
        control=control,
        difference=difference,
        standard_error=error,
        degrees=degrees,
        critical=c,
        p_value=two_sided_p(difference / error, degrees) if critical is None else None,
        absolute=Interval(difference - c * error, difference + c * error),
        lift=lift,
        relative=relative,
    )


def _relative(treated: Estimate, control: Estimate, critical: float) -> tuple[float | Unbounded, Interval | Unbounded]:
    # What arms share enters both sides of the ratio alike; at a ratio of 1 it drops out, as it does in the test.
    shared = (treated.shared + control.shared) / 2
    quotient = Quotient(
        treated.value, control.value, treated.variance + shared, control.variance + shared, covariance=shared
    )
    found = fieller_interval(quotient, critical)
    if isinstance(found, Unbounded):
        return (treated.value / control.value - 1 if control.value > 0 else found), found
    return treated.value / control.value - 1, found.shifted(-1)


def degrees_of_freedom(treated: Estimate, control: Estimate) -> float:
    """Give the degrees of freedom of the difference.

    Source: Welch, B. L. (1947), Biometrika 34, 28-35; for ratios the smaller arm decides, which is cautious.
    """
    if treated.is_ratio or control.is_ratio:
        return min(treated.degrees, control.degrees)
    top = (treated.variance + control.variance) ** 2
    return top / (treated.variance**2 / treated.degrees + control.variance**2 / control.degrees)


def critical_value(degrees: float, alpha: float = ALPHA) -> float:
    """Give the two-sided critical value of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 1 - alpha / 2))


def two_sided_p(statistic: float, degrees: float) -> float:
    """Give the chance of a statistic this far from 0, either way, where there is no difference."""
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(statistic)))
