"""Queries of timing: one packed row of words an anchor, of the newest build, remembered by the process."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BindParameter, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId, canonical_json
from shopify_upsell.database import after_commit
from shopify_upsell.matrix.remembered import Build
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.matrix.store import MatrixBuild, remembered
from shopify_upsell.matrix.tables import MatrixBuildRow, MatrixTimingRow
from shopify_upsell.matrix.timed import (
    LEARNED_TIME,
    LEVELS,
    PRIOR_TIME,
    RELATIONS,
    Pair,
    TimingWord,
    prior_word,
    with_merchant,
)

MEMORY, KIND = "matrix_timing", "timing"

MOST_ROWS = 1_000
"""Rows of up to 150 words, about 20 KB each in memory: 20 MB a process at most."""

Words = dict[ProductId, tuple[TimingWord, ...]]


def timing_for(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, said: Iterable[PairWord] = ()
) -> dict[Pair, TimingWord]:
    """When companions may follow these anchors, by pair. Pairs that no row serves are absent: see `timed.prior_word`.

    `said`: words on pairs as `words_on` gives them; the merchant's windows among them win.
    """
    memory = remembered(session, shop_id, MEMORY, most_rows=MOST_ROWS)
    known = None if memory is None else memory.find(shop_id, KIND, anchor_ids, clock=time.monotonic())
    if known is not None:
        rows: Words = known[1]
    else:
        build, rows = _read(session, shop_id, anchor_ids)
        if memory is not None:
            held = {anchor_id: rows.get(anchor_id, ()) for anchor_id in anchor_ids}
            memory.keep(shop_id, build, KIND, held, clock=time.monotonic())
    anchors = set(anchor_ids)
    words = {word.pair: word for row in rows.values() for word in row}
    return with_merchant(words, (word for word in said if word.anchor_product_id in anchors))


def replace_timing(
    session: Session, shop_id: ShopId, build: MatrixBuild, words: Mapping[ProductId, Sequence[TimingWord]]
) -> None:
    """Put the words of a build in the place of the last ones, in the transaction that writes its rows."""
    session.execute(delete(MatrixTimingRow).where(MatrixTimingRow.shop_id == shop_id))
    rows = [
        {"shop_id": shop_id, "anchor_product_id": anchor_id, "words": _pack(row), "version": build.version}
        for anchor_id, row in sorted(words.items())
        if row
    ]
    if rows:
        session.execute(insert(MatrixTimingRow), rows)
    memory = remembered(session, shop_id, MEMORY, most_rows=MOST_ROWS)
    if memory is not None:
        after_commit(session, f"{MEMORY}:{shop_id}", lambda: memory.forget(shop_id))


def _read(session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId]) -> tuple[Build, Words]:
    rows = session.execute(TIMING, {"shop": shop_id, "anchors": list(anchor_ids)}).all()
    build: Build = (rows[0].version, rows[0].learned_at) if rows else (0, None)
    anchors = ((ProductId(row.anchor_product_id), row.words) for row in rows if row.words is not None)
    return build, {anchor_id: _unpack(anchor_id, text) for anchor_id, text in anchors}


_shop: BindParameter[int] = bindparam("shop")
_newest = select(func.max(MatrixBuildRow.version)).where(MatrixBuildRow.shop_id == _shop).scalar_subquery()
_joined = and_(
    MatrixTimingRow.shop_id == _shop,
    MatrixTimingRow.version <= MatrixBuildRow.version,
    MatrixTimingRow.anchor_product_id.in_(bindparam("anchors", expanding=True)),
)
TIMING = (
    select(MatrixBuildRow.version, MatrixBuildRow.learned_at, MatrixTimingRow.anchor_product_id, MatrixTimingRow.words)
    .join(MatrixTimingRow, _joined, isouter=True)
    .where(MatrixBuildRow.shop_id == _shop, MatrixBuildRow.version == _newest)
)
"""Built once: building it takes longer than running it."""


def _pack(words: Sequence[TimingWord]) -> str:
    """Write a row: assumed pairs by what they are to the anchor, learned ones one by one."""
    assumed: dict[str, list[int]] = {}
    learned = []
    for word in words:
        if word.source == PRIOR_TIME:
            assumed.setdefault(word.relation, []).append(word.companion_product_id)
        else:
            learned.append(_packed(word))
    return canonical_json({"assumed": assumed, "learned": learned})


def _packed(word: TimingWord) -> list[object]:
    codes = (LEVELS.index(word.level), RELATIONS.index(word.relation), int(word.peaks_at_zero))
    days = list(word.window) if word.window else None
    return [word.companion_product_id, *codes, word.n, *word.interval, days, [list(each) for each in word.blocked]]


def _unpack(anchor_id: ProductId, text: str) -> tuple[TimingWord, ...]:
    row = json.loads(text)
    assumed = (
        prior_word(anchor_id, ProductId(companion), relation)
        for relation, companions in row["assumed"].items()
        for companion in companions
    )
    return (*(_unpacked(anchor_id, *fields) for fields in row["learned"]), *assumed)


def _unpacked(
    anchor_id: ProductId,
    companion: int,
    level: int,
    relation: int,
    peaks: int,
    n: int,
    low: float,
    high: float,
    window: list[int] | None,
    blocked: list[list[int]],
) -> TimingWord:  # fmt: skip
    days = None if window is None else (window[0], window[1])
    silent = tuple((first, last) for first, last in blocked)
    told = (LEVELS[level], days, silent, bool(peaks), n, (low, high), LEARNED_TIME, RELATIONS[relation])
    return TimingWord(anchor_id, ProductId(companion), *told)
