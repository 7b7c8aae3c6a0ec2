"""How much of what is claimed was caused: attributed revenue held against the difference that assignment made. Pure.

In: a treated arm whose units carry both net revenue (y) and attributed revenue (d), and the arm without offers. Out:
κ, caused ÷ claimed, with its interval; the revenue caused; and κ pulled to a prior where the interval is too wide to
show alone. Margin goes the same way, with margin as y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shopify_upsell.experiments.estimators import (
    ALPHA,
    DIVISORS_PER_UNIT,
    PER_UNIT,
    Comparison,
    compare,
    critical_value,
    estimate,
)
from shopify_upsell.experiments.fieller import Interval, Quotient, Unbounded, fieller_interval
from shopify_upsell.experiments.moments import Moments
from shopify_upsell.experiments.shortage import NotEnoughData

WIDEST = 1.0
"""Width of κ's interval above which it is pulled to the prior. Source: measurement specification 3.5."""


@dataclass(frozen=True, slots=True)
class Incremental:
    """Money that the treated arm brought beyond what it would have without offers.

    Units: minor units, for all treated units together; the ends are rounded outwards. Shape: low <= amount <= high.
    """

    amount: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Caused against claimed.

    Units: `kappa` caused ÷ claimed, 1 where every attributed cent was caused, 0 where none was; `variance` of kappa by
    the delta method; `claimed_over_caused` its inverse, unbounded where nothing need have been caused at all.
    """

    kappa: float
    interval: Interval | Unbounded
    variance: float
    claimed_over_caused: Interval | Unbounded
    incremental: Incremental
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class KappaPrior:
    """What κ is in shops of this category. Units: mean and standard deviation between shops."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class ShownKappa:
    """κ as the dashboard shows it: the shop's own or, if `is_shrunk`, pulled towards the category's."""

    kappa: float
    interval: Interval
    is_shrunk: bool


def calibrate(treated: Moments, control: Moments, *, alpha: float = ALPHA) -> Calibration | NotEnoughData:
    """Estimate κ = (R_T - R_C) / A_T, where R is net revenue per unit and A attributed revenue per treated unit.

    Revenue and attributed revenue of the treated arm come from the same units; their covariance is part of the error.

    Shape: y is net revenue; d of the treated arm attributed revenue. Control's d is not read.
    Source: Fieller's interval with covariance; degrees of freedom those of the difference, after Welch.
    """
    comparison = compare(estimate(treated, PER_UNIT), estimate(control, PER_UNIT), alpha=alpha)
    if isinstance(comparison, NotEnoughData):
        return comparison
    if treated.total("d") <= 0:
        return NotEnoughData("no_attributed_revenue")
    claimed = estimate(treated, DIVISORS_PER_UNIT)
    if isinstance(claimed, NotEnoughData):
        return claimed
    covariance = treated.centred("y", "d") / (treated.n**2 * (treated.n - 1))
    caused = Quotient(
        comparison.difference, claimed.value, comparison.standard_error**2, claimed.variance, covariance=covariance
    )
    return _calibration(comparison, caused, alpha)


def _calibration(comparison: Comparison, caused: Quotient, alpha: float) -> Calibration:
    critical = critical_value(comparison.degrees, alpha)
    kappa = caused.top / caused.bottom
    spread = caused.top_variance - 2 * kappa * caused.covariance + kappa**2 * caused.bottom_variance
    inverse = Quotient(caused.bottom, caused.top, caused.bottom_variance, caused.top_variance, caused.covariance)
    return Calibration(
        kappa=kappa,
        interval=fieller_interval(caused, critical),
        variance=max(spread, 0.0) / caused.bottom**2,
        claimed_over_caused=fieller_interval(inverse, critical),
        incremental=incremental_of(comparison),
        comparison=comparison,
    )


def incremental_of(comparison: Comparison) -> Incremental:
    """Give the money caused in total: units treated times the difference per unit. Source: I = N_T·(R_T - R_C)."""
    units, absolute = comparison.treated.n, comparison.absolute
    return Incremental(
        round(units * comparison.difference), math.floor(units * absolute.low), math.ceil(units * absolute.high)
    )


def shown_kappa(calibration: Calibration, prior: KappaPrior, *, alpha: float = ALPHA) -> ShownKappa:
    """Pull κ towards the category's where its own interval is wider than 1, by how much each of them is worth.

    Raises: ValueError when the prior's deviation is not positive.
    Source: mean of two normal estimates weighted by their precision.
    """
    from scipy.special import ndtri

    if not prior.deviation > 0:
        raise ValueError("a prior has a deviation above 0")
    interval = calibration.interval
    if isinstance(interval, Interval) and interval.width <= WIDEST:
        return ShownKappa(calibration.kappa, interval, is_shrunk=False)
    own, given = 1 / max(calibration.variance, 1e-300), 1 / prior.deviation**2
    kappa = (own * calibration.kappa + given * prior.mean) / (own + given)
    half = float(ndtri(1 - alpha / 2)) / math.sqrt(own + given)
    return ShownKappa(kappa, Interval(kappa - half, kappa + half), is_shrunk=True)


def incremental_from_attributed(attributed: int, shown: ShownKappa) -> Incremental:
    """Give what of an attributed amount was caused, as κ says. Units: minor units; the ends are rounded outwards.

    Raises: ValueError when the attributed amount is negative.
    """
    if attributed < 0:
        raise ValueError("attributed revenue is 0 or more")
    low, high = shown.interval.low, shown.interval.high
    return Incremental(round(attributed * shown.kappa), math.floor(attributed * low), math.ceil(attributed * high))
