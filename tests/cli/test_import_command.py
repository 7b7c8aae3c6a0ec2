"""`import-orders`: a whole file or nothing, every bad row by line and cause, again without effect."""

import gzip
import json

import pytest
from builders_apps import an_application, work_off
from builders_cli import Command, lines_of
from builders_database import add_shop
from builders_surfaces import count_rows, read_rows
from sqlalchemy import select

from shopify_upsell.attribution.store import CreditRow
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ProductRow
from shopify_upsell.matrix.store import MatrixBuildRow
from shopify_upsell.matrix.tables import PairCountRow, ProductCountRow

HEADER = "order_id,ordered_at,customer_id,product_id,variant_id,quantity,unit_price,discount,colour\n"
GOOD = HEADER + (
    "1,2026-10-01T10:00:00-04:00,7,1,11,2,10.00,1.50,red\n"
    "1,2026-10-01T10:00:00-04:00,7,2,21,1,5.25,,\n"
    "2,1790000000,,1,11,1,10.00,,\n"
)
BAD = HEADER + (
    "1,2026-10-01T10:00:00Z,7,1,11,2,10.00,,\n"
    "2,2026-10-01,7,1,11,1,10.00,,\n"
    '3,2026-10-01T10:00:00Z,7,1,11,1,"1,99",,\n'
    "4,2026-10-01T10:00:00Z,7,1,11,-1,10.00,,\n"
    "5,2026-10-01T10:00:00Z,7,1\n"
)


@pytest.fixture
def command(database, tmp_path):
    with database.write() as session:
        add_shop(session, "two.myshopify.com")
        add_shop(session)
    return Command(database, tmp_path)


@pytest.fixture
def application(database, tmp_path):
    return an_application(database, tmp_path)


def a_file(folder, text, name="orders.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode())
    return path


def import_file(command, path, *options, **environment):
    return command("import-orders", path, "--shop", "one.myshopify.com", *options, **environment)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
def test_a_good_file_becomes_orders_of_this_shop_with_credits_that_add_up(command, application, tmp_path, name):
    result = import_file(command, a_file(tmp_path, GOOD, name))

    assert (result.exit_code, result.stderr) == (0, "")
    assert lines_of(result.stdout)[-1] == (
        "3 rows read, 0 bad; 2 orders imported, 0 already known, 0 left out"
    )  # fmt: skip
    assert read_rows(application, OrderRow, "order_id", "customer_id", "currency") == [
        (1, 7, "USD"), (2, None, "USD"),
    ]  # fmt: skip
    assert read_rows(application, OrderLineRow, "order_id", "product_id", "quantity", "net_minor_units") == [
        (1, 1, 2, 1850), (1, 2, 1, 525), (2, 1, 1, 1000),
    ]  # fmt: skip
    assert sum(amount for (amount,) in read_rows(application, CreditRow, "amount_minor_units")) == 3375
    assert read_rows(application, ProductCountRow, "product_id", "n") == [(1, 2), (2, 1)]
    assert read_rows(application, PairCountRow, "product_a", "product_b", "n") == [(1, 2, 1)]
    shops = {shop_id for (shop_id,) in read_rows(application, OrderRow, "shop_id")}
    assert len(shops) == 1


def test_what_was_imported_is_learned_from_unless_that_is_not_wanted(command, application, tmp_path):
    import_file(command, a_file(tmp_path, GOOD), "--no-learn")
    assert read_rows(application, JobRow, "kind") == []

    import_file(command, a_file(tmp_path, GOOD + "3,1790000000,,1,11,1,10.00,,\n", "longer.csv"))
    assert read_rows(application, JobRow, "kind") == [("learn_matrix",)]
    work_off(application)

    assert read_rows(application, MatrixBuildRow, "order_count") == [(3,)]


def test_bad_rows_are_listed_with_line_and_cause_and_nothing_is_imported(command, application, tmp_path):
    result = import_file(command, a_file(tmp_path, BAD))

    assert result.exit_code == 1
    assert lines_of(result.stderr) == [
        "line 3: ordered_at: a time without its zone",
        "line 4: unit_price: not an amount",
        "line 5: quantity: not a whole number from 0 to 1000000000",
        "line 6: 4 fields where the header has 9",
        "Nothing was imported. Mend the file, or use --skip-bad-rows.",
    ]
    assert lines_of(result.stdout)[-1] == (
        "5 rows read, 4 bad; 0 orders imported, 0 already known, 0 left out"
    )  # fmt: skip
    for row in (OrderRow, OrderLineRow, ProductRow, CreditRow, JobRow):
        assert count_rows(application, row) == 0, row


def test_bad_rows_may_be_skipped_with_their_whole_orders(command, application, tmp_path):
    two_rows_of_one = BAD + "3,2026-10-01T10:00:00Z,7,2,21,1,1.99,,\n"

    result = import_file(command, a_file(tmp_path, two_rows_of_one), "--skip-bad-rows")

    assert result.exit_code == 0
    assert len(lines_of(result.stderr)) == 4
    assert lines_of(result.stdout)[-1] == (
        "6 rows read, 4 bad; 1 orders imported, 0 already known, 4 left out"
    )  # fmt: skip
    assert read_rows(application, OrderRow, "order_id") == [(1,)]


def test_importing_the_same_file_again_changes_nothing(command, application, tmp_path):
    path = a_file(tmp_path, GOOD)
    import_file(command, path)
    jobs = count_rows(application, JobRow)

    result = import_file(command, path)

    assert result.exit_code == 0
    assert lines_of(result.stdout)[-1] == (
        "3 rows read, 0 bad; 0 orders imported, 2 already known, 0 left out"
    )  # fmt: skip
    assert count_rows(application, JobRow) == jobs


def test_a_report_for_machines_is_one_json_document(command, tmp_path):
    result = import_file(command, a_file(tmp_path, BAD), "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert (report["rows_read"], report["bad_row_count"], report["orders_imported"]) == (5, 4, 0)
    assert report["bad_rows"][0] == {"line_number": 3, "cause": "ordered_at: a time without its zone"}


def test_only_the_first_hundred_bad_rows_are_listed_and_all_are_counted(command, tmp_path):
    rows = "".join(f"{number},yesterday,7,1,11,1,10.00,,\n" for number in range(1, 104))

    result = import_file(command, a_file(tmp_path, HEADER + rows))

    listed = [line for line in lines_of(result.stderr) if line.startswith("line ")]
    assert (len(listed), listed[0]) == (100, "line 2: ordered_at: not a time")
    assert "… and 3 more bad rows" in lines_of(result.stderr)


def test_rows_that_name_no_currency_take_the_one_that_is_given_else_the_shops(command, application, tmp_path):
    import_file(command, a_file(tmp_path, GOOD), "--currency", "JPY", "--skip-bad-rows")
    import_file(
        command,
        a_file(tmp_path, GOOD.replace("10.00", "10").replace("1.50", "1")),
        "--currency",
        "JPY",
        "--skip-bad-rows",
    )

    assert read_rows(application, OrderRow, "order_id", "currency") == [(2, "JPY")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "missing columns: order_id, ordered_at, customer_id, product_id, quantity, unit_price"),
        (b"order_id,quantity\n1,1\n", "missing columns: ordered_at, customer_id, product_id, unit_price"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "the compressed file is damaged: "),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_one_line_and_imports_nothing(
    command, application, tmp_path, content, complaint
):
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    result = import_file(command, path)

    assert result.exit_code == 2
    assert lines_of(result.stderr)[-1].startswith(f"shopify-upsell: {complaint}")
    assert count_rows(application, OrderRow) == 0


def test_a_shop_nobody_knows_is_one_line_that_says_where_to_look(command, tmp_path):
    result = command("import-orders", a_file(tmp_path, GOOD), "--shop", "three.myshopify.com")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "shopify-upsell: no shop three.myshopify.com: `shopify-upsell shops list` shows the known ones\n"
    )


def test_a_file_that_is_not_there_is_a_usage_error(command, tmp_path):
    result = import_file(command, tmp_path / "nowhere.csv")

    assert (result.exit_code, "does not exist" in result.stderr) == (2, True)


def test_titles_and_other_columns_of_people_are_not_kept(command, database, tmp_path):
    text = GOOD.replace("colour", "email").replace("red", "robin@example.com")

    import_file(command, a_file(tmp_path, text))

    with database.read() as session:
        everything = repr(
            [session.execute(select(row.__table__)).all() for row in (OrderRow, OrderLineRow, ProductRow)]
        )
    assert "robin" not in everything
