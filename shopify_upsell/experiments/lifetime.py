"""How often customers will buy again, and whether they still would: the BG/NBD model. Pure.

In: histories of repeat days. Out: a fit, and from it expected purchases, the chance that a customer is still active,
and a forecast with an interval. Fit on control, on the holdout, or on the time before a programme began: a model
trained on treated customers takes the effect for nature. While active, a customer buys at a rate λ of their own,
λ ~ Gamma(r, α); after each purchase they leave for good with a chance p of their own, p ~ Beta(a, b).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.maximum import NotFitted, highest, log_normal_prior
from shopify_upsell.experiments.repeat_days import RepeatDays, repeat_days

Reals = NDArray[np.float64]

NODES = 48
"""Points of the quadrature over p. Twice as many change nothing before the 11th digit, up to 1,500 repeats."""


@dataclass(frozen=True, slots=True)
class PurchasePrior:
    """Log-normal priors. Units: medians of r, α (time), a, b; deviations on the log scale."""

    medians: tuple[float, float, float, float]
    deviations: tuple[float, float, float, float] = (1.0, 1.0, 0.8, 0.8)


@dataclass(frozen=True, slots=True)
class PurchaseFit:
    """A fitted BG/NBD model.

    Units: `r`, `a`, `b` plain numbers; `alpha` in the histories' time. `log_likelihood` without the prior.
    Shape: `covariance` of (log r, log α, log a, log b), row by row.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")
    customer_count: int = 0
    covariance: tuple[tuple[float, ...], ...] = ()

    @property
    def logs(self) -> Reals:
        """Give the logs of r, α, a and b."""
        return np.log([self.r, self.alpha, self.a, self.b])


@dataclass(frozen=True, slots=True)
class Forecast:
    """Purchases that a group of customers will make. Units: purchases; `deviation` is that of the sum.

    `interval` covers both what the parameters may be and what customers may do.
    """

    mean: float
    deviation: float
    interval: Interval


def store_prior(histories: RepeatDays) -> PurchasePrior:
    """Give the priors for a store: weak, and in the histories' own unit of time.

    Source: measurement specification 6: r .5, α a quarter of the median time watched, a .8, b 2.5; sd 1, 1, .8, .8.
    """
    watched = float(np.median(histories.watched[histories.place]))
    return PurchasePrior((0.5, max(watched, 1e-6) / 4, 0.8, 2.5))


def fit_purchases(histories: RepeatDays, prior: PurchasePrior | None = None) -> PurchaseFit | NotFitted:
    """Fit by maximum a posteriori, for stores; `prior` None takes `store_prior`.

    A few dozen customers are enough for an answer, if one close to the prior.

    Source: Fader, Hardie and Lee (2005), "Counting your customers" the easy way, Marketing Science 24, 275-284.
    """
    if histories.customer_count == 0:
        return NotFitted("no_customers")
    given = prior or store_prior(histories)
    return _fitted(histories, np.log(given.medians), np.array(given.deviations))


def fit_purchases_without_prior(histories: RepeatDays) -> PurchaseFit | NotFitted:
    """Fit by pure maximum likelihood, to compare with published fits. Small stores may have no maximum."""
    if histories.customer_count == 0:
        return NotFitted("no_customers")
    if not histories.repeats.any():
        return NotFitted("no_repeats")
    return _fitted(histories, np.log(store_prior(histories).medians), np.full(4, np.inf))


def _fitted(histories: RepeatDays, centre: Reals, deviation: Reals) -> PurchaseFit | NotFitted:
    def slope(at: Reals) -> tuple[float, Reals]:
        height, rise = log_likelihood(at, histories)
        prior_height, prior_rise = log_normal_prior(at, centre, deviation)
        return height + prior_height, rise + prior_rise

    nudges = ((0, 0, 0, 0), (-1, 1, -1, 0), (1, -1, 1, 1), (0.5, 2, -2, -1))
    starts = [centre + np.array(nudge) for nudge in nudges]
    peak = highest(slope, starts, weight=float(histories.customer_count))
    if isinstance(peak, NotFitted):
        return peak
    r, alpha, a, b = (float(value) for value in np.exp(peak.at))
    return PurchaseFit(
        r,
        alpha,
        a,
        b,
        log_likelihood=log_likelihood(peak.at, histories)[0],
        customer_count=histories.customer_count,
        covariance=tuple(tuple(float(value) for value in row) for row in peak.covariance),
    )


def log_likelihood(logs: Reals, histories: RepeatDays) -> tuple[float, Reals]:
    """Give the log likelihood at log parameters, and its gradient, both summed over customers.

    Shape: `logs` 4: log r, log α, log a, log b; so is the gradient.
    Source: eq. 6 of Fader, Hardie and Lee (2005); the two ways a history may have come about, still active or gone
    after the last purchase, are added on the log scale so that neither underflows.
    """
    from scipy.special import gammaln, psi

    r, alpha, a, b = np.exp(logs)
    x, t_x, end, count = histories.repeats, histories.last, histories.watched, histories.customers
    front = (
        gammaln(r + x) - gammaln(r) + r * logs[1] + gammaln(b + x) + gammaln(a + b) - gammaln(a + b + x) - gammaln(b)
    )
    has_left = x > 0
    after = np.where(has_left, b + x - 1, 1.0)
    stayed = -(r + x) * np.log(alpha + end)
    left = np.where(has_left, logs[2] - np.log(after) - (r + x) * np.log(alpha + t_x), -np.inf)
    either = np.logaddexp(stayed, left)
    share_stayed, share_left = np.exp(stayed - either), np.exp(left - either)
    by_r = psi(r + x) - psi(r) + logs[1] - share_stayed * np.log(alpha + end) - share_left * np.log(alpha + t_x)
    by_alpha = r / alpha - (r + x) * (share_stayed / (alpha + end) + share_left / (alpha + t_x))
    by_a = psi(a + b) - psi(a + b + x) + share_left / a
    by_b = psi(b + x) + psi(a + b) - psi(a + b + x) - psi(b) - share_left / after
    gradient = np.array([count @ by_r * r, count @ by_alpha * alpha, count @ by_a * a, count @ by_b * b])
    return float(count @ (front + either)), gradient


def chance_active(fit: PurchaseFit, histories: RepeatDays) -> Reals:
    """Give each customer's chance of still being active at the end of the data: for display, not for decisions.

    Shape: one per customer, in the order they came in. A customer who never repeated counts as active: the model lets
    people leave only after a repeat purchase.
    Source: Fader, Hardie and Lee (2008), Computing P(alive) using the BG/NBD model, note 21 of brucehardie.com.
    """
    return _chance_active(fit, histories)[histories.place]


def expected_purchases(fit: PurchaseFit, histories: RepeatDays, ahead: ArrayLike) -> Reals:
    """Give how many days with a purchase to expect of each customer within `ahead` after the end of the data.

    Shape: `ahead` m times; the result (customers, m), in the order customers came in.
    Units: `ahead` in the histories' time.
    Raises: ValueError for a negative time.
    Source: eq. 10 of Fader, Hardie and Lee (2005), as an integral over p, which has no singular point at a = 1.
    """
    return _mean_ahead(fit, histories, ahead)[histories.place]


def expected_of_a_newcomer(fit: PurchaseFit, ahead: ArrayLike) -> Reals:
    """Give how many repeat days to expect of somebody who has just bought for the first time. Shape: that of `ahead`.

    Source: eq. 9 of Fader, Hardie and Lee (2005).
    """
    newcomer = repeat_days([0], [0], [0])
    return np.asarray(_mean_ahead(fit, newcomer, ahead)[0].reshape(np.shape(ahead)))


def forecast(fit: PurchaseFit, histories: RepeatDays, ahead: float, *, confidence: float = 0.95) -> Forecast:
    """Give how many days with a purchase all customers together will have, and an interval for that number.

    The variance is what customers do at random plus what the parameters are unsure of (delta method, if the fit has a
    covariance). The interval is that of a gamma distribution with this mean and variance.

    Raises: ValueError for a negative time or a confidence outside 0 to 1.
    """
    from scipy.special import gammaincinv

    if not 0 < confidence < 1:
        raise ValueError("confidence lies between 0 and 1")
    mean, pairs = _mean_ahead(fit, histories, [ahead])[:, 0], _pairs_ahead(fit, histories, [ahead])[:, 0]
    total = float(histories.customers @ mean)
    variance = float(histories.customers @ (pairs + mean - mean**2)) + _parameter_variance(fit, histories, ahead)
    if total <= 0 or variance <= 0:
        return Forecast(total, 0.0, Interval(total, total))
    tail = (1 - confidence) / 2
    low, high = gammaincinv(total**2 / variance, [tail, 1 - tail]) * variance / total
    return Forecast(total, float(np.sqrt(variance)), Interval(float(low), float(high)))


def _parameter_variance(fit: PurchaseFit, histories: RepeatDays, ahead: float) -> float:
    if not fit.covariance:
        return 0.0
    step, slopes = 1e-4, []
    for place in range(4):
        nudge = np.zeros(4)
        nudge[place] = step
        up, down = (_total(np.exp(fit.logs + sign * nudge), histories, ahead) for sign in (1, -1))
        slopes.append((up - down) / (2 * step))
    return float(np.array(slopes) @ np.array(fit.covariance) @ np.array(slopes))


def _total(parameters: Reals, histories: RepeatDays, ahead: float) -> float:
    return float(histories.customers @ _mean_ahead(PurchaseFit(*parameters), histories, [ahead])[:, 0])


def _chance_active(fit: PurchaseFit, histories: RepeatDays) -> Reals:
    from scipy.special import expit

    x, has_left = histories.repeats, histories.repeats > 0
    odds = np.log(np.where(has_left, fit.b + x - 1, 1.0)) - np.log(fit.a)
    odds -= (fit.r + x) * (np.log(fit.alpha + histories.watched) - np.log(fit.alpha + histories.last))
    return np.where(has_left, expit(odds), 1.0)


def _mean_ahead(fit: PurchaseFit, histories: RepeatDays, ahead: ArrayLike) -> Reals:
    """Give E[Y] of purchases to come, per distinct history and time. Shape: (histories, m)."""
    mean = np.zeros((len(histories.repeats), np.size(ahead)))
    for p, weight, leaving, busy in _nodes_ahead(fit, histories, ahead):
        mean += weight / p * -np.expm1(-busy * np.log1p(leaving))
    return _chance_active(fit, histories)[:, None] * mean


def _pairs_ahead(fit: PurchaseFit, histories: RepeatDays, ahead: ArrayLike) -> Reals:
    """Give E[Y(Y - 1)], for the variance. Shape: (histories, m)."""
    from scipy.special import betainc

    pairs = np.zeros((len(histories.repeats), np.size(ahead)))
    for p, weight, leaving, busy in _nodes_ahead(fit, histories, ahead):
        pairs += weight * 2 * (1 - p) / p**2 * betainc(2, busy, leaving / (1 + leaving))
    return _chance_active(fit, histories)[:, None] * pairs


def _nodes_ahead(
    fit: PurchaseFit, histories: RepeatDays, ahead: ArrayLike
) -> Iterator[tuple[Reals, Reals, Reals, Reals]]:
    """Walk through values of p with their weights, given that a customer is active.

    Then λ and p are independent, Gamma(r + x, α + T) and Beta(a, b + x). Were p 0, the number N of purchases to come
    would be negative binomial; with p, the k-th happens with P(N >= k)·(1 - p)^(k - 1). N thinned by p, of which the
    sums over k are made, is negative binomial with r + x and p·t / (α + T).
    """
    times = np.atleast_1d(np.asarray(ahead, dtype=np.float64))
    if not np.isfinite(times).all() or (times < 0).any():
        raise ValueError("time ahead is 0 or more")
    kinds, kind = np.unique(histories.repeats, return_inverse=True)
    chance, weight = _beta_nodes(fit.a, fit.b + kinds)
    stretch = times[None, :] / (fit.alpha + histories.watched[:, None])
    for place in range(NODES):
        p = chance[kind, place][:, None]
        yield p, weight[kind, place][:, None], p * stretch, fit.r + histories.repeats[:, None]


def _beta_nodes(a: float, b: Reals) -> tuple[Reals, Reals]:
    """Give points and weights that integrate smooth functions over Beta(a, b). Shape: (len(b), NODES) each.

    Source: Golub and Welsch (1969), Calculation of Gauss quadrature rules, with the recurrence of Jacobi polynomials.
    """
    n, s = np.arange(NODES), (a + b)[:, None]
    alpha, beta = b[:, None] - 1, a - 1
    middle = np.empty((len(b), NODES))
    middle[:, 0] = ((beta - alpha) / s)[:, 0]
    middle[:, 1:] = (beta**2 - alpha**2) / ((2 * n[1:] + s - 2) * (2 * n[1:] + s))
    m = n[2:]
    side = np.empty((len(b), NODES - 1))
    side[:, 0] = (4 * (1 + alpha) * (1 + beta) / (s**2 * (s + 1)))[:, 0]
    side[:, 1:] = 4 * m * (m + alpha) * (m + beta) * (m + s - 2) / ((2 * m + s - 2) ** 2 * ((2 * m + s - 2) ** 2 - 1))
    matrix = np.zeros((len(b), NODES, NODES))
    matrix[:, n, n] = middle
    matrix[:, n[1:], n[:-1]] = np.sqrt(side)
    at, vector = np.linalg.eigh(matrix)
    return np.clip((1 + at) / 2, 1e-12, 1.0), vector[:, 0, :] ** 2
