"""Intervals for what has no planned end: they hold at every moment at once, however often somebody looks.

Comes in: how many units have been counted, and when a decision is expected. Goes out: a critical value in standard
errors, wider than a fixed one, and a p value that may be read at any time.
Source: normal-mixture boundary; Robbins 1970, Annals of Mathematical Statistics 41; Howard, Ramdas, McAuliffe and
Sekhon 2021, Annals of Statistics 49; asymptotic use after Waudby-Smith et al. 2024, Annals of Statistics 52.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopify_upsell.core import InvalidInput

Reals = NDArray[np.float64]

EXPECTED_UNITS = 5_000
"""Units, both arms, at which an interval without a plan is narrowest. Source: our choice; tuned for ten times fewer it
is 7 % wider there, for ten times more 27 %."""


def mixture_scale(expected_units: float, alpha: float = 0.05) -> float:
    """Choose the mixture's scale that makes the two-sided interval narrowest at the expected number of units.

    Units: the result is in units counted, the inverse of the mixture's variance (1/rho^2).
    Raises: InvalidInput when a number makes no sense.
    Source: Howard et al. 2021, section 3.5, with the closed approximation n / (-2 ln alpha + ln(1 - 2 ln alpha)).
    """
    if not expected_units > 0:
        raise InvalidInput("the expected number of units must be positive")
    _check_alpha(alpha)
    return expected_units / (-2 * log(alpha) + log(1 - 2 * log(alpha)))


def critical_value(units: ArrayLike, alpha: float = 0.05, *, expected_units: float = EXPECTED_UNITS) -> Reals:
    """Give the two-sided critical value c(n): estimate plus and minus c(n) standard errors holds for all n at once.

    Shape: any shape of `units`, the result alike.
    Units: triggered units, both arms together; the result in standard errors; infinite at 0 units.
    Raises: InvalidInput when a number makes no sense.
    Source: sqrt(2 a ln(sqrt(a)/alpha) / (n rho^2)) with a = n rho^2 + 1; Waudby-Smith et al. 2024, theorem 2.2.
    """
    counted = _counts(units)
    with np.errstate(divide="ignore"):
        return two_sided_bound(counted, alpha, mixture_scale(expected_units, alpha)) / np.sqrt(counted)


def one_sided_critical_value(
    units: ArrayLike, alpha: float = 0.025, *, expected_units: float = EXPECTED_UNITS
) -> Reals:
    """Give the critical value of a bound on one side: estimate minus c(n) standard errors stays below the truth.

    Shape, Units, Raises: as `critical_value`.
    Source: the one-sided normal mixture of Howard et al. 2021, proposition 6, tuned at twice alpha.
    """
    counted = _counts(units)
    with np.errstate(divide="ignore"):
        return one_sided_bound(counted, alpha, mixture_scale(expected_units, 2 * alpha)) / np.sqrt(counted)


def anytime_p(z: ArrayLike, units: ArrayLike, *, alpha: float = 0.05, expected_units: float = EXPECTED_UNITS) -> Reals:
    """Give the p value that agrees with the interval: at most alpha exactly when |z| reaches c(n).

    The smallest value seen so far is valid too, so it never has to rise again.

    Shape: z and units broadcast together.
    Units: z in standard errors; `alpha` is the one that the interval was tuned for; the result 0 to 1.
    Raises: InvalidInput when a number makes no sense.
    Source: the inverse of the mixture martingale; Howard et al. 2021, equation 3.
    """
    counted = _counts(units)
    scale = mixture_scale(expected_units, alpha)
    evidence = two_sided_log_mixture(np.asarray(z, np.float64) * np.sqrt(counted), counted, scale)
    return np.exp(-np.maximum(evidence, 0.0))


def two_sided_bound(variance: ArrayLike, alpha: float, scale: float) -> Reals:
    """Bound a running sum on both sides at once.

    Units: `variance` is the sum's intrinsic variance; the result is in the sum's units; `scale` as `mixture_scale`.
    Source: Howard et al. 2021, proposition 5 with equation 14.
    """
    _check_alpha(alpha)
    total = np.asarray(variance, np.float64) + scale
    return np.asarray(np.sqrt(total * np.log(total / (scale * alpha**2))))


def one_sided_bound(variance: ArrayLike, alpha: float, scale: float) -> Reals:
    """Bound a running sum from above only, by solving the mixture for its level.

    Units: as `two_sided_bound`.
    Source: Howard et al. 2021, proposition 6; the mixture rises with the sum, so halving finds its level.
    """
    _check_alpha(alpha)
    spread = np.asarray(variance, np.float64)
    low = np.zeros(spread.shape)
    high = two_sided_bound(spread, min(alpha, 0.5), scale) * 2 + 10 * np.sqrt(spread + scale)
    for _ in range(80):
        middle = (low + high) / 2
        is_above = one_sided_log_mixture(middle, spread, scale) > -log(alpha)
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    return np.asarray(high)


def two_sided_log_mixture(total: ArrayLike, variance: ArrayLike, scale: float) -> Reals:
    """Weigh the evidence of a running sum against zero mean, either way.

    Units: natural logarithm of a martingale that starts at 1: its mean never exceeds 1 while there is no effect.
    Source: Howard et al. 2021, equation 14.
    """
    spread = np.asarray(variance, np.float64) + scale
    return np.asarray(0.5 * np.log(scale / spread) + np.asarray(total, np.float64) ** 2 / (2 * spread))


def one_sided_log_mixture(total: ArrayLike, variance: ArrayLike, scale: float) -> Reals:
    """Weigh the evidence of a running sum against a mean of zero or less.

    Units: as `two_sided_log_mixture`.
    Source: Howard et al. 2021, proposition 6.
    """
    from scipy.special import log_ndtr

    spread = np.asarray(variance, np.float64) + scale
    level = np.asarray(total, np.float64) / np.sqrt(spread)
    return np.asarray(0.5 * np.log(4 * scale / spread) + level**2 / 2 + log_ndtr(level))


def _counts(units: ArrayLike) -> Reals:
    counted = np.asarray(units, np.float64)
    if not (counted >= 0).all():
        raise InvalidInput("units may not be negative")
    return counted


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidInput("alpha must lie between 0 and 1")
