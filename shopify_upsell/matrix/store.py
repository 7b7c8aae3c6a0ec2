"""Queries of evidence: one packed row of companions a product, versioned so that decisions replay, and pairs refused.

The tables are in `tables`. Rows of the newest build are remembered by the process where the session allows it.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Executable, Row, Select, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ProductId, ShopId, canonical_json
from shopify_upsell.database import after_commit
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.remembered import Build, RememberedRows
from shopify_upsell.matrix.said import LEARNED, MERCHANT, MERCHANT_WORDS, PairWord
from shopify_upsell.matrix.tables import MatrixBuildRow, MatrixRow, NegativeEdgeRow

__all__ = ["KINDS", "NEXT", "UPGRADE", "WITH", "MatrixBuildRow", "MatrixRow", "NegativeEdgeRow"]

log = logging.getLogger(__name__)

WITH, NEXT, UPGRADE = "with", "next", "upgrade"
KINDS = (WITH, NEXT, UPGRADE)
"""`with`: bought in the same order. `next`: bought for the first time later. `upgrade`: the larger or better one."""

MEMORY = "matrix_rows"

Rows = dict[ProductId, tuple[Companion, ...]]

MOST_WORDS = 1_000
"""Words read for one decision: 20 anchors with 50 each."""


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


def latest_build(session: Session, shop_id: ShopId) -> MatrixBuild | None:
    """The newest learning run, or None for a shop that never learned."""
    row = session.scalars(
        select(MatrixBuildRow).where(MatrixBuildRow.shop_id == shop_id).order_by(MatrixBuildRow.version.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return MatrixBuild(row.version, row.learned_at, row.order_count, row.product_count, row.pair_count)


def words_on(session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId]) -> tuple[PairWord, ...]:
    """What is said of pairs with these anchors, by learning and by the merchant, clearest evidence first."""
    row = NegativeEdgeRow
    wanted = _words(shop_id).where(row.anchor_product_id.in_(anchor_ids))
    ordered = wanted.order_by(row.upper_bound, row.anchor_product_id, row.companion_product_id, row.source)
    return tuple(_word(found) for found in session.execute(ordered.limit(MOST_WORDS)))


def merchant_words(session: Session, shop_id: ShopId) -> tuple[PairWord, ...]:
    """Every word of the merchant's, by pair."""
    row = NegativeEdgeRow
    wanted = _words(shop_id).where(row.source == MERCHANT)
    ordered = wanted.order_by(row.anchor_product_id, row.companion_product_id)
    return tuple(_word(found) for found in session.execute(ordered))


def replace_learned_words(session: Session, shop_id: ShopId, words: Iterable[PairWord], now: datetime) -> None:
    """Put the learned edges of a build in the place of the last ones. The merchant's words stay."""
    row = NegativeEdgeRow
    session.execute(delete(row).where(row.shop_id == shop_id, row.source == LEARNED))
    values = [_values(shop_id, word, now) for word in words if word.source == LEARNED]
    if values:
        session.execute(insert(row), values)


def say(session: Session, shop_id: ShopId, word: PairWord, now: datetime) -> None:
    """Take the merchant's word on a pair: it wins over what is learned until it is taken back. Raises: InvalidInput."""
    if word.source != MERCHANT or word.reason not in MERCHANT_WORDS:
        raise InvalidInput(f"a merchant says one of {', '.join(MERCHANT_WORDS)}")
    take_back(session, shop_id, *word.pair)
    session.execute(insert(NegativeEdgeRow).values(**_values(shop_id, word, now)))
    anchor, companion = word.pair
    said = {"anchor_product_id": anchor, "companion_product_id": companion, "word": word.reason}
    log.info("merchant_said", extra={"shop_id": shop_id, **said})


def take_back(session: Session, shop_id: ShopId, anchor_id: ProductId, companion_id: ProductId) -> None:
    """Forget the merchant's word on a pair: what is learned holds again."""
    row = NegativeEdgeRow
    pair = (row.anchor_product_id == anchor_id, row.companion_product_id == companion_id)
    session.execute(delete(row).where(row.shop_id == shop_id, *pair, row.source == MERCHANT))


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


def _memory(session: Session, shop_id: ShopId) -> RememberedRows | None:
    """The process's memory, if the session has one and is bound to this very shop: no other may be served from it."""
    memory = session.info.get("memory")
    if memory is None or session.info.get("shop_id") != shop_id:
        return None
    remembered: RememberedRows = memory.setdefault(MEMORY, RememberedRows())
    return remembered


def _words(shop_id: ShopId) -> Select[Any]:
    table = NegativeEdgeRow.__table__
    return select(table).where(NegativeEdgeRow.shop_id == shop_id)


def _word(row: Row[Any]) -> PairWord:
    return PairWord(
        anchor_product_id=ProductId(row.anchor_product_id),
        companion_product_id=ProductId(row.companion_product_id),
        source=row.source,
        reason=row.reason,
        upper_bound=row.upper_bound,
        n=row.n,
        review_at=row.review_at,
        observed=row.observed,
        expected=row.expected,
        note=row.note,
    )


def _values(shop_id: ShopId, word: PairWord, now: datetime) -> dict[str, object]:
    return {"shop_id": shop_id, "said_at": now, **asdict(word)}


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
