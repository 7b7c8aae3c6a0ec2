"""Queries of evidence: one packed row of companions a product, versioned so that decisions replay, and pairs refused.

The tables are in `tables`. Rows of the newest build are remembered by the process where the session allows it.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import BindParameter, Executable, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId, canonical_json
from shopify_upsell.database import after_commit
from shopify_upsell.ledger.tables import batches
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.matrix.remembered import MOST_ROWS, Build, RememberedRows
from shopify_upsell.matrix.tables import MatrixBuildRow, MatrixRow, NegativeEdgeRow
from shopify_upsell.matrix.words_store import merchant_words, replace_learned_words, say, take_back, words_on

__all__ = [
    "KINDS", "NEXT", "UPGRADE", "WITH", "MatrixBuildRow", "MatrixRow", "NegativeEdgeRow", "merchant_words",
    "replace_learned_words", "say", "take_back", "words_on",
]  # fmt: skip

log = logging.getLogger(__name__)

WITH, NEXT, UPGRADE = "with", "next", "upgrade"
KINDS = (WITH, NEXT, UPGRADE)
"""`with`: bought in the same order. `next`: bought for the first time later. `upgrade`: the larger or better one."""

MEMORY, UNTRIED_MEMORY = "matrix_rows", "matrix_untried"

REMEMBERED_FOR = timedelta(days=90)
"""How long decisions are replayed with the build they name."""

Rows = dict[ProductId, tuple[Companion, ...]]


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A row: companions with evidence, and without."""

    companions: tuple[Companion, ...]
    untried: tuple[Companion, ...]


@dataclass(frozen=True, slots=True)
class MatrixBuild:
    """One learning run. Units: distinct orders, products sold, and directed pairs kept."""

    version: int
    learned_at: datetime
    order_count: int
    product_count: int
    pair_count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Companions by anchor, and the version of the build they come from; 0 when nothing was learned yet.

    `untried`: companions of which nothing is known yet, labelled `cold_start`, the likeliest first; where asked for.
    They stand beside the evidence and are never part of it.
    """

    version: int
    companions: dict[ProductId, tuple[Companion, ...]]
    untried: dict[ProductId, tuple[Companion, ...]] = field(default_factory=dict)


def companions_of(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH
) -> dict[ProductId, tuple[Companion, ...]]:
    """Companions of the anchors, best first. Anchors without evidence are absent."""
    return evidence_for(session, shop_id, anchor_ids, kind=kind).companions


def evidence_for(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH, with_untried: bool = False
) -> Evidence:
    """Read companions and the version of their build in one query, so that both belong together; or remember them."""
    memory, beside = _memory(session, shop_id), remembered(session, shop_id, UNTRIED_MEMORY)
    if memory is not None:
        clock = time.monotonic()
        known = memory.find(shop_id, kind, anchor_ids, clock=clock)
        tries = beside.find(shop_id, kind, anchor_ids, clock=clock) if beside is not None and with_untried else None
        if known is not None and not with_untried:
            return Evidence(*known)
        if known is not None and tries is not None and tries[0] == known[0]:
            return Evidence(*known, untried=tries[1])
    build, rows = _read_rows(session, shop_id, anchor_ids, kind)
    companions = {anchor_id: row.companions for anchor_id, row in rows.items() if row.companions}
    untried = {anchor_id: row.untried for anchor_id, row in rows.items() if row.untried}
    for rows_kept, found in ((memory, companions), (beside, untried)):
        if rows_kept is not None:
            kept = {anchor_id: found.get(anchor_id, ()) for anchor_id in anchor_ids}
            rows_kept.keep(shop_id, build, kind, kept, clock=time.monotonic())
    return Evidence(build[0], companions, untried)


def replace_rows(
    session: Session,
    shop_id: ShopId,
    build: MatrixBuild,
    companions: Mapping[ProductId, Sequence[Companion]],
    *,
    kind: str = WITH,
) -> None:
    """Put a build of one kind in the place of the last one."""
    replace_kinds(session, shop_id, build, {kind: companions})


def replace_kinds(
    session: Session,
    shop_id: ShopId,
    build: MatrixBuild,
    kinds: Mapping[str, Mapping[ProductId, Sequence[Companion]]],
    untried: Mapping[ProductId, Sequence[Companion]] | None = None,
) -> None:
    """Put a new build in the place of the last one: readers see the old rows or the new ones, never a mixture.

    `untried`: companions without evidence; they are kept in the row of what is bought together.
    """
    session.execute(delete(MatrixRow).where(MatrixRow.shop_id == shop_id))
    rows = [
        {
            "shop_id": shop_id,
            "kind": kind,
            "product_id": anchor_id,
            "companions": _pack(row, beside),
            "n": (*row, *beside)[0].anchor_count,
            "version": build.version,
        }
        for kind, anchor_id, row, beside in _laid_out(kinds, untried or {})
    ]
    if rows:
        session.execute(insert(MatrixRow), rows)
    _put_build(session, shop_id, build)


def put_rows(
    session: Session,
    shop_id: ShopId,
    build: MatrixBuild,
    rows: Mapping[ProductId, Sequence[Companion]],
    sold: Mapping[ProductId, int],
) -> None:
    """Put some rows of what is bought together in the place of theirs under a new version; all others stay.

    `sold`: orders with each of the products. Their companions without evidence stay too, unless they have some now.
    """
    row = MatrixRow
    for batch in batches(sorted(rows)):
        mine = (row.shop_id == shop_id, row.kind == WITH, row.product_id.in_(batch))
        before = {found.product_id: found for found in session.execute(select(row.__table__).where(*mine))}
        session.execute(delete(row).where(*mine))
        held = {anchor_id: _unpack(found.companions).untried for anchor_id, found in before.items()}
        values = []
        for anchor_id in batch:
            beside = _still_untried(held.get(anchor_id, ()), rows[anchor_id], sold[anchor_id], build.order_count)
            if rows[anchor_id] or beside:
                names = {"shop_id": shop_id, "kind": WITH, "product_id": anchor_id, "version": build.version}
                packed = _pack(rows[anchor_id], beside)
                values.append({**names, "companions": packed, "n": sold[anchor_id]})
        if values:
            session.execute(insert(row), values)
    _put_build(session, shop_id, build)


def _still_untried(
    untried: Sequence[Companion], row: Sequence[Companion], sold: int, order_count: int
) -> list[Companion]:
    """Keep those that have no evidence yet, with the anchor's counts of now."""
    listed = {one.product_id for one in row}
    kept = [one for one in untried if one.product_id not in listed]
    return [replace(one, anchor_count=sold, basket_count=order_count) for one in kept]


def row_counts(session: Session, shop_id: ShopId, *, kind: str = WITH) -> dict[ProductId, int]:
    """Orders with each product that has a row, as they were when the row was written."""
    row = MatrixRow
    counts = session.execute(select(row.product_id, row.n).where(row.shop_id == shop_id, row.kind == kind))
    return {ProductId(found.product_id): found.n for found in counts}


def _put_build(session: Session, shop_id: ShopId, build: MatrixBuild) -> None:
    """Tell readers of a new build, and this process to forget the last."""
    session.execute(insert(MatrixBuildRow).values(shop_id=shop_id, **asdict(build)))
    for name in (MEMORY, UNTRIED_MEMORY):
        memory = remembered(session, shop_id, name)
        if memory is not None:
            after_commit(session, f"{name}:{shop_id}", partial(memory.forget, shop_id))


def _laid_out(
    kinds: Mapping[str, Mapping[ProductId, Sequence[Companion]]], untried: Mapping[ProductId, Sequence[Companion]]
) -> Iterator[tuple[str, ProductId, Sequence[Companion], Sequence[Companion]]]:
    """Every row to be written: kind, anchor, companions, and those without evidence."""
    for kind, companions in {WITH: {}, **kinds}.items():
        beside = untried if kind == WITH else {}
        for anchor_id in sorted({*companions, *beside}):
            row, tries = companions.get(anchor_id, ()), beside.get(anchor_id, ())
            if row or tries:
                yield kind, anchor_id, row, tries


def prune_builds(session: Session, shop_id: ShopId, now: datetime) -> int:
    """Forget builds that no decision of the last REMEMBERED_FOR can name. Returns how many.

    A decision names the newest build of its moment, so the builds of that time stay, and the last one before it.
    """
    row = MatrixBuildRow
    oldest = now - REMEMBERED_FOR
    before = select(func.max(row.version)).where(row.shop_id == shop_id, row.learned_at <= oldest)
    last_before = session.scalar(before)
    if last_before is None:
        return 0
    old = delete(row).where(row.shop_id == shop_id, row.learned_at <= oldest, row.version < last_before)
    return len(session.execute(old.returning(row.version)).all())


def latest_build(session: Session, shop_id: ShopId) -> MatrixBuild | None:
    """The newest learning run, or None for a shop that never learned."""
    row = session.scalars(
        select(MatrixBuildRow).where(MatrixBuildRow.shop_id == shop_id).order_by(MatrixBuildRow.version.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return MatrixBuild(row.version, row.learned_at, row.order_count, row.product_count, row.pair_count)


def _evidence_statement() -> Executable:
    """The newest build of a shop and, where there are any, the rows of some anchors."""
    shop: BindParameter[int] = bindparam("shop")
    newest = select(func.max(MatrixBuildRow.version)).where(MatrixBuildRow.shop_id == shop).scalar_subquery()
    joined = and_(
        MatrixRow.shop_id == shop,
        MatrixRow.kind == bindparam("kind_asked"),
        # A whole build leaves no older row; one that freshens some leaves the others as they were.
        MatrixRow.version <= MatrixBuildRow.version,
        MatrixRow.product_id.in_(bindparam("anchors", expanding=True)),
    )
    return (
        select(MatrixBuildRow.version, MatrixBuildRow.learned_at, MatrixRow.product_id, MatrixRow.companions)
        .join(MatrixRow, joined, isouter=True)
        .where(MatrixBuildRow.shop_id == shop, MatrixBuildRow.version == newest)
        .order_by(MatrixRow.product_id)
    )


EVIDENCE = _evidence_statement()
"""Built once: building it takes longer than running it."""


def _read_rows(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], kind: str
) -> tuple[Build, dict[ProductId, _Unpacked]]:
    wanted = {"shop": shop_id, "kind_asked": kind, "anchors": list(anchor_ids)}
    rows = session.execute(EVIDENCE, wanted).all()
    unpacked = {ProductId(row.product_id): _unpack(row.companions) for row in rows if row.product_id is not None}
    build = (rows[0].version, rows[0].learned_at) if rows else (0, None)
    return build, unpacked


def remembered(
    session: Session, shop_id: ShopId, name: str, *, most_rows: int = MOST_ROWS
) -> RememberedRows[Any] | None:
    """The process's memory, if the session has one and is bound to this very shop: no other may be served from it."""
    memory = session.info.get("memory")
    if memory is None or session.info.get("shop_id") != shop_id:
        return None
    rows: RememberedRows[Any] = memory.setdefault(name, RememberedRows(most_rows))
    return rows


def _memory(session: Session, shop_id: ShopId) -> RememberedRows[Companion] | None:
    return remembered(session, shop_id, MEMORY)


def _pack(companions: Sequence[Companion], untried: Sequence[Companion] = ()) -> str:
    """Write a row: what all companions share once, then four numbers each, and two more where a window is proved.

    Companions without evidence have a list of their own under their label; builds of before had none.
    """
    first = (*companions, *untried)[0]
    listed = [
        [one.product_id, one.pair_count, one.companion_count, one.score, *(one.window or ())] for one in companions
    ]
    row: dict[str, Any] = {"anchor": first.anchor_count, "baskets": first.basket_count, "companions": listed}
    if untried:
        row[COLD_START] = [[one.product_id, one.pair_count, one.companion_count, one.score] for one in untried]
    return canonical_json(row)


def _unpack(text: str) -> _Unpacked:
    row = json.loads(text)
    anchor, baskets = row["anchor"], row["baskets"]

    def read(listed: Sequence[Any]) -> tuple[Companion, ...]:
        return tuple(
            Companion(ProductId(product_id), pair_count, anchor, companion_count, baskets, score, _window(days))
            for product_id, pair_count, companion_count, score, *days in listed
        )

    return _Unpacked(read(row["companions"]), read(row.get(COLD_START, ())))


def _window(days: Sequence[int]) -> tuple[int, int] | None:
    return (days[0], days[1]) if days else None
