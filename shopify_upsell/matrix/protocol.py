"""The yardstick: queries cut from a shop's own last months, and the metrics they are scored by.

Comes in: order lines and a moment T. Goes out: what was known before T, the questions asked after it, and numbers.
Nothing after T may reach the learner, and every method answers the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.baskets import DAY, Baskets, baskets_from_lines
from shopify_upsell.matrix.bundles import hide_one
from shopify_upsell.matrix.lines import Integers, OrderLines
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.nextsteps import Queries, next_queries

Reals = NDArray[np.float64]
Ids = list[int]

TOP, DEEP = 6, 20
"""Lengths of the list shown to a shopper, and of the list for the mean reciprocal rank."""


@dataclass(frozen=True)
class Split:
    """What is known, and what comes after. Units: `moment` in unix seconds."""

    known_lines: OrderLines
    baskets: Baskets
    moment: int
    horizon_days: int
    query_days: int


@dataclass(frozen=True)
class Task:
    """Questions and right answers, as product ids.

    Shape: equal-length lists; `histories` is empty lists for task `complete`. `customer`, a position, is what the
    bootstrap clusters by.
    """

    name: str
    baskets: list[Ids]
    histories: list[Ids]
    targets: list[Ids]
    customer: Integers
    at: int


@dataclass(frozen=True)
class Scores:
    """One number per query for each metric, and the share of the catalogue that was ever shown."""

    hit_at_1: Reals
    hit_at_3: Reals
    hit_at_6: Reals
    ndcg_at_6: Reals
    mrr_at_20: Reals
    coverage: float


def split_lines(
    lines: OrderLines, *, horizon_days: int, query_days: int, least_baskets: int = 1, folds_back: int = 0
) -> Split:
    """Cut at T = end - (horizon + query days); products in fewer than `least_baskets` orders before T are dropped.

    `folds_back` moves both T and the end one fold earlier, for tuning. A history without a horizon (guests only) is cut
    at four fifths of its time.
    """
    end = int(lines.ordered_at.max()) + 1
    length = (horizon_days + query_days) * DAY or (end - int(lines.ordered_at.min())) // 5
    end -= folds_back * length
    moment = end - length
    baskets = baskets_from_lines(lines, now=end - 1)
    held = baskets.between(0, moment).orders_per_product()
    known_ids = baskets.product_ids[held >= least_baskets]
    lines = lines.where(np.isin(lines.product_id, known_ids) & (lines.ordered_at < end))
    known = lines.where(lines.ordered_at < moment)
    return Split(known, baskets_from_lines(lines, now=end), moment, horizon_days, query_days)


def complete_task(split: Split, *, most: int, seed: int) -> Task:
    """Ask for the hidden product of baskets after T."""
    after = split.baskets.between(split.moment, np.iinfo(np.int64).max)
    orders = np.flatnonzero(np.bincount(after.entry_order, minlength=after.order_count) >= 2)
    if len(orders) > most:
        orders = np.sort(np.random.default_rng(seed).choice(orders, most, replace=False))
    shown, hidden = hide_one(_only_orders(after, orders), most=most, seed=seed)
    ids = after.product_ids
    customer = after.order_customer[orders]
    # Guests share the code -1; each of their orders is a cluster of its own.
    customer = np.where(customer < 0, -1 - np.arange(len(customer)), customer)
    return Task(
        "complete",
        _lists(shown, ids),
        [[] for _ in orders],
        [[int(ids[p])] for p in hidden],
        customer,
        split.moment,
    )


def next_task(split: Split, *, most: int, seed: int) -> Task:
    """Ask what customers buy for the first time in the horizon after their first basket since T."""
    queries: Queries = next_queries(
        split.baskets,
        start=split.moment,
        end=split.moment + split.query_days * DAY,
        horizon_days=split.horizon_days,
        most=most,
        seed=seed,
    )
    ids = split.baskets.product_ids
    tables = (queries.bought, queries.owned, queries.targets)
    baskets, histories, targets = (_lists(table, ids) for table in tables)
    return Task("next", baskets, histories, targets, queries.customer, split.moment)


def _only_orders(baskets: Baskets, orders: Integers) -> Baskets:
    kept = np.isin(baskets.entry_order, orders)
    return Baskets(
        baskets.product_ids,
        baskets.customer_ids,
        baskets.order_ids[orders],
        baskets.order_time[orders],
        baskets.order_arrived[orders],
        baskets.order_customer[orders],
        np.searchsorted(orders, baskets.entry_order[kept]).astype(np.int32),
        baskets.entry_product[kept],
    )


def _lists(table: object, ids: Integers) -> list[Ids]:
    from scipy import sparse

    rows = sparse.csr_matrix(table)
    return [
        [int(ids[place]) for place in sorted(rows.indices[rows.indptr[row] : rows.indptr[row + 1]])]
        for row in range(rows.shape[0])
    ]


def ask(matrix: Matrix, task: Task, *, limit: int = DEEP) -> list[Ids]:
    """Put the task's questions to a matrix; give the product ids of its answers."""
    if task.name == "complete":
        answers = matrix.complete(task.baskets, limit=limit)
    else:
        answers = matrix.next(task.baskets, task.histories, at=task.at, limit=limit)
    return [[companion.product_id for companion in answer] for answer in answers]


def score_answers(answers: Sequence[Sequence[int]], task: Task, *, product_count: int) -> Scores:
    """Score ranked lists against the right answers.

    Raises: ValueError if there are not as many answers as questions.
    Source: NDCG by Järvelin and Kekäläinen 2002, gain 1; the ideal list is as long as targets and places allow.
    """
    if len(answers) != len(task.targets):
        raise ValueError(f"{len(answers)} answers to {len(task.targets)} questions")
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    ndcg, reciprocal, first = [], [], []
    for answer, target in zip(answers, task.targets, strict=True):
        wanted = set(target)
        hits = np.array([product in wanted for product in answer[:DEEP]], dtype=bool)
        places = np.flatnonzero(hits)
        first.append(int(places[0]) if len(places) else DEEP)
        reciprocal.append(1 / (places[0] + 1) if len(places) else 0.0)
        ideal = discount[: min(len(wanted), TOP)].sum()
        ndcg.append(float(discount[: len(hits[:TOP])][hits[:TOP]].sum() / ideal) if ideal else 0.0)
    rank = np.array(first)
    shown = {product for answer in answers for product in answer[:TOP]}
    return Scores(
        (rank < 1).astype(float),
        (rank < 3).astype(float),
        (rank < 6).astype(float),
        np.array(ndcg),
        np.array(reciprocal),
        len(shown) / max(product_count, 1),
    )


def violations(answers: Sequence[Sequence[int]], task: Task, forbidden: frozenset[int] = frozenset()) -> int:
    """Count answers that the query already holds, or that may not be shown at all."""
    count = 0
    for answer, basket, history in zip(answers, task.baskets, task.histories, strict=True):
        count += len(set(answer) & (set(basket) | set(history) | forbidden))
    return count


def bootstrap_interval(
    values: Reals, cluster: Integers, *, draws: int = 1_000, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float]:
    """Bound a mean by resampling whole customers; pass paired differences to bound a gain.

    Source: cluster bootstrap, percentile interval (Field and Welsh 2007).
    """
    if not len(values):
        return 0.0, 0.0
    _, code = np.unique(cluster, return_inverse=True)
    total, size = np.bincount(code.reshape(-1), values), np.bincount(code.reshape(-1)).astype(float)
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        picked = random.integers(0, len(total), len(total))
        means[draw] = total[picked].sum() / size[picked].sum()
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)
