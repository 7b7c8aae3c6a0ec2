"""From order lines to a learned matrix.

Comes in: lines, an optional catalogue, the moment to learn from and a seed. Goes out: a `Matrix`. The parts that a
caller does not ask for are not computed: bundles at once, next steps and timing when first asked or saved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.backoff import lend_rows
from shopify_upsell.matrix.baskets import DAY, Baskets, baskets_from_lines
from shopify_upsell.matrix.bundles import choose_settings, learn_ridge
from shopify_upsell.matrix.endings import Endings, endings_of, waiting_starts
from shopify_upsell.matrix.gram import co_counts
from shopify_upsell.matrix.kinship import Kinship, kinship_of
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.negative import find_negative, pairs_due
from shopify_upsell.matrix.nextsteps import MOST_QUERIES, fit_weights, next_queries, prior_weights
from shopify_upsell.matrix.parts import BundlePart, Learned, NextPart, WhenPart
from shopify_upsell.matrix.popularity import SEASON_DAYS
from shopify_upsell.matrix.products import Products, align_products, products_from_table
from shopify_upsell.matrix.pruning import prune_sparse_rows
from shopify_upsell.matrix.rare import count_rare
from shopify_upsell.matrix.replenishment import learn_replenishment
from shopify_upsell.matrix.signals import learn_signals
from shopify_upsell.matrix.timing import learn_timing, shop_hazard
from shopify_upsell.matrix.waiting import count_waiting, most_owned

HORIZON_DAYS = 90
"""Days in which a next step is looked for. Source: the protocol, reference `matrix.md` part 2."""

QUERY_DAYS = (14, 28, 56)
"""Lengths of the fold that the next-step weights are learned on; the shortest with enough customers is taken, because
it lies closest to the present.
"""

FOLD_NEIGHBOURS = 80
MOST_COUNTS = 20_000_000
COUNTS_PER_ROW = 500


def learn(lines: OrderLines, products: Any = None, *, now: int, seed: int = 0) -> Matrix:
    """Learn what goes with what, what comes next and when, from the orders up to `now`.

    The same lines in any order, the same products, `now` and seed give the same matrix.

    Shape: `products` is a `Products`, a mapping of columns or a data frame; None if there is no catalogue.
    Units: `now` in unix seconds.
    Raises: ValueError if the catalogue has no ids, repeated ids or columns of different lengths.
    """
    catalogue = None if products is None else products_from_table(products)
    listed = None if catalogue is None else catalogue.id
    baskets = baskets_from_lines(lines, now=now, listed=listed)
    endings = endings_of(lines, baskets, now=now)
    return Matrix(_Learning(baskets, endings, align_products(catalogue, baskets.product_ids), now, seed))


@dataclass(frozen=True)
class _Learning:
    """The order history, and the parts learned from it as they are asked for."""

    baskets: Baskets
    endings: Endings | None
    products: Products
    now: int
    seed: int

    @cached_property
    def kinship(self) -> Kinship:
        return kinship_of(self.products)

    @cached_property
    def bundle(self) -> BundlePart:
        baskets, orders = self.baskets, self.baskets.orders_per_product()
        settings = choose_settings(baskets, seed=self.seed)
        ridge = learn_ridge(baskets, settings.penalty, now=self.now)
        recent = baskets.between(self.now - SEASON_DAYS * DAY, self.now + 1)
        whole_share = orders / max(baskets.order_count, 1)
        # A month without orders must not erase what sells; twenty orders of the past are always mixed in.
        recent_share = (recent.orders_per_product() + 20 * whole_share) / (recent.order_count + 20)
        counts = co_counts(baskets)
        if counts.nnz > MOST_COUNTS:
            counts = prune_sparse_rows(counts, COUNTS_PER_ROW)
        lending = lend_rows(ridge, orders, self.products)
        return BundlePart(ridge, lending, settings, counts, orders, baskets.order_count, recent_share)

    @cached_property
    def next_step(self) -> NextPart:
        sold = np.flatnonzero(self.bundle.orders_per_product > 0)
        baskets, products = self.baskets.only(sold), self.products.only(sold)
        ridge = self.bundle.ridge[sold][:, sold].tocsr()
        signals = learn_signals(baskets, products, kinship_of(products), ridge, now=self.now, seed=self.seed)
        return NextPart(sold, signals, self._next_weights(baskets, products))

    def _next_weights(self, baskets: Baskets, products: Products) -> NDArray[np.float64]:
        span_days = (self.now - int(baskets.order_time[0])) / DAY if baskets.order_count else 0.0
        horizon = int(min(HORIZON_DAYS, span_days // 3))
        for query_days in QUERY_DAYS:
            start = self.now - (horizon + query_days) * DAY
            queries = next_queries(
                baskets,
                start=start,
                end=start + query_days * DAY,
                horizon_days=horizon,
                most=MOST_QUERIES,
                seed=self.seed,
            )
            if queries.bought.shape[0] >= MOST_QUERIES // 2:
                break
        past = baskets.between(0, start)
        if not past.order_count or not queries.bought.shape[0]:
            return prior_weights()
        # Only the ridge's weight beside the other signals is learned here; fewer neighbours will do.
        ridge = learn_ridge(past, self.bundle.settings.penalty, now=start, neighbours=FOLD_NEIGHBOURS)
        signals = learn_signals(past, products, kinship_of(products), ridge, now=start, seed=self.seed)
        return fit_weights(signals, queries)

    @cached_property
    def when(self) -> WhenPart:
        firsts = waiting_starts(self.baskets, self.endings)
        waiting = count_waiting(firsts, now=self.now, seed=self.seed)
        bundle = self.bundle
        due = pairs_due(bundle.orders_per_product, bundle.order_count, most_owned(firsts))
        rare = count_rare(firsts, self.kinship, shop_hazard(waiting), due, now=self.now, seed=self.seed)
        verdicts = find_negative(waiting, rare, self.kinship, bundle.counts, bundle.order_count)
        return WhenPart(learn_timing(waiting, rare, self.kinship), verdicts, learn_replenishment(self.baskets))

    def complete(self) -> Learned:
        """Compute whatever has not been asked for yet."""
        return Learned(self.now, self.seed, self.products, self.kinship, self.bundle, self.next_step, self.when)


def refreshed_stock(learned: Learned, available: dict[int, bool]) -> Learned:
    """Put new availability into a learned matrix; products not named keep theirs."""
    products = learned.products
    stock = products.available.copy()
    for place, product_id in enumerate(products.id.tolist()):
        stock[place] = available.get(product_id, bool(stock[place]))
    return replace(learned, products=replace(products, available=stock))
