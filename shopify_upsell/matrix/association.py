"""Which product goes with which: directed companions from baskets.

Pure. In: baskets as sets of product ids. Out: up to 50 companions a product, best first. The order of the baskets
changes nothing: all counting is in integers and every tie is broken by product id.

A pair must clear a floor before it is ranked at all. Raw counts favour what sells everywhere and raw lift favours
what was seen together once; the floor asks how surprising the count is given both products' popularity, and tests
all pairs of the shop together, so that a larger catalogue does not bring more accidents. What is left is ranked by
how often buyers of the one take the other, in both directions, pulled towards independence when orders are few.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import betainc

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.tally import Tally

LARGEST_BASKET = 100
"""Products of one order that are counted: cost grows with the square, and a warehouse order pairs nothing."""

MOST_COMPANIONS = 50
"""Companions kept a product: enough to survive stock, cart and suppressions at read time."""

SMALLEST_PAIR_COUNT = 2
"""One order is an anecdote."""

FALSE_SHARE = 0.05
"""Tolerated share of accidents among the pairs of a shop. Source: the customary 5 %."""

WEAKEST_PRIOR, STRONGEST_PRIOR = 1.0, 1000.0
"""Bounds of the prior strength, in orders: under one would not shrink, over a thousand no small shop would learn."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Association:
    """What the baskets of a shop say. `pair_count` counts directed pairs kept, of all products together."""

    basket_count: int
    product_count: int
    pair_count: int
    companions: dict[ProductId, tuple[Companion, ...]]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Orders by product, and directed pairs with both ends as positions in `products`. Arrays of equal length."""

    basket_count: int
    products: list[ProductId]
    sales: Integers
    anchors: Integers
    companions: Integers
    pairs: Integers


def learn_companions(baskets: Iterable[frozenset[ProductId]]) -> Association:
    """Find the companions of every product that has some.

    Shape: one basket an order; empty baskets are not orders of anything and do not count.
    """
    counts = _count([basket for basket in baskets if basket])
    return Association(0, 0, 0, {}) if counts is None else _associated(counts)


def companions_from_tally(tally: Tally) -> Association:
    """Find the companions from counts that were kept order by order: the same answer as from the baskets."""
    if not len(tally.ids):
        return Association(0, 0, 0, {})
    first, second = tally.ends
    anchors, others = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((others, anchors))
    listed = [ProductId(product) for product in tally.ids.tolist()]
    pairs = np.concatenate([tally.n, tally.n])[order]
    return _associated(_Counts(tally.basket_count, listed, tally.sales, anchors[order], others[order], pairs))


def _associated(counts: _Counts) -> Association:
    kept = _kept_pairs(counts)
    scores = shrunk_association(
        counts.pairs,
        counts.sales[counts.anchors],
        counts.sales[counts.companions],
        prior_strength(counts),
        counts.basket_count,
    )
    companions = _best_first(counts, kept, scores)
    kept_count = sum(len(row) for row in companions.values())
    return Association(counts.basket_count, len(counts.products), kept_count, companions)


def shrunk_association(
    pairs: Integers, anchor_sales: Integers, companion_sales: Integers, strength: float, basket_count: int
) -> Floats:
    """Rate how closely two products go together, from 0 to 1, with few orders counting for little.

    The geometric mean of both shrunk confidences, `(n_ab + k·n_b/N) / (n_a + k)` and its mirror: cosine similarity
    with k imaginary orders that behave as if the products had nothing to do with each other.

    Shape: arrays of equal length, one place a pair.
    Units: counts of orders; `strength` k in orders.
    Source: posterior mean of a beta-binomial model; cosine of co-purchase counts as in Sarwar et al. (2001).
    """
    forward = (pairs + strength * companion_sales / basket_count) / (anchor_sales + strength)
    backward = (pairs + strength * anchor_sales / basket_count) / (companion_sales + strength)
    rounded: Floats = np.round(np.sqrt(forward * backward), 9)
    return rounded


def prior_strength(counts: _Counts) -> float:
    """Estimate from the shop itself how many orders it takes to trust a pair: k of the beta prior.

    If confidences scatter around "independent" no more than chance allows, nothing can be learnt from few orders
    and k is large; if products differ truly, k is small. Sums run over all pairs, also those never seen together.

    Source: method of moments for the beta-binomial, pooled over groups of different size (Kleinman 1973).
    """
    sales = counts.sales.astype(np.float64)
    share = sales / counts.basket_count
    spread = share * (1 - share)
    seen = float(np.sum(counts.pairs.astype(np.float64) ** 2))
    crossed = float(np.sum(counts.pairs * sales[counts.anchors] * share[counts.companions]))
    squared = _over_pairs(sales**2, share**2)
    excess = seen - 2 * crossed + squared - _over_pairs(sales, spread)
    if excess <= 0:
        return STRONGEST_PRIOR
    strength = _over_pairs(sales * (sales - 1), spread) / excess - 1
    return float(np.clip(strength, WEAKEST_PRIOR, STRONGEST_PRIOR))


def _over_pairs(left: Floats, right: Floats) -> float:
    """Sum `left[a] * right[b]` over all directed pairs of different products without listing them."""
    return float(np.sum(left) * np.sum(right) - np.sum(left * right))


def _count(baskets: Sequence[frozenset[ProductId]]) -> _Counts | None:
    if not baskets:
        return None
    thinned = [capped(basket) for basket in baskets]
    products = sorted({product for basket in thinned for product in basket})
    position = {product: index for index, product in enumerate(products)}
    columns = np.array([position[product] for basket in thinned for product in basket], dtype=np.int64)
    ends = np.cumsum([0] + [len(basket) for basket in thinned])
    ones = np.ones(len(columns), dtype=np.int64)
    orders = sparse.csr_array((ones, columns, ends), shape=(len(thinned), len(products)))
    together: Any = (orders.T @ orders).tocoo()
    first, second, pairs = (np.asarray(part, dtype=np.int64) for part in (*together.coords, together.data))
    sales = np.bincount(columns, minlength=len(products)).astype(np.int64)
    # Sorted, because the product of two sparse matrices comes in an order that depends on the input's.
    apart = np.flatnonzero(first != second)
    order = apart[np.lexsort((second[apart], first[apart]))]
    return _Counts(len(thinned), products, sales, first[order], second[order], pairs[order])


def capped(basket: frozenset[ProductId]) -> list[ProductId]:
    """Sort a basket and thin it out evenly to what is counted: a function of the basket alone."""
    products = sorted(basket)
    if len(products) <= LARGEST_BASKET:
        return products
    return [products[index * len(products) // LARGEST_BASKET] for index in range(LARGEST_BASKET)]


def _kept_pairs(counts: _Counts) -> NDArray[np.bool_]:
    """Mark the pairs whose association lift is above 1 by its lower confidence bound.

    The bound is the exact one for a rate (Clopper and Pearson 1934): of the orders with the rarer product, how many
    have the other one, against that one's share of all orders. Its level is the one at which no more than
    `FALSE_SHARE` of a shop's pairs are expected to be accidents (Benjamini and Hochberg 1995) among all pairs that
    could have reached the smallest count. That the bound lies above the share equals "the chance of at least this
    many orders is below the level", which is what is computed.
    """
    together = counts.pairs >= SMALLEST_PAIR_COUNT
    chance = np.ones(len(counts.pairs))
    pairs, rarer = counts.pairs[together], np.minimum(counts.sales[counts.anchors], counts.sales[counts.companions])
    rate = np.minimum(_expected(counts)[together] / rarer[together], 1.0)
    chance[together] = betainc(pairs, rarer[together] - pairs + 1, rate)
    testable = int(np.sum(counts.sales >= SMALLEST_PAIR_COUNT))
    level = _level(chance[counts.anchors < counts.companions], testable * (testable - 1) // 2)
    above: NDArray[np.bool_] = together & (chance <= level)
    return above


def _expected(counts: _Counts) -> Floats:
    """Orders in which two products would meet if they had nothing to do with each other.

    Popularity alone makes `n_a·n_b/N`. Where a few large baskets hold most of what is sold, everything meets
    everything more often than that; the factor takes this out, but never makes a pair look better.
    """
    sales = counts.sales.astype(np.float64)
    independent = sales[counts.anchors] * sales[counts.companions] / counts.basket_count
    everywhere = _over_pairs(sales, sales) / counts.basket_count
    factor = max(1.0, float(np.sum(counts.pairs)) / everywhere) if everywhere > 0 else 1.0
    expected: Floats = independent * factor
    return expected


def _level(chances: Floats, test_count: int) -> float:
    """Find the largest chance at which the expected share of accidents stays within `FALSE_SHARE`; -1 when none."""
    if test_count == 0:
        return -1.0
    ordered = np.sort(chances)
    allowed = FALSE_SHARE * np.arange(1, len(ordered) + 1) / test_count
    passing = np.flatnonzero(ordered <= allowed)
    return float(ordered[passing[-1]]) if len(passing) else -1.0


def _best_first(counts: _Counts, kept: NDArray[np.bool_], scores: Floats) -> dict[ProductId, tuple[Companion, ...]]:
    chosen = np.flatnonzero(kept)
    ranked = chosen[np.lexsort((counts.companions[chosen], -scores[chosen], counts.anchors[chosen]))]
    rows: dict[ProductId, list[Companion]] = {}
    for index in ranked.tolist():
        anchor, companion = int(counts.anchors[index]), int(counts.companions[index])
        row = rows.setdefault(counts.products[anchor], [])
        if len(row) < MOST_COMPANIONS:
            row.append(
                Companion(
                    product_id=counts.products[companion],
                    pair_count=int(counts.pairs[index]),
                    anchor_count=int(counts.sales[anchor]),
                    companion_count=int(counts.sales[companion]),
                    basket_count=counts.basket_count,
                    score=float(scores[index]),
                )
            )
    return {anchor: tuple(row) for anchor, row in rows.items()}
