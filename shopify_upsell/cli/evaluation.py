"""`shopify-upsell matrix evaluate`: the protocol's metrics on any order history in a file. Needs no database."""

import json
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from shopify_upsell.core import InvalidInput
from shopify_upsell.matrix.learning import learn
from shopify_upsell.matrix.line_file import read_lines, read_products
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.products import Products
from shopify_upsell.matrix.protocol import (
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

DAY = 86_400
QUERIES_AT_ONCE = 256
A_FIFTH = (0, 0)
"""Horizon and query days that make `split_lines` cut a short history at four fifths of its time."""

A_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Choices:
    """What the options say. Units: days; `most_queries` 0 for all."""

    task: str
    horizon_days: int
    query_days: int
    least_baskets: int
    most_queries: int
    folds_back: int
    seed: int


@dataclass(frozen=True)
class Measured:
    """What came out. Units: CPU seconds, CPU milliseconds a query, megabytes."""

    split: Split
    task: Task
    scores: Scores
    violations: int
    learn_seconds: float
    query_milliseconds: float

    def to_json(self) -> dict[str, object]:
        """Every figure by name; the interval is the 95 % one by customer."""
        low, high = bootstrap_interval(self.scores.ndcg_at_6, self.task.customer)
        return {
            "task": self.task.name,
            "queries": len(self.task.baskets),
            "train_orders": int(np.count_nonzero(self.split.baskets.order_time < self.split.moment)),
            "products": self.split.baskets.product_count,
            "train_until": self.split.moment,
            "hit_rate_at_1": round(float(self.scores.hit_at_1.mean()), 4),
            "hit_rate_at_3": round(float(self.scores.hit_at_3.mean()), 4),
            "hit_rate_at_6": round(float(self.scores.hit_at_6.mean()), 4),
            "ndcg_at_6": round(float(self.scores.ndcg_at_6.mean()), 4),
            "ndcg_at_6_low": round(low, 4),
            "ndcg_at_6_high": round(high, 4),
            "mrr_at_20": round(float(self.scores.mrr_at_20.mean()), 4),
            "coverage": round(self.scores.coverage, 4),
            "violations": self.violations,
            "learn_cpu_seconds": round(self.learn_seconds, 2),
            "query_cpu_milliseconds": round(self.query_milliseconds, 3),
            "peak_rss_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


@click.command()
@click.argument("lines", type=A_FILE)
@click.option("--task", type=click.Choice(["complete", "next"]), required=True, help="Bundle, or next purchase.")
@click.option("--products", type=A_FILE, help="The catalogue: id, title, category, subcategory, brand, family, …")
@click.option("--horizon-days", default=90, show_default=True, type=click.IntRange(1, 3650), help="H of the protocol.")
@click.option("--query-days", default=14, show_default=True, type=click.IntRange(1, 3650), help="Q of the protocol.")
@click.option(
    "--least-baskets", default=1, show_default=True, type=click.IntRange(1), help="Rarer products are left out."
)
@click.option(
    "--queries", default=6000, show_default=True, type=click.IntRange(0), help="Ask at most so many; 0: all of them."
)
@click.option(
    "--folds-back", default=0, show_default=True, type=click.IntRange(0, 50), help="Earlier folds, to tune on."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True)
def evaluate(
    lines: Path,
    task: str,
    products: Path | None,
    horizon_days: int,
    query_days: int,
    least_baskets: int,
    queries: int,
    folds_back: int,
    seed: int,
    as_json: bool,
) -> None:
    """Learn the first part of LINES, ask about the rest, and print how good the answers were.

    LINES is a CSV, .csv.gz or .parquet file, one row an order line: order_id, customer_id (-1 or blank: guest), ts or
    ordered_at (unix seconds or ISO 8601), product_id; qty and price may follow. Learning sees only what lies before T =
    end - (horizon + query days); a history shorter than twice that is cut at four fifths of its time.
    """
    history = _read(lines, hidden=as_json)
    catalogue = read_products(products) if products else None
    choices = Choices(task, horizon_days, query_days, least_baskets, queries, folds_back, seed)
    measured = measure(history, catalogue, choices, hidden=as_json)
    document = measured.to_json()
    if as_json:
        click.echo(json.dumps(document))
        return
    for name, value in document.items():
        click.echo(f"{name}: {value}")


def measure(lines: OrderLines, products: Products | None, choices: Choices, *, hidden: bool) -> Measured:
    """Run one task of the protocol. Raises: InvalidInput where the history leaves nothing to ask."""
    split = _split(lines, choices)
    task = _task(split, choices)
    if not task.baskets:
        raise InvalidInput(
            "nothing to ask: no query follows the cut; see --query-days, --horizon-days, --least-baskets"
        )
    _say("Learning …", hidden=hidden)
    started = time.process_time()
    matrix = learn(split.known_lines, products, now=split.moment, seed=choices.seed)
    _ = matrix.parts.next_step if choices.task == "next" else matrix.parts.bundle
    seconds = time.process_time() - started
    answers, milliseconds = _asked(matrix, task, hidden=hidden)
    scores = score_answers(answers, task, product_count=split.baskets.product_count)
    return Measured(split, task, scores, violations(answers, task), seconds, milliseconds)


def _read(path: Path, *, hidden: bool) -> OrderLines:
    with click.progressbar(length=path.stat().st_size, label="Reading", hidden=hidden, file=sys.stderr) as bar:
        return read_lines(path, progress=lambda position: bar.update(max(0, position - bar.pos)))


def _split(lines: OrderLines, choices: Choices) -> Split:
    span_days = (int(lines.ordered_at.max()) - int(lines.ordered_at.min())) / DAY
    needed = choices.horizon_days + choices.query_days
    days = (choices.horizon_days, choices.query_days)
    if span_days < needed * (2 + choices.folds_back):
        if choices.task == "next":
            raise InvalidInput(
                f"the history spans {span_days:.0f} days, and `next` needs twice --horizon-days and --query-days "
                f"({2 * needed}) for each fold"
            )
        days = A_FIFTH
    return split_lines(
        lines,
        horizon_days=days[0],
        query_days=days[1],
        least_baskets=choices.least_baskets,
        folds_back=choices.folds_back,
    )


def _task(split: Split, choices: Choices) -> Task:
    make = complete_task if choices.task == "complete" else next_task
    return make(split, most=choices.most_queries or sys.maxsize, seed=choices.seed)


def _asked(matrix: Matrix, task: Task, *, hidden: bool) -> tuple[list[list[int]], float]:
    """Give the answers and CPU milliseconds a query. The first piece also pays for what is built once."""
    answers: list[list[int]] = []
    started = time.process_time()
    with click.progressbar(length=len(task.baskets), label="Asking", hidden=hidden, file=sys.stderr) as bar:
        for start in range(0, len(task.baskets), QUERIES_AT_ONCE):
            piece = slice(start, start + QUERIES_AT_ONCE)
            part = replace(
                task,
                baskets=task.baskets[piece],
                histories=task.histories[piece],
                targets=task.targets[piece],
                customer=task.customer[piece],
            )
            answers += ask(matrix, part)
            bar.update(len(part.baskets))
    return answers, 1000 * (time.process_time() - started) / len(answers)


def _say(text: str, *, hidden: bool) -> None:
    if not hidden:
        click.echo(text, err=True)
