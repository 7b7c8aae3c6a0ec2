"""The interval of a ratio of two estimates, which has no end where the divisor may be zero. Pure.

The usual interval, a symmetric one around the ratio, misses on one side: with few orders its lower tail errs 6.5 %
of the time and its upper 0.5 %. Fieller's inverts the test of the same statement and errs alike on both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DIVISOR_NOT_CLEAR_OF_ZERO, DIVISOR_NEGATIVE = "divisor_not_clear_of_zero", "divisor_negative"


@dataclass(frozen=True, slots=True)
class Interval:
    """All values between two ends, which belong to it. Shape: low <= high."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Give the distance of the ends."""
        return self.high - self.low

    def contains(self, value: float) -> bool:
        """Tell whether the value is one the data are compatible with."""
        return self.low <= value <= self.high

    def shifted(self, by: float) -> Interval:
        """Move both ends."""
        return Interval(self.low + by, self.high + by)

    def times(self, factor: float) -> Interval:
        """Scale both ends by a factor of 0 or more."""
        return Interval(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Unbounded:
    """No interval: the data allow every ratio, however large. Show the difference alone.

    Shape: `reason` says whether the divisor may be zero, or is below it.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Quotient:
    """Two estimates to be divided. Units: variances of the estimates themselves, and their covariance."""

    top: float
    bottom: float
    top_variance: float
    bottom_variance: float
    covariance: float = 0.0


def fieller_interval(quotient: Quotient, critical: float) -> Interval | Unbounded:
    """Give all ratios r for which (top - r·bottom)² <= critical²·var(top - r·bottom).

    Units: `critical` is the critical value of a two-sided test, 1.96 for 95 % and many units.
    Source: Fieller, E. C. (1954), Some problems in interval estimation, J. R. Statist. Soc. B 16, 175-185.
    """
    square = critical * critical
    a = quotient.bottom**2 - square * quotient.bottom_variance
    if a <= 0:
        return Unbounded(DIVISOR_NOT_CLEAR_OF_ZERO)
    if quotient.bottom < 0:
        return Unbounded(DIVISOR_NEGATIVE)
    b = quotient.bottom * quotient.top - square * quotient.covariance
    c = quotient.top**2 - square * quotient.top_variance
    # The ratio itself satisfies the inequality, so the root is real; rounding alone can push it below 0.
    root = math.sqrt(max(b * b - a * c, 0.0))
    return Interval((b - root) / a, (b + root) / a)
