"""Importing past orders: whole or not at all, and the same through a file as through webhooks."""

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta

import pytest
from builders_database import add_shop
from builders_ledger_rows import rows_of_tables
from builders_orders import a_delivery, a_line, a_product, an_order, at
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.ledger import intake, store
from shopify_upsell.ledger.importing import import_orders, read_orders
from shopify_upsell.ledger.order_file import read_order_file

HEADER = (
    "order_id,ordered_at,customer_id,product_id,variant_id,quantity,unit_price,discount,currency,line_id,"
    "product_title,financial_status,comment"
)
GOOD = [
    "1,2026-01-02T10:00:00+01:00,5,7,70,2,10.00,1.50,,,Boots,,first",
    "1,2026-01-02T09:00:00Z,5,8,,1,3.00,,,,,,",
    "2,1767434400,,7,71,1,9.99,,EUR,,Boots II,refunded,",
]


def a_file(tmp_path, rows, *, header=HEADER, name="orders.csv"):
    path = tmp_path / name
    text = "\n".join([header, *rows]) + "\n"
    path.write_bytes(
        gzip.compress(text.encode(), mtime=0) if name.endswith("gz") else text.encode("utf-8", "surrogateescape")
    )
    return path


def causes(file):
    return [(bad.line_number, bad.cause) for bad in file.bad_rows]


def read_text(rows, currency="USD", header=HEADER):
    return read_order_file([line + "\n" for line in [header, *rows]], currency=currency)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz", "compressed-without-saying.gz"])
def test_a_file_is_imported_plain_or_compressed(session, shop_id, tmp_path, name):
    report = import_orders(session, shop_id, a_file(tmp_path, GOOD, name=name), currency="USD")

    assert (report.rows_read, report.orders_imported, report.changed_order_ids) == (3, 2, (1, 2))
    first, second = store.booked_order(session, shop_id, 1), store.booked_order(session, shop_id, 2)
    assert (first.ordered_at, first.customer_id, first.currency) == (datetime(2026, 1, 2, 9, tzinfo=UTC), 5, "USD")
    assert [(line.line_id, line.variant_id, line.quantity, line.net_minor_units) for line in first.lines] == [
        (1, 70, 2, 1850),
        (2, None, 1, 300),
    ]
    assert (second.ordered_at, second.customer_id, second.currency) == (
        datetime(2026, 1, 3, 10, tzinfo=UTC),
        None,
        "EUR",
    )


def test_importing_a_file_again_changes_nothing(session, shop_id, tmp_path):
    path = a_file(tmp_path, GOOD)
    import_orders(session, shop_id, path, currency="USD")
    before = rows_of_tables(session, shop_id)

    report = import_orders(session, shop_id, path, currency="USD")

    assert (report.orders_imported, report.orders_unchanged, report.changed_order_ids) == (0, 2, ())
    assert rows_of_tables(session, shop_id) == before


@pytest.mark.parametrize("is_imported_first", [True, False])
def test_a_webhook_about_an_imported_order_wins_whichever_came_first(session, shop_id, tmp_path, is_imported_first):
    delivery = a_delivery(shop_id, "orders/updated", an_order(1, [a_line(price="42.00")], updated_at=at(1)))
    steps = [
        lambda: import_orders(session, shop_id, a_file(tmp_path, GOOD), currency="USD"),
        lambda: intake.record_order(session, delivery),
    ]

    for step in steps if is_imported_first else reversed(steps):
        step()

    assert [line.net_minor_units for line in store.booked_order(session, shop_id, 1).lines] == [4200]


def test_products_named_by_the_file_are_known_but_not_published_until_shopify_speaks(session, shop_id, tmp_path):
    intake.record_product(session, a_delivery(shop_id, "products/update", a_product(8, title="Laces")))
    rows = [*GOOD, "3,2026-02-01T00:00:00Z,,8,80,1,1.00,,,,Shoelaces,,"]

    import_orders(session, shop_id, a_file(tmp_path, rows), currency="USD")

    products = store.products_by_id(session, shop_id, [7, 8])
    assert (products[7].title, products[7].is_published, products[7].handle) == ("Boots II", False, "")
    assert [(variant.variant_id, variant.price.currency) for variant in products[7].variants] == [(71, "EUR")]
    assert (products[8].title, products[8].is_published) == ("Laces", True)


def test_a_file_is_not_shopify_s_word_on_how_far_reconciliation_has_come(session, shop_id, tmp_path):
    import_orders(session, shop_id, a_file(tmp_path, GOOD), currency="USD")
    assert store.newest_order_version(session, shop_id) is None

    intake.record_order(session, a_delivery(shop_id, "orders/updated", an_order(9, updated_at=at(1))))
    assert store.newest_order_version(session, shop_id) == at(1)


BAD_ROWS = {
    "x,2026-01-02T10:00:00Z,,7,,1,1.00,,,,,,": "order_id: not an id of 64 bits",
    "9223372036854775808,2026-01-02T10:00:00Z,,7,,1,1.00,,,,,,": "order_id: not an id of 64 bits",
    "9,2026-01-02T10:00:00,,7,,1,1.00,,,,,,": "ordered_at: a time without its zone",
    "9,yesterday,,7,,1,1.00,,,,,,": "ordered_at: not a time",
    "9,,,7,,1,1.00,,,,,,": "ordered_at: not a time",
    "9,99999999999999,,7,,1,1.00,,,,,,": "ordered_at: not a whole number from 0 to 253402300799",
    "9,1960-01-02T10:00:00Z,,7,,1,1.00,,,,,,": "ordered_at: a time before 1970",
    "9,2026-01-02T10:00:00Z,me,7,,1,1.00,,,,,,": "customer_id: not an id of 64 bits",
    "9,2026-01-02T10:00:00Z,,,,1,1.00,,,,,,": "product_id: not an id of 64 bits",
    "9,2026-01-02T10:00:00Z,,7,blue,1,1.00,,,,,,": "variant_id: not an id of 64 bits",
    "9,2026-01-02T10:00:00Z,,7,,0,1.00,,,,,,": "quantity: not a whole number from 1",
    "9,2026-01-02T10:00:00Z,,7,,-1,1.00,,,,,,": "quantity: not a whole number from 0 to 1000000000",
    "9,2026-01-02T10:00:00Z,,7,,1.0,1.00,,,,,,": "quantity: not a whole number from 0 to 1000000000",
    "9,2026-01-02T10:00:00Z,,7,,1,1.001,,,,,,": "unit_price: more digits than the currency has",
    "9,2026-01-02T10:00:00Z,,7,,1,-1,,,,,,": "unit_price: below zero",
    "9,2026-01-02T10:00:00Z,,7,,1,,,,,,,": "unit_price: not an amount",
    '9,2026-01-02T10:00:00Z,,7,,1,"1,99",,,,,,': "unit_price: not an amount",
    "9,2026-01-02T10:00:00Z,,7,,1000000000,9999999999999,,,,,,": "unit_price: a line worth more than can be booked",
    "9,2026-01-02T10:00:00Z,,7,,1,1.00,1.01,,,,,": "discount: more than the line is worth",
    "9,2026-01-02T10:00:00Z,,7,,1,1.00,,usd,,,,": "currency: unknown currency",
    "9,2026-01-02T10:00:00Z,,7,,1,1.00,,,L1,,,": "line_id: not an id of 64 bits",
    "9,2026-01-02T10:00:00Z,,7,,1,1.00,,,,,sold,": "financial_status: not one of Shopify's",
    "9,2026-01-02T10:00:00Z,,7": "4 fields where the header has 13",
    "9,2026-01-02T10:00:00Z,,7,,1,1.00,,,,B\udce9ret,,": "not UTF-8",
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_named_with_its_line_and_cause(row):
    assert causes(read_text([GOOD[0], row])) == [(3, BAD_ROWS[row])]


def test_rows_of_one_order_must_agree():
    rows = [
        "1,2026-01-02T10:00:00Z,5,7,,1,1.00,,,11,,,",
        "2,2026-01-02T10:00:00Z,5,7,,1,1.00,,,11,,,",
        "1,2026-01-02T10:00:01Z,5,7,,1,1.00,,,12,,,",
        "1,2026-01-02T10:00:00Z,6,7,,1,1.00,,,13,,,",
        "1,2026-01-02T10:00:00Z,5,7,,1,1.00,,EUR,14,,,",
        "1,2026-01-02T10:00:00Z,5,7,,1,1.00,,,11,,,",
    ]

    assert causes(read_text(rows)) == [
        (4, "ordered_at: differs from line 2 of the same order"),
        (5, "customer_id: differs from line 2 of the same order"),
        (6, "currency: differs from line 2 of the same order"),
        (7, "line_id: used on line 2 of the same order"),
    ]


def test_line_numbers_count_lines_of_the_file_also_after_a_field_of_two_lines():
    text = io.StringIO("\n".join([HEADER, '1,2026-01-02T10:00:00Z,,7,,1,1.00,,,,"two\nlines",,', "", "bad,row"]))

    assert causes(read_order_file(text, currency="USD")) == [(5, "2 fields where the header has 13")]


def test_with_one_bad_row_nothing_is_written_and_all_bad_rows_are_counted(session, shop_id, tmp_path):
    rows = [*GOOD, *["3,when,,7,,1,1.00,,,,,,"] * 150]

    report = import_orders(session, shop_id, a_file(tmp_path, rows), currency="USD")

    assert (report.orders_imported, report.bad_row_count, len(report.bad_rows)) == (0, 150, 100)
    assert report.bad_rows[0].line_number == 5
    assert report.to_json()["bad_rows"][0] == {"line_number": 5, "cause": "ordered_at: not a time"}
    assert not any(rows_of_tables(session, shop_id).values())


def test_skipping_bad_rows_leaves_out_the_whole_order_of_each(session, shop_id, tmp_path):
    rows = [*GOOD, "1,2026-01-02T09:00:00Z,5,8,,none,3.00,,,,,,"]

    report = import_orders(session, shop_id, a_file(tmp_path, rows), currency="USD", skip_bad_rows=True)

    assert (report.changed_order_ids, report.orders_skipped, report.bad_row_count) == ((2,), 1, 1)
    assert store.booked_order(session, shop_id, 1) is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "missing columns: order_id"),
        (b"order_id,quantity\n1,2\n", "missing columns: ordered_at, customer_id, product_id, unit_price"),
        (b"\x1f\x8b\x08\x00", "damaged"),
        (gzip.compress(b"order_id," * 999, mtime=0)[:-12], "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(tmp_path, content, complaint):
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=complaint):
        read_orders(path, currency="USD")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_orders(tmp_path / "none.csv", currency="USD")


def test_a_header_with_a_byte_order_mark_and_spaces_is_understood():
    header = "\ufefforder_id, ordered_at, customer_id, product_id, quantity, unit_price"

    assert len(read_text(["1,1767434400,,7,1,1.00"], header=header).orders) == 1


def test_a_row_without_a_currency_needs_one_from_the_shop():
    assert causes(read_text([GOOD[0]], currency=None)) == [(2, "currency: unknown currency")]


def test_progress_ends_at_the_size_of_the_file(session, shop_id, tmp_path):
    path, told = a_file(tmp_path, GOOD), []

    import_orders(session, shop_id, path, currency="USD", progress=told.append)

    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_another_shop_s_orders_with_the_same_ids_are_left_alone(session, shop_id, tmp_path):
    other = add_shop(session, "two.myshopify.com")
    intake.record_order(session, a_delivery(other, "orders/create", an_order(1)))
    before = rows_of_tables(session, other)

    import_orders(session, shop_id, a_file(tmp_path, GOOD), currency="USD")

    assert rows_of_tables(session, other) == before


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5), st.integers(1, 9), st.integers(1, 40), st.integers(0, 10**6), st.integers(0, 10**4)
        ),
        max_size=30,
    )
)
def test_what_was_written_as_rows_is_read_back_to_the_minor_unit(sold):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["order_id", "ordered_at", "customer_id", "product_id", "quantity", "unit_price", "discount"])
    for order_id, product_id, quantity, price, discount in sold:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=order_id)
        less = min(discount, quantity * price)
        writer.writerow(
            [order_id, moment.isoformat(), "", product_id, quantity, f"{price / 100:.2f}", f"{less / 100:.2f}"]
        )

    read = read_order_file(io.StringIO(text.getvalue()), currency="USD")

    assert read.bad_rows == ()
    found = {
        order.order_id: [(it.product_id, it.quantity, it.unit_price) for it in order.lines] for order in read.orders
    }
    expected = {}
    for order_id, product_id, quantity, price, _ in sold:
        expected.setdefault(order_id, []).append((product_id, quantity, price))
    assert found == expected
