"""A world read from an order file instead of generated: the columns of `import-orders`, CSV or gzipped CSV."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from shopify_upsell.devstore.amounts import minor_units
from shopify_upsell.devstore.catalogue import VARIANT_BASE, Product, Variant, handleize
from shopify_upsell.devstore.config import DevstoreRefused
from shopify_upsell.devstore.history import LINE_BASE
from shopify_upsell.devstore.orders import DiscountApplication, Order, OrderLine
from shopify_upsell.devstore.world import World

REQUIRED = ("order_id", "ordered_at", "product_id", "quantity", "unit_price")


@dataclass(slots=True)
class _Reading:
    """What has been gathered from the rows so far. `prices` keeps the newest price of (product, variant)."""

    currency: str
    orders: dict[int, Order] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    prices: dict[tuple[int, int], int] = field(default_factory=dict)
    line_count: int = 0


def read_world(path: Path, *, currency: str, now: datetime) -> World:
    """Build the world of an order file. Every product sold becomes one that the storefront sells.

    Raises: DevstoreRefused naming the line of the first row that can't be read.
    """
    reading = _Reading(currency)
    for number, row in _rows(path):
        try:
            _take_row(reading, row)
        except (KeyError, ValueError, InvalidOperation) as wrong:
            raise DevstoreRefused(f"{path.name} line {number}: {wrong}") from wrong
    orders = sorted(reading.orders.values(), key=lambda order: (order.ordered_at, order.order_id))
    return World(reading.currency, now, _products(reading), tuple(orders), {})


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with (
        path.open("rb") as raw,
        io.TextIOWrapper(gzip.open(raw) if path.suffix == ".gz" else raw, "utf-8-sig", newline="") as text,
    ):
        reader = csv.DictReader(text)
        missing = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
        if missing:
            raise DevstoreRefused(f"{path.name} lacks the column {missing[0]}")
        for row in reader:
            yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if key}


def _take_row(reading: _Reading, row: dict[str, str]) -> None:
    reading.line_count += 1
    product_id = int(row["product_id"])
    variant_id = int(row.get("variant_id") or 0) or VARIANT_BASE + product_id
    order = _order_for(reading, row)
    price = minor_units(row["unit_price"], order.currency)
    reading.titles[product_id] = row.get("product_title") or f"Product {product_id}"
    reading.prices[product_id, variant_id] = price
    line = OrderLine(
        line_id=int(row.get("line_id") or LINE_BASE + reading.line_count),
        product_id=product_id,
        variant_id=variant_id,
        title=reading.titles[product_id],
        variant_title="",
        sku="",
        vendor="",
        quantity=int(row["quantity"]),
        unit_price=price,
    )
    if line.quantity < 1:
        raise ValueError("quantity must be at least 1")
    discount = minor_units(row.get("discount") or "0", order.currency)
    if discount:
        line.allocations[_imported_discount(order)] = discount
    order.lines.append(line)


def _imported_discount(order: Order) -> int:
    if not order.discounts:
        order.discounts.append(DiscountApplication("Imported discount", Decimal(0), "fixed_amount"))
    return 0


def _order_for(reading: _Reading, row: dict[str, str]) -> Order:
    order_id = int(row["order_id"])
    if order_id not in reading.orders:
        when = _moment(row["ordered_at"])
        status = row.get("financial_status") or "paid"
        reading.orders[order_id] = Order(
            order_id=order_id,
            number=len(reading.orders) + 1001,
            customer_id=int(row["customer_id"]) if row.get("customer_id") else None,
            currency=row.get("currency") or reading.currency,
            ordered_at=when,
            updated_at=when,
            arrived_at=when,
            lines=[],
            is_paid=status not in ("pending", "voided", "authorized", "expired"),
        )
    return reading.orders[order_id]


def _moment(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"ordered_at {text!r} has no time zone")
    return when.astimezone(UTC)


def _products(reading: _Reading) -> tuple[Product, ...]:
    variants: dict[int, list[tuple[int, int]]] = {}
    for (product_id, variant_id), price in sorted(reading.prices.items()):
        variants.setdefault(product_id, []).append((variant_id, price))
    return tuple(
        Product(
            product_id=product_id,
            title=reading.titles[product_id],
            handle=handleize(f"{reading.titles[product_id]} {product_id}"),
            product_type="",
            vendor="",
            description=reading.titles[product_id],
            family="Imported",
            colour="#9aa5b1",
            is_durable=False,
            status="ACTIVE",
            variants=tuple(
                Variant(
                    variant_id, product_id, at, "Default Title" if len(rows) == 1 else f"Size {at}", "", price, None
                )
                for at, (variant_id, price) in enumerate(rows, start=1)
            ),
        )
        for product_id, rows in sorted(variants.items())
    )
