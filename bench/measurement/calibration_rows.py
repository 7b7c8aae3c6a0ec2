"""Row A6: κ, caused ÷ claimed, when half of what is claimed would have been bought anyway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.measurement.covering import Coverage
from bench.measurement.outcome import Outcome, worlds_at
from bench.measurement.worlds import Generator, Shop, draw_sums
from shopify_upsell.experiments.calibration import Calibration, calibrate
from shopify_upsell.experiments.fieller import Interval

ROWS = ("A6",)

KAPPA = 0.51
GATE = (0.93, 0.97)
LIFT = 0.08


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run κ at three sizes, and a programme that causes nothing. Units: `scale` 1 is 4,000 worlds each."""
    control = Shop()
    treated = control.with_effect(orders=LIFT)
    claiming = replace(treated, claimed=LIFT / (1 + LIFT) / KAPPA)
    for number, visitors in enumerate((20_000, 50_000, 100_000)):
        yield _coverage(claiming, visitors, np.random.default_rng([seed, 300 + number]), scale=scale)
    idle = replace(control, claimed=claiming.claimed)
    yield _coverage(idle, 50_000, np.random.default_rng([seed, 310]), scale=scale)


def _coverage(treated: Shop, visitors: int, random: Generator, *, scale: float) -> Outcome:
    control = Shop()
    kappa = (treated.revenue - control.revenue) / treated.claimed_revenue
    worlds, units = worlds_at(scale), visitors // 2
    treated_sums = draw_sums(treated, random, worlds=worlds, units=units, by="claimed")
    control_sums = draw_sums(control, random, worlds=worlds, units=units)
    coverage, widths = Coverage(kappa), []
    for world in range(worlds):
        found = calibrate(treated_sums.moments(world), control_sums.moments(world))
        if isinstance(found, Calibration):
            coverage.count(found.interval)
            widths += [found.interval.width] if isinstance(found.interval, Interval) else []
    return Outcome(
        "A6",
        f"κ coverage, true κ {kappa:.2f}, {visitors:,} visitors",
        "[93, 97]",
        f"{coverage}, median width {float(np.median(widths)):.2f}",
        coverage.held.is_within(*GATE, scale=scale),
    )
