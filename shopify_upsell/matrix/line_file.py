"""Order lines and catalogues from files: CSV, gzipped CSV, or Parquet where pyarrow is installed.

Comes in: a path. Goes out: checked order lines, or a catalogue. Other systems name columns in their own way; the common
short names are understood. Files are read in pieces, so that memory holds numbers, not text.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import InvalidInput
from shopify_upsell.matrix.lines import GUEST, Integers, OrderLines
from shopify_upsell.matrix.products import Products, products_from_table

Column = NDArray[Any]
Progress = Callable[[int], None]
"""Told how many bytes of the file have been read."""

LINES = {
    "order_id": ("order_id",),
    "customer_id": ("customer_id",),
    "ordered_at": ("ordered_at", "ts"),
    "product_id": ("product_id",),
    "quantity": ("quantity", "qty"),
    "unit_price": ("unit_price", "price"),
}
OPTIONAL = {"customer_id": GUEST, "quantity": 1, "unit_price": 0}
"""Columns that may be absent, and what every line then holds."""

CATALOGUE = {
    "id": ("id", "product_id"),
    "title": ("title", "name"),
    "category": ("category", "department"),
    "subcategory": ("subcategory", "product_type"),
    "brand": ("brand", "vendor", "line"),
    "family": ("family", "parent"),
    "price": ("price",),
    "cost": ("cost",),
    "available": ("available",),
}
ROWS_AT_ONCE = 100_000
MINOR_UNITS = 100
"""Prices in files are decimals; ranks do not depend on the unit, so hundredths serve every currency."""

FALSE_WORDS = ("", "0", "false", "no", "f", "n")
BLANK = ("", "nan", "none", "null", "nat", "<na>")


def read_lines(path: str | Path, *, progress: Progress = lambda _: None) -> OrderLines:
    """Read order lines.

    Columns: order_id, ordered_at or ts (unix seconds, or ISO 8601), product_id; optional: customer_id (blank or -1 is a
    guest), quantity or qty, unit_price or price (decimal). Ids are integers; other text is numbered by its digest, the
    same in every file. More columns are ignored.

    Raises: InvalidInput naming the file, the column and the first bad row; OSError if the file cannot be read.
    """
    pieces: list[dict[str, Integers]] = []
    first_row = 1
    for found, columns in _pieces(Path(path), LINES, progress):
        _require(Path(path), found, [name for name in LINES if name not in OPTIONAL])
        length = len(columns["order_id"])
        pieces.append({name: _line_column(Path(path), name, columns, first_row, length) for name in LINES})
        first_row += length
    if not pieces:
        raise InvalidInput(f"{path}: no order lines")
    merged = {name: np.concatenate([piece[name] for piece in pieces]) for name in LINES}
    try:
        return OrderLines(**merged)
    except ValueError as refusal:
        raise InvalidInput(f"{path}: {refusal}") from refusal


def read_products(path: str | Path) -> Products:
    """Read a catalogue.

    Columns: id or product_id; optional: title, category, subcategory, brand, family, price, cost, available.

    Raises: InvalidInput naming the file and the column; OSError if the file cannot be read.
    """
    pieces: list[dict[str, Column]] = []
    for found, columns in _pieces(Path(path), CATALOGUE, lambda _: None):
        _require(Path(path), found, ["id"])
        pieces.append(columns)
    if not pieces:
        raise InvalidInput(f"{path}: no products")
    table: dict[str, Any] = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    table["id"] = _identities(Path(path), "id", table["id"], 1)
    for name in {"price", "cost"} & set(table):
        table[name] = _amounts(Path(path), name, table[name], 1) * MINOR_UNITS
    if "available" in table:
        table["available"] = np.array([str(value).strip().lower() not in FALSE_WORDS for value in table["available"]])
    try:
        return products_from_table(table)
    except ValueError as refusal:
        raise InvalidInput(f"{path}: {refusal}") from refusal


def _require(path: Path, found: Mapping[str, str], names: list[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise InvalidInput(f"{path}: no column {', '.join(missing)}")


Piece = tuple[dict[str, str], dict[str, Column]]
"""Our name of each column found with the file's own, and the values under our names."""


def _pieces(path: Path, wanted: Mapping[str, tuple[str, ...]], progress: Progress) -> Iterator[Piece]:
    if path.suffix == ".parquet":
        return _parquet_pieces(path, wanted, progress)
    return _csv_pieces(path, wanted, progress)


def _found(header: list[str], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    names = [(ours, next((name for name in theirs if name in header), None)) for ours, theirs in wanted.items()]
    return {ours: name for ours, name in names if name is not None}


def _csv_pieces(path: Path, wanted: Mapping[str, tuple[str, ...]], progress: Progress) -> Iterator[Piece]:
    with path.open("rb") as raw:
        plain = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        try:
            reader = csv.reader(io.TextIOWrapper(plain, "utf-8-sig", newline=""))
            header = [name.strip() for name in next(reader, [])]
            found = _found(header, wanted)
            places = {ours: header.index(theirs) for ours, theirs in found.items()}
            while rows := list(islice((row for row in reader if row), ROWS_AT_ONCE)):
                if any(len(row) < len(header) for row in rows):
                    raise InvalidInput(f"{path}: a row before line {reader.line_num + 1} has too few columns")
                progress(raw.tell())
                yield found, {ours: np.array([row[at] for row in rows]) for ours, at in places.items()}
        except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile, zlib.error) as failure:
            raise InvalidInput(f"{path}: not a CSV file in UTF-8 ({failure})") from failure


def _parquet_pieces(path: Path, wanted: Mapping[str, tuple[str, ...]], progress: Progress) -> Iterator[Piece]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as missing:
        raise InvalidInput(
            f"{path}: Parquet needs pyarrow: pip install 'shopify-upsell[parquet]', or convert the file to CSV"
        ) from missing
    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid as failure:
        raise InvalidInput(f"{path}: not a Parquet file") from failure
    found = _found(list(file.schema_arrow.names), wanted)
    read, size = 0, path.stat().st_size
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(found.values())):
        read += batch.num_rows
        progress(size * read // max(file.metadata.num_rows, 1))
        columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in found.values()}
        yield found, {ours: columns[theirs] for ours, theirs in found.items()}


def _line_column(path: Path, name: str, columns: Mapping[str, Column], first_row: int, length: int) -> Integers:
    if name not in columns:
        return np.full(length, OPTIONAL[name], dtype=np.int64)
    values = columns[name]
    if name == "ordered_at":
        return _moments(path, values, first_row)
    if name == "unit_price":
        return np.rint(MINOR_UNITS * np.nan_to_num(_amounts(path, name, values, first_row))).astype(np.int64)
    if name == "quantity":
        return np.rint(_amounts(path, name, values, first_row)).astype(np.int64)
    return _identities(path, name, values, first_row)


def _identities(path: Path, name: str, values: Column, first_row: int) -> Integers:
    whole = _as_integers(values)
    if whole is not None:
        return whole
    distinct, place = np.unique(values.astype(str), return_inverse=True)
    codes = np.array([_identity(text.strip()) for text in distinct], dtype=np.int64)[place.reshape(-1)]
    blank = np.flatnonzero(codes == GUEST)
    if len(blank) and name != "customer_id":
        raise InvalidInput(f"{path}: {name} is blank in row {first_row + int(blank[0])}")
    return codes


def _identity(text: str) -> int:
    if text.lower() in BLANK:
        return GUEST
    try:
        return int(float(text)) if "." in text or "e" in text.lower() else int(text)
    except ValueError:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


def _as_integers(values: Column) -> Integers | None:
    """Give whole numbers as they are, at full precision; None where there is anything else."""
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.int64, copy=False)
    if np.issubdtype(values.dtype, np.floating):
        is_whole = bool(np.isfinite(values).all()) and bool((values == np.rint(values)).all())
        return values.astype(np.int64) if is_whole else None
    try:
        return values.astype(np.int64)
    except (ValueError, TypeError, OverflowError):
        return None


def _amounts(path: Path, name: str, values: Column, first_row: int) -> NDArray[np.float64]:
    """Read decimals; a blank is not a number, in both senses."""
    if values.dtype.kind in "OU":
        values = np.array(["nan" if str(value).strip().lower() in BLANK else str(value) for value in values])
    try:
        return values.astype(np.float64)
    except ValueError:
        bad = next(place for place, value in enumerate(values) if not _is_number(value))
        raise InvalidInput(f"{path}: {name} is {values[bad]!s:.40} in row {first_row + bad}, not a number") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _moments(path: Path, values: Column, first_row: int) -> Integers:
    if np.issubdtype(values.dtype, np.datetime64):
        return values.astype("datetime64[s]").astype(np.int64)
    whole = _as_integers(values)
    if whole is not None:
        return whole
    distinct, place = np.unique(values.astype(str), return_inverse=True)
    seconds = []
    for at, text in enumerate(distinct):
        try:
            seconds.append(_moment(text.strip()))
        except ValueError:
            row = first_row + int(np.flatnonzero(place.reshape(-1) == at)[0])
            raise InvalidInput(
                f"{path}: ordered_at is {text:.40} in row {row}, neither unix seconds nor ISO 8601"
            ) from None
    return np.array(seconds, dtype=np.int64)[place.reshape(-1)]


def _moment(text: str) -> int:
    """Read unix seconds or ISO 8601; a time without a zone is UTC."""
    if text.replace(".", "", 1).isdigit():
        return int(float(text))
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
