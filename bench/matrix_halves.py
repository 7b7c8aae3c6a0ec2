"""Timing and suppression judged on customers that the learner never saw.

Comes in: a history. Goes out: the log-loss of our windows and of the shop's one curve on the other half of the
customers, and the pooled lift there of the pairs we suppress.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.firsts import first_purchases
from shopify_upsell.matrix.learning import learn
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.negative import observed_and_expected
from shopify_upsell.matrix.products import Products
from shopify_upsell.matrix.waiting import Waiting, count_waiting


@dataclass(frozen=True)
class HalfJudgement:
    """Units: nats per event; `suppressed_ratio` observed over expected purchases."""

    loss: float
    global_loss: float
    event_count: int
    suppressed_ratio: float
    edge_count: int


def judge_halves(lines: OrderLines, products: Products, *, seed: int) -> HalfJudgement:
    """Learn on one half of the customers, and count on the other. Histories of guests only judge nothing."""
    customers = np.unique(lines.customer_id[lines.customer_id >= 0])
    if not len(customers):
        return HalfJudgement(0.0, 0.0, 0, 0.0, 0)
    is_first = np.random.default_rng(seed + 77).random(len(customers)) < 0.5
    in_first = np.isin(lines.customer_id, customers[is_first]) | (lines.customer_id < 0)
    now = int(lines.ordered_at.max()) + 1
    matrix = learn(lines.where(in_first), products, now=now, seed=seed)
    # The judged half needs the learner's product positions, so that its counts can be laid beside the curves.
    other = baskets_from_lines(lines.where(~in_first), now=now, listed=matrix.parts.products.id)
    judged = count_waiting(first_purchases(other), now=now, seed=seed)
    loss, global_loss, events = _losses(matrix, judged, other.product_ids)
    ratio, edges = _suppressed_ratio(matrix, judged, other.product_ids)
    return HalfJudgement(loss, global_loss, events, ratio, edges)


def _losses(matrix: Matrix, judged: Waiting, ids: np.ndarray) -> tuple[float, float, int]:
    timing = matrix.parts.when.timing
    learned_ids = matrix.parts.products.id[timing.waiting.products]
    judged_ids = ids[judged.products]
    _, ours, theirs = np.intersect1d(learned_ids, judged_ids, return_indices=True)
    level = timing.level[np.ix_(ours, ours)]
    ratio = np.where(level[..., None] > 0, timing.ratio[np.ix_(ours, ours)], 1.0).astype(np.float64)
    events = judged.events[np.ix_(theirs, theirs)].astype(np.float64)
    base = judged.at_risk[np.ix_(theirs, theirs)] * timing.shop_hazard
    base = base / np.maximum(base.sum(axis=-1, keepdims=True), 1e-300)
    mine = base * ratio
    mine = mine / np.maximum(mine.sum(axis=-1, keepdims=True), 1e-300)
    count = max(float(events.sum()), 1.0)
    losses = [-(events * np.log(np.maximum(p, 1e-9))).sum() / count for p in (mine, base)]
    return float(losses[0]), float(losses[1]), int(events.sum())


def _suppressed_ratio(matrix: Matrix, judged: Waiting, ids: np.ndarray) -> tuple[float, int]:
    tally = observed_and_expected(judged)
    place = {int(ids[product]): at for at, product in enumerate(judged.products)}
    pairs = [
        (place[edge.anchor_id], place[edge.companion_id])
        for edge in matrix.negative_edges()
        if edge.anchor_id in place and edge.companion_id in place
    ]
    if not pairs:
        return 0.0, 0
    first, second = np.array(pairs).T
    expected = float(tally.expected[first, second].sum())
    return float(tally.observed[first, second].sum()) / max(expected, 1e-12), len(pairs)
