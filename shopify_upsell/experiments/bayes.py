"""What a finished or running test says when it is read beside all the tests before it. A view, never a stopping rule.

Comes in: one estimate on the log scale with its standard error, and the estimates of past tests of the same kind.
Goes out: how likely the change helps, what shipping it may cost, and a lift that luck has been taken out of.
Source: normal-normal empirical Bayes; Efron 2010, Large-Scale Inference, chapter 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import InvalidInput

Reals = NDArray[np.float64]

FEWEST_PAST_TESTS = 20
"""Past tests of a kind below which their spread is not estimated."""

LEAST_SPREAD = 0.005
"""The prior is never narrower: past tests that differ by nothing but luck do not prove that no test can work."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What lifts of a kind look like before this test is read. Units: natural logarithm of the ratio of the arms."""

    mean: float
    spread: float


DEFAULT_PRIOR = Prior(mean=0.0, spread=0.05)
"""Most changes do little. Source: our choice until a shop has twenty tests of a kind."""


@dataclass(frozen=True, slots=True)
class PastTest:
    """One test that ended. Units: log ratio of the arms and its standard error."""

    estimate: float
    error: float


@dataclass(frozen=True, slots=True)
class Belief:
    """What to think of one test.

    Units: `mean` and `spread` of the log ratio; `shrunk_lift` and `loss_if_shipped` are relative to control, 0.02 is
    two per cent; `chance_better` 0 to 1. `loss_if_shipped` is what is lost on average if the change is shipped and
    turns out worse, counted as nothing where it is better; `loss_if_kept` is the same for staying with control.
    """

    mean: float
    spread: float
    chance_better: float
    loss_if_shipped: float
    loss_if_kept: float
    shrunk_lift: float


def prior_of(past: Sequence[PastTest]) -> Prior:
    """Learn the prior of a kind from its past tests, or take the default while there are fewer than twenty.

    Shape: tests of one kind, every one once, significant or not: leaving failures out makes the prior boast.
    Raises: InvalidInput when an error is not positive.
    Source: restricted maximum likelihood for random effects; Viechtbauer 2005, Journal of Educational and Behavioral
    Statistics 30.
    """
    if any(not 0 < test.error < inf or not isfinite(test.estimate) for test in past):
        raise InvalidInput("a past test needs an estimate and a positive error")
    if len(past) < FEWEST_PAST_TESTS:
        return DEFAULT_PRIOR
    estimates = np.array([test.estimate for test in past])
    variances = np.array([test.error for test in past]) ** 2
    between = _restricted_variance(estimates, variances)
    weights = 1 / (variances + between)
    return Prior(float(weights @ estimates / weights.sum()), max(sqrt(between), LEAST_SPREAD))


def believe(estimate: float, error: float, prior: Prior = DEFAULT_PRIOR) -> Belief:
    """Combine a test with its prior.

    Units: log ratio of the arms and its standard error.
    Raises: InvalidInput when the error is not positive or the prior is flat.
    Source: normal likelihood with a normal prior; expected loss as the mean of the negative part.
    """
    from scipy.special import ndtr

    if not 0 < error < inf or not 0 < prior.spread < inf or not isfinite(estimate):
        raise InvalidInput("an estimate needs a positive error and a prior that is not flat")
    precision = 1 / error**2 + 1 / prior.spread**2
    mean = (estimate / error**2 + prior.mean / prior.spread**2) / precision
    spread = sqrt(1 / precision)
    return Belief(
        mean=mean,
        spread=spread,
        chance_better=float(ndtr(mean / spread)),
        loss_if_shipped=_mean_shortfall(mean, spread),
        loss_if_kept=_mean_shortfall(-mean, spread),
        shrunk_lift=exp(mean) - 1,
    )


def log_ratio(treatment: float, control: float, relative_error: float) -> tuple[float, float]:
    """Put a ratio of two means on the log scale, with its standard error.

    Units: `relative_error` is the standard error of treatment / control, divided by that ratio.
    Raises: InvalidInput when a mean is not positive: there is no logarithm of it, and no belief to be had.
    Source: the delta method.
    """
    if not (treatment > 0 and control > 0 and relative_error > 0):
        raise InvalidInput("a log ratio needs positive means and a positive error")
    return float(np.log(treatment / control)), relative_error


def _mean_shortfall(mean: float, spread: float) -> float:
    from scipy.special import ndtr

    level = mean / spread
    return max(0.0, float(spread * exp(-(level**2) / 2) / sqrt(2 * pi) - mean * ndtr(-level)))


def _restricted_variance(estimates: Reals, variances: Reals) -> float:
    # A coarse grid first, so that a second hill does not catch the search; then thirds around its best point.
    ceiling = max(4 * float(np.var(estimates)), float(variances.max())) + 1e-12
    grid = np.concatenate([[0.0], ceiling * np.geomspace(1e-6, 1.0, 60)])
    best = int(np.argmax([_restricted_likelihood(point, estimates, variances) for point in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    for _ in range(80):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _restricted_likelihood(left, estimates, variances) < _restricted_likelihood(right, estimates, variances):
            low = left
        else:
            high = right
    return (low + high) / 2


def _restricted_likelihood(between: float, estimates: Reals, variances: Reals) -> float:
    weights = 1 / (variances + between)
    mean = weights @ estimates / weights.sum()
    residual = weights @ (estimates - mean) ** 2
    return float(0.5 * (np.log(weights).sum() - np.log(weights.sum()) - residual))
