"""A test that may be looked at every day: how much each look may spend, and how far apart the arms must be to stop.

Comes in: the plan fixed at launch and what has been counted so far. Goes out: the look, with the critical value that
the look's test and both its intervals use, so that they can never contradict each other.
Source: group-sequential design with Lan-DeMets O'Brien-Fleming spending; Jennison and Turnbull 2000, chapter 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from shopify_upsell.core import ConflictingRequest, InvalidInput
from shopify_upsell.experiments import shortage
from shopify_upsell.experiments.boundaries import critical_values, obrien_fleming_spending, smallest_alpha

PLANNED_ALPHA = 0.045
"""What a test spends unless its plan says otherwise. Source: `bench.measurement`, rows B6 and B8.

The boundary spends alpha to the last bit, so at 0.05 every other batch of simulated tests has more than 5 % of false
alarms. At 0.045 one batch of 2,000 in eight has, and 95 % of the power of one look at 0.05 is kept.
"""

FEWEST_DAYS = timedelta(days=shortage.FEWEST_DAYS)
"""No decision before every day of the week has been seen once. Source: weekly seasonality of shops."""

FEWEST_CONVERTERS = shortage.FEWEST_CONVERTERS
"""No decision before each arm has so many converters: below, the mean of revenue is nowhere near normal."""

LEAST_GROWTH = 0.002
"""New units a look needs, as a share of the planned most."""

WAITS = {
    "over": "The test has ended.",
    "before_seven_days": "The test has not run for seven full days.",
    "too_few_converters": "An arm has fewer than 25 converters.",
    "one_look_a_day": "The test has been looked at today.",
    "too_little_new": "Too few new units since the last look.",
}
"""Why a look has to wait."""


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """What is fixed at launch and never changed after it.

    Units: `n_max` triggered units, both arms of the comparison together; `alpha` two-sided, for all looks together;
    `longest` from the start, after which the next look is the last whatever has been counted.
    Raises: InvalidInput when a number makes no sense.
    """

    n_max: int
    alpha: float = PLANNED_ALPHA
    longest: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        if self.n_max < 2:
            raise InvalidInput("a test needs two units at least")
        if not 0 < self.alpha < 0.5:
            raise InvalidInput("alpha must lie between 0 and one half")
        if self.longest < FEWEST_DAYS:
            raise InvalidInput("a test runs for seven days at least")


@dataclass(frozen=True, slots=True)
class Reading:
    """What has been counted when somebody wants to look. Shape: `converters` has one count an arm."""

    now: datetime
    units: int
    converters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One look that was taken.

    Units: `spent` is the alpha spent up to and with this look; `critical` is in standard errors, two-sided, for the
    test, the absolute interval and the relative interval alike.
    """

    looked_on: date
    units: int
    spent: float
    critical: float
    is_final: bool

    @property
    def nominal_alpha(self) -> float:
        """The two-sided alpha at which a test with this one look would have the same critical value."""
        from scipy.special import ndtr

        return float(2 * ndtr(-self.critical))


@dataclass(frozen=True, slots=True)
class GroupSequentialTest:
    """A plan, its start and the looks taken so far, oldest first."""

    plan: SequentialPlan
    started_at: datetime
    looks: tuple[Look, ...] = ()

    @property
    def is_over(self) -> bool:
        """Tell whether the last look has been taken and all alpha is spent."""
        return bool(self.looks) and self.looks[-1].is_final


def waits(test: GroupSequentialTest, reading: Reading) -> tuple[str, ...]:
    """Name every reason, of `WAITS`, why a look may not be taken now; empty when it may."""
    last = test.looks[-1] if test.looks else None
    new_units = reading.units - (last.units if last else 0)
    is_too_little = new_units < LEAST_GROWTH * test.plan.n_max and not _is_final(test, reading)
    found = {
        "over": test.is_over,
        "before_seven_days": reading.now - test.started_at < FEWEST_DAYS,
        "too_few_converters": min(reading.converters, default=0) < FEWEST_CONVERTERS,
        "one_look_a_day": last is not None and reading.now.date() <= last.looked_on,
        "too_little_new": new_units < 0 or is_too_little,
    }
    return tuple(code for code, is_so in found.items() if is_so)


def take_look(test: GroupSequentialTest, reading: Reading) -> GroupSequentialTest:
    """Spend what this look may spend and find its critical value; the newest look is the last of the result.

    The look that reaches the planned most, or comes after the longest time, spends all the rest at what was counted.

    Raises: ConflictingRequest, with the first reason of `waits`, when no look may be taken.
    """
    reasons = waits(test, reading)
    if reasons:
        raise ConflictingRequest(WAITS[reasons[0]], code=reasons[0])
    units = (*(look.units for look in test.looks), reading.units)
    is_final = _is_final(test, reading)
    spent = _spending(units, test.plan.n_max, test.plan.alpha, is_final=is_final)
    critical = critical_values(_information(units, test.plan.n_max), spent)[-1]
    look = Look(reading.now.date(), reading.units, spent[-1], critical, is_final)
    return replace(test, looks=(*test.looks, look))


def sequential_p(test: GroupSequentialTest, z_values: Sequence[float]) -> float:
    """Give the smallest alpha at which one of the looks taken so far would have stopped the test.

    It may be read at every look, and fed to Holm when several arms are compared with one control.

    Shape: one z a look, the estimate over its standard error.
    Units: probability, 0 to 1; 1.0 before the first look.
    Raises: InvalidInput when there is not one z a look.
    """
    if len(z_values) != len(test.looks):
        raise InvalidInput("every look has one z")
    if not test.looks:
        return 1.0
    units = tuple(look.units for look in test.looks)
    information = _information(units, test.plan.n_max)

    def crosses(alpha: float) -> bool:
        spent = _spending(units, test.plan.n_max, alpha, is_final=test.is_over)
        return any(abs(z) >= c for z, c in zip(z_values, critical_values(information, spent), strict=True))

    return smallest_alpha(crosses)


def planned_critical_values(look_count: int, alpha: float = PLANNED_ALPHA) -> tuple[float, ...]:
    """Give the critical values of a test with evenly spaced looks that ends as planned.

    Raises: InvalidInput when there is no look, or more than 500.
    """
    if not 1 <= look_count <= 500:
        raise InvalidInput("a plan has 1 to 500 looks")
    shares = tuple((place + 1) / look_count for place in range(look_count))
    return critical_values(shares, tuple(obrien_fleming_spending(share, alpha) for share in shares))


def _is_final(test: GroupSequentialTest, reading: Reading) -> bool:
    return reading.units >= test.plan.n_max or reading.now - test.started_at >= test.plan.longest


def _spending(units: tuple[int, ...], n_max: int, alpha: float, *, is_final: bool) -> tuple[float, ...]:
    spent = [obrien_fleming_spending(count / n_max, alpha) for count in units]
    if is_final:
        spent[-1] = alpha
    return tuple(spent)


def _information(units: tuple[int, ...], n_max: int) -> tuple[float, ...]:
    """Turn counts into information.

    A last look that adds next to nothing is taken to add the least step: looks less alike than they are make the
    boundary a little wider than it must be, never narrower.
    """
    *before, last = (float(count) for count in units)
    if before:
        last = max(last, before[-1] + LEAST_GROWTH * n_max)
    return (*before, last)
