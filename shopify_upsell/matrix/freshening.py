"""Use case: between two runs of a large shop, learn the rows of what is bought together anew for products just sold.

A large shop is learned as a whole by the hour or night. What completes a basket needs none of its slow parts: it
follows from the counted baskets alone, which are a row an order, packed. So the ridge is solved anew from them, as a
whole run would, and the rows of the products that sold since are written under a version of their own; all other rows
stay as they are until the next whole run.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy import sparse
from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, RetryLater, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import Job, is_running_elsewhere
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.matrix.association import Association, companions_from_tally
from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.gram import co_counts
from shopify_upsell.matrix.learning import learn
from shopify_upsell.matrix.lines import GUEST, OrderLines
from shopify_upsell.matrix.packing import Rows, rows_together
from shopify_upsell.matrix.products import Products
from shopify_upsell.matrix.store import WITH, MatrixBuild, latest_build, put_rows, row_counts
from shopify_upsell.matrix.tables import CountedBasketRow
from shopify_upsell.matrix.tally import Tally, tally_of
from shopify_upsell.matrix.upkeep import listed_products

log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""Baskets fetched together."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What freshening reads of a shop, in one look. `known`: orders by product as the rows hold them."""

    build: MatrixBuild
    lines: OrderLines
    products: Products
    known: Mapping[ProductId, int]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Rows to be written; an empty one says that the product has no companion any more."""

    tally: Tally
    rows: Rows
    pair_count: int


class Freshening:
    """The job: it reads first, solves in no transaction, and writes last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def freshen(self, job: Job) -> Callable[[Session], None]:
        """Solve the touched rows; return what is to be written. Raises: RetryLater while another does the same."""
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            if is_running_elsewhere(session, job):
                raise RetryLater("the rows are being freshened already", after=timedelta(minutes=1))
            counted = _read(session, job.shop_id)
        fresh = None if counted is None else freshened(counted, job.now)

        def write(session: Session) -> None:
            if counted is not None and fresh is not None:
                _store(session, job.shop_id, counted.build, fresh, job.now)

        return write


def freshened(counted: Counted, now: datetime) -> Fresh | None:
    """Solve the rows of the products whose orders are no longer those of their row; None where there are none."""
    seconds = int(now.astimezone(UTC).timestamp())
    tally = _tally(counted, seconds)
    sales = dict(zip(tally.ids.tolist(), tally.sales.tolist(), strict=True))
    association = companions_from_tally(tally)
    # A product without a row is new to companions, one with a row was touched when it sold or came back.
    new = {anchor for anchor in association.companions if anchor not in counted.known}
    touched = new | {anchor for anchor, n in counted.known.items() if sales.get(anchor, 0) != n}
    if not touched:
        return None
    kept = {anchor: row for anchor, row in association.companions.items() if anchor in touched}
    shown = Association(association.basket_count, association.product_count, 0, kept)
    matrix = learn(counted.lines, counted.products, now=seconds, seed=0)
    rows = rows_together(matrix, shown) if kept else {}
    return Fresh(tally, {anchor: rows.get(anchor, ()) for anchor in sorted(touched)}, association.pair_count)


def _tally(counted: Counted, seconds: int) -> Tally:
    baskets = baskets_from_lines(counted.lines, now=seconds)
    counts = sparse.triu(co_counts(baskets), k=1).tocoo()
    ids = baskets.product_ids
    sold = dict(zip(ids.tolist(), baskets.orders_per_product().tolist(), strict=True))
    n = np.rint(counts.data).astype(np.int64)
    return tally_of(baskets.order_count, sold, ids[counts.row], ids[counts.col], n)


def _read(session: Session, shop_id: ShopId) -> Counted | None:
    """Read the counted baskets; None for a shop that was never learned."""
    build = latest_build(session, shop_id)
    if build is None:
        return None
    basket, order = CountedBasketRow, OrderRow
    same = (order.shop_id == basket.shop_id) & (order.order_id == basket.order_id)
    wanted = select(basket.order_id, basket.products, order.ordered_at).join(order, same)
    orders, times, packed = [], [], []
    for row in session.execute(wanted.where(basket.shop_id == shop_id).execution_options(yield_per=AT_ONCE)):
        orders.append(row.order_id)
        times.append(int(row.ordered_at.timestamp()))
        packed.append(row.products)
    sizes = np.array([len(products) // 8 for products in packed], dtype=np.int64)
    product = np.frombuffer(b"".join(packed), dtype="<i8").astype(np.int64)
    ones = np.ones(len(product), dtype=np.int64)
    order_id, time = (np.repeat(np.array(column, dtype=np.int64), sizes) for column in (orders, times))
    lines = OrderLines(order_id, GUEST * ones, time, product, ones, ones)
    return Counted(build, lines, listed_products(session, shop_id), row_counts(session, shop_id, kind=WITH))


def _store(session: Session, shop_id: ShopId, before: MatrixBuild, fresh: Fresh, now: datetime) -> None:
    """Write the rows, unless a build came in the meantime: it saw as much."""
    if latest_build(session, shop_id) != before:
        return
    tally = fresh.tally
    build = MatrixBuild(before.version + 1, now, tally.basket_count, len(tally.ids), fresh.pair_count)
    sold = {anchor: tally.sold(anchor) for anchor in fresh.rows}
    put_rows(session, shop_id, build, fresh.rows, sold)
    log.info("rows_freshened", extra={"shop_id": shop_id, "version": build.version, "row_count": len(fresh.rows)})
