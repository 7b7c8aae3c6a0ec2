"""Counting how often an interval holds the truth, and on which side it misses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.measurement.outcome import Outcome, Share
from shopify_upsell.experiments.estimators import Comparison
from shopify_upsell.experiments.fieller import Interval, Unbounded

COVERED, TAIL = (0.935, 0.965), (0.015, 0.035)
"""Gates of rows B1-B3 and B5: of a 95 % interval, and of each side's misses."""

UNEVEN_TAIL = (0.0, 0.05)
"""For few held out against many treated: the small arm's skewness meets nothing to cancel it. Coverage holds; misses
gather where the lift is overstated: 3.3 % with 550 orders held out, by the first term of the t statistic's expansion.
"""


@dataclass
class Coverage:
    """What happened to one kind of interval over all worlds."""

    truth: float
    worlds: int = 0
    too_high: int = 0
    too_low: int = 0
    unbounded: int = 0

    def count(self, interval: Interval | Unbounded) -> None:
        """Count an interval. One without ends holds every truth."""
        self.worlds += 1
        if isinstance(interval, Unbounded):
            self.unbounded += 1
            return
        self.too_high += interval.low > self.truth
        self.too_low += interval.high < self.truth

    @property
    def held(self) -> Share:
        """Give the share of worlds whose interval holds the truth."""
        return Share(self.worlds - self.too_high - self.too_low, self.worlds)

    def is_within(self, *, scale: float, tails: tuple[float, float] = TAIL) -> bool:
        """Hold coverage, and the misses on each side, against the gates."""
        sides = (Share(self.too_high, self.worlds), Share(self.too_low, self.worlds))
        return self.held.is_within(*COVERED, scale=scale) and all(side.is_within(*tails, scale=scale) for side in sides)

    def __str__(self) -> str:
        """Say coverage, then how often all of the interval lay below the truth and how often above it."""
        high, low = Share(self.too_high, self.worlds), Share(self.too_low, self.worlds)
        unbounded = f", unbounded {self.unbounded}" if self.unbounded else ""
        return f"{self.held} ({low}/{high}){unbounded}"


@dataclass
class Usual:
    """The intervals that others give for a relative difference, on the same worlds."""

    truth: float
    symmetric: Coverage = field(init=False)
    logarithmic: Coverage = field(init=False)

    def __post_init__(self) -> None:
        self.symmetric, self.logarithmic = Coverage(self.truth), Coverage(self.truth)

    def count(self, comparison: Comparison) -> None:
        """Count both, with the normal critical value that they use."""
        for coverage, interval in zip((self.symmetric, self.logarithmic), usual_intervals(comparison), strict=True):
            coverage.count(interval)

    def __str__(self) -> str:
        return f"delta {self.symmetric}; log-delta {self.logarithmic}"


def usual_intervals(comparison: Comparison, critical: float = 1.959963984540054) -> Iterator[Interval]:
    """Give the symmetric delta interval of T/C - 1, and that of its logarithm."""
    treated, control = comparison.treated, comparison.control
    ratio = treated.value / control.value
    error = math.sqrt(treated.variance / treated.value**2 + control.variance / control.value**2)
    yield Interval(ratio - 1 - critical * ratio * error, ratio - 1 + critical * ratio * error)
    yield Interval(ratio * math.exp(-critical * error) - 1, ratio * math.exp(critical * error) - 1)


def covered(
    row: str, test: str, coverage: Coverage, *, scale: float, peers: str = "", tails: tuple[float, float] = TAIL
) -> Outcome:
    """Turn counts into a row of the table."""
    gate = f"[93.5, 96.5], tails [{100 * tails[0]:.1f}, {100 * tails[1]:.1f}]"
    return Outcome(row, test, gate, str(coverage), coverage.is_within(scale=scale, tails=tails), peers)
