"""Run the acceptance table for measurement: `python -m bench.measurement.run [--scale 1] [--rows B1,B2]`.

Every module here whose name ends in `_rows` takes part: it offers `rows(scale, seed)` and says in ROWS which rows it
fills. The full run is the claim; a run with scale below 1 has fewer worlds and gates widened by what they are worth.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Collection, Iterator
from types import ModuleType

import bench.measurement
from bench.measurement.outcome import MONTE_CARLO_ERRORS, Outcome

SEED = 20261122


def row_modules() -> list[ModuleType]:
    """Find the modules that fill rows, by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(bench.measurement.__path__))
    return [importlib.import_module(f"bench.measurement.{name}") for name in names if name.endswith("_rows")]


def outcomes(scale: float, seed: int, wanted: Collection[str] = ()) -> Iterator[Outcome]:
    """Fill the rows that are wanted; all of them when none is named."""
    for module in row_modules():
        filled = getattr(module, "ROWS", ())
        if wanted and filled and not set(wanted) & set(filled):
            continue
        for outcome in module.rows(scale, seed):
            if not wanted or outcome.row in wanted:
                yield outcome


def main() -> None:
    """Print the table as it fills. Exit code 1 when a row fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full run's worlds")
    parser.add_argument("--rows", default="", help="rows by comma, as A6,B1")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    wanted = {row.strip() for row in given.rows.split(",") if row.strip()}
    if given.scale < 1:
        _say(f"scale {given.scale:g}: gates are widened by {MONTE_CARLO_ERRORS:g} Monte-Carlo standard errors\n")
    _say("| row | test | gate | ours | pass | same worlds, usual method |\n|---|---|---|---|---|---|")
    failed = 0
    for outcome in outcomes(given.scale, given.seed, wanted):
        _say(line_of(outcome))
        failed += not outcome.passed
    _say(f"\n{failed} failed")
    sys.exit(1 if failed else 0)


def line_of(outcome: Outcome) -> str:
    """Write an outcome as a row of the table."""
    cells = (outcome.row, outcome.test, outcome.gate, outcome.ours, outcome.verdict, outcome.peers)
    return f"| {' | '.join(cells)} |"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
