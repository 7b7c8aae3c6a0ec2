"""Queries of words on pairs: learned edges, replaced by every build, and the merchant's, each of which is logged."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.matrix.said import LEARNED, MERCHANT, TAKEN_BACK, PairWord, SaidOnce, check_word
from shopify_upsell.matrix.tables import NegativeEdgeRow, PairWordLogRow

log = logging.getLogger(__name__)

MOST_WORDS = 1_000
"""Words read for one decision: 20 anchors with 50 each."""

MOST_LOGGED = 1_000


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
    check_word(word)
    _forget(session, shop_id, *word.pair)
    session.execute(insert(NegativeEdgeRow).values(**_values(shop_id, word, now)))
    _log(session, shop_id, word, now)


def take_back(session: Session, shop_id: ShopId, anchor_id: ProductId, companion_id: ProductId, now: datetime) -> None:
    """Forget the merchant's word on a pair: what is learned holds again. Taking back what was never said is nothing."""
    if _forget(session, shop_id, anchor_id, companion_id):
        _log(session, shop_id, PairWord(anchor_id, companion_id, MERCHANT, TAKEN_BACK, 0.0, 0, None), now)


def said_before(session: Session, shop_id: ShopId, anchor_id: ProductId | None = None) -> tuple[SaidOnce, ...]:
    """Everything the merchant has said of pairs, of one anchor or all, newest first; at most MOST_LOGGED entries."""
    row = PairWordLogRow
    entries = select(row.__table__).where(row.shop_id == shop_id)
    if anchor_id is not None:
        entries = entries.where(row.anchor_product_id == anchor_id)
    found = session.execute(entries.order_by(row.entry_id.desc()).limit(MOST_LOGGED))
    return tuple(
        SaidOnce(
            ProductId(one.anchor_product_id),
            ProductId(one.companion_product_id),
            one.word,
            one.said_at,
            one.note,
            _days(one),
        )
        for one in found
    )


def _forget(session: Session, shop_id: ShopId, anchor_id: ProductId, companion_id: ProductId) -> bool:
    row = NegativeEdgeRow
    pair = (row.anchor_product_id == anchor_id, row.companion_product_id == companion_id)
    said = select(row.reason).where(row.shop_id == shop_id, *pair, row.source == MERCHANT)
    was_said = session.scalar(said) is not None
    session.execute(delete(row).where(row.shop_id == shop_id, *pair, row.source == MERCHANT))
    return was_said


def _log(session: Session, shop_id: ShopId, word: PairWord, now: datetime) -> None:
    """Write down what was said: in the table, which is never changed, and in the log."""
    anchor, companion = word.pair
    about = {"anchor_product_id": anchor, "companion_product_id": companion, "word": word.reason}
    first, last = word.window or (None, None)
    entry = {**about, "first_day": first, "last_day": last, "note": word.note, "said_at": now}
    session.execute(insert(PairWordLogRow).values(shop_id=shop_id, **entry))
    log.info("merchant_said", extra={"shop_id": shop_id, **about})


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
        window=_days(row),
    )


def _values(shop_id: ShopId, word: PairWord, now: datetime) -> dict[str, object]:
    first, last = word.window or (None, None)
    values = {name: getattr(word, name) for name in word.__slots__ if name != "window"}
    return {"shop_id": shop_id, "said_at": now, "first_day": first, "last_day": last, **values}


def _days(row: Row[Any]) -> tuple[int, int] | None:
    return None if row.first_day is None else (row.first_day, row.last_day)
