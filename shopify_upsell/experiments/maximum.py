"""Find the highest point of a smooth likelihood, and say so when there is none to be found. Pure.

In: a function of log parameters with its gradient, and where to start. Out: a `Peak`, or `NotFitted` with a reason:
a fit that did not converge is a value, and never a number that looks like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Slope = Callable[[Reals], tuple[float, Reals]]
"""Log parameters to (value, gradient), to be made as high as possible."""

FIT_FAILURES = ("no_customers", "no_repeats", "no_maximum")
"""`no_customers`, `no_repeats`: nothing to learn from. `no_maximum`: the likelihood rises without end, as it does for
few or all too similar customers; with a prior it never does."""

REACH = 14.0
"""How far log parameters may leave where they start: a factor of a million. Beyond, only the likelihood's limit is."""

FLAT = 1e-5
"""Slope per unit of log likelihood and customer, above which a point does not count as a maximum."""


@dataclass(frozen=True, slots=True)
class NotFitted:
    """Why there is no fit. Shape: `reason` is one of FIT_FAILURES."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The highest point. Shape: `at` k log parameters; `covariance` (k, k), the inverse of the curvature there."""

    at: Reals
    height: float
    covariance: Reals


def highest(slope: Slope, starts: Sequence[Reals], *, weight: float) -> Peak | NotFitted:
    """Climb from each start in turn until a climb ends on a flat top inside the reach.

    Shape: `starts` at least one, k log parameters each.
    Units: `weight` observations, by which height and slope are scaled.
    Source: L-BFGS-B, Byrd, Lu, Nocedal, Zhu (1995), with a polish by Newton's method.
    """
    for start in starts:
        at = _climbed(slope, start, weight)
        if np.abs(at - start).max() >= REACH - 1e-6:
            continue
        peak = _polished(slope, at, weight)
        if peak is not None:
            return peak
    return NotFitted("no_maximum")


def _climbed(slope: Slope, start: Reals, weight: float) -> Reals:
    from scipy.optimize import minimize

    def downhill(at: Reals) -> tuple[float, Reals]:
        height, rise = slope(at)
        return -height / weight, -rise / weight

    bounds = [(value - REACH, value + REACH) for value in start]
    options: dict[str, Any] = {"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-8}
    return np.asarray(minimize(downhill, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x)


def _polished(slope: Slope, at: Reals, weight: float) -> Peak | None:
    """Take the last steps by Newton's method, and give up where the ground is not the top of a hill."""
    for _ in range(20):
        height, rise = slope(at)
        curvature = _curvature(slope, at)
        if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature).max() >= 0:
            return None
        step = np.linalg.solve(curvature, -rise)
        longest = float(np.abs(step).max())
        if longest < 1e-9 or float(np.abs(rise).max()) < 1e-10 * weight:
            break
        ahead = at + step * min(1.0, 0.5 / longest)
        if slope(ahead)[0] < height:
            break
        at = ahead
    height, rise = slope(at)
    if float(np.abs(rise).max()) > FLAT * max(weight, 1.0):
        return None
    return Peak(at, height, np.asarray(np.linalg.inv(-_curvature(slope, at)), dtype=np.float64))


def _curvature(slope: Slope, at: Reals) -> Reals:
    """Give second derivatives by central differences of the gradient. Shape: (k, k), symmetric."""
    step, rows = 1e-5, []
    for place in range(len(at)):
        nudge = np.zeros(len(at))
        nudge[place] = step
        rows.append((slope(at + nudge)[1] - slope(at - nudge)[1]) / (2 * step))
    square = np.array(rows)
    return (square + square.T) / 2


def log_normal_prior(at: Reals, centre: Reals, deviation: Reals) -> tuple[float, Reals]:
    """Give the log density of log-normal priors, up to a constant, and its gradient.

    The density is that of the log parameters, in which the maximum is sought.

    Shape: k log parameters; `centre` the logs of the prior medians; `deviation` on the log scale.
    """
    distance = (at - centre) / deviation
    return -0.5 * float(distance @ distance), -distance / deviation
