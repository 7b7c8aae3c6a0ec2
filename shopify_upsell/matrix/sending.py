"""When to send: which window after delivery makes a pitch work, learned from pitches that were timed by lot.

Comes in: per pair and window, how many were pitched and how many of those bought within fourteen days; the same for the
holdout. Goes out: rates pulled towards the category and the shop, the chance of each window to be the best, and for one
customer the window to send in with its propensity.

A fifth of lifecycle sends goes to a window drawn uniformly from those still possible, so that what is learned is what
the window causes and not who happens to be pitched then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from shopify_upsell.experiments.assignment import unit_interval
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

RANDOM_SHARE = 0.2
"""Sends that go to a random window. Source: reference `measurement.md` part 4, E2."""

KERNEL_WIDTHS = (0.45, 0.9, 1.5)
"""Standard deviations of the kernel over log days that are tried. Source: .45 by the same; the wider ones lose nothing
where curves are rough, because the likelier width is taken.
"""

CURVE_SPREADS, LEVEL_SPREADS = (0.25, 0.5, 1.0, 2.0), (0.25, 0.5, 1.0)
"""How far, in log odds, curves may lie from the level above in shape and in height; the likeliest are taken."""

STEPS = 12
"""Newton steps; three or four are enough from zero, and more change nothing."""

FEW_PITCHES = 40
"""Pitches of a pair below which its estimate is called the category's. Source: the same."""

PAIR, CATEGORY = "pair", "category"


@dataclass(frozen=True)
class Pitches:
    """What was tried. Shape: `tried` and `bought` pairs x windows; `category` one number from 0 a pair."""

    tried: Counts
    bought: Counts
    category: Counts

    def __post_init__(self) -> None:
        if self.tried.shape != self.bought.shape or self.tried.shape != (len(self.category), WINDOW_COUNT):
            raise ValueError("tried and bought are pairs x windows, category has one entry a pair")
        if (self.bought < 0).any() or (self.bought > self.tried).any():
            raise ValueError("bought lies between 0 and tried")


@dataclass(frozen=True)
class SendRates:
    """Estimated rates of purchase within fourteen days, by pair and window.

    Shape: `log_odds` pairs x windows, the posterior's mode; `covariance` pairs x windows x windows; `tried` pitches a
    pair, 1-d; `level`, whose estimate it is to be called, one a pair.
    """

    log_odds: Reals
    covariance: Reals
    tried: Counts
    level: tuple[str, ...]

    @property
    def rate(self) -> Reals:
        """Give the rates, 0 to 1. Shape: pairs x windows."""
        return np.asarray(expit(self.log_odds))


@dataclass(frozen=True, slots=True)
class Send:
    """One planned send. `propensity`: the chance, 0 to 1, with which this window was to be drawn; it is stored."""

    window: int
    propensity: float
    is_random: bool


def estimate_rates(pitches: Pitches) -> SendRates:
    """Shrink the rates: each category's curve to the shop's, each pair's to its category's, neighbours in log time.

    Each level is a Gaussian process over log days in log odds around the level above; how far a level may stray is
    chosen by likelihood, so that few pitches say little and many speak for themselves.

    Source: Laplace approximation, Rasmussen and Williams 2006, part 3.4; levels and kernel of reference
    `measurement.md` part 4.
    """
    tried, bought = pitches.tried.astype(np.float64), pitches.bought.astype(np.float64)
    count = int(pitches.category.max(initial=-1)) + 1
    category_tried, category_bought = np.zeros((count, WINDOW_COUNT)), np.zeros((count, WINDOW_COUNT))
    np.add.at(category_tried, pitches.category, tried)
    np.add.at(category_bought, pitches.category, bought)
    # A window that nobody was sent in yet stands where all of them do, not at one half.
    overall = (bought.sum() + 0.5) / (tried.sum() + 1.0)
    shop = logit((bought.sum(axis=0) + overall) / (tried.sum(axis=0) + 1.0))
    of_category = _likeliest(category_tried, category_bought, np.tile(shop, (count, 1)))
    of_pair = _likeliest(tried, bought, of_category.log_odds[pitches.category])
    total = pitches.tried.sum(axis=1)
    names = tuple(PAIR if n >= FEW_PITCHES else CATEGORY for n in total.tolist())
    return SendRates(of_pair.log_odds, of_pair.covariance, total, names)


def chances_of_best(
    treated: SendRates, generator: np.random.Generator, *, held_out: SendRates | None = None, draws: int = 1_000
) -> Reals:
    """Give each window's chance to be the best, by drawing from the posteriors (Thompson). Shape: pairs x windows.

    `held_out`: the same pairs without a pitch; what is compared is then the difference, the purchases that the pitch
    causes. The same generator state gives the same answer.
    """
    wins = np.zeros(treated.log_odds.shape)
    rows = np.arange(len(wins))
    pitched = _curves(treated, generator, draws)
    nothing: Iterator[Reals] = repeat(np.zeros(WINDOW_COUNT))
    left_alone = _curves(held_out, generator, draws) if held_out is not None else nothing
    for curve, baseline in zip(pitched, left_alone, strict=False):
        lift = curve - baseline
        wins[rows, lift.argmax(axis=1)] += 1
    return wins / draws


def plan_send(seed: str, unit: str, eligible: Sequence[int], chances: Mapping[int, float] | None = None) -> Send:
    """Choose the window of one send by lot: a fifth uniformly, the rest by each window's chance to be the best.

    The same seed, unit and windows give the same choice. `eligible`: windows, 0 to 7, that are not over and not
    blocked. `chances`: by window, as `chances_of_best` gives them; without any the whole lot is uniform.
    Raises: ValueError if no window is eligible.
    """
    windows = sorted(set(eligible))
    if not windows:
        raise ValueError("no eligible window")
    weights = [max(0.0, (chances or {}).get(window, 0.0)) for window in windows]
    total = sum(weights)
    uniform = 1 / len(windows)
    best = [weight / total for weight in weights] if total > 0 else [uniform] * len(windows)
    is_random = float(unit_interval(f"send-lot|{seed}", unit)) < RANDOM_SHARE
    place = float(unit_interval(f"send-window|{seed}", unit))
    shares = [uniform] * len(windows) if is_random else best
    at = min(int(np.searchsorted(np.cumsum(shares), place, side="right")), len(windows) - 1)
    # Rounding of the sum may point past the last window that has a share at all.
    at = max(one for one in range(at + 1) if shares[one] > 0)
    return Send(windows[at], RANDOM_SHARE * uniform + (1 - RANDOM_SHARE) * best[at], is_random)


@dataclass(frozen=True)
class _Fit:
    """Posterior of several curves, and how likely the data are under the prior, in nats."""

    log_odds: Reals
    covariance: Reals
    likelihood: float


def _likeliest(tried: Reals, bought: Reals, above: Reals) -> _Fit:
    """Fit curves around those of the level above, under the prior that makes the data likeliest."""
    fits = (
        _fitted(tried, bought, above, _prior(width, spread, level))
        for width in KERNEL_WIDTHS
        for spread in CURVE_SPREADS
        for level in LEVEL_SPREADS
    )
    return max(fits, key=lambda fit: fit.likelihood)


def _prior(width: float, spread: float, level: float) -> Reals:
    """Say how windows vary together: in height all alike, in shape the more alike the nearer in log days."""
    edges = np.array(WINDOW_EDGES_DAYS, dtype=np.float64)
    middle = np.log1p((edges[:-1] + edges[1:] - 1) / 2)
    shape = np.exp(-((middle[:, None] - middle[None, :]) ** 2) / (2 * width**2))
    return np.asarray(level**2 + spread**2 * shape + 1e-4 * np.eye(WINDOW_COUNT))


def _fitted(tried: Reals, bought: Reals, above: Reals, prior: Reals) -> _Fit:
    """Find the posterior's mode by Newton's method, and its curvature there. Shape: curves x windows."""
    precision = np.linalg.inv(prior)
    stray = np.zeros_like(above)
    for _ in range(STEPS):
        rate = expit(above + stray)
        slope = bought - tried * rate - stray @ precision
        curvature = precision + (tried * rate * (1 - rate))[:, :, None] * np.eye(WINDOW_COUNT)
        # A step of more than two in log odds overshoots where nothing was bought yet.
        stray = stray + np.clip(np.linalg.solve(curvature, slope[:, :, None])[:, :, 0], -2.0, 2.0)
    rate = expit(above + stray)
    curvature = precision + (tried * rate * (1 - rate))[:, :, None] * np.eye(WINDOW_COUNT)
    said = (bought * (above + stray) - tried * np.logaddexp(0.0, above + stray)).sum()
    likelihood = said - 0.5 * np.einsum("pi,ij,pj->", stray, precision, stray)
    likelihood -= 0.5 * (np.linalg.slogdet(curvature)[1] + np.linalg.slogdet(prior)[1]).sum()
    return _Fit(above + stray, np.linalg.inv(curvature), float(likelihood))


def _curves(rates: SendRates, generator: np.random.Generator, draws: int) -> Iterator[Reals]:
    """Draw curves from the posteriors. Shape: pairs x windows, `draws` times."""
    root = np.linalg.cholesky(rates.covariance)
    for _ in range(draws):
        noise = generator.standard_normal(rates.log_odds.shape)
        yield np.asarray(expit(rates.log_odds + np.einsum("pij,pj->pi", root, noise)))
