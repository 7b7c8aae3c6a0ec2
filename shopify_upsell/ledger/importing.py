"""Import past orders from a file: the whole file or nothing, through the same recording as every webhook."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, OrderId, ShopId
from shopify_upsell.ledger.cataloguing import record_products
from shopify_upsell.ledger.order_file import BadRow, OrderFile, read_order_file
from shopify_upsell.ledger.recording import News, record
from shopify_upsell.ledger.tables import batches, lock_ledger, refresh_statistics

Progress = Callable[[int], None]
"""Told how many bytes of the file are done with: half of them when all are read, all when all is written."""

MOST_LISTED = 100
"""Bad rows that a report lists; all are counted."""


MANY = 1_000
"""Changed orders from which the database's planner is told at once. Our choice."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file.

    `orders_imported`: orders that were new or changed, `changed_order_ids`; `orders_unchanged`: known before.
    `orders_skipped`: left out for a bad row. With bad rows and no leave to skip them, all three are 0.
    """

    file_digest: str
    rows_read: int
    orders_imported: int
    orders_unchanged: int
    orders_skipped: int
    changed_order_ids: tuple[OrderId, ...]
    bad_row_count: int
    bad_rows: tuple[BadRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, without the list of orders."""
        document = {name: value for name, value in asdict(self).items() if name != "changed_order_ids"}
        return document | {"bad_rows": [asdict(bad) for bad in self.bad_rows]}


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read, and what it weighs."""

    digest: str
    size: int
    content: OrderFile


def read_orders(path: Path, *, currency: str | None, progress: Progress | None = None) -> ReadFile:
    """Read a CSV file, plain or gzip, without touching the database. `currency` is for rows that name none.

    Raises: InvalidInput when the file as a whole cannot be read; bad rows are listed in what is returned.
    """
    try:
        digest, size = _digest(path), path.stat().st_size
        with _opened(path) as (text, position):
            content = read_order_file(_watched(text, position, progress), currency=currency)
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        raise InvalidInput(f"the compressed file is damaged: {broken}") from broken
    except OSError as broken:
        raise InvalidInput(f"the file cannot be read: {broken.strerror}") from broken
    return ReadFile(digest, size, content)


def import_orders(
    session: Session,
    shop_id: ShopId,
    file: Path | ReadFile,
    *,
    currency: str | None = None,
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Record a file in the session's transaction. With bad rows nothing is written, unless asked to skip them.

    Skipping leaves out every order that has a bad row, so that no order is imported in part. A file that takes long
    to read is better read first (`read_orders`), while no transaction is open.

    Raises: InvalidInput when the file as a whole cannot be read.
    """
    read = file if isinstance(file, ReadFile) else read_orders(file, currency=currency, progress=progress)
    if read.content.bad_rows and not skip_bad_rows:
        return _report(read, None)
    lock_ledger(session, shop_id)
    record_products(session, shop_id, read.content.products)
    changed: list[OrderId] = []
    done, orders = 0, read.content.orders
    for batch in batches(orders):
        changed += record(session, shop_id, News(orders=batch)).order_ids
        done += len(batch)
        if progress is not None:
            progress(read.size // 2 + (read.size - read.size // 2) * done // len(orders))
    if len(changed) >= MANY:
        refresh_statistics(session)
    return _report(read, tuple(changed))


def _report(read: ReadFile, changed: tuple[OrderId, ...] | None) -> ImportReport:
    content = read.content
    return ImportReport(
        file_digest=read.digest,
        rows_read=content.row_count,
        orders_imported=len(changed or ()),
        orders_unchanged=0 if changed is None else len(content.orders) - len(changed),
        orders_skipped=0 if changed is None else content.bad_order_count,
        changed_order_ids=changed or (),
        bad_row_count=len(content.bad_rows),
        bad_rows=content.bad_rows[:MOST_LISTED],
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, Callable[[], int]]]:
    """Open as text; bytes that are not UTF-8 stay visible, so that their row can be named."""
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        source = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_gzip else raw
        with TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            yield text, raw.tell


def _watched(text: TextIO, position: Callable[[], int], progress: Progress | None) -> Iterator[str]:
    for number, line in enumerate(text):
        if progress is not None and number % 1000 == 0:
            progress(position() // 2)
        yield line


def _digest(path: Path) -> str:
    with path.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()
