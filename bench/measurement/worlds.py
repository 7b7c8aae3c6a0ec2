"""Shops with a planted truth for measurement: who buys, how much, what is refunded, credited and bought again.

Comes in: a `Shop` (the truth of one arm), a generator, a number of worlds and of units. Goes out: sums per world that
the product's estimators read. Orders of a unit are Poisson with a log-normal rate (latent intent), order values are
log-normal and may follow intent, so every mean is known in closed form. All worlds are drawn at once; units that buy
nothing are only counted, never drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.experiments.moments import PAIRS, Moments

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Generator = np.random.Generator

CHUNK_UNITS = 2_000_000
"""Units, or buyers, drawn at a time: about 200 MB."""

WEEK = (0.9, 0.85, 0.9, 1.0, 1.15, 1.2, 1.0)
"""Traffic by weekday over its mean, Monday first."""


@dataclass(frozen=True)
class Shop:
    """The truth of one arm.

    Units: `orders` per unit, `value` minor units per order of an average unit, `intent` and `spread` standard
    deviations of the logarithms of a unit's rate and of an order's value, `pull` by how much the logarithm of value
    moves when that of the rate moves by one `intent`; `refund` and `claimed` shares of orders, 0 to 1.
    Source of the defaults: coefficient of variation of revenue per visitor 5.9, as in the reference shops.
    """

    orders: float = 0.055
    value: float = 6_000.0
    intent: float = 0.5
    spread: float = 0.8
    pull: float = 0.0
    refund: float = 0.0
    claimed: float = 0.0

    @property
    def order_value(self) -> float:
        """Give net revenue per order, refunded orders counted as orders. Units: minor units."""
        return self.value * math.exp(self.intent * self.pull) * (1 - self.refund)

    @property
    def revenue(self) -> float:
        """Give net revenue per unit. Units: minor units."""
        return self.orders * self.order_value

    @property
    def claimed_revenue(self) -> float:
        """Give revenue per unit that an offer is credited with. Units: minor units."""
        return self.revenue * self.claimed

    def with_effect(self, *, orders: float = 0.0, value: float = 0.0, refund: float = 0.0) -> Shop:
        """Give the treated arm: more orders and higher values by these shares, refunds by these points."""
        return replace(
            self, orders=self.orders * (1 + orders), value=self.value * (1 + value), refund=self.refund + refund
        )


HEAVY_TAIL = Shop(spread=1.4)
"""Order values with a coefficient of variation of 2.5."""


@dataclass(frozen=True)
class Sums:
    """An arm in every world. Shape: all (worlds,) or, by `daily_sums`, (worlds, days), cumulated."""

    n: Integers
    converters: Integers
    y: Reals
    d: Reals
    yy: Reals
    yd: Reals
    dd: Reals

    def moments(self, *place: int) -> Moments:
        """Give one world (and day) as the product keeps it."""
        crosses = [0] * len(PAIRS)
        for (a, b), value in (((0, 0), self.yy), ((0, 1), self.yd), ((1, 1), self.dd)):
            crosses[PAIRS.index((a, b))] = int(value[place])
        sums = (int(self.y[place]), int(self.d[place]), 0, 0, 0)
        return Moments(int(self.n[place]), int(self.converters[place]), sums, tuple(crosses))


@dataclass(frozen=True)
class Orders:
    """Orders of many worlds, those of a unit together.

    Shape: one entry per order; `unit` counts buyers over all worlds from 0, `unit_world` has one entry per buyer.
    Units: `value` minor units, what remains after refunds if `is_refunded`: 0.
    """

    unit: Integers
    value: Integers
    is_refunded: NDArray[np.bool_]
    is_claimed: NDArray[np.bool_]
    unit_world: Integers


def chunks(worlds: int, units: int) -> Iterator[int]:
    """Cut the worlds into parts that fit in memory, given how many units are drawn for each."""
    step = max(1, CHUNK_UNITS // max(units, 1))
    for first in range(0, worlds, step):
        yield min(step, worlds - first)


def draw_orders(shop: Shop, random: Generator, *, worlds: int, units: int) -> Orders:
    """Draw all orders of `units` units in each world.

    Source: intent on 61 Gauss-Hermite nodes, whose means equal the log-normal's; a buyer's first order falls at an
    exponential moment cut off at the period's end, the rest are Poisson after it.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    rates = shop.orders * np.exp(shop.intent * nodes - shop.intent**2 / 2)
    buying = weights / weights.sum() * -np.expm1(-rates)
    unit_world = np.repeat(np.arange(worlds), random.binomial(units, min(buying.sum(), 1.0), worlds))
    level = np.searchsorted(np.cumsum(buying) / buying.sum(), random.random(len(unit_world)), side="right")
    level = np.minimum(level, len(nodes) - 1)
    rate = rates[level]
    first_at = -np.log1p(random.random(len(level)) * np.expm1(-rate)) / rate
    count = 1 + random.poisson(rate * (1 - first_at))
    unit = np.repeat(np.arange(len(level)), count)
    middle = math.log(shop.value) - shop.spread**2 / 2 - shop.pull**2 / 2
    value = np.exp(random.normal(middle, shop.spread, len(unit)) + shop.pull * nodes[level][unit])
    is_refunded = random.random(len(unit)) < shop.refund
    is_claimed = random.random(len(unit)) < shop.claimed
    return Orders(unit, np.rint(value).astype(np.int64), is_refunded, is_claimed, unit_world)


def tally(unit_world: Integers, worlds: int, units: int, *, y: Reals, d: Reals) -> Sums:
    """Sum what the buyers amount to, world by world; all other units have 0 of both."""

    def per_world(values: Reals) -> Reals:
        return np.bincount(unit_world, values, worlds).astype(np.float64)

    return Sums(
        n=np.full(worlds, units),
        converters=np.bincount(unit_world, minlength=worlds),
        y=per_world(y),
        d=per_world(d),
        yy=per_world(y * y),
        yd=per_world(y * d),
        dd=per_world(d * d),
    )


def draw_sums(shop: Shop, random: Generator, *, worlds: int, units: int, by: str = "orders") -> Sums:
    """Draw an arm: y is net revenue per unit, d its orders (`by="orders"`) or its credited revenue (`by="claimed"`)."""
    buyers = max(1, int(units * min(shop.orders, 1.0)))
    parts = []
    for count in chunks(worlds, buyers):
        orders = draw_orders(shop, random, worlds=count, units=units)
        buyer_count = len(orders.unit_world)
        net = np.where(orders.is_refunded, 0, orders.value).astype(np.float64)
        divisor = np.ones(len(net)) if by == "orders" else net * orders.is_claimed
        y, d = (np.bincount(orders.unit, part, buyer_count).astype(np.float64) for part in (net, divisor))
        parts.append(tally(orders.unit_world, count, units, y=y, d=d))
    return join(parts)


def join(parts: list[Sums]) -> Sums:
    """Put the worlds of several chunks one after the other."""
    names = ("n", "converters", "y", "d", "yy", "yd", "dd")
    return Sums(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Calendar:
    """When things happen. Units: days; `units_per_day` is the mean over a week.

    A unit enters on a day of the calendar, as weekdays have traffic. Each order falls on the day of entry or, with
    chance `returning`, later by a geometric delay; a refund follows its order by a geometric delay. What would fall
    after the last day is not seen: it is lost to every estimator alike.
    """

    days: int = 28
    units_per_day: int = 1_000
    returning: float = 0.0
    return_delay: float = 4.0
    refund_delay: float = 7.0

    @property
    def units_by_day(self) -> Integers:
        """Give the units that enter each day."""
        return np.array([round(self.units_per_day * WEEK[day % 7]) for day in range(self.days)])

    def revenue(self, shop: Shop) -> float:
        """Give net revenue per unit that is known after the last day: orders and refunds yet to come are not."""
        entry = self.units_by_day / self.units_by_day.sum()
        ordered = (1 - self.returning) * entry + self.returning * _delayed(entry, self.return_delay)
        refunded = _delayed(ordered, self.refund_delay)
        gross = shop.revenue / (1 - shop.refund)
        return gross * float(ordered.sum() - shop.refund * refunded.sum())


def _delayed(share: Reals, mean_delay: float) -> Reals:
    wait = (1 - 1 / mean_delay) ** np.arange(len(share)) / mean_delay
    return np.concatenate([[0.0], np.convolve(share, wait)[: len(share) - 1]])


def daily_sums(shop: Shop, random: Generator, *, worlds: int, calendar: Calendar) -> Sums:
    """Draw an arm day by day: what would be known at the end of each day. Shape: (worlds, days), cumulated.

    A unit's y moves from a to b as orders and refunds come in, and Σy² by b² - a², as in the product.
    """
    per_day = calendar.units_by_day
    units = int(per_day.sum())
    parts = []
    for count in chunks(worlds, max(1, int(4 * units * min(shop.orders, 1.0)))):
        orders = draw_orders(shop, random, worlds=count, units=units)
        parts.append(_daily(orders, random, worlds=count, calendar=calendar))
    return join(parts)


def _daily(orders: Orders, random: Generator, *, worlds: int, calendar: Calendar) -> Sums:
    per_day, days = calendar.units_by_day, calendar.days
    entry = np.searchsorted(np.cumsum(per_day), random.random(len(orders.unit_world)) * per_day.sum(), side="right")
    later = random.random(len(orders.unit)) < calendar.returning
    ordered = entry[orders.unit] + later * random.geometric(1 / calendar.return_delay, len(orders.unit))
    refunded = ordered + random.geometric(1 / calendar.refund_delay, len(orders.unit))
    back = orders.is_refunded
    unit = np.concatenate([orders.unit, orders.unit[back]])
    day = np.concatenate([ordered, refunded[back]])
    step_y = np.concatenate([orders.value, -orders.value[back]])
    step_d = np.concatenate([np.ones(len(orders.unit), np.int64), np.zeros(int(back.sum()), np.int64)])
    order = np.lexsort((day, unit))
    order = order[day[order] < days]
    steps = _Steps(unit[order], orders.unit_world[unit[order]], day[order], step_y[order], step_d[order])
    return _cumulated(steps, worlds, calendar)


@dataclass(frozen=True)
class _Steps:
    """What happened to units, sorted by unit and day. Shape: one entry per order or refund; steps of y and of d."""

    unit: Integers
    world: Integers
    day: Integers
    y: Integers
    d: Integers


def _cumulated(steps: _Steps, worlds: int, calendar: Calendar) -> Sums:
    """Turn dated steps into what is known at the end of each day."""
    is_first = np.diff(steps.unit, prepend=-1) != 0
    (y_before, y), (d_before, d) = (_before_and_after(step, is_first) for step in (steps.y, steps.d))
    place = steps.world * calendar.days + steps.day

    def known(change: Integers | NDArray[np.bool_]) -> Reals:
        flat = np.bincount(place, change.astype(np.float64), worlds * calendar.days)
        return np.cumsum(flat.reshape(worlds, calendar.days), axis=1)

    return Sums(
        n=np.tile(np.cumsum(calendar.units_by_day), (worlds, 1)),
        converters=known(is_first).astype(np.int64),
        y=known(y - y_before),
        d=known(d - d_before),
        yy=known(y * y - y_before * y_before),
        yd=known(y * d - y_before * d_before),
        dd=known(d * d - d_before * d_before),
    )


def _before_and_after(step: Integers, is_first: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    running = np.cumsum(step)
    starts = np.flatnonzero(is_first)
    lengths = np.diff(np.append(starts, len(step)))
    after = running - np.repeat(running[starts] - step[starts], lengths)
    return after - step, after
