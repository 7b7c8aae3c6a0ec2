"""Keep the counts of products and pairs exact, order by order: what an order holds now replaces what was counted.

The counts are those of the ledger's baskets at every moment when no order is waiting to be counted. Nothing depends
on the order, number or pace of the news: only what is held now is read, and only the difference is written.
"""

import struct
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import OrderId, ProductId, ShopId
from shopify_upsell.database import dialect_insert
from shopify_upsell.jobs.queue import Job, subjects_of
from shopify_upsell.ledger.store import baskets, baskets_of
from shopify_upsell.ledger.tables import batches, lock_ledger, lock_orders
from shopify_upsell.matrix.association import capped
from shopify_upsell.matrix.tables import CountedBasketRow, PairCountRow, ProductCountRow

PAIRS_AT_ONCE = 10_000

Basket = tuple[ProductId, ...]
"""Distinct products of an order in ascending order, at most as many as are counted."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Orders with one product, and with both of two (the smaller id first). Nothing is counted as 0."""

    products: Mapping[int, int]
    pairs: Mapping[tuple[int, int], int]


def count_changed(session: Session, jobs: Sequence[Job]) -> None:
    """Jobs: orders changed, so what they hold now is counted."""
    count_orders(session, jobs[0].shop_id, [OrderId(number) for number in subjects_of(jobs)])


def count_orders(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> frozenset[ProductId]:
    """Count what the orders hold now in the place of what was counted of them. Returns the products touched.

    Holds the orders, then the rows of products, then those of pairs, each in ascending order.
    """
    wanted = sorted(set(order_ids))
    lock_orders(session, shop_id, wanted)
    held = {order_id: _basket(products) for order_id, products in baskets_of(session, shop_id, wanted).items()}
    known = _counted_baskets(session, shop_id, wanted)
    changed = [order_id for order_id in wanted if held.get(order_id, ()) != known.get(order_id, ())]
    if not changed:
        return frozenset()
    _put_baskets(session, shop_id, {order_id: held.get(order_id, ()) for order_id in changed}, known.keys())
    products, pairs = _difference((known.get(order_id, ()), held.get(order_id, ())) for order_id in changed)
    _add(session, shop_id, ProductCountRow, {(product,): delta for product, delta in products.items()})
    _add(session, shop_id, PairCountRow, pairs)
    return frozenset(ProductId(product) for product in products)


def rebuild_counts(session: Session, shop_id: ShopId) -> int:
    """Count everything anew from the ledger, for repair. Returns the number of orders. Nobody may write meanwhile."""
    lock_ledger(session, shop_id)
    for table in (CountedBasketRow, ProductCountRow, PairCountRow):
        session.execute(delete(table).where(table.shop_id == shop_id))
    held = {basket.order_id: _basket(basket.product_ids) for basket in baskets(session, shop_id)}
    _put_baskets(session, shop_id, held, ())
    products, pairs = _difference(((), basket) for basket in held.values())
    _add(session, shop_id, ProductCountRow, {(product,): delta for product, delta in products.items()})
    _add(session, shop_id, PairCountRow, pairs)
    return len(held)


def product_counts(session: Session, shop_id: ShopId) -> dict[int, int]:
    """Orders by product."""
    row = ProductCountRow
    counts = session.execute(select(row.product_id, row.n).where(row.shop_id == shop_id))
    return {counted.product_id: counted.n for counted in counts}


def pair_columns(session: Session, shop_id: ShopId) -> tuple["array[int]", "array[int]", "array[int]"]:
    """Pairs as three columns of 8 bytes each (smaller id, larger id, orders with both), for millions of them."""
    row = PairCountRow
    first, second, n = array("q"), array("q"), array("q")
    counts = select(row.product_a, row.product_b, row.n).where(row.shop_id == shop_id)
    for product_a, product_b, count in session.execute(counts.execution_options(yield_per=PAIRS_AT_ONCE)):
        first.append(product_a)
        second.append(product_b)
        n.append(count)
    return first, second, n


def counts_of(session: Session, shop_id: ShopId) -> Counts:
    """Every count of the shop, for tests and repair of small shops."""
    pairs = zip(*pair_columns(session, shop_id), strict=True)
    return Counts(product_counts(session, shop_id), {(first, second): n for first, second, n in pairs})


def counted_order_ids(session: Session, shop_id: ShopId) -> set[OrderId]:
    """Orders that the counts hold."""
    return {
        OrderId(order_id)
        for order_id in session.scalars(select(CountedBasketRow.order_id).where(CountedBasketRow.shop_id == shop_id))
    }


def _basket(products: Iterable[ProductId]) -> Basket:
    return tuple(capped(frozenset(products)))


def _difference(changes: Iterable[tuple[Basket, Basket]]) -> tuple[Counter[int], Counter[tuple[int, ...]]]:
    """Add up what baskets lost (before) and gained (after), by product and by pair; what evens out is left out."""
    products: Counter[int] = Counter()
    pairs: Counter[tuple[int, ...]] = Counter()
    for before, after in changes:
        for basket, sign in ((before, -1), (after, 1)):
            for product in basket:
                products[product] += sign
            for pair in combinations(basket, 2):
                pairs[pair] += sign
    return _moved(products), _moved(pairs)


def _moved(deltas: Counter[Any]) -> Counter[Any]:
    return Counter({key: delta for key, delta in deltas.items() if delta})


def _counted_baskets(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> dict[OrderId, Basket]:
    found: dict[OrderId, Basket] = {}
    for batch in batches(order_ids):
        rows = select(CountedBasketRow.order_id, CountedBasketRow.products).where(
            CountedBasketRow.shop_id == shop_id, CountedBasketRow.order_id.in_(batch)
        )
        found.update({OrderId(order_id): _unpacked(packed) for order_id, packed in session.execute(rows)})
    return found


def _put_baskets(session: Session, shop_id: ShopId, held: Mapping[OrderId, Basket], known: Collection[OrderId]) -> None:
    """Remember what is counted of each order; an order that holds nothing is forgotten."""
    gone = sorted(order_id for order_id in held if order_id in known)
    for batch in batches(gone):
        doomed = delete(CountedBasketRow).where(
            CountedBasketRow.shop_id == shop_id, CountedBasketRow.order_id.in_(batch)
        )
        session.execute(doomed)
    rows = [
        {"shop_id": shop_id, "order_id": order_id, "products": _packed(held[order_id])}
        for order_id in sorted(held)
        if held[order_id]
    ]
    for chunk in batches(rows):
        session.execute(insert(CountedBasketRow), list(chunk))


def _add(
    session: Session,
    shop_id: ShopId,
    row: type[ProductCountRow] | type[PairCountRow],
    deltas: Mapping[tuple[int, ...], int],
) -> None:
    """Add to counts by key, in ascending order of the keys; what comes to 0 goes."""
    table: Any = row.__table__
    key = [column.name for column in table.primary_key.columns][1:]
    upsert = dialect_insert(session)
    statement = upsert(table)
    adding = statement.on_conflict_do_update(
        index_elements=["shop_id", *key], set_={"n": table.c.n + statement.excluded.n}
    )
    ordered = [{"shop_id": shop_id, **dict(zip(key, ids, strict=True)), "n": deltas[ids]} for ids in sorted(deltas)]
    for batch in batches(ordered):
        session.execute(adding, list(batch))
    emptied = delete(table).where(
        table.c.shop_id == shop_id, table.c.n == 0, *(table.c[name] == bindparam(f"at_{name}") for name in key)
    )
    lowered = [{f"at_{name}": values[name] for name in key} for values in ordered if values["n"] < 0]
    for chunk in batches(lowered):
        session.execute(emptied, list(chunk))


def _packed(basket: Basket) -> bytes:
    return struct.pack(f"<{len(basket)}q", *basket)


def _unpacked(packed: bytes) -> Basket:
    return tuple(ProductId(number) for number in struct.unpack(f"<{len(packed) // 8}q", packed))
