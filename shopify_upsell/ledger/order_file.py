"""Read past orders from CSV, one row an order line. Pure: rows in, facts and complaints out.

Columns: order_id, ordered_at (ISO 8601 with zone, or unix seconds), customer_id (blank: guest), product_id,
variant_id (may be blank), quantity, unit_price; and, where known, discount (of the whole line), currency, line_id,
product_title, financial_status (blank: paid). Other columns are ignored.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from shopify_upsell.core import (
    CustomerId,
    InvalidInput,
    LineId,
    OrderId,
    ProductId,
    VariantId,
    parse_time,
)
from shopify_upsell.ledger.amounts import (
    LARGEST_QUANTITY,
    clean_text,
    minor_units,
    plain_amount,
    shopify_id,
    whole_number,
    worth,
)
from shopify_upsell.ledger.facts import EPOCH, OrderFact, ProductFact
from shopify_upsell.ledger.order_file_facts import (
    OrderFileLine,
    OrderHead,
    line_id_at,
    order_from_lines,
    products_from_lines,
)
from shopify_upsell.money import exponent_of

REQUIRED = ("order_id", "ordered_at", "customer_id", "product_id", "quantity", "unit_price")

STATUSES = frozenset(
    {"pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded", "voided", "expired"}
)
"""Source: Shopify Order.financial_status, read 2026-11."""

LATEST_SECOND = 253_402_300_799
"""The last second of year 9999."""

Cells = Mapping[str, str]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot become a fact. `line_number` counts from 1, the header's line included."""

    line_number: int
    cause: str


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file, read: the orders with no bad row, the products they name, and the complaints."""

    orders: tuple[OrderFact, ...]
    products: tuple[ProductFact, ...]
    row_count: int
    bad_rows: tuple[BadRow, ...]
    bad_order_count: int


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    lines: dict[OrderId, list[OrderFileLine]] = field(default_factory=dict)
    line_numbers: dict[tuple[OrderId, LineId], int] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    bad_orders: set[OrderId] = field(default_factory=set)
    row_count: int = 0


def read_order_file(text: Iterable[str], *, currency: str | None) -> OrderFile:
    """Read CSV text. `currency` is for rows that name none.

    Raises: InvalidInput when the text has no header or lacks a required column; bad rows are listed, not raised.
    """
    reading = _Reading()
    for line_number, cells, complaint in _rows(text):
        reading.row_count += 1
        _take(reading, line_number, cells, complaint, currency)
    orders = [
        order_from_lines(order_id, lines)
        for order_id, lines in reading.lines.items()
        if order_id not in reading.bad_orders
    ]
    kept = [line for order_id, lines in reading.lines.items() if order_id not in reading.bad_orders for line in lines]
    return OrderFile(
        orders=tuple(orders),
        products=tuple(products_from_lines(kept)),
        row_count=reading.row_count,
        bad_rows=tuple(reading.bad_rows),
        bad_order_count=len(reading.bad_orders),
    )


def _rows(text: Iterable[str]) -> Iterator[tuple[int, Cells, str | None]]:
    """Rows with the number of the line they start on, and a complaint where the CSV itself is broken."""
    reader = csv.reader(text)
    header = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise InvalidInput(f"missing columns: {', '.join(missing)}")
    while True:
        line_number = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as broken:
            yield line_number, {}, f"not CSV: {broken}"
            continue
        if values:
            yield line_number, dict(zip(header, values, strict=False)), _shape_complaint(header, values)


def _shape_complaint(header: list[str], values: list[str]) -> str | None:
    if len(values) != len(header):
        return f"{len(values)} fields where the header has {len(header)}"
    if any("\udc80" <= letter <= "\udcff" for value in values for letter in value if not letter.isascii()):
        return "not UTF-8"
    return None


def _take(reading: _Reading, line_number: int, cells: Cells, complaint: str | None, currency: str | None) -> None:
    order_id: OrderId | None = None
    try:
        if complaint is not None:
            order_id = _order_id_if_any(cells)
            raise InvalidInput(complaint)
        order_id = OrderId(_cell(cells, "order_id", shopify_id))
        line = _line(line_number, order_id, cells, currency)
        _fit(reading, line)
        reading.lines.setdefault(order_id, []).append(line)
    except InvalidInput as broken:
        reading.bad_rows.append(BadRow(line_number, broken.message))
        if order_id is not None:
            reading.bad_orders.add(order_id)


def _order_id_if_any(cells: Cells) -> OrderId | None:
    try:
        return OrderId(shopify_id(cells.get("order_id", "")))
    except InvalidInput:
        return None


def _line(line_number: int, order_id: OrderId, cells: Cells, default_currency: str | None) -> OrderFileLine:
    currency = _optional(cells, "currency") or default_currency or ""
    _named("currency", lambda: exponent_of(currency))
    quantity = _cell(cells, "quantity", lambda text: whole_number(text, largest=LARGEST_QUANTITY))
    if quantity == 0:
        raise InvalidInput("quantity: not a whole number from 1")
    unit_price = _cell(cells, "unit_price", lambda text: _price(text, currency))
    gross = _named("unit_price", lambda: worth(quantity, unit_price))
    discount = _cell(cells, "discount", lambda text: _price(text, currency)) if _optional(cells, "discount") else 0
    if discount > gross:
        raise InvalidInput("discount: more than the line is worth")
    line_id = _cell(cells, "line_id", shopify_id) if _optional(cells, "line_id") else None
    variant_id = _cell(cells, "variant_id", shopify_id) if _optional(cells, "variant_id") else None
    return OrderFileLine(
        line_number=line_number,
        order_id=order_id,
        header=_header(cells, currency),
        line_id=None if line_id is None else LineId(line_id),
        product_id=ProductId(_cell(cells, "product_id", shopify_id)),
        variant_id=None if variant_id is None else VariantId(variant_id),
        quantity=quantity,
        unit_price=unit_price,
        discount=discount,
        product_title=clean_text(_optional(cells, "product_title")),
    )


def _header(cells: Cells, currency: str) -> OrderHead:
    customer_id = _cell(cells, "customer_id", shopify_id) if _optional(cells, "customer_id") else None
    status = (_optional(cells, "financial_status") or "paid").lower()
    if status not in STATUSES:
        raise InvalidInput("financial_status: not one of Shopify's")
    ordered_at = _cell(cells, "ordered_at", _moment)
    return OrderHead(ordered_at, None if customer_id is None else CustomerId(customer_id), currency, status)


def _fit(reading: _Reading, line: OrderFileLine) -> None:
    """Refuse a row that contradicts the order's earlier rows."""
    earlier = reading.lines.get(line.order_id, [])
    for name in ("ordered_at", "customer_id", "currency", "financial_status") if earlier else ():
        if getattr(line.header, name) != getattr(earlier[0].header, name):
            raise InvalidInput(f"{name}: differs from line {earlier[0].line_number} of the same order")
    line_id = line_id_at(line, len(earlier) + 1)
    taken = reading.line_numbers.setdefault((line.order_id, line_id), line.line_number)
    if taken != line.line_number:
        raise InvalidInput(f"line_id: used on line {taken} of the same order")


def _price(text: str, currency: str) -> int:
    units = minor_units(plain_amount(text), currency)
    if units < 0:
        raise InvalidInput("below zero")
    return units


def _moment(text: str) -> datetime:
    if text.isascii() and text.isdigit():
        return datetime.fromtimestamp(whole_number(text, largest=LATEST_SECOND), UTC)
    moment = parse_time(text)
    if moment < EPOCH:
        raise InvalidInput("a time before 1970")
    return moment


def _optional(cells: Cells, name: str) -> str:
    return cells.get(name, "").strip()


def _cell(cells: Cells, name: str, reader: Callable[[str], T]) -> T:
    """Read a cell; a complaint about it names its column."""
    return _named(name, lambda: reader(_optional(cells, name)))


def _named(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidInput as broken:
        raise InvalidInput(f"{name}: {broken.message}") from None
