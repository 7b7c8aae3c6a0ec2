"""Queries of evidence: one packed row of companions a product, versioned so that decisions replay, and pairs refused.

The tables are in `tables`. Rows of the newest build are remembered by the process where the session allows it.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Executable, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId, canonical_json
from shopify_upsell.database import after_commit
from shopify_upsell.matrix.companion import Companion
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

MEMORY = "matrix_rows"

REMEMBERED_FOR = timedelta(days=90)
"""How long decisions are replayed with the build they name."""

Rows = dict[ProductId, tuple[Companion, ...]]


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
    """Companions by anchor, and the version of the build they come from; 0 when nothing was learned yet."""

    version: int
    companions: dict[ProductId, tuple[Companion, ...]]


def companions_of(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH
) -> dict[ProductId, tuple[Companion, ...]]:
    """Companions of the anchors, best first. Anchors without evidence are absent."""
    return evidence_for(session, shop_id, anchor_ids, kind=kind).companions


def evidence_for(session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH) -> Evidence:
    """Read companions and the version of their build in one query, so that both belong together; or remember them."""
    memory = _memory(session, shop_id)
    if memory is not None:
        known = memory.find(shop_id, kind, anchor_ids, clock=time.monotonic())
        if known is not None:
            return Evidence(*known)
    build, companions = _read_evidence(session, shop_id, anchor_ids, kind)
    if memory is not None:
        rows = {anchor_id: companions.get(anchor_id, ()) for anchor_id in anchor_ids}
        memory.keep(shop_id, build, kind, rows, clock=time.monotonic())
    return Evidence(build[0], companions)


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
) -> None:
    """Put a new build in the place of the last one: readers see the old rows or the new ones, never a mixture."""
    session.execute(delete(MatrixRow).where(MatrixRow.shop_id == shop_id))
    rows = [
        {
            "shop_id": shop_id,
            "kind": kind,
            "product_id": anchor_id,
            "companions": _pack(row),
            "n": row[0].anchor_count,
            "version": build.version,
        }
        for kind, companions in kinds.items()
        for anchor_id, row in sorted(companions.items())
        if row
    ]
    if rows:
        session.execute(insert(MatrixRow), rows)
    session.execute(insert(MatrixBuildRow).values(shop_id=shop_id, **asdict(build)))
    memory = _memory(session, shop_id)
    if memory is not None:
        after_commit(session, f"{MEMORY}:{shop_id}", lambda: memory.forget(shop_id))


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
        MatrixRow.version == MatrixBuildRow.version,
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


def _read_evidence(session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], kind: str) -> tuple[Build, Rows]:
    wanted = {"shop": shop_id, "kind_asked": kind, "anchors": list(anchor_ids)}
    rows = session.execute(EVIDENCE, wanted).all()
    companions = {ProductId(row.product_id): _unpack(row.companions) for row in rows if row.product_id is not None}
    build = (rows[0].version, rows[0].learned_at) if rows else (0, None)
    return build, companions


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


def _pack(companions: Sequence[Companion]) -> str:
    """Write a row: what all companions share once, then four numbers each, and two more where a window is proved."""
    first = companions[0]
    listed = [
        [one.product_id, one.pair_count, one.companion_count, one.score, *(one.window or ())] for one in companions
    ]
    return canonical_json({"anchor": first.anchor_count, "baskets": first.basket_count, "companions": listed})


def _unpack(text: str) -> tuple[Companion, ...]:
    row = json.loads(text)
    anchor, baskets = row["anchor"], row["baskets"]
    return tuple(
        Companion(ProductId(product_id), pair_count, anchor, companion_count, baskets, score, _window(days))
        for product_id, pair_count, companion_count, score, *days in row["companions"]
    )


def _window(days: Sequence[int]) -> tuple[int, int] | None:
    return (days[0], days[1]) if days else None
