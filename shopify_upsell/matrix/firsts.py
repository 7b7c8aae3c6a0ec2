"""Each customer's first purchase of each product: the events behind cross-sell, timing and suppression.

Comes in: baskets. Goes out: one row per (customer, product) with the time it was first bought. Guests are left out,
because two guest orders cannot be told to be one person's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import Baskets
from shopify_upsell.matrix.lines import Integers

PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class FirstPurchases:
    """First purchases, ascending by (customer, time, product).

    Shape: equal-length 1-d arrays; customers and products are positions in the baskets' id columns.
    Units: `time` of the order, and when it `arrived`, in unix seconds.
    """

    customer: Integers
    product: Integers
    time: Integers
    arrived: Integers
    customer_count: int
    product_count: int

    def __len__(self) -> int:
        """Count the first purchases."""
        return len(self.customer)

    def owners_per_product(self) -> Integers:
        """Count the customers who ever bought each product."""
        return np.bincount(self.product, minlength=self.product_count).astype(np.int64)

    def buyer_count(self) -> int:
        """Count the customers with a purchase."""
        return len(np.unique(self.customer))

    def ownership(self) -> sparse.csr_matrix:
        """Lay out who owns what: customers x products, 1 where bought."""
        shape = (self.customer_count, self.product_count)
        ones = np.ones(len(self), dtype=np.float32)
        return sparse.csr_matrix((ones, (self.customer, self.product)), shape=shape)

    def where(self, kept: NDArray[np.bool_]) -> FirstPurchases:
        """Keep only the rows for which `kept` is true."""
        columns = (self.customer[kept], self.product[kept], self.time[kept], self.arrived[kept])
        return FirstPurchases(*columns, self.customer_count, self.product_count)


def first_purchases(baskets: Baskets) -> FirstPurchases:
    """Find when each customer first bought each product."""
    customer = baskets.order_customer[baskets.entry_order]
    is_known = customer >= 0
    key = customer[is_known] * np.int64(max(baskets.product_count, 1)) + baskets.entry_product[is_known]
    # Entries ascend by time, and `unique` reports the first place of each key: that is the first purchase.
    distinct, first = np.unique(key, return_index=True)
    order = baskets.entry_order[is_known][first]
    time, arrived = baskets.order_time[order], baskets.order_arrived[order]
    owner, product = np.divmod(distinct, np.int64(max(baskets.product_count, 1)))
    by_time = np.lexsort((product, time, owner))
    columns = (owner[by_time], product[by_time], time[by_time], arrived[by_time])
    return FirstPurchases(*columns, len(baskets.customer_ids), baskets.product_count)


def within_budget(firsts: FirstPurchases, pair_budget: int, *, seed: int) -> FirstPurchases:
    """Keep whole customers, drawn by seed, until their pairs of products fill the budget.

    Pairs grow with the square of what a customer bought, so a shop of heavy buyers would otherwise cost more than its
    number of lines lets expect.
    """
    sizes = np.bincount(firsts.customer, minlength=firsts.customer_count).astype(np.int64)
    if int((sizes**2).sum()) <= pair_budget:
        return firsts
    drawn = np.random.default_rng(seed).permutation(firsts.customer_count)
    is_kept = np.zeros(firsts.customer_count, dtype=bool)
    is_kept[drawn[np.cumsum(sizes[drawn] ** 2) <= pair_budget]] = True
    return firsts.where(is_kept[firsts.customer])


def ordered_pairs(firsts: FirstPurchases) -> Iterator[tuple[Integers, Integers]]:
    """Yield all pairs of rows of one customer, both ways round, some millions at a time.

    Shape: two equal-length arrays of row positions; a row is never paired with itself.
    """
    if not len(firsts):
        return
    starts = np.flatnonzero(np.r_[True, firsts.customer[1:] != firsts.customer[:-1]])
    sizes = np.diff(np.r_[starts, len(firsts)])
    row_start, row_size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    edges = np.searchsorted(np.cumsum(row_size), np.arange(0, int(row_size.sum()) + PAIRS_AT_ONCE, PAIRS_AT_ONCE))
    for low, high in zip(edges[:-1], np.minimum(edges[1:], len(firsts)), strict=True):
        rows = np.arange(low, high)
        size = row_size[rows]
        left = np.repeat(rows, size)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(size) - size, size)
        right = row_start[left] + offset
        apart = left != right
        yield left[apart], right[apart]
