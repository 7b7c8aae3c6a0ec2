"""Rows B6 to B8: what looking every day costs, in false alarms, in missed truths and in power.

Comes in: a scale (1 is the full run) and a seed. Goes out: one outcome a row. All worlds of a row are looked at
together; a look's critical value comes from the product, its z from the same sums that the product keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bench.measurement.outcome import Outcome, Share, worlds_at
from bench.measurement.worlds import HEAVY_TAIL, Calendar, Generator, Shop, Sums, daily_sums
from shopify_upsell.experiments.always_valid import critical_value
from shopify_upsell.experiments.boundaries import critical_values, obrien_fleming_spending
from shopify_upsell.experiments.estimators import compare, estimate
from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.sequential import (
    PLANNED_ALPHA,
    GroupSequentialTest,
    Reading,
    SequentialPlan,
    take_look,
    waits,
)
from shopify_upsell.experiments.shortage import NotEnoughData

ROWS = ("B6", "B7", "B8")

Reals = NDArray[np.float64]

ALPHA = 0.05
"""What may go wrong: the gate, and what a confidence sequence spends. Planned tests spend the product's own default."""

MONTH = Calendar(days=28, units_per_day=300)
SEASON = Calendar(days=200, units_per_day=100)
"""Units a day and arm: about 8,400 an arm over 28 looks, 20,000 over 200."""

LIFT = 0.25
WORLDS = 10_000
AA_WORLDS, AA_RUNS = 2_000, 5
FIXED_CRITICAL = 1.959963984540054


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run all rows. Units: `scale` 1 is 10,000 worlds for each of the looked-at tests."""
    yield from false_alarm_rows(scale, seed)
    yield from lift_rows(scale, seed)


def false_alarm_rows(scale: float, seed: int) -> Iterator[Outcome]:
    """B6: two equal arms, looked at every day. How often does any look find a difference?"""
    cases = (("28 looks", Shop(), MONTH), ("28 looks, heavy tail", HEAVY_TAIL, MONTH), ("200 looks", Shop(), SEASON))
    for number, (name, shop, calendar) in enumerate(cases):
        random = np.random.default_rng([seed, 600 + number])
        worlds = worlds_at(scale, WORLDS if calendar is MONTH else WORLDS // 2)
        pair = _Pair.draw(shop, shop, random, worlds, calendar)
        naive = _share(pair.crossings(0.0, np.full(calendar.days, FIXED_CRITICAL)))
        group = _share(pair.crossings(0.0, pair.spending()))
        always = _share(pair.crossings(0.0, pair.anytime()))
        yield _at_most("B6", f"GST any-look false positives, {name}", group, scale, peers=f"t every day {naive}")
        yield _at_most("B6", f"CS any-look false positives, {name}", always, scale)
    yield _a_look_a_day(scale, seed)


def lift_rows(scale: float, seed: int) -> Iterator[Outcome]:
    """B7 and B8: a true lift of 25 %, looked at every day: is it ever excluded, and how often is it found?"""
    random = np.random.default_rng([seed, 700])
    shop = Shop()
    pair = _Pair.draw(shop, shop.with_effect(orders=LIFT), random, worlds_at(scale, WORLDS), MONTH)
    group, always = pair.spending(), pair.anytime()
    _check_against_product(pair, float(group[-1]))
    yield _at_most("B7", "GST any-look miss of +25 %", _share(pair.crossings(LIFT, group)), scale)
    yield _at_most("B7", "CS any-look miss of +25 %", _share(pair.crossings(LIFT, always)), scale)
    final = np.full(MONTH.days, np.inf)
    final[-1] = FIXED_CRITICAL
    fixed = _share(pair.crossings(0.0, final))
    found = pair.crossings(0.0, group)
    share, anytime = _share(found), _share(pair.crossings(0.0, always))
    stops = np.where(found.any(axis=1), found.argmax(axis=1) + 1, MONTH.days)
    stop = float((np.cumsum(MONTH.units_by_day)[stops - 1] / MONTH.units_by_day.sum()).mean())
    # Both shares come from the same worlds, so their ratio is steadier than either; a reduced run gets three errors.
    slack = 3 * share.error_at(share.rate) if scale < 1 else 0.0
    yield Outcome(
        "B8",
        "power at +25 %, 28 looks",
        "≥ 95 % of one look's",
        f"GST {share} of {fixed} = {100 * share.rate / fixed.rate:.1f} %, mean stop at {stop:.2f}",
        share.rate + slack >= 0.95 * fixed.rate,
        peers=f"CS {anytime}",
    )


def _a_look_a_day(scale: float, seed: int) -> Outcome:
    """Run the product's own test object, several times 2,000 worlds, each run held against 5 %."""
    shares = []
    for run in range(AA_RUNS):
        random = np.random.default_rng([seed, 650 + run])
        pair = _Pair.draw(Shop(), Shop(), random, worlds_at(scale, AA_WORLDS), MONTH)
        shares.append(_share(pair.crossings(0.0, _critical_by_the_rules(pair))))
    together = Share(sum(share.hits for share in shares), sum(share.worlds for share in shares))
    rates = sorted(share.rate for share in shares)
    return Outcome(
        "B6",
        f"A/A, the product's looks for 28 days, {AA_RUNS} runs of {shares[0].worlds:,} worlds",
        "≤ 5 % in each",
        f"{together} % ({100 * rates[0]:.1f} to {100 * rates[-1]:.1f})",
        all(share.is_within(0.0, ALPHA, scale=scale) for share in shares),
    )


def _critical_by_the_rules(pair: _Pair) -> Reals:
    """Look whenever the product would: not before seven days and 25 converters, once a day. Infinite on other days."""
    started = datetime(2026, 3, 2, tzinfo=UTC)
    group = GroupSequentialTest(SequentialPlan(n_max=int(pair.units[-1])), started)
    critical = np.full(len(pair.units), np.inf)
    fewest = np.minimum(pair.control.converters, pair.treated.converters).min(axis=0)
    for day, units in enumerate(pair.units.tolist()):
        reading = Reading(started + timedelta(days=day + 1), units, (int(fewest[day]),))
        if not waits(group, reading):
            group = take_look(group, reading)
            critical[day] = group.looks[-1].critical
    return critical


@dataclass(frozen=True)
class _Pair:
    """Two arms, day by day, in all worlds."""

    control: Sums
    treated: Sums

    @classmethod
    def draw(cls, control: Shop, treated: Shop, random: Generator, worlds: int, calendar: Calendar) -> _Pair:
        return cls(*(daily_sums(shop, random, worlds=worlds, calendar=calendar) for shop in (control, treated)))

    @property
    def units(self) -> NDArray[np.int64]:
        """Units of both arms by day, the same in all worlds. Shape: (days,)."""
        return np.asarray(self.control.n[0] + self.treated.n[0])

    def spending(self) -> Reals:
        """Critical values of a test with a look at the end of every day. Shape: (days,)."""
        shares = tuple((self.units / self.units[-1]).tolist())
        return np.array(
            critical_values(shares, tuple(obrien_fleming_spending(share, PLANNED_ALPHA) for share in shares))
        )

    def anytime(self) -> Reals:
        """Critical values of the confidence sequence, tuned for the last day. Shape: (days,)."""
        return critical_value(self.units, ALPHA, expected_units=float(self.units[-1]))

    def crossings(self, lift: float, critical: Reals) -> NDArray[np.bool_]:
        """Tell where a relative lift lies outside the Fieller interval. Shape: (worlds, days)."""
        (control, control_variance), (treated, variance) = _mean(self.control), _mean(self.treated)
        gap = np.abs(treated - (1 + lift) * control)
        return np.asarray(gap > critical * np.sqrt(variance + (1 + lift) ** 2 * control_variance))


def _check_against_product(pair: _Pair, critical: float) -> None:
    """Hold the quick sums against the product's own comparison at the last look of the first worlds."""
    last = len(pair.units) - 1
    excluded = pair.crossings(LIFT, np.full(len(pair.units), critical))[:, last]
    different = pair.crossings(0.0, np.full(len(pair.units), critical))[:, last]
    for world in range(min(100, len(excluded))):
        arms = (estimate(arm.moments(world, last)) for arm in (pair.treated, pair.control))
        found = compare(*arms, critical=critical)
        if isinstance(found, NotEnoughData) or not isinstance(found.relative, Interval):
            raise AssertionError("a world of the bench must have an interval")
        is_excluded = not found.relative.low <= LIFT <= found.relative.high
        if (is_excluded, found.is_measurable) != (bool(excluded[world]), bool(different[world])):
            raise AssertionError("the bench no longer computes what the product does")


def _mean(arm: Sums) -> tuple[Reals, Reals]:
    mean = arm.y / arm.n
    return mean, (arm.yy - arm.n * mean**2) / (arm.n - 1) / arm.n


def _share(crossings: NDArray[np.bool_]) -> Share:
    return Share(int(crossings.any(axis=1).sum()), len(crossings))


def _at_most(row: str, test: str, share: Share, scale: float, peers: str = "") -> Outcome:
    """Hold a share of worlds against alpha, without the standard error that the acceptance table would allow."""
    return Outcome(row, test, "≤ 5 %", f"{share} %", share.is_within(0.0, ALPHA, scale=scale), peers)
