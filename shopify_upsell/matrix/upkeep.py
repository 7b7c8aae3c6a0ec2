"""Use case: keep what a shop has learned up to date: read what was sold, learn, and put it in the place of the last.

A full run is the form of every update: a shop of 10,000 orders takes seconds, so an order that came in brings the next
run forward instead of patching single rows; how soon depends on how much there is to learn from. Where that is not
soon, `freshening` writes the rows of what was just sold in between.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from shopify_upsell.core import OrderId, ProductId, RetryLater, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue, hold, is_running_elsewhere
from shopify_upsell.jobs.schedule import bring_forward
from shopify_upsell.ledger.delivery import Experience, put_experience, read_experience
from shopify_upsell.ledger.store import catalog_entries
from shopify_upsell.matrix.apart import pairs_apart
from shopify_upsell.matrix.association import companions_from_tally
from shopify_upsell.matrix.baskets import DAY
from shopify_upsell.matrix.ladders import SIZE
from shopify_upsell.matrix.learning import learn
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.negative import NegativeEdge
from shopify_upsell.matrix.packing import Rows, rows_next, rows_together, rows_upgrade
from shopify_upsell.matrix.products import Products, products_from_table
from shopify_upsell.matrix.recording import count_orders, counted_order_ids, pair_columns, product_counts
from shopify_upsell.matrix.said import LEARNED, PairWord
from shopify_upsell.matrix.sold_store import OptOuts, nobody_opted_out, read_lines
from shopify_upsell.matrix.store import (
    NEXT,
    UPGRADE,
    WITH,
    MatrixBuild,
    latest_build,
    merchant_words,
    prune_builds,
    replace_kinds,
    replace_learned_words,
)
from shopify_upsell.matrix.supply import learn_supply
from shopify_upsell.matrix.supply_store import put_supply
from shopify_upsell.matrix.tally import Tally, tally_of
from shopify_upsell.matrix.timing_store import replace_timing
from shopify_upsell.matrix.timing_words import Words, timing_words
from shopify_upsell.matrix.untried import untried_companions

log = logging.getLogger(__name__)

LEARNING = "learn_matrix"

FRESHNESS = ((5_000, timedelta(minutes=15)), (50_000, timedelta(hours=2)))
"""How long a new order may wait to be learned from, by orders of the last build; beyond that, until the night. One run
answers all the orders of that time. Our choice: a run takes seconds of a worker's CPU, and more with every order."""

MOST_FRESHENED = 500_000
"""Shops that wait longer than the first of these times have the rows of products just sold freshened in between, up to
so many orders: beyond, a run would take more than a tenth of a core. See docs/matrix.md for what it costs."""

LONGEST_RUN = timedelta(minutes=10)
"""How long a run keeps its job to itself. Measured: a minute for 10 million lines."""

ORDERS_AT_ONCE = 500
"""Orders counted in one transaction when counts lag behind the ledger."""

MOST_EDGES = 50
"""Learned edges kept of one anchor beside those that touch its rows: enough to explain, few enough to read."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What learning reads of a shop, in one look."""

    lines: OrderLines
    products: Products
    tally: Tally
    experience: Experience
    uncounted: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class Taught:
    """What a run found, ready to be written."""

    tally: Tally
    rows: dict[str, Rows]
    untried: Rows
    edges: tuple[PairWord, ...]
    timing: Words
    experience: Experience
    supply: dict[ProductId, float]


class Learning:
    """The job of learning: it reads first, learns in no transaction, and writes last. One run a shop at a time."""

    def __init__(self, database: Database, opt_outs: OptOuts = nobody_opted_out) -> None:
        self._database = database
        self._opt_outs = opt_outs

    def learn(self, job: Job) -> Callable[[Session], None]:
        """Learn from what the shop has sold; return what is to be written. Raises: RetryLater while another runs."""
        with self._database.write() as session:
            bind_shop(session, job.shop_id)
            if is_running_elsewhere(session, job):
                raise RetryLater("the shop is being learned already", after=timedelta(minutes=1))
            hold(session, job, LONGEST_RUN)
        sold = self._read(job.shop_id, job.now)
        if sold.uncounted:
            self._catch_up(job.shop_id, sold.uncounted)
            sold = self._read(job.shop_id, job.now)
        taught = _taught(job.shop_id, sold, job.now)

        def write(session: Session) -> None:
            _store(session, job.shop_id, taught, job.now)

        return write

    def _read(self, shop_id: ShopId, now: datetime) -> Sold:
        with self._database.read() as session:
            bind_shop(session, shop_id)
            return _read(session, shop_id, now, self._opt_outs)

    def _catch_up(self, shop_id: ShopId, order_ids: tuple[OrderId, ...]) -> None:
        """Count orders that nobody has counted: those that came before there were counts."""
        for start in range(0, len(order_ids), ORDERS_AT_ONCE):
            with self._database.write() as session:
                bind_shop(session, shop_id)
                count_orders(session, shop_id, order_ids[start : start + ORDERS_AT_ONCE])
            log.info("orders_counted", extra={"shop_id": shop_id, "done": start, "order_count": len(order_ids)})


def note_order(session: Session, job: Job) -> None:
    """Job: an order came in, so the next learning run comes soon instead of tomorrow, and fresh rows before it."""
    build = latest_build(session, job.shop_id)
    orders = build.order_count if build else 0
    wait = next((wait for most, wait in FRESHNESS if orders <= most), None)
    if wait is not None:
        bring_forward(session, job.shop_id, LEARNING, job.now + wait)
    if FRESHNESS[0][0] < orders <= MOST_FRESHENED:
        enqueue(session, job.shop_id, JobRequest("freshen_matrix", f"freshen_matrix@{job.now.isoformat()}"), job.now)


def learn_shop(session: Session, shop_id: ShopId, now: datetime) -> MatrixBuild:
    """Rebuild the shop's matrix from its booked orders at once; every run has a version of its own."""
    sold = _read(session, shop_id, now)
    if sold.uncounted:
        count_orders(session, shop_id, sold.uncounted)
        sold = _read(session, shop_id, now)
    return _store(session, shop_id, _taught(shop_id, sold, now), now)


def shop_matrix(session: Session, shop_id: ShopId, now: datetime, opt_outs: OptOuts = nobody_opted_out) -> Matrix:
    """Learn the shop's matrix to look at, storing nothing. Its parts are computed when they are asked for."""
    sold = _read(session, shop_id, now, opt_outs)
    return learn(sold.lines, sold.products, now=int(now.astimezone(UTC).timestamp()), seed=0)


def shop_lines(session: Session, shop_id: ShopId, now: datetime) -> OrderLines:
    """Read what the shop sold, as learning sees it, with the arrival of every order known or estimated."""
    return read_lines(session, shop_id, read_experience(session, shop_id, now).usual)


def _read(session: Session, shop_id: ShopId, now: datetime, opt_outs: OptOuts = nobody_opted_out) -> Sold:
    experience = read_experience(session, shop_id, now)
    lines = read_lines(session, shop_id, experience.usual, opt_outs)
    kept = np.unique(lines.order_id[lines.quantity > 0]).tolist()
    counted_ids, products = counted_order_ids(session, shop_id), product_counts(session, shop_id)
    first, second, n = (np.frombuffer(column, dtype=np.int64) for column in pair_columns(session, shop_id))
    return Sold(
        lines=lines,
        products=listed_products(session, shop_id),
        tally=tally_of(len(counted_ids), products, first, second, n),
        experience=experience,
        uncounted=tuple(sorted(counted_ids ^ {OrderId(number) for number in kept})),
    )


def listed_products(session: Session, shop_id: ShopId) -> Products:
    """Read the catalogue as learning wants it. Shopify knows no families: products that differ in size make one."""
    entries = catalog_entries(session, shop_id)
    table = {
        "id": [entry.product_id for entry in entries],
        "title": [entry.title for entry in entries],
        "subcategory": [entry.product_type for entry in entries],
        "brand": [entry.vendor for entry in entries],
        "family": [_family(entry.title, entry.vendor) for entry in entries],
        "price": [float("nan") if entry.price is None else entry.price for entry in entries],
    }
    return products_from_table(table)


def _family(title: str, vendor: str) -> str:
    """Name the family of a product whose title says an amount; empty where it says none."""
    rest, found = SIZE.subn("", title)
    return f"{vendor}|{' '.join(rest.split()).casefold()}" if found else ""


def _taught(shop_id: ShopId, sold: Sold, now: datetime) -> Taught:
    """Learn, part by part; the log tells how far a long run has come."""
    seconds = int(now.astimezone(UTC).timestamp())
    tally = sold.tally
    association = companions_from_tally(tally)
    matrix = learn(sold.lines, sold.products, now=seconds, seed=0)
    rows = {WITH: rows_together(matrix, association)}
    _tell(shop_id, "together")
    if len(tally.ids):
        rows[NEXT] = rows_next(matrix, tally)
        _tell(shop_id, "next")
        rows[UPGRADE] = rows_upgrade(matrix, tally)
    edges = _edges(matrix, tally, rows)
    known = {edge.pair for edge in edges}
    edges += tuple(word for word in pairs_apart(tally) if word.pair not in known)
    days = (seconds - int(sold.lines.ordered_at.min())) / DAY if len(sold.lines) else 0.0
    timing = timing_words(matrix, rows.values(), days=days) if len(tally.ids) else {}
    _tell(shop_id, "timing")
    rhythm = matrix.parts.when.replenishment
    supply = learn_supply(sold.lines, matrix.parts.products.id, rhythm, now=seconds) if len(tally.ids) else {}
    untried = untried_companions(matrix.parts.products, tally, rows[WITH])
    return Taught(tally, rows, untried, edges, timing, sold.experience, supply)


def _tell(shop_id: ShopId, part: str) -> None:
    log.info("matrix_part_learned", extra={"shop_id": shop_id, "part": part})


def _edges(matrix: Matrix, tally: Tally, rows: dict[str, Rows]) -> tuple[PairWord, ...]:
    """Keep of every anchor the edges that touch its rows and the clearest others."""
    if not len(tally.ids):
        return ()
    touched = {(anchor, one.product_id) for kind in rows.values() for anchor, row in kind.items() for one in row}
    kept: list[PairWord] = []
    others: dict[int, int] = {}
    for edge in sorted(matrix.negative_edges(), key=lambda one: (one.upper, -one.expected, one.companion_id)):
        is_touched = (edge.anchor_id, edge.companion_id) in touched
        others[edge.anchor_id] = others.get(edge.anchor_id, 0) + (not is_touched)
        if is_touched or others[edge.anchor_id] <= MOST_EDGES:
            kept.append(_word(edge, tally))
    return tuple(kept)


def _word(edge: NegativeEdge, tally: Tally) -> PairWord:
    return PairWord(
        anchor_product_id=ProductId(edge.anchor_id),
        companion_product_id=ProductId(edge.companion_id),
        source=LEARNED,
        reason=edge.level,
        upper_bound=round(edge.upper, 4),
        n=tally.sold(edge.anchor_id),
        review_at=datetime.fromtimestamp(edge.review_at, UTC),
        observed=round(edge.observed, 2),
        expected=round(edge.expected, 2),
    )


def _store(session: Session, shop_id: ShopId, taught: Taught, now: datetime) -> MatrixBuild:
    """Write a build. Two at once would write the same version: the second fails on the key and is tried again."""
    last = latest_build(session, shop_id)
    build = MatrixBuild(
        version=last.version + 1 if last else 1,
        learned_at=now,
        order_count=taught.tally.basket_count,
        product_count=len(taught.tally.ids),
        pair_count=sum(len(row) for row in taught.rows[WITH].values()),
    )
    replace_kinds(session, shop_id, build, taught.rows, taught.untried)
    replace_timing(session, shop_id, build, taught.timing)
    replace_learned_words(session, shop_id, taught.edges, now)
    put_experience(session, shop_id, taught.experience)
    put_supply(session, shop_id, taught.supply)
    prune_builds(session, shop_id, now)
    _tell_of_overruled(session, shop_id, taught.edges)
    counts = {"order_count": build.order_count, "pair_count": build.pair_count, "edge_count": len(taught.edges)}
    log.info("matrix_learned", extra={"shop_id": shop_id, "version": build.version, **counts})
    return build


def _tell_of_overruled(session: Session, shop_id: ShopId, edges: tuple[PairWord, ...]) -> None:
    """The merchant's word wins; the log says how often it stands against what was learned."""
    said = {word.pair for word in merchant_words(session, shop_id)}
    overruled = sum(edge.pair in said for edge in edges)
    if overruled:
        log.info("merchant_overrules", extra={"shop_id": shop_id, "edge_count": overruled})
