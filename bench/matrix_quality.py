"""Protocol, peers and ours on one history, on the same queries.

Comes in: a history. Goes out: per method the metrics per query, so that gains can be judged pairwise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from bench.matrix_histories import History
from bench.matrix_peers import Past, Scorer, decayed_history, peers_for
from shopify_upsell.matrix.choosing import basket_table, choose
from shopify_upsell.matrix.learning import learn
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.protocol import (
    DEEP,
    TOP,
    Scores,
    Split,
    Task,
    ask,
    bootstrap_interval,
    complete_task,
    next_task,
    score_answers,
    split_lines,
    violations,
)

OURS = "ours"
MOST_QUERIES = {"complete": 6_000, "next": 2_500}
SINGLE_QUERIES = 200


@dataclass
class Outcome:
    """All methods' scores on one history and task, and our speed and violations.

    Units: CPU milliseconds a query asked with many others; median and 99th percentile of CPU milliseconds of one asked
    alone.
    """

    history: str
    task: Task
    scores: dict[str, Scores] = field(default_factory=dict)
    milliseconds: float = 0.0
    single_milliseconds: tuple[float, float] = (0.0, 0.0)
    violations: int = 0

    def mean(self, method: str) -> float:
        """Give a method's NDCG@6."""
        return float(self.scores[method].ndcg_at_6.mean())

    def gain(self, method: str, other: str) -> tuple[float, float, float]:
        """Give the paired gain in NDCG@6 and its interval."""
        difference = self.scores[method].ndcg_at_6 - self.scores[other].ndcg_at_6
        low, high = bootstrap_interval(difference, self.task.customer)
        return float(difference.mean()), low, high


def run_quality(history: History, *, seed: int = 0, folds_back: int = 0) -> list[Outcome]:
    """Run every method on both tasks; histories without customers have no next step."""
    split = split_lines(
        history.lines,
        horizon_days=history.horizon_days,
        query_days=history.query_days,
        least_baskets=history.least_baskets,
        folds_back=folds_back,
    )
    tasks = [complete_task(split, most=MOST_QUERIES["complete"], seed=seed)]
    if history.horizon_days:
        tasks.append(next_task(split, most=MOST_QUERIES["next"], seed=seed))
    outcomes = [Outcome(history.name, task) for task in tasks]
    for name, fit in peers_for(split.baskets.product_count).items():
        scorer = fit(Past(split.baskets.between(0, split.moment), split.moment))
        for outcome in outcomes:
            answers = _peer_answers(scorer, split, outcome.task)
            outcome.scores[name] = _score(answers, split, outcome.task)
    matrix = learn(split.known_lines, history.products, now=split.moment, seed=seed)
    for outcome in outcomes:
        ask(matrix, Task(outcome.task.name, [[]], [[]], [[]], np.zeros(1, np.int64), split.moment))
        started = time.process_time()
        answers = ask(matrix, outcome.task)
        outcome.milliseconds = 1000 * (time.process_time() - started) / max(len(answers), 1)
        outcome.single_milliseconds = _alone(matrix, outcome.task)
        outcome.scores[OURS] = _score(answers, split, outcome.task)
        outcome.violations = violations(answers, outcome.task)
    return outcomes


def _alone(matrix: Matrix, task: Task) -> tuple[float, float]:
    """Time queries one by one, as an offer request would ask them, six companions each."""
    took = []
    for place in range(min(len(task.baskets), SINGLE_QUERIES)):
        one = slice(place, place + 1)
        started = time.process_time()
        part = replace(task, baskets=task.baskets[one], histories=task.histories[one])
        ask(matrix, part, limit=TOP)
        took.append(1000 * (time.process_time() - started))
    return float(np.median(took)), float(np.quantile(took, 0.99))


def _score(answers: list[list[int]], split: Split, task: Task) -> Scores:
    return score_answers(answers, task, product_count=split.baskets.product_count)


def _peer_answers(scorer: Scorer, split: Split, task: Task) -> list[list[int]]:
    ids, baskets = split.baskets.product_ids, split.baskets
    bought, owned = basket_table(task.baskets, ids), basket_table(task.histories, ids)
    decayed = owned
    if task.name == "next":
        decayed = decayed_history(baskets, task.customer, split.moment)
    popularity = baskets.between(0, split.moment).orders_per_product().astype(np.float64)
    answers: list[list[int]] = []
    for start in range(0, bought.shape[0], 256):
        rows = slice(start, start + 256)
        excluded = (bought[rows] + owned[rows]).toarray() > 0
        scores = np.asarray(scorer(bought[rows], decayed[rows]), dtype=np.float64)
        chosen = choose(scores, excluded, popularity, limit=DEEP).product
        answers.extend([int(ids[place]) for place in row if place >= 0] for row in chosen)
    return answers
