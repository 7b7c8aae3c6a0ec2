"""What customers spend when they buy, and what they will be worth: Gamma-Gamma, and lifetime value. Pure.

In: repeat days and mean value per repeat day. Out: a fit, each customer's expected value per purchase, and customer
lifetime value by joining it with a purchase model. A purchase's value varies around the customer's own mean, which
varies between customers and is taken to have nothing to do with how often they buy; `correlation` shows how true it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopify_upsell.experiments.lifetime import PurchaseFit, expected_purchases
from shopify_upsell.experiments.maximum import NotFitted, highest, log_normal_prior
from shopify_upsell.experiments.repeat_days import RepeatDays

Reals = NDArray[np.float64]

PRIOR_MEDIANS = (5.0, 3.0)
"""Prior medians of p and q - 1, both with a deviation of 1 on the log scale: values per purchase that vary by 45 %
around a customer's mean, and means that vary by 70 % between customers. The scale's prior is where these two give the
store's own mean. A choice of ours."""

PRIOR_DEVIATIONS = (1.0, 1.0, 1.0)

MONTH_DAYS = 365 / 12


@dataclass(frozen=True, slots=True)
class SpendFit:
    """A fitted Gamma-Gamma model.

    Units: `p`, `q` plain numbers, q above 1 so that means exist; `scale` (called v, and γ in older papers) in the money
    that came in. `log_likelihood` without the prior. `correlation` of repeats with mean value; near 0 if the model
    holds. `customer_count`: those with a repeat, who alone tell of spending.
    """

    p: float
    q: float
    scale: float
    log_likelihood: float = float("nan")
    customer_count: int = 0
    correlation: float = float("nan")

    @property
    def mean(self) -> float:
        """Give the mean value per purchase of a customer of whom nothing is known. Source: p·v / (q - 1)."""
        return self.p * self.scale / (self.q - 1)


@dataclass(frozen=True, slots=True)
class ValueTerms:
    """What turns purchases into value.

    Units: `margin` share of net revenue kept, 0 to 1; `monthly_discount` per month, 0.01 for 1 %; `days_per_unit` days
    in the histories' unit of time (7 for weeks).
    """

    months: int = 12
    margin: float = 1.0
    monthly_discount: float = 0.01
    days_per_unit: float = 1.0

    def __post_init__(self) -> None:
        if self.months < 1 or not 0 <= self.margin <= 1 or self.monthly_discount < 0 or self.days_per_unit <= 0:
            raise ValueError("months from 1, margin 0 to 1, discount from 0, days per unit above 0")


def fit_spending(repeats: ArrayLike, mean_value: ArrayLike) -> SpendFit | NotFitted:
    """Fit by maximum a posteriori, for stores.

    Shape: 1-d arrays of one length, a customer each; those without a repeat, or with a mean value of 0 or less
    (everything returned), do not take part.
    Source: Fader, Hardie and Lee (2005), RFM and CLV, J. Marketing Research 42, 415-430; as in Fader and Hardie (2013),
    The Gamma-Gamma model of monetary value, brucehardie.com.
    """
    return _fitted(repeats, mean_value, np.array(PRIOR_DEVIATIONS))


def fit_spending_without_prior(repeats: ArrayLike, mean_value: ArrayLike) -> SpendFit | NotFitted:
    """Fit by pure maximum likelihood, to compare with published fits. Small stores may have no maximum."""
    return _fitted(repeats, mean_value, np.full(3, np.inf))


def _fitted(repeats: ArrayLike, mean_value: ArrayLike, deviation: Reals) -> SpendFit | NotFitted:
    x, z = np.asarray(repeats, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    if x.ndim != 1 or x.shape != z.shape:
        raise ValueError("repeats and mean_value must be 1-d and of one length")
    if not len(x):
        return NotFitted("no_customers")
    is_spender = (x > 0) & (z > 0) & np.isfinite(z)
    x, z = x[is_spender], z[is_spender]
    if not len(x):
        return NotFitted("no_repeats")
    # Everything is fitted in units of the store's own mean, so that cents and yen start from the same place.
    unit = float(z.mean())
    centre = np.log([*PRIOR_MEDIANS, PRIOR_MEDIANS[1] / PRIOR_MEDIANS[0]])

    def slope(at: Reals) -> tuple[float, Reals]:
        height, rise = spend_log_likelihood(at, x, z / unit)
        prior_height, prior_rise = log_normal_prior(at, centre, deviation)
        return height + prior_height, rise + prior_rise

    starts = [centre + np.array(nudge) for nudge in ((0, 0, 0), (1, 0, -1), (-1, 1, 1), (2, -1, -2))]
    peak = highest(slope, starts, weight=float(len(x)))
    if isinstance(peak, NotFitted):
        return peak
    p, above_one, scale = (float(value) for value in np.exp(peak.at))
    likelihood = spend_log_likelihood(peak.at, x, z / unit)[0] - len(x) * float(np.log(unit))
    return SpendFit(p, 1 + above_one, scale * unit, likelihood, len(x), _correlation(x, z))


def spend_log_likelihood(logs: Reals, repeats: Reals, mean_value: Reals) -> tuple[float, Reals]:
    """Give the log likelihood at log p, log(q - 1), log v, and its gradient, both summed over customers.

    Shape: `repeats` and `mean_value` 1-d, all above 0.
    Source: eq. 1a of Fader and Hardie (2013).
    """
    from scipy.special import gammaln, psi

    p, above_one, v = np.exp(logs)
    q, x, z = 1 + above_one, repeats, mean_value
    shape, total = p * x, x * z + v
    each = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * logs[2] + shape * np.log(x)
    each += (shape - 1) * np.log(z) - (shape + q) * np.log(total)
    by_p = x * (psi(shape + q) - psi(shape) + np.log(x * z) - np.log(total))
    by_q = psi(shape + q) - psi(q) + logs[2] - np.log(total)
    by_v = q / v - (shape + q) / total
    return float(each.sum()), np.array([p * by_p.sum(), above_one * by_q.sum(), v * by_v.sum()])


def _correlation(x: Reals, z: Reals) -> float:
    if len(x) < 2 or not x.std() or not z.std():
        return float("nan")
    return float(np.corrcoef(x, z)[0, 1])


def expected_value(fit: SpendFit, repeats: ArrayLike, mean_value: ArrayLike) -> Reals:
    """Give the value per purchase to expect of each customer: their own mean pulled towards everybody's.

    Shape: 1-d arrays of one length; so is the result. Customers without a repeat get the mean of all.
    Source: eq. 5 of Fader and Hardie (2013): p·(v + x·z) / (p·x + q - 1).
    """
    x, z = np.asarray(repeats, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    if x.shape != z.shape or x.ndim != 1:
        raise ValueError("repeats and mean_value must be 1-d and of one length")
    spent = np.where(x > 0, x * np.maximum(z, 0.0), 0.0)
    return np.asarray(fit.p * (fit.scale + spent) / (fit.p * x + fit.q - 1))


def customer_lifetime_value(
    purchases: PurchaseFit, histories: RepeatDays, value_per_purchase: ArrayLike, terms: ValueTerms
) -> Reals:
    """Give each customer's discounted margin over the coming months: Σ_t E[ΔX_t] · E[M] · margin / (1 + d)^t.

    Shape: `value_per_purchase` one per customer, as `expected_value` gives it; so is the result, in customers' order.
    Units: money as in `value_per_purchase`, unrounded; month t ends t·365/12 days after the end of the data.
    Raises: ValueError when there are not as many values as customers.
    Source: measurement specification 6; discrete-time form of Fader, Hardie and Lee (2005), RFM and CLV.
    """
    value = np.asarray(value_per_purchase, dtype=np.float64)
    if value.shape != histories.place.shape:
        raise ValueError("there must be one value per customer")
    month = np.arange(1, terms.months + 1)
    by_then = expected_purchases(purchases, histories, month * MONTH_DAYS / terms.days_per_unit)
    added = np.diff(by_then, axis=1, prepend=0.0)
    return np.asarray(added @ (1 + terms.monthly_discount) ** -month.astype(np.float64) * value * terms.margin)
