"""Measure one decision in a large shop: 10,000 products, 1,000,000 customers, 200 live offers, one core.

`python -m bench.judgement [--customers N]`, on the database that TEST_DATABASE names. A third of the shoppers are
unknown, a third are visitors, a third are customers; every third has something in the cart. A decision counts from
opening the session to the answer; the process has served 1,000 before.
"""

import argparse
import random
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from builders_database import NOW, add_shop, an_empty_database, migrate, on_postgres  # noqa: E402

from bench.large_shop import FIRST_CUSTOMER, Size, drawn_place, fill, product_id_of, variant_id_of  # noqa: E402
from shopify_upsell.core import CustomerId, DecisionId, ShopId, VariantId  # noqa: E402
from shopify_upsell.database import Database, bind_shop  # noqa: E402
from shopify_upsell.offers.decide import decide  # noqa: E402
from shopify_upsell.offers.journal import DecisionJournal  # noqa: E402
from shopify_upsell.offers.snapshot import CartLine, OfferRequest  # noqa: E402
from shopify_upsell.shops.store import Shop, get_shop  # noqa: E402

WARM, MEASURED, KEPT = 1_000, 4_000, 400
MEDIAN_BAR, TAIL_BAR = 5.0, 25.0
"""Milliseconds. Source: issue "Judgement", performance."""


def main() -> int:
    """Print the figures; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=Size.customers)
    size = Size(customers=parser.parse_args().customers)
    name = "PostgreSQL" if on_postgres() else "SQLite"
    with tempfile.TemporaryDirectory() as folder, an_empty_database(Path(folder)) as url:
        migrate(url)
        database = Database(url)
        with database.write() as session:
            shop_id = add_shop(session)
        started = time.monotonic()
        fill(database, shop_id, size, NOW)
        print(f"{name}: {size} written in {time.monotonic() - started:.0f} s")
        median, tail, shown = measured(database, shop_id, size)
        print(
            f"{name}: decide median {median:.2f} ms (bar {MEDIAN_BAR:g}), p99 {tail:.2f} ms (bar {TAIL_BAR:g}); {shown}"
        )
        print(f"{name}: decide and keep, one thread: {kept(database, shop_id, size)}")
        database.dispose()
    return int(median > MEDIAN_BAR or tail > TAIL_BAR)


def measured(database: Database, shop_id: ShopId, size: Size) -> tuple[float, float, str]:
    """(median, 99th percentile, how many showed something) of warm decisions. Units: milliseconds."""
    source = random.Random(3)
    with database.read() as session:
        bind_shop(session, shop_id)
        shop = get_shop(session, shop_id)
    spent, shown = [], 0
    for number in range(WARM + MEASURED):
        request = a_request(source, shop_id, size)
        started = time.perf_counter()
        with database.read() as session:
            bind_shop(session, shop_id)
            decision = a_decision(session, shop, request, number)
        if number >= WARM:
            spent.append(1000 * (time.perf_counter() - started))
            shown += bool(decision.chosen)
    spent.sort()
    return spent[len(spent) // 2], spent[int(len(spent) * 0.99)], f"{shown} of {MEASURED} showed something"


def kept(database: Database, shop_id: ShopId, size: Size) -> str:
    """What storing adds when nobody else shares the transaction."""
    source, journal = random.Random(4), DecisionJournal(database)
    with database.read() as session:
        bind_shop(session, shop_id)
        shop = get_shop(session, shop_id)
    spent = []
    for number in range(KEPT):
        request = a_request(source, shop_id, size)
        with database.read() as session:
            bind_shop(session, shop_id)
            decision = a_decision(session, shop, request, 10**6 + number)
        started = time.perf_counter()
        journal.keep(decision)
        spent.append(1000 * (time.perf_counter() - started))
    spent.sort()
    return f"storing adds {spent[KEPT // 2]:.2f} ms at the median, p99 {spent[int(KEPT * 0.99)]:.2f} ms"


def a_decision(session, shop: Shop, request: OfferRequest, number: int):
    """Decide as a surface does, at a moment of its own."""
    now = NOW + timedelta(seconds=number)
    decision_id = DecisionId(f"{number:032x}")
    return decide(session, request, now=now, decision_id=decision_id, shop=shop, holdout_basis_points=1000)


def a_request(source: random.Random, shop_id: ShopId, size: Size) -> OfferRequest:
    """A page view, by chance."""
    place, who = drawn_place(source, size), source.randrange(3)
    places = [drawn_place(source, size) for _ in range(source.randrange(1, 4))] if source.random() < 1 / 3 else []
    return OfferRequest(
        shop_id=shop_id,
        placement="theme/product_page" if source.random() < 0.8 or not places else "theme/cart",
        anchor_product_ids=(product_id_of(place),),
        cart=tuple(CartLine(VariantId(variant_id_of(one)), None, 1) for one in dict.fromkeys(places)),
        customer_id=CustomerId(FIRST_CUSTOMER + source.randrange(size.customers)) if who == 2 else None,
        visitor_id=f"visitor-{source.randrange(10**6):07}" if who else None,
        currency="USD",
    )


if __name__ == "__main__":
    sys.exit(main())
