"""Files hold what went in, whole or not at all, and say clearly what they cannot do."""

import csv
import importlib.util
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from shopify_upsell.core import InvalidInput
from shopify_upsell.reports.table_files import Column, csv_lines, write_csv, write_parquet, write_table

COLUMNS = (
    Column("order_id", "integer"),
    Column("share", "number"),
    Column("title", "text"),
    Column("is_booked", "truth"),
    Column("ordered_on", "day"),
    Column("seen_at", "moment"),
)
SEEN_AT = datetime(2026, 11, 22, 13, 30, tzinfo=timezone(timedelta(hours=1)))
ROWS = [
    (2**62, 0.1, 'Boots, "tall"\nsize 4', True, date(2026, 11, 22), SEEN_AT),
    (-5, 2, "Größe ✓", False, date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
    (None, None, None, None, None, None),
]
HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


def test_csv_gives_back_every_value(tmp_path):
    path = tmp_path / "orders.csv"

    count = write_table(path, COLUMNS, ROWS)

    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert count == 3
    assert found == [
        ["order_id", "share", "title", "is_booked", "ordered_on", "seen_at"],
        [str(2**62), "0.1", 'Boots, "tall"\nsize 4', "true", "2026-11-22", "2026-11-22T12:30:00Z"],
        ["-5", "2", "Größe ✓", "false", "2026-01-01", "2026-01-01T00:00:00Z"],
        ["", "", "", "", "", ""],
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["orders.csv"]


def test_lines_can_be_streamed():
    lines = csv_lines(COLUMNS[:1], iter([(1,), (2,)]))

    assert list(lines) == ["order_id\n", "1\n", "2\n"]


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(title):
    lines = list(csv_lines((Column("title", "text"), Column("amount", "integer")), [(title, -5)]))

    assert next(csv.reader(lines[1:])) == [f"'{title}", "-5"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 1.5), ("integer", True), ("integer", "1"), ("number", "1"), ("number", float("nan")),
        ("number", float("inf")), ("text", 1), ("truth", 1), ("day", SEEN_AT), ("moment", date(2026, 1, 1)),
        ("moment", datetime(2026, 1, 1)), # noqa: DTZ001
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_and_no_file_is_left(tmp_path, kind, value):
    good = {"integer": 1, "number": 1.0, "text": "a", "truth": True, "day": date(2026, 1, 1), "moment": SEEN_AT}[kind]

    with pytest.raises(InvalidInput, match=f"row 2: amount is no {kind}"):
        write_csv(tmp_path / "broken.csv", (Column("amount", kind),), [(good,), (value,)])

    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("old")

    with pytest.raises(InvalidInput, match="row 1 has 2 values for 1 columns"):
        write_csv(path, COLUMNS[:1], [(1, 2)])

    assert path.read_text() == "old"


def test_a_place_that_cannot_be_written_and_a_name_that_says_nothing_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_csv(tmp_path / "nowhere" / "orders.csv", COLUMNS[:1], [(1,)])
    with pytest.raises(InvalidInput, match=r"as \.csv or \.parquet"):
        write_table(tmp_path / "orders.xlsx", COLUMNS[:1], [(1,)])

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(HAS_PYARROW, reason="pyarrow is installed")
def test_without_pyarrow_parquet_says_what_to_install(tmp_path):
    with pytest.raises(InvalidInput, match=r"pip install 'shopify-upsell\[parquet\]'"):
        write_table(tmp_path / "orders.parquet", COLUMNS, ROWS)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow is not installed")
def test_parquet_gives_back_every_value_and_its_type(tmp_path):
    from pyarrow import parquet

    path = tmp_path / "orders.parquet"

    count = write_parquet(path, COLUMNS, ROWS)

    table = parquet.read_table(path)
    assert count == 3
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "string", "bool", "date32[day]", "timestamp[us, tz=UTC]",
    ]  # fmt: skip
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow is not installed")
def test_an_empty_parquet_file_still_has_its_columns(tmp_path):
    from pyarrow import parquet

    write_parquet(tmp_path / "none.parquet", COLUMNS, [])

    assert parquet.read_table(tmp_path / "none.parquet").schema.names == [column.name for column in COLUMNS]
