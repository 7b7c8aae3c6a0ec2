"""Customers with habits, for measurement: those who take offers again and again, and those whose past tells the future.

Comes in: a `Shop`, a generator, a number of worlds and of units. Goes out: sums per world, or the units themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.measurement.worlds import Generator, Integers, Reals, Shop, Sums, draw_orders, tally
from shopify_upsell.experiments.moments import COLUMNS, PAIRS, Moments

CLINGING = 1.5
"""Of `draw_attached`: the smaller, the more alike a unit's orders are."""


def draw_attached(shop: Shop, rate: float, random: Generator, *, worlds: int, units: int) -> Sums:
    """Draw an arm for an attach rate: y is a unit's orders with an offer, d all its orders.

    Units differ in how often they take an offer: Beta with mean `rate` and `CLINGING` pseudo-orders, whatever their
    intent, so that the truth is `rate` and the orders of a unit are alike.
    """
    orders = draw_orders(shop, random, worlds=worlds, units=units)
    buyer_count = len(orders.unit_world)
    taking = random.beta(CLINGING * rate, CLINGING * (1 - rate), buyer_count)
    is_taken = random.random(len(orders.unit)) < taking[orders.unit]
    y = np.bincount(orders.unit, is_taken, buyer_count).astype(np.float64)
    d = np.bincount(orders.unit, minlength=buyer_count).astype(np.float64)
    return tally(orders.unit_world, worlds, units, y=y, d=d)


@dataclass(frozen=True)
class History:
    """What the past of known customers was like: `shop` is its truth, `known` the share of units that have one."""

    shop: Shop
    known: float = 0.85


def draw_customers(shop: Shop, random: Generator, *, worlds: int, units: int, history: History) -> Integers:
    """Draw customers whose intent rules both their past (`history.shop`) and what follows (`shop`).

    Shape: (worlds, units, 5), columns as in `Moments`: y, d, x, w, h.
    """
    intent = random.normal(size=(worlds, units))
    is_known = random.random((worlds, units)) < history.known
    y, d = _bought(shop, random, intent)
    x, w = _bought(history.shop, random, intent)
    return np.stack([y, d, x * is_known, w * is_known, is_known.astype(np.int64)], axis=-1)


def _bought(shop: Shop, random: Generator, intent: Reals) -> tuple[Integers, Integers]:
    count = random.poisson(shop.orders * np.exp(shop.intent * intent - shop.intent**2 / 2)).ravel()
    kept = np.repeat(np.arange(len(count)), count)
    middle = math.log(shop.value) - shop.spread**2 / 2 - shop.pull**2 / 2
    value = np.rint(np.exp(random.normal(middle, shop.spread, len(kept)) + shop.pull * intent.ravel()[kept]))
    value *= random.random(len(kept)) >= shop.refund
    total = np.bincount(kept, value, len(count)).astype(np.int64)
    return total.reshape(intent.shape), count.reshape(intent.shape).astype(np.int64)


def moments_of_rows(rows: Integers) -> Moments:
    """Sum one world's units as the product keeps them. Shape: (units, 5), columns y, d, x, w, h."""
    is_large = int(np.abs(rows).max(initial=0)) ** 2 * len(rows) >= 2**63
    products = rows.T.astype(object) @ rows.astype(object) if is_large else rows.T @ rows
    crosses = tuple(int(products[a, b]) for a, b in PAIRS)
    sums = tuple(int(value) for value in rows.sum(axis=0))
    return Moments(len(rows), int((rows[:, COLUMNS.index("d")] > 0).sum()), sums, crosses)
