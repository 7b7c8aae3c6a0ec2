"""What learning costs: processor seconds and memory, each fit in a process of its own.

Comes in: a method and order lines, in a temporary file or grown from a seed. Goes out: seconds, and megabytes above
what the process held before the fit. One process per fit, because a process never gives its peak back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shopify_upsell.matrix.lines import OrderLines

ZIPF_PRODUCTS = 5_000
LINES_PER_ORDER = 2.4


@dataclass(frozen=True)
class Cost:
    """Units: processor seconds; megabytes of peak memory above the process's start."""

    seconds: float
    megabytes: float


def measure(method: str, lines: OrderLines, *, moment: int) -> Cost:
    """Fit a method to lines in a fresh process. Methods: "ours complete", "ours all" or a peer's name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.npz"
        np.savez(path, **{name: getattr(lines, name) for name in lines.__dataclass_fields__})
        return _in_process("fit", method, str(path), str(moment))


def measure_zipf(line_count: int, *, method: str = "ours all") -> Cost:
    """Learn a shop of so many lines, grown from a seed inside the measured process."""
    return _in_process("zipf", method, str(line_count))


def measure_tenants(shop_count: int, *, method: str = "ours all") -> Cost:
    """Learn that many shops of 24,000 lines and 200, 1,000 or 5,000 products, one after the other, in one process."""
    return _in_process("tenants", method, str(shop_count))


def _in_process(*arguments: str) -> Cost:
    command = [sys.executable, "-W", "ignore", "-m", "bench.matrix_cost", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout.strip().splitlines()[-1]))


def zipf_lines(line_count: int, *, seed: int = 0, products: int = ZIPF_PRODUCTS) -> OrderLines:
    """Grow lines with Zipf(1) popularity, about 2.4 per order, a third of the orders by guests."""
    random = np.random.default_rng(seed)
    orders = max(int(line_count / LINES_PER_ORDER), 1)
    chance = 1 / np.arange(1, products + 1)
    product = np.searchsorted(np.cumsum(chance / chance.sum()), random.random(line_count)).astype(np.int64)
    order = np.sort(random.integers(0, orders, line_count))
    customer = random.integers(0, max(orders // 3, 1), orders)
    customer[random.random(orders) < 1 / 3] = -1
    time_of = np.sort(random.integers(0, 730 * 86_400, orders))
    ones = np.ones(line_count, dtype=np.int64)
    return OrderLines(order, customer[order], time_of[order], np.minimum(product, products - 1), ones, ones)


def _fit(method: str, lines: OrderLines, moment: int) -> None:
    if method.startswith("ours"):
        from shopify_upsell.matrix.learning import learn

        parts = learn(lines, now=moment).parts
        _ = parts.bundle
        if method == "ours all":
            _ = parts.next_step, parts.when
        return
    from bench.matrix_peers import PEERS, Past
    from shopify_upsell.matrix.baskets import baskets_from_lines

    PEERS[method](Past(baskets_from_lines(lines, now=moment), moment))


def _main(arguments: list[str]) -> Cost:
    if arguments[0] == "fit":
        with np.load(arguments[2]) as archive:
            lines = OrderLines(**{name: archive[name] for name in archive.files})
        work = [(arguments[1], lines, int(arguments[3]))]
    elif arguments[0] == "zipf":
        work = [(arguments[1], zipf_lines(int(arguments[2])), 730 * 86_400)]
    else:
        sizes = (200, 1_000, 5_000)
        work = [
            (arguments[1], zipf_lines(24_000, seed=shop, products=sizes[shop % 3]), 730 * 86_400)
            for shop in range(int(arguments[2]))
        ]
    _fit("ours complete", zipf_lines(1_000, products=50), 730 * 86_400)  # Imports are not part of the cost.
    memory, started = _peak(), time.process_time()
    for method, lines, moment in work:
        _fit(method, lines, moment)
    return Cost(time.process_time() - started, _peak() - memory)


def _peak() -> float:
    # getrusage would report the parent's peak, which a child inherits; this mark starts anew with exec.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_main(sys.argv[1:]).__dict__) + "\n")
