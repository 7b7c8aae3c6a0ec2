"""The product matrix's bench: quality against peers, cost, growth and planted truth, and a table of the bars.

Comes in: options, and the environment variable MATRIX_DATA for the folder of the histories that are not in a package.
Goes out: text on standard output, the figures that the documentation quotes. Run as `python -m bench.matrix_bench`,
with OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.matrix_cost import Cost, measure, measure_tenants, measure_zipf
from bench.matrix_halves import HalfJudgement, judge_halves
from bench.matrix_histories import History, load_history, load_planted
from bench.matrix_quality import OURS, Outcome, run_quality
from bench.planted import planted_recall, planted_shop
from shopify_upsell.matrix.protocol import bootstrap_interval, split_lines

REAL_SETS = ("cj", "cjt")
MANY_PRODUCTS = 4_000


@dataclass(frozen=True)
class Bar:
    """One line of the final table."""

    name: str
    figure: str
    bar: str
    passed: bool


def main() -> None:
    """Run the chosen parts and print them."""
    options = _options()
    outcomes: list[Outcome] = []
    bars: list[Bar] = []
    for name in filter(None, options.sets.split(",")):
        try:
            history = load_history(name, options.data)
        except FileNotFoundError as missing:
            _say(f"\n{missing}")
            bars.append(Bar(f"{name}: not run, its data are missing", "-", "run", passed=False))
            continue
        found = run_quality(history, seed=options.seed, folds_back=options.folds_back)
        for outcome in found:
            _print_outcome(outcome)
        outcomes += found
        bars += _complete_bars(found[0])
        costs = _print_costs(history)
        bars += _cost_bars(name, costs, history)
        bars += _judgement_bars(name, judge_halves(history.lines, history.products, seed=options.seed))
    bars += _next_bars([outcome for outcome in outcomes if outcome.task.name == "next"])
    if not options.skip_planted:
        bars += _planted_bars([int(seed) for seed in options.planted_seeds.split(",")])
        _print_planted_by_others(options.data)
    bars.append(
        Bar(
            "violations",
            str(sum(o.violations for o in outcomes)),
            "0",
            not any(o.violations for o in outcomes),
        )
    )
    if not options.skip_scale:
        bars += _scale_bars(options.tenants)
    _say("\nbars (reference `matrix.md`, part 4)")
    for bar in bars:
        _say(f"  {'pass' if bar.passed else 'FAIL'}  {bar.name:<58} {bar.figure:>28}   bar {bar.bar}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("MATRIX_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None, help="default: MATRIX_DATA")
    parser.add_argument(
        "--sets", default="aw,groceries,cjt,cj", help="names of histories, comma-separated; '' for none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--planted-seeds", default="101,102,103,104,105")
    parser.add_argument("--tenants", type=int, default=30, help="shops learned; 1,000 are reckoned from them")
    parser.add_argument("--folds-back", type=int, default=0, help="judge quality on an earlier fold")
    parser.add_argument("--skip-planted", action="store_true")
    parser.add_argument("--skip-scale", action="store_true")
    return parser.parse_args()


def _print_outcome(outcome: Outcome) -> None:
    _say(f"\n{outcome.history} · {outcome.task.name} · {len(outcome.task.baskets)} queries")
    _say(
        f"  {'method':<20}{'NDCG@6':>8}  {'95 % interval':<16}"
        f"{'HR@1':>7}{'HR@3':>7}{'HR@6':>7}{'MRR@20':>8}{'cover':>7}"
    )
    for name, scores in outcome.scores.items():
        low, high = bootstrap_interval(scores.ndcg_at_6, outcome.task.customer)
        hits = (scores.hit_at_1, scores.hit_at_3, scores.hit_at_6)
        rates = "".join(f"{hit.mean():7.3f}" for hit in hits)
        _say(
            f"  {name:<20}{scores.ndcg_at_6.mean():8.4f}  {low:.4f}-{high:.4f}   {rates}"
            f"{scores.mrr_at_20.mean():8.4f}{scores.coverage:7.3f}"
        )
    for peer in [name for name in outcome.scores if name != OURS]:
        gain, low, high = outcome.gain(OURS, peer)
        _say(f"  ours - {peer:<20}{gain:+.4f}  ({low:+.4f} to {high:+.4f})")
    median, slowest = outcome.single_milliseconds
    _say(
        f"  ours: {outcome.milliseconds:.2f} ms per query in bulk; alone {median:.2f} ms CPU, p99 {slowest:.2f} ms; "
        f"{outcome.violations} violations"
    )


def _print_costs(history: History) -> dict[str, Cost]:
    split = split_lines(
        history.lines,
        horizon_days=history.horizon_days,
        query_days=history.query_days,
        least_baskets=history.least_baskets,
    )
    methods = ("EASE(50)", "implicit TFIDF", "ours complete", "ours all")
    costs = {name: measure(name, split.known_lines, moment=split.moment) for name in methods}
    for name, cost in costs.items():
        _say(f"  fit {name:<16}{cost.seconds:8.2f} s {cost.megabytes:8.0f} MB")
    return costs


def _complete_bars(outcome: Outcome) -> list[Bar]:
    ours, name = outcome.mean(OURS), outcome.history
    to_ease, to_tfidf = ours / outcome.mean("EASE(50)"), ours / outcome.mean("implicit TFIDF")
    bars = [
        Bar(f"complete {name}: of EASE(50)", f"{to_ease:.3f}", ">= .99", to_ease >= 0.99),
        Bar(f"complete {name}: of implicit TFIDF", f"{to_tfidf:.3f}", ">= 1", to_tfidf >= 1),
    ]
    if name in REAL_SETS:
        to_raw = ours / outcome.mean("raw co-count")
        bars.append(Bar(f"complete {name}: of raw co-count", f"{to_raw:.3f}", ">= 1.4", to_raw >= 1.4))
    return bars


def _cost_bars(name: str, costs: dict[str, Cost], history: History) -> list[Bar]:
    split = split_lines(
        history.lines,
        horizon_days=history.horizon_days,
        query_days=history.query_days,
        least_baskets=history.least_baskets,
    )
    if len(np.unique(split.known_lines.product_id)) <= MANY_PRODUCTS:
        return []
    ours, ease = costs["ours complete"], costs["EASE(50)"]
    seconds, memory = ours.seconds / ease.seconds, ours.megabytes / ease.megabytes
    return [
        Bar(f"complete {name}: CPU of EASE(50)", f"{seconds:.3f}", "<= .25", seconds <= 0.25),
        Bar(f"complete {name}: memory of EASE(50)", f"{memory:.3f}", "<= .25", memory <= 0.25),
    ]


def _next_bars(outcomes: list[Outcome]) -> list[Bar]:
    if not outcomes:
        return []
    ratios = [outcome.mean(OURS) / outcome.mean("SAR-Jaccard") for outcome in outcomes]
    mean = float(np.mean(ratios))
    bars = [Bar("next: mean of SAR-Jaccard over the sets", f"{mean:.3f}", ">= 1.10", mean >= 1.10)]
    for outcome in outcomes:
        if outcome.history in REAL_SETS:
            gain, low, high = outcome.gain(OURS, "SAR-Jaccard")
            bars.append(
                Bar(
                    f"next {outcome.history}: gain on SAR",
                    f"{gain:+.4f} ({low:+.4f}, {high:+.4f})",
                    "interval > 0",
                    low > 0,
                )
            )
        for peer in ("popularity 28 d", "shrunk confidence", "SAR-Jaccard"):
            gain, low, high = outcome.gain(OURS, peer)
            bars.append(
                Bar(
                    f"next {outcome.history}: gain on {peer}",
                    f"{gain:+.4f} ({low:+.4f}, {high:+.4f})",
                    "high >= 0",
                    high >= 0,
                )
            )
    return bars


def _judgement_bars(name: str, judged: HalfJudgement) -> list[Bar]:
    bars = []
    if judged.event_count:
        figure = f"{judged.loss:.4f} / {judged.global_loss:.4f}"
        bars.append(
            Bar(
                f"timing {name}: log-loss ours / global",
                figure,
                "not worse",
                judged.loss <= judged.global_loss + 1e-9,
            )
        )
    if judged.edge_count:
        figure = f"{judged.suppressed_ratio:.3f} ({judged.edge_count} edges)"
        bars.append(Bar(f"suppression {name}: judged lift", figure, "<= .7", judged.suppressed_ratio <= 0.7))
    return bars


def _planted_bars(seeds: list[int]) -> list[Bar]:
    bars = []
    for customers in (1_000, 5_000):
        recalls = [planted_recall(planted_shop(customer_count=customers, seed=seed)) for seed in seeds]
        sequence = float(np.mean([recall.sequence for recall in recalls]))
        bundle = float(np.mean([recall.bundle for recall in recalls]))
        never = float(np.mean([recall.never for recall in recalls]))
        wrong = float(np.mean([recall.wrongly_suppressed for recall in recalls]))
        _say(f"\nplanted truth, {customers} customers: bundle {bundle:.2f} sequence {sequence:.2f} never {never:.2f}")
        bars.append(
            Bar(
                f"planted {customers}: sequence recall@6 in window",
                f"{sequence:.3f}",
                ">= .8",
                sequence >= 0.8,
            )
        )
        bars.append(Bar(f"planted {customers}: good pairs suppressed", f"{wrong:.3f}", "<= .02", wrong <= 0.02))
    return bars


def _print_planted_by_others(folder: Path | None) -> None:
    """Recall of a truth that our generator had no hand in. No bar: its authors reach .97 and .47 themselves."""
    for name in ("synth1", "synth2", "synth3"):
        for customers in (1_000, 5_000):
            try:
                shop = load_planted(name, folder, customers=customers)
            except FileNotFoundError as missing:
                _say(f"\n{missing}")
                return
            recall = planted_recall(shop)
            _say(
                f"{name}, first {customers} customers: bundle {recall.bundle:.2f} sequence {recall.sequence:.2f} "
                f"never {recall.never:.2f}, good pairs suppressed {recall.wrongly_suppressed:.2f}"
            )


def _scale_bars(tenants: int) -> list[Bar]:
    bars = []
    for count in (100_000, 1_000_000, 10_000_000):
        cost = measure_zipf(count)
        _say(f"\n{count} lines: {cost.seconds:.1f} s {cost.megabytes:.0f} MB")
    bars.append(Bar("1e7 lines: CPU seconds", f"{cost.seconds:.1f}", "< 60", cost.seconds < 60))
    bars.append(Bar("1e7 lines: MB", f"{cost.megabytes:.0f}", "< 2500", cost.megabytes < 2_500))
    for method in ("ours complete", "ours all"):
        cost = measure_tenants(tenants, method=method)
        each = cost.seconds / tenants
        _say(
            f"\n{tenants} shops of 24,000 lines, {method}: {cost.seconds:.0f} s, {each:.2f} s a shop, "
            f"{cost.megabytes:.0f} MB; 1,000 shops are {1_000 * each / 60:.0f} minutes of one core"
        )
    return bars


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
