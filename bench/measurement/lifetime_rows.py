"""Rows D1, D2 and D3: purchases and spending of CDNOW's customers as published, and small stores that must be fitted.

CDNOW's 2,357 customers (Fader and Hardie's teaching data) are no part of this project: they are read from a folder
that MEASUREMENT_DATA names, as `cdnow_rfm_bgnbd.csv` (frequency, recency, T) and `cdnow_rfm_monetary.csv` (x, zbar).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.measurement.outcome import LEFT_OUT, Outcome, worlds_at
from bench.measurement.worlds import Generator
from shopify_upsell.experiments.lifetime import (
    PurchaseFit,
    Reals,
    expected_purchases,
    fit_purchases,
    fit_purchases_without_prior,
    forecast,
)
from shopify_upsell.experiments.maximum import NotFitted
from shopify_upsell.experiments.repeat_days import RepeatDays, repeat_days
from shopify_upsell.experiments.spending import SpendFit, expected_value, fit_spending_without_prior

ROWS = ("D1", "D2", "D3")

PURCHASES = {"r": 0.24259, "alpha": 4.41353, "a": 0.79289, "b": 2.42575}
"""Source: Fader, Hardie and Lee (2005), Marketing Science 24, table 2, there to three digits."""

PURCHASES_HEIGHT = -9582.4256
NEXT_39_WEEKS = 1.226
"""Of a customer with x = 2, t_x = 30.43, T = 38.86. Source: the same paper's spreadsheet."""

SPENDING = {"p": 6.25, "q": 3.74, "scale": 15.44}
FIRST_TEN = (24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17)
"""Source: Fader and Hardie (2013), The Gamma-Gamma model of monetary value."""

AHEAD_WEEKS = 26.0
WATCHED_WEEKS = (26.0, 52.0)
STORES = ((60, 200, 0.25), (300, 100, 0.10), (1_500, 40, 0.08))
"""Customers, worlds of the full run, gate on the median error."""

TRUTHS = ((0.243, 4.414, 0.793, 2.426), (0.5, 8.0, 0.8, 2.5), (1.0, 8.0, 0.6, 3.0), (0.35, 12.0, 1.5, 4.0))
"""r, α, a, b of true stores: CDNOW's, and others that buy more or less often and leave sooner or later."""


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Fit CDNOW where it is at hand, then stores drawn from the model itself."""
    yield _cdnow_purchases()
    yield from _cdnow_spending()
    for number, (customers, full, gate) in enumerate(STORES):
        tally = Tally()
        rng = np.random.default_rng([seed, 900 + number])
        for world in range(worlds_at(scale, full, least=12)):
            tally.count(rng, customers, TRUTHS[world % len(TRUTHS)])
        test = f"true BG/NBD stores of {customers} customers, purchases of the next 26 weeks"
        # The median of few worlds wanders: by about 1.25 standard errors of a mean, of which three are allowed.
        slack = 3 * 1.25 * float(np.std(tally.ours)) / len(tally.ours) ** 0.5 if scale < 1 else 0.0
        passed = tally.failures == 0 and tally.error <= gate + slack
        yield Outcome("D3", test, f"0 failures, median error <= {gate}", str(tally), passed, tally.peers)


def _cdnow_purchases() -> Outcome:
    test, gate = "CDNOW, BG/NBD by maximum likelihood", "±.001; LL -9582.4256; E[Y(39)] 1.226"
    columns = read_columns("cdnow_rfm_bgnbd.csv", ("frequency", "recency", "T"))
    if columns is None:
        return _left_out("D1", test, gate)
    fit = fit_purchases_without_prior(repeat_days(*columns))
    if isinstance(fit, NotFitted):
        return Outcome("D1", test, gate, fit.reason, False)
    ahead = float(expected_purchases(fit, repeat_days([2], [30.43], [38.86]), 39)[0, 0])
    passed = all(abs(getattr(fit, name) - value) <= 0.001 for name, value in PURCHASES.items())
    passed = passed and abs(fit.log_likelihood - PURCHASES_HEIGHT) <= 1e-4 and abs(ahead - NEXT_39_WEEKS) <= 0.0005
    ours = f"r {fit.r:.5f} α {fit.alpha:.5f} a {fit.a:.5f} b {fit.b:.5f}; LL {fit.log_likelihood:.4f}; {ahead:.5f}"
    return Outcome("D1", test, gate, ours, passed)


def _cdnow_spending() -> Iterator[Outcome]:
    columns = read_columns("cdnow_rfm_monetary.csv", ("x", "zbar"))
    test, gate = "CDNOW, Gamma-Gamma by maximum likelihood", "p 6.25, q 3.74, γ 15.44, ±.01"
    means_test, means_gate = "the first ten customers' conditional means, at the published parameters", "±.05"
    if columns is None:
        yield _left_out("D2", test, gate)
        yield _left_out("D2", means_test, means_gate)
        return
    fit = fit_spending_without_prior(*columns)
    if isinstance(fit, NotFitted):
        yield Outcome("D2", test, gate, fit.reason, False)
    else:
        passed = all(abs(getattr(fit, name) - value) <= 0.01 for name, value in SPENDING.items())
        yield Outcome("D2", test, gate, f"p {fit.p:.4f} q {fit.q:.4f} γ {fit.scale:.4f}", passed)
    means = expected_value(SpendFit(**SPENDING), *(column[:10] for column in columns))
    worst = float(np.abs(means - FIRST_TEN).max())
    yield Outcome("D2", means_test, means_gate, f"largest difference {worst:.4f}", worst <= 0.05)


def _left_out(row: str, test: str, gate: str) -> Outcome:
    return Outcome(row, test, gate, f"{LEFT_OUT}MEASUREMENT_DATA names no folder with CDNOW's customers", True)


def read_columns(name: str, wanted: Sequence[str]) -> list[Reals] | None:
    """Read columns of a CSV file in the folder of MEASUREMENT_DATA; None where there is no such file."""
    folder = os.environ.get("MEASUREMENT_DATA")
    if not folder or not (Path(folder) / name).is_file():
        return None
    with (Path(folder) / name).open(newline="") as lines:
        found = list(csv.DictReader(lines))
    return [np.array([float(row[column]) for row in found]) for column in wanted]


@dataclass
class Tally:
    """How far forecasts were from what customers then did, as a share of it. Shape: one entry a world."""

    failures: int = 0
    ours: list[float] = field(default_factory=list)
    knowing: list[float] = field(default_factory=list)
    unguided: list[float] = field(default_factory=list)
    unguided_failures: int = 0
    covered: int = 0

    def count(self, rng: Generator, customers: int, truth: tuple[float, float, float, float]) -> None:
        """Draw a store, fit it, and hold the forecast against what its customers go on to do."""
        histories, bought = draw_store(rng, customers, truth)
        fit = fit_purchases(histories)
        if isinstance(fit, NotFitted):
            self.failures += 1
            return
        ahead = forecast(fit, histories, AHEAD_WEEKS)
        self.ours.append(abs(ahead.mean / bought - 1))
        self.covered += ahead.interval.contains(bought)
        self.knowing.append(abs(forecast(PurchaseFit(*truth), histories, AHEAD_WEEKS).mean / bought - 1))
        without = fit_purchases_without_prior(histories)
        if isinstance(without, NotFitted):
            self.unguided_failures += 1
        else:
            self.unguided.append(abs(forecast(without, histories, AHEAD_WEEKS).mean / bought - 1))

    @property
    def error(self) -> float:
        """Give the median relative error."""
        return float(np.median(self.ours))

    def __str__(self) -> str:
        held = 100 * self.covered / len(self.ours)
        return f"{self.failures} failures of {len(self.ours)}; {self.error:.3f}; 95 % interval held {held:.0f} %"

    @property
    def peers(self) -> str:
        """Give the errors without a prior, and with the true parameters, which nobody can beat for long."""
        without = f"{np.median(self.unguided):.3f}" if self.unguided else "–"
        return (
            f"without prior {self.unguided_failures} without maximum, else {without}; "
            f"true parameters {np.median(self.knowing):.3f}"
        )


def draw_store(rng: Generator, customers: int, truth: tuple[float, float, float, float]) -> tuple[RepeatDays, float]:
    """Draw customers from the model: their histories, and how often they all buy afterwards (1 if never).

    Units: weeks.
    """
    r, alpha, a, b = truth
    watched = rng.uniform(*WATCHED_WEEKS, customers)
    rate, leaving = np.maximum(rng.gamma(r, 1 / alpha, customers), 1e-9), rng.beta(a, b, customers)
    now, repeats, last = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    bought, active = 0, np.arange(customers)
    while len(active):
        now[active] += rng.exponential(1 / rate[active])
        active = active[now[active] <= watched[active] + AHEAD_WEEKS]
        is_seen = now[active] <= watched[active]
        repeats[active[is_seen]] += 1
        last[active[is_seen]] = now[active[is_seen]]
        bought += int((~is_seen).sum())
        active = active[rng.random(len(active)) >= leaving[active]]
    return repeat_days(repeats, last, watched), max(float(bought), 1.0)
