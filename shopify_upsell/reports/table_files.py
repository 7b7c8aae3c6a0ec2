"""Tables as files that other programs read: CSV always, Parquet where pyarrow is installed.

In: columns with their kinds, and rows. Out: a file that is whole or not there: it is written beside its place and moved
into it when finished.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from shopify_upsell.core import InvalidInput

Kind = Literal["integer", "number", "text", "truth", "day", "moment"]
Value = int | float | str | bool | date | datetime | None

ROWS_AT_ONCE = 50_000
"""Rows of a Parquet row group: as many as are held in memory."""

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "text": (str,),
    "truth": (bool,),
    "day": (date,),
    "moment": (datetime,),
}

# What a spreadsheet takes for a formula when a cell begins with it; product titles are other people's text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Units: say them in the name, as `net_minor_units`. Every column may hold None."""

    name: str
    kind: Kind


def csv_lines(columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> Iterator[str]:
    """Write a header and then a line a row, for streaming.

    None is an empty cell; truth is true or false; moments are ISO 8601 in UTC. Text that a spreadsheet would run as a
    formula gets an apostrophe before it.

    Raises: InvalidInput for a row that does not fit the columns.
    """
    buffer = io.StringIO()
    # With "\n" as its line's end the writer would not quote a lone "\r", which readers take for one.
    writer = csv.writer(buffer, lineterminator="\r\n")
    for cells in _all_cells(columns, rows):
        writer.writerow(cells)
        yield buffer.getvalue().removesuffix("\r\n") + "\n"
        buffer.seek(0)
        buffer.truncate()


def _all_cells(columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> Iterator[list[str]]:
    yield [column.name for column in columns]
    for row in checked_rows(columns, rows):
        yield [_cell(value) for value in row]


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return value.isoformat() if isinstance(value, date) else repr(value)


def checked_rows(columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> Iterator[tuple[Value, ...]]:
    """Pass rows on that fit their columns.

    Raises: InvalidInput for a row of another length, a value of another kind, infinity, or a moment without a time
    zone.
    """
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise InvalidInput(f"row {number} has {len(row)} values for {len(columns)} columns")
        for column, value in zip(columns, row, strict=True):
            if value is not None and not _fits(value, column.kind):
                raise InvalidInput(f"row {number}: {column.name} is no {column.kind}")
        yield tuple(row)


def _fits(value: Value, kind: Kind) -> bool:
    if isinstance(value, bool):
        return kind == "truth"
    if isinstance(value, datetime):
        return kind == "moment" and value.tzinfo is not None
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, float) and not math.isfinite(value))


def write_csv(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> int:
    """Write a CSV file in UTF-8, and give the number of rows.

    Raises: InvalidInput for a row that does not fit, or a place that cannot be written; then there is no new file.
    """

    def write(part: Path) -> int:
        count = -1
        with part.open("w", encoding="utf-8", newline="") as file:
            for line in csv_lines(columns, rows):
                file.write(line)
                count += 1
        return count

    return _whole(path, write)


def write_parquet(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> int:
    """Write a Parquet file, a row group at a time, and give the number of rows.

    Integers are 64-bit, numbers double, days date32, moments microseconds in UTC. Text is written as it is.

    Raises: InvalidInput where pyarrow is not installed, a row does not fit, or the place cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as missing:
        raise InvalidInput(
            f"{path}: Parquet needs pyarrow: pip install 'shopify-upsell[parquet]', or write CSV"
        ) from missing
    schema = _schema(pyarrow, columns)

    def write(part: Path) -> int:
        remaining, count = checked_rows(columns, rows), 0
        with parquet.ParquetWriter(part, schema) as file:
            while group := list(islice(remaining, ROWS_AT_ONCE)):
                # One column at a time, as Parquet keeps them.
                arrays = [
                    pyarrow.array(list(cells), type=field.type)
                    for cells, field in zip(zip(*group, strict=True), schema, strict=True)
                ]
                file.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
                count += len(group)
        return count

    return _whole(path, write)


def require_parquet() -> None:
    """Check that Parquet can be written, before anything is. Raises: InvalidInput where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InvalidInput("Parquet needs pyarrow: pip install 'shopify-upsell[parquet]', or write CSV")


def _schema(pyarrow: Any, columns: Sequence[Column]) -> Any:
    types = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "text": pyarrow.string(),
        "truth": pyarrow.bool_(),
        "day": pyarrow.date32(),
        "moment": pyarrow.timestamp("us", tz="UTC"),
    }
    return pyarrow.schema([(column.name, types[column.kind]) for column in columns])


def write_table(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> int:
    """Write the file that its name asks for: `.csv` or `.parquet`.

    Raises: InvalidInput for another name, and as `write_csv` and `write_parquet` do.
    """
    writers = {".csv": write_csv, ".parquet": write_parquet}
    if path.suffix.lower() not in writers:
        raise InvalidInput(f"{path}: a table is written as .csv or .parquet")
    return writers[path.suffix.lower()](path, columns, rows)


def _whole(path: Path, write: Callable[[Path], int]) -> int:
    """Write beside the place, and move into it only what is finished."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        count = write(part)
        part.replace(path)
    except OSError as failure:
        raise InvalidInput(f"{path}: cannot be written ({failure.strerror})") from failure
    finally:
        part.unlink(missing_ok=True)
    return count
