"""Order lines from files: the documented columns, other people's habits, and one clear line for what cannot be read."""

import builtins
import gzip

import numpy as np
import pytest

from shopify_upsell.core import InvalidInput
from shopify_upsell.matrix.line_file import read_lines, read_products

HEADER = "order_id,customer_id,ts,product_id,qty,price,cost\n"


def a_file(folder, text, name="lines.csv"):
    path = folder / name
    path.write_text(text)
    return path


def refusal(path, read=read_lines):
    with pytest.raises(InvalidInput) as caught:
        read(path)
    return caught.value.message.removeprefix(f"{path}: ")


def test_gzipped_csv_with_short_names_and_decimal_prices_becomes_order_lines(tmp_path):
    path = tmp_path / "lines.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write(HEADER + "7,-1,1000,5,2,19.99,8\n")

    lines = read_lines(path)

    first = [int(getattr(lines, name)[0]) for name in lines.__dataclass_fields__]
    assert first == [7, -1, 1000, 5, 2, 1999, 1000, -1, -1]


def test_columns_that_may_be_absent_make_guests_who_buy_one_piece(tmp_path):
    lines = read_lines(a_file(tmp_path, "product_id,ordered_at,order_id,colour\n5,2026-01-01T00:00:00+01:00,7,red\n"))

    assert (lines.customer_id[0], lines.quantity[0], lines.unit_price[0]) == (-1, 1, 0)
    assert lines.ordered_at[0] == 1_767_225_600 - 3_600


def test_a_blank_customer_is_a_guest_and_a_blank_price_costs_nothing(tmp_path):
    lines = read_lines(a_file(tmp_path, HEADER + "1,,10,5,1,,\n2,8,10,5,1,3,\n"))

    assert lines.customer_id.tolist() == [-1, 8]
    assert lines.unit_price.tolist() == [0, 300]


def test_text_ids_are_told_apart_and_mean_the_same_in_the_catalogue(tmp_path):
    lines = read_lines(a_file(tmp_path, HEADER + "#1,c,10,mug,1,1,\n#1,c,10,pot,1,1,\n#2,d,10,mug,1,1,\n"))
    products = read_products(a_file(tmp_path, "product_id,title\nmug,Mug\npot,Pot\n", "products.csv"))

    assert lines.product_id.tolist() == [products.id[0], products.id[1], products.id[0]]
    assert lines.order_id[0] == lines.order_id[1] != lines.order_id[2]
    assert lines.product_id.min() >= 0


def test_ids_above_what_a_float_can_hold_are_kept_to_the_digit(tmp_path):
    lines = read_lines(a_file(tmp_path, HEADER + "9007199254740993,,10,9223372036854775807,1,1,\n"))

    assert (lines.order_id[0], lines.product_id[0]) == (9_007_199_254_740_993, 9_223_372_036_854_775_807)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no order lines"),
        (HEADER, "no order lines"),
        ("order_id,customer_id,ts\n1,2,3\n", "no column product_id"),
        (HEADER + "1,1,5,5,1,1,1\n2,1,yesterday,5,1,1,1\n",
         "ordered_at is yesterday in row 2, neither unix seconds nor ISO 8601"),
        (HEADER + "1,1,5,5,two,1,1\n", "quantity is two in row 1, not a number"),
        (HEADER + "1,1,5,,1,1,1\n", "product_id is blank in row 1"),
        (HEADER + "1,1,5,5,-3,1,1\n", "quantity must be at least 0, found -3"),
        (HEADER + "1,1,5\n", "a row before line 3 has too few columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, text, message):
    assert refusal(a_file(tmp_path, text)) == message


def test_a_file_that_is_not_gzip_is_named(tmp_path):
    assert refusal(a_file(tmp_path, HEADER, "lines.csv.gz")).startswith("not a CSV file in UTF-8")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    whole = builtins.__import__

    def without_pyarrow(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)

    message = refusal(a_file(tmp_path, "PAR1", "lines.parquet"))
    assert message == "Parquet needs pyarrow: pip install 'shopify-upsell[parquet]', or convert the file to CSV"


def test_parquet_gives_the_same_lines_as_csv(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"order_id": [1, 2], "customer_id": [None, 4], "ts": [10, 20], "product_id": [5, 6]})
    parquet.write_table(table, tmp_path / "lines.parquet")
    as_csv = a_file(tmp_path, "order_id,customer_id,ts,product_id\n1,,10,5\n2,4,20,6\n")

    ours, theirs = read_lines(tmp_path / "lines.parquet"), read_lines(as_csv)

    assert all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ours.__dataclass_fields__)


def test_the_catalogue_takes_other_names_for_its_columns(tmp_path):
    path = a_file(tmp_path, "id,title,product_type,vendor,parent,price,cost,available\n3,Mug,Cups,Kiln,M,4.50,,no\n")

    products = read_products(path)

    assert (products.subcategory[0], products.brand[0], products.family[0]) == ("Cups", "Kiln", "M")
    assert (products.price[0], products.cost[0], bool(products.available[0])) == (450, -1, False)


def test_a_catalogue_that_repeats_a_product_is_refused(tmp_path):
    assert refusal(a_file(tmp_path, "id\n3\n3\n"), read_products) == "products ids repeat"
