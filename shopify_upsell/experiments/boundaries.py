"""Where a test that is looked at many times may stop, so that luck crosses with probability alpha in all.

Comes in: how much information each look has, and how much alpha may be spent by then. Goes out: one critical value a
look. The numbers come from integrating, look by look, the distribution of the sum that has not crossed yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import InvalidInput

Reals = NDArray[np.float64]

LARGEST_CRITICAL = 8.0
"""No critical value above this: luck exceeds it once in 10^15, so looks that may spend less are as good as blind."""

LEAST_STEP = 1e-3
"""Smallest growth of information between two looks, as a share of the last. A thousand looks are as good as watching
without a break, and smaller steps would need finer integration than they are worth."""

NODES_PER_DEVIATION = 3
"""Gauss-Legendre nodes per standard deviation of one step; ten instead of three move no boundary by 1e-10."""

_BISECTIONS = 60


def obrien_fleming_spending(fraction: float, alpha: float) -> float:
    """Say how much of alpha a two-sided test may have spent by this share of its information: early looks, little.

    Units: `fraction` of the planned information, 0 upwards (1 and beyond spend everything); alpha and result are
    probabilities of a false alarm on either side.
    Raises: InvalidInput when alpha is not between 0 and 1 or the fraction is negative.
    Source: Lan and DeMets 1983, Biometrika 70; 4 (1 - Phi(z_{alpha/4} / sqrt(t))).
    """
    from scipy.special import ndtr, ndtri

    if not 0 < alpha < 1:
        raise InvalidInput("alpha must lie between 0 and 1")
    if not fraction >= 0:
        raise InvalidInput("the share of information may not be negative")
    if fraction == 0:
        return 0.0
    return float(4 * ndtr(ndtri(alpha / 4) / sqrt(min(fraction, 1.0))))


@lru_cache(maxsize=4096)
def critical_values(information: tuple[float, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    """Find the two-sided critical value of every look, in standard errors.

    Shape: both of the same length, information strictly increasing, spent not decreasing; the result as long.
    Units: information in any unit (units counted, shares of the plan): only ratios matter; spent is cumulative alpha.
    Raises: InvalidInput when the lengths differ or a sequence does not increase as it must.
    Source: recursive integration after Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19.
    """
    _check_sequences(information, spent)
    found: list[float] = []
    front: _Front | None = None
    for place, at in enumerate(information):
        target = spent[place] - (spent[place - 1] if place else 0.0)
        step = at - (information[place - 1] if place else 0.0)
        crossing = _crossing(front, at, step, drift=0.0)
        critical = _solve(crossing, target)
        found.append(critical)
        following = information[place + 1] - at if place + 1 < len(information) else step
        front = _advance(front, critical * sqrt(at), step, narrowest=min(step, following))
    return tuple(found)


def crossing_probabilities(
    information: tuple[float, ...], critical: tuple[float, ...], drift: float = 0.0
) -> tuple[float, ...]:
    """Give the probability that each look is the first to cross, on either side.

    Shape: one critical value a look; the result as long, its sum the chance of ever crossing.
    Units: drift is the mean of the test's z at information 1; 0 is no effect at all.
    Raises: InvalidInput when the lengths differ or information does not increase.
    Source: as `critical_values`, with the drift of Jennison and Turnbull 2000, section 19.2.
    """
    _check_sequences(information, critical, rising=False)
    found: list[float] = []
    front: _Front | None = None
    for place, at in enumerate(information):
        step = at - (information[place - 1] if place else 0.0)
        found.append(_crossing(front, at, step, drift)(critical[place]))
        following = information[place + 1] - at if place + 1 < len(information) else step
        bound = min(critical[place], LARGEST_CRITICAL) * sqrt(at)
        front = _advance(front, bound, step, narrowest=min(step, following), drift=drift)
    return tuple(found)


@dataclass(frozen=True)
class _Front:
    """The sums that have not crossed: their places and the probability at each. Shape: (nodes,) both."""

    places: Reals
    mass: Reals


def _crossing(front: _Front | None, at: float, step: float, drift: float) -> Callable[[float], float]:
    """Give the chance to cross at this look, as a function of the critical value."""
    from scipy.special import ndtr

    before = front.places if front is not None else np.zeros(1)
    mass = front.mass if front is not None else np.ones(1)
    width, middle = sqrt(step), before + drift * step

    def chance(critical: float) -> float:
        bound = critical * sqrt(at)
        return float(mass @ (ndtr((middle - bound) / width) + ndtr((-middle - bound) / width)))

    return chance


def _solve(crossing: Callable[[float], float], target: float) -> float:
    low, high = 0.0, LARGEST_CRITICAL
    if crossing(high) >= target:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if crossing(middle) > target else (low, middle)
    return high


def _advance(front: _Front | None, bound: float, step: float, *, narrowest: float, drift: float = 0.0) -> _Front:
    """Carry what has not crossed over to a fresh grid between the boundaries of this look."""
    if bound <= 0:
        return _Front(np.zeros(1), np.zeros(1))
    count = ceil(2 * bound / sqrt(narrowest)) * NODES_PER_DEVIATION
    nodes, weights = _legendre(max(64, 32 * ceil(count / 32)))
    places = nodes * bound
    before = front.places if front is not None else np.zeros(1)
    mass = front.mass if front is not None else np.ones(1)
    distance = places[:, None] - before[None, :] - drift * step
    density = np.exp(-(distance**2) / (2 * step)) @ mass / sqrt(2 * pi * step)
    return _Front(places, weights * bound * density)


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Reals, Reals]:
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(count)
    return np.asarray(nodes), np.asarray(weights)


def _check_sequences(information: tuple[float, ...], paired: tuple[float, ...], *, rising: bool = True) -> None:
    if not information or len(information) != len(paired):
        raise InvalidInput("every look needs its information and its share of alpha")
    steps = np.diff(np.concatenate([[0.0], information]))
    if (
        not np.isfinite(steps).all()
        or not np.isfinite(paired).all()
        or (steps < LEAST_STEP * information[-1] * (1 - 1e-9)).any()
    ):
        raise InvalidInput("information must grow from look to look by a thousandth of the whole")
    if rising and (paired[0] < 0 or (np.diff(paired) < 0).any() or paired[-1] >= 1):
        raise InvalidInput("spent alpha may not fall and must stay below 1")


def smallest_alpha(crosses: Callable[[float], bool], *, least: float = 1e-9) -> float:
    """Find the smallest alpha at which a test would have crossed: its sequential p value.

    Units: probability; 1.0 when it crosses at none below 0.9999, `least` when it crosses even there.
    Source: inverting a family of nested tests; Jennison and Turnbull 2000, section 8.4.
    """
    low, high = log(least), log(0.9999)
    if not crosses(exp(high)):
        return 1.0
    if crosses(least):
        return least
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if crosses(exp(middle)) else (middle, high)
    return exp(high)
