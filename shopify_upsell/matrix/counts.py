"""Pair counts kept up to date order by order, refund by refund, without ever counting anew.

Comes in: what an order holds now, as often and in whatever order the news arrives. Goes out: the same co-counts that a
rebuild from scratch would give. Each order is remembered with its version, so an old or repeated message changes
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True)
class OrderState:
    """What an order holds as of one version; an empty basket is a cancelled or wholly refunded order."""

    version: int
    products: frozenset[int]


@dataclass
class PairCounts:
    """Orders per product and per unordered pair.

    Shape: pairs are keyed (smaller id, larger id).
    Units: counts of orders that hold both after edits and refunds.
    """

    product_count: Counter[int] = field(default_factory=Counter)
    pair_count: Counter[tuple[int, int]] = field(default_factory=Counter)
    order_states: dict[int, OrderState] = field(default_factory=dict)

    def record_order(self, order_id: int, products: Iterable[int], *, version: int) -> frozenset[int]:
        """Take in an order, an edit or a refund: what the order holds from now on.

        Give the products whose rows changed; none if the message is old or a repeat. Versions of one order must rise
        with its changes (Shopify's updated_at will do); of two bodies with one version the larger basket in sorted
        order wins, so that the order of arrival never matters.
        """
        state = OrderState(version, frozenset(products))
        before = self.order_states.get(order_id, OrderState(-1, frozenset()))
        if _rank(state) <= _rank(before):
            return frozenset()
        self.order_states[order_id] = state
        if state.products == before.products:
            return frozenset()
        self._add(before.products, -1)
        self._add(state.products, +1)
        return before.products | state.products

    def count_of(self, first: int, second: int) -> int:
        """Count the orders that hold both products."""
        return self.pair_count[(min(first, second), max(first, second))]

    def _add(self, products: frozenset[int], sign: int) -> None:
        for product in products:
            _add_to(self.product_count, product, sign)
        for pair in combinations(sorted(products), 2):
            _add_to(self.pair_count, pair, sign)


def rebuild_counts(states: Iterable[tuple[int, OrderState]]) -> PairCounts:
    """Count from scratch: of each order, the state of the highest version."""
    latest: dict[int, OrderState] = {}
    for order_id, state in states:
        if order_id not in latest or _rank(state) > _rank(latest[order_id]):
            latest[order_id] = state
    counts = PairCounts()
    for order_id, state in latest.items():
        counts.record_order(order_id, state.products, version=state.version)
    return counts


def _rank(state: OrderState) -> tuple[int, list[int]]:
    return state.version, sorted(state.products)


def _add_to(counter: Counter[Key], key: Key, amount: int) -> None:
    counter[key] += amount
    # Zero entries would make an incremental table differ from a rebuilt one.
    if not counter[key]:
        del counter[key]
