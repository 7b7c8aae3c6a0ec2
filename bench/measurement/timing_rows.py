"""Rows C1 and C2 of the acceptance table: how much a learned send window loses, and Kaplan-Meier by the book.

C1: pairs in categories, each with its own peak in log time near its category's; pitches fall uniformly on the windows.
Regret is the part of the best window's response that the chosen window does not get.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.measurement.outcome import Outcome
from shopify_upsell.matrix.sending import Pitches, SendRates, estimate_rates
from shopify_upsell.matrix.survival import cumulative_incidence, log_rank
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS

Reals = NDArray[np.float64]

ROWS = ("C1", "C2")

GATES = {40: 0.22, 150: 0.16, 600: 0.07, 2_500: 0.025}
CATEGORIES, PAIRS_EACH = 12, 10
DAY_30 = 3
"""The window that holds day 30."""

MERCAPTOPURINE = (6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35)
RELAPSED = (1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0)
PLACEBO = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
"""Weeks in remission. Source: Freireich et al. 1963; all patients on placebo relapsed."""

SURVIVAL = (6 / 7, 0.806722689, 0.752941176, 0.690196078, 0.627450980, 0.537815126, 0.448179272)
"""Kaplan-Meier on 6-MP, worked by hand from the table: 1 - 3/21, then 1 - 1/17, 1/15, 1/12, 1/11, 1/7, 1/6."""


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run both rows. Units: `scale` 1 is the full run of 60 worlds a size, 120 pairs each."""
    worlds = max(8, round(60 * scale))
    for pitches, gate in GATES.items():
        random = np.random.default_rng([seed, pitches])
        losses = np.array([_losses(random, pitches) for _ in range(worlds)])
        ours, raw, shop_wide, fixed = losses.mean(axis=0)
        error = 3 * losses[:, 0].std(ddof=1) / worlds**0.5 if scale < 1 else 0.0
        peers = f"raw argmax {raw:.3f}, one window for all {shop_wide:.2f}, day 30 {fixed:.2f}"
        name = f"regret of the send window, {pitches} pitches a pair"
        yield Outcome("C1", name, f"<= {gate}", f"{ours:.3f}", bool(ours <= gate + error), peers)
    yield _freireich()


def _losses(random: np.random.Generator, pitches: int) -> tuple[float, float, float, float]:
    truth, category = _world(random)
    tried = random.multinomial(pitches, np.full(WINDOW_COUNT, 1 / WINDOW_COUNT), size=len(truth))
    bought = random.binomial(tried, truth)
    rates: SendRates = estimate_rates(Pitches(tried, bought, category))
    raw = np.where(tried > 0, bought / np.maximum(tried, 1), 0.0)
    # Windows that no purchase tells apart are drawn from, or the first would win every tie.
    raw += random.uniform(0, 1e-9, raw.shape)
    overall = int((bought.sum(axis=0) / np.maximum(tried.sum(axis=0), 1)).argmax())
    chosen = (rates.rate.argmax(axis=1), raw.argmax(axis=1), np.full(len(truth), overall), np.full(len(truth), DAY_30))
    best = truth.max(axis=1)
    one, two, three, four = (float(1 - (truth[np.arange(len(truth)), at] / best).mean()) for at in chosen)
    return one, two, three, four


def _world(random: np.random.Generator) -> tuple[Reals, NDArray[np.int64]]:
    """Plant rates by pair and window. Shape: pairs x windows, and each pair's category.

    The level is set so that picking the best raw share loses what the reference says it loses.
    """
    edges = np.array(WINDOW_EDGES_DAYS, dtype=np.float64)
    middle = np.log1p((edges[:-1] + edges[1:] - 1) / 2)
    category = np.repeat(np.arange(CATEGORIES), PAIRS_EACH)
    peak = random.uniform(middle[0], middle[-1], CATEGORIES)[category] + random.normal(0, 0.5, len(category))
    level = np.exp(random.normal(np.log(0.1), 0.35, len(category)))
    bump = np.exp(-((middle[None, :] - peak[:, None]) ** 2) / (2 * 0.8**2))
    return np.clip(level[:, None] * (0.15 + 0.85 * bump), 0.0, 0.9), category


def _freireich() -> Outcome:
    curve = cumulative_incidence(MERCAPTOPURINE, RELAPSED)
    statistic = log_rank(MERCAPTOPURINE, RELAPSED, PLACEBO, np.ones(len(PLACEBO), dtype=np.int64)).statistic
    worst = float(np.abs(1 - curve.incidence - np.array(SURVIVAL)).max())
    is_right = worst <= 1e-6 and curve.median_day() == 23 and abs(statistic - 16.79) < 0.005
    ours = f"off by {worst:.0e}; median {curve.median_day()}; log-rank {statistic:.2f}"
    return Outcome("C2", "Kaplan-Meier and log-rank of Freireich", "1e-6; 23; 16.79", ours, is_right, "lifelines same")
