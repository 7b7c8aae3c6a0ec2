"""Do the arms hold the shares of units they were given? If not, something upstream broke, and no result counts.

Comes in: counts of triggered units per arm, again and again. Goes out: an alarm that may be checked as often as one
likes. The share of experiments with sound assignment that ever raise it is below 1 %.
Source: sequential multinomial test with a Dirichlet mixture; Lindon and Malek 2022, NeurIPS 35.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, inf, isclose, log

from shopify_upsell.core import InvalidInput

CONCENTRATION = 1_000.0
"""Weight of the mixture around the planned shares, in units: higher looks for smaller deviations, later."""

ALARM_LOG_BAYES_FACTOR = log(100)
"""Evidence at which the alarm is raised. Source: Ville's inequality; sound assignment gets there once in a hundred."""


@dataclass(frozen=True, slots=True)
class RatioCheck:
    """Counts so far of one experiment, or of one platform in it.

    Shape: `shares` and `counts` have one entry an arm, shares sum to 1. Units: counts of triggered units.
    `peak` is the highest log Bayes factor seen at any check: an alarm does not go away by itself.
    Raises: InvalidInput when shares or counts make no sense.
    """

    shares: tuple[float, ...]
    counts: tuple[int, ...]
    peak: float = 0.0

    def __post_init__(self) -> None:
        _check(self.counts, self.shares)

    @property
    def is_alarmed(self) -> bool:
        """Tell whether the counts were ever so far from the shares that results must be hidden."""
        return self.peak > ALARM_LOG_BAYES_FACTOR


def start_check(shares: Sequence[float]) -> RatioCheck:
    """Begin with no unit counted."""
    return RatioCheck(tuple(shares), (0,) * len(shares))


def add_counts(check: RatioCheck, new: Sequence[int]) -> RatioCheck:
    """Count more units and look once.

    Shape: one count of new units an arm.
    Raises: InvalidInput when a count is negative or an arm is missing.
    """
    if len(new) != len(check.counts) or any(count < 0 for count in new):
        raise InvalidInput("every arm needs its count of new units")
    return see_totals(check, tuple(old + more for old, more in zip(check.counts, new, strict=True)))


def see_totals(check: RatioCheck, counts: Sequence[int]) -> RatioCheck:
    """Look at totals that were counted elsewhere. A merge of two identities may have lowered one."""
    return replace(
        check, counts=tuple(counts), peak=max(check.peak, log_bayes_factor(counts, check.shares, CONCENTRATION))
    )


def alarmed_platforms(checks: Mapping[str, RatioCheck]) -> tuple[str, ...]:
    """Name the platforms, sorted, whose own ratio is off: one broken surface may hide in a sound total."""
    return tuple(sorted(name for name, check in checks.items() if check.is_alarmed))


def log_bayes_factor(counts: Sequence[int], shares: Sequence[float], concentration: float = CONCENTRATION) -> float:
    """Weigh other shares, spread around the planned ones, against the planned ones.

    Shape: one entry an arm. Units: counts of units, natural logarithm; infinite when an arm that gets nobody has units.
    Raises: InvalidInput when shares or counts make no sense.
    Source: ratio of the Dirichlet-multinomial to the multinomial likelihood; Lindon and Malek 2022, equation 6.
    """
    from scipy.special import gammaln

    _check(counts, shares)
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return inf
    parts = [
        float(gammaln(concentration * share + count) - gammaln(concentration * share)) - count * log(share)
        for count, share in zip(counts, shares, strict=True)
        if share
    ]
    return fsum(parts) + float(gammaln(concentration) - gammaln(concentration + sum(counts)))


def chi_square_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Give the familiar p value of one look, for display only: looked at daily it cries wolf.

    Shape: one entry an arm; arms that get nobody do not count. Units: probability; 1.0 while nothing is counted.
    Raises: InvalidInput when shares or counts make no sense.
    Source: Pearson 1900.
    """
    from scipy.special import chdtrc

    _check(counts, shares)
    total = sum(counts)
    used = [(count, share * total) for count, share in zip(counts, shares, strict=True) if share]
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return 0.0
    if not total or len(used) < 2:
        return 1.0
    statistic = fsum((count - expected) ** 2 / expected for count, expected in used)
    return float(chdtrc(len(used) - 1, statistic))


def _check(counts: Sequence[int], shares: Sequence[float]) -> None:
    if len(shares) < 2 or len(shares) != len(counts):
        raise InvalidInput("a ratio needs two arms and one count for each")
    if any(not share >= 0 for share in shares) or not isclose(fsum(shares), 1.0, abs_tol=1e-9):
        raise InvalidInput("the arms' shares must be positive and sum to 1")
    if any(count < 0 for count in counts):
        raise InvalidInput("counts may not be negative")
