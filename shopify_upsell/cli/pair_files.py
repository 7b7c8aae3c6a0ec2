"""`shopify-upsell matrix export` and `import`: pairs as a table, and the merchant's word on them from a table."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from shopify_upsell.cli.joined import joined_parts, reading, require_shop
from shopify_upsell.core import LARGEST_ID, InvalidInput, ProductId, ShopId
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.ledger.store import catalog_entries, products_by_id
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import LEARNED, MERCHANT, MERCHANT_WORDS, PairWord, check_word
from shopify_upsell.matrix.store import KINDS, companions_of, say, take_back, words_on

HEADER = (
    "anchor_product_id", "anchor_title", "companion_product_id", "companion_title", "word", "score", "pair_count",
    "anchor_count", "companion_count", "basket_count", "first_day", "last_day", "observed", "expected", "upper_bound",
    "review_at", "note",
)  # fmt: skip
CLEARED = "clear"
"""The word that takes a word back."""

LEARNED_EDGE = "learned_edge"
ANCHORS_AT_ONCE = 5
"""Anchors whose words are read together; more could run into the limit of one read."""

MOST_LISTED = 100


@click.command("export")
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True))
def export_pairs(domain: str, file: TextIO) -> None:
    """Write all learned companions and every word on a pair to FILE (CSV; - for standard output).

    The column `word` says what a row is: with, next, upgrade (learned companions, best first), learned_edge (learned:
    not to be offered), or the merchant's blocked, lifted, pinned. `import` reads the merchant's rows of the same file.
    """
    with reading(domain) as (_, session, shop):
        writer = csv.DictWriter(file, HEADER, restval="", lineterminator="\n")
        writer.writeheader()
        count = 0
        for row in _exported(session, shop.shop_id):
            writer.writerow(row)
            count += 1
    click.echo(f"{count} rows written", err=True)


def _exported(session: Session, shop_id: ShopId) -> Iterator[dict[str, object]]:
    titles = {ProductId(entry.product_id): entry.title for entry in catalog_entries(session, shop_id)}
    anchors = sorted(titles)
    with click.progressbar(length=len(anchors), label="Exporting", file=sys.stderr) as bar:
        for start in range(0, len(anchors), ANCHORS_AT_ONCE):
            batch = anchors[start : start + ANCHORS_AT_ONCE]
            for kind in KINDS:
                for anchor, row in sorted(companions_of(session, shop_id, batch, kind=kind).items()):
                    yield from (_titled(_companion_row(anchor, kind, one), titles) for one in row)
            yield from (_titled(_word_row(word), titles) for word in words_on(session, shop_id, batch))
            bar.update(len(batch))


def _companion_row(anchor: ProductId, kind: str, one: Companion) -> dict[str, object]:
    first, last = one.window or ("", "")
    return {
        "anchor_product_id": anchor,
        "companion_product_id": one.product_id,
        "word": kind,
        "score": one.score,
        "pair_count": one.pair_count,
        "anchor_count": one.anchor_count,
        "companion_count": one.companion_count,
        "basket_count": one.basket_count,
        "first_day": first,
        "last_day": last,
    }


def _word_row(word: PairWord) -> dict[str, object]:
    row: dict[str, object] = {
        "anchor_product_id": word.anchor_product_id,
        "companion_product_id": word.companion_product_id,
        "word": LEARNED_EDGE if word.source == LEARNED else word.reason,
        "note": word.note,
    }
    if word.window is not None:
        row |= {"first_day": word.window[0], "last_day": word.window[1]}
    if word.source == LEARNED:
        row |= {"observed": word.observed, "expected": word.expected, "upper_bound": word.upper_bound}
        row |= {"anchor_count": word.n, "review_at": word.review_at.isoformat() if word.review_at else ""}
    return row


def _titled(row: dict[str, object], titles: dict[ProductId, str]) -> dict[str, object]:
    for side in ("anchor", "companion"):
        row[f"{side}_title"] = titles.get(row[f"{side}_product_id"], "")  # type: ignore[call-overload]
    return row


@dataclass(frozen=True, slots=True)
class Said:
    """One row of the merchant's, read but not yet believed."""

    line_number: int
    anchor_id: ProductId
    companion_id: ProductId
    word: str
    note: str
    window: tuple[int, int] | None


@click.command("import")
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_pairs(domain: str, file: Path) -> None:
    """Take the merchant's word on pairs from FILE, a CSV, whole or not at all. It wins over what is learned.

    Columns: anchor_product_id, companion_product_id, word, and optionally note, first_day, last_day. Words: blocked
    (never offered), lifted (offered although learned not to be), pinned (comes first), timed (only from first_day to
    last_day after delivery), clear (what is learned holds again). Rows with other words that `export` writes, and
    other columns, are passed over.
    """
    said, bad = _read(file)
    parts, now = joined_parts(), utc_now()
    with parts.database.write() as session:
        shop = require_shop(session, domain)
        bad += _unknown_products(session, shop.shop_id, said)
        if not bad:
            _take(session, shop.shop_id, said, now)
    if bad:
        for line_number, cause in sorted(bad)[:MOST_LISTED]:
            click.echo(f"line {line_number}: {cause}", err=True)
        raise InvalidInput(f"{len(bad)} bad rows: nothing was imported")
    cleared = sum(one.word == CLEARED for one in said)
    click.echo(f"{len(said) - cleared} words taken, {cleared} cleared")


Bad = list[tuple[int, str]]


def _read(file: Path) -> tuple[list[Said], Bad]:
    said: dict[tuple[ProductId, ProductId], Said] = {}
    bad: Bad = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            missing = {"anchor_product_id", "companion_product_id", "word"} - set(reader.fieldnames or ())
            if missing:
                raise InvalidInput(f"{file}: no column {', '.join(sorted(missing))}")
            for row in reader:
                if (row["word"] or "").strip() not in (*KINDS, LEARNED_EDGE):
                    _read_row(row, reader.line_num, said, bad)
    except (UnicodeDecodeError, csv.Error) as failure:
        raise InvalidInput(f"{file}: not a CSV file in UTF-8 ({failure})") from failure
    return list(said.values()), bad


def _read_row(
    row: dict[str, str | None], line_number: int, said: dict[tuple[ProductId, ProductId], Said], bad: Bad
) -> None:
    anchor, companion = (_id(row[name]) for name in ("anchor_product_id", "companion_product_id"))
    word = (row["word"] or "").strip()
    if word not in (*MERCHANT_WORDS, CLEARED):
        bad.append((line_number, f"word is {word[:40]!r}, not one of {', '.join((*MERCHANT_WORDS, CLEARED))}"))
    elif anchor is None or companion is None:
        bad.append((line_number, "a product id is not a positive integer"))
    elif anchor == companion:
        bad.append((line_number, "a product is no pair with itself"))
    elif (anchor, companion) in said:
        bad.append((line_number, f"the pair stands in line {said[anchor, companion].line_number} too"))
    else:
        _believe(
            row, Said(line_number, anchor, companion, word, (row.get("note") or "").strip()[:500], None), said, bad
        )


def _believe(row: dict[str, str | None], one: Said, said: dict[tuple[ProductId, ProductId], Said], bad: Bad) -> None:
    """Take the row with its days, if they are days and the word can be said with them."""
    days = [(row.get(name) or "").strip() for name in ("first_day", "last_day")]
    window = (int(days[0]), int(days[1])) if all(day.isdigit() and len(day) < 6 for day in days) else None
    if any(days) and window is None:
        bad.append((one.line_number, "first_day and last_day are not both whole numbers"))
        return
    taken = replace(one, window=window)
    if taken.word != CLEARED:
        try:
            check_word(_word_of(taken))
        except InvalidInput as wrong:
            bad.append((one.line_number, wrong.message))
            return
    said[one.anchor_id, one.companion_id] = taken


def _id(text: str | None) -> ProductId | None:
    digits = (text or "").strip()
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits[:20]) <= LARGEST_ID:
        return None
    return ProductId(int(digits))


def _unknown_products(session: Session, shop_id: ShopId, said: Sequence[Said]) -> Bad:
    known = products_by_id(session, shop_id, {number for one in said for number in (one.anchor_id, one.companion_id)})
    return [
        (one.line_number, f"no product {number}")
        for one in said
        for number in (one.anchor_id, one.companion_id)
        if number not in known and one.word != CLEARED
    ]


def _take(session: Session, shop_id: ShopId, said: Sequence[Said], now: datetime) -> None:
    for one in said:
        if one.word == CLEARED:
            take_back(session, shop_id, one.anchor_id, one.companion_id, now)
        else:
            say(session, shop_id, _word_of(one), now)


def _word_of(one: Said) -> PairWord:
    pair = (one.anchor_id, one.companion_id)
    return PairWord(*pair, MERCHANT, one.word, 0.0, 0, None, note=one.note, window=one.window)
