"""Measure how long a page waits for its companions: through the store, and remembered by the process.

`python -m bench.matrix_lookup`, on the database that TEST_DATABASE names. A shop of 2,000 products with full rows; one
anchor a lookup, drawn evenly; the session is open and bound, as it is when a decision asks. Also prints what one order
costs the exact counts.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from builders_database import NOW, add_shop, an_empty_database, migrate, on_postgres  # noqa: E402
from builders_offers import add_order  # noqa: E402

from shopify_upsell.core import OrderId, ProductId, ShopId  # noqa: E402
from shopify_upsell.database import Database, bind_shop  # noqa: E402
from shopify_upsell.matrix.companion import Companion  # noqa: E402
from shopify_upsell.matrix.recording import count_orders  # noqa: E402
from shopify_upsell.matrix.store import MatrixBuild, companions_of, replace_rows  # noqa: E402

PRODUCTS, COMPANIONS, LOOKUPS, ORDERS = 2_000, 50, 3_000, 200


def main() -> None:
    """Print median and 99th percentile of each kind of lookup, and of counting one order."""
    name = "PostgreSQL" if on_postgres() else "SQLite"
    with tempfile.TemporaryDirectory() as folder, an_empty_database(Path(folder)) as url:
        migrate(url)
        database = Database(url)
        shop_id = a_shop(database)
        stored, cached = lookups(database, shop_id)
        print(f"{name}: lookup through the store {told(stored)}; remembered {told(cached)}")
        print(f"{name}: counting one order of three products, with its commit {told(counting(database, shop_id))}")
        database.dispose()


def a_shop(database: Database) -> ShopId:
    """A shop whose products all have full rows."""
    source = random.Random(1)
    rows = {
        ProductId(8_100_000_000_000 + at): tuple(
            Companion(ProductId(8_100_000_000_000 + other), 40, 300, 200, 90_000, round(0.3 / (1 + place), 9))
            for place, other in enumerate(source.sample(range(PRODUCTS), COMPANIONS))
        )
        for at in range(PRODUCTS)
    }
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        replace_rows(session, shop_id, MatrixBuild(1, NOW, 90_000, PRODUCTS, PRODUCTS * COMPANIONS), rows)
    return shop_id


def lookups(database: Database, shop_id: ShopId) -> tuple[list[float], list[float]]:
    """Time lookups that read the database, and lookups that do not. Units: seconds, sorted."""
    source = random.Random(2)
    anchors = [ProductId(8_100_000_000_000 + source.randrange(PRODUCTS)) for _ in range(LOOKUPS)]
    with database.read() as session:
        bind_shop(session, shop_id)
        memory = session.info.pop("memory")

        def look_up(at: int) -> None:
            companions_of(session, shop_id, [anchors[at]])

        stored = timed(look_up, LOOKUPS)
        session.info["memory"] = memory
        few = anchors[:500]
        companions_of(session, shop_id, few)
        cached = timed(lambda at: companions_of(session, shop_id, [few[at % len(few)]]), LOOKUPS)
    return stored, cached


def counting(database: Database, shop_id: ShopId) -> list[float]:
    """Time the count of one order after another, each in a transaction of its own. Units: seconds, sorted."""
    source = random.Random(3)
    with database.write() as session:
        bind_shop(session, shop_id)
        for number in range(1, ORDERS + 1):
            add_order(session, shop_id, number, *source.sample(range(1, 200), 3))

    def count(at: int) -> None:
        with database.write() as session:
            bind_shop(session, shop_id)
            count_orders(session, shop_id, [OrderId(at + 1)])

    return timed(count, ORDERS)


def timed(work: Callable[[int], None], times: int) -> list[float]:
    """How long each call took, shortest first."""
    found = []
    for at in range(times):
        started = time.perf_counter()
        work(at)
        found.append(time.perf_counter() - started)
    return sorted(found)


def told(seconds: list[float]) -> str:
    """The middle and the 99th percentile in microseconds."""
    middle, late = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
    return f"p50 {middle * 1e6:.1f} µs, p99 {late * 1e6:.1f} µs"


if __name__ == "__main__":
    main()
