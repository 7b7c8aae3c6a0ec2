"""Rows B2 and B3: value per order and attach rate, ratios over units of which many have no order and some several."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.measurement.covering import Coverage, Usual, covered
from bench.measurement.customers import draw_attached
from bench.measurement.outcome import Outcome, worlds_at
from bench.measurement.worlds import Generator, Shop, Sums, draw_sums
from shopify_upsell.experiments.estimators import PER_DIVISOR, Comparison, compare, estimate
from shopify_upsell.experiments.fieller import Interval

ROWS = ("B2", "B3")

SPARSE = Shop(orders=0.061)
LOYAL = Shop(orders=3.0, intent=0.8)
ATTACHED = 0.2


def rows(scale: float, seed: int) -> Iterator[Outcome]:
    """Run every case. Units: `scale` 1 is 4,000 worlds each."""
    for number, (units, effect) in enumerate(((1_000, 0.0), (2_000, 0.0), (1_000, 0.10), (2_000, 0.10))):
        yield _value_per_order(units, effect, np.random.default_rng([seed, 100 + number]), scale=scale)
    for number, (units, effect) in enumerate(((1_000, 0.0), (300, 0.0), (1_000, 0.05), (300, 0.05))):
        yield _attach_rate(units, effect, np.random.default_rng([seed, 200 + number]), scale=scale)


def _value_per_order(units: int, effect: float, random: Generator, *, scale: float) -> Outcome:
    treated = SPARSE.with_effect(value=effect)
    lift = treated.order_value / SPARSE.order_value - 1
    ours, usual = Coverage(lift), Usual(lift)
    for comparison in _pairs(*(_orders(shop, random, scale, units) for shop in (treated, SPARSE))):
        ours.count(comparison.relative)
        usual.count(comparison)
    name = f"AOV relative CI, {units * SPARSE.orders:.0f} orders an arm, {100 * effect:+.0f} %"
    return covered("B2", name, ours, scale=scale, peers=str(usual))


def _orders(shop: Shop, random: Generator, scale: float, units: int) -> Sums:
    return draw_sums(shop, random, worlds=worlds_at(scale), units=units)


def _attach_rate(units: int, effect: float, random: Generator, *, scale: float) -> Outcome:
    worlds = worlds_at(scale)
    treated = draw_attached(LOYAL, ATTACHED + effect, random, worlds=worlds, units=units)
    control = draw_attached(LOYAL, ATTACHED, random, worlds=worlds, units=units)
    ours, by_order = Coverage(effect), Coverage(effect)
    for world, comparison in enumerate(_pairs(treated, control)):
        ours.count(comparison.absolute)
        by_order.count(_by_order(comparison, float(treated.d[world]), float(control.d[world])))
    name = f"attach rate CI, {units} customers an arm, {100 * effect:+.0f} points"
    return covered("B3", name, ours, scale=scale, peers=f"order-level binomial {by_order}")


def _by_order(comparison: Comparison, treated_orders: float, control_orders: float) -> Interval:
    """Give the interval that takes orders for independent."""
    treated, control = comparison.treated.value, comparison.control.value
    error = math.sqrt(treated * (1 - treated) / treated_orders + control * (1 - control) / control_orders)
    return Interval(comparison.difference - 1.96 * error, comparison.difference + 1.96 * error)


def _pairs(treated: Sums, control: Sums) -> Iterator[Comparison]:
    for world in range(len(control.n)):
        found = compare(estimate(treated.moments(world), PER_DIVISOR), estimate(control.moments(world), PER_DIVISOR))
        if isinstance(found, Comparison):
            yield found
