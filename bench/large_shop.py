"""A large shop for benches: 10,000 products, 200 live offers, 1,000,000 customers with an order each, on any database.

Everything is drawn from one seed. Rows are written in bulk, past the ledger's own code: the bench is about reading.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.customers.signal_tables import ProfileRow
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ProductRow, VariantRow
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.store import MatrixBuild, replace_rows
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.setup import DEFAULT_OFFERS
from shopify_upsell.offers.store import save_offer

FIRST_PRODUCT, FIRST_ORDER, FIRST_CUSTOMER = 8_100_000_000_000, 5_500_000_000_000, 7_300_000_000_000
COMPANIONS = 20
AT_ONCE = 20_000
PLACES = (("theme/product_page",), ("theme/cart",), ("theme/product_page", "theme/cart"), ("post_purchase/offer",))


@dataclass(frozen=True)
class Size:
    """How large the shop is."""

    products: int = 10_000
    customers: int = 1_000_000
    offers: int = 200


def product_id_of(place: int) -> ProductId:
    """The id of the product at a place of the catalogue; low places sell most."""
    return ProductId(FIRST_PRODUCT + place)


def variant_id_of(place: int, position: int = 0) -> int:
    """The id of one of its three variants."""
    return FIRST_PRODUCT * 4 + place * 3 + position


def drawn_place(source: random.Random, size: Size) -> int:
    """A product as shoppers look at products: few often, most seldom (a Pareto law)."""
    return (
        min(int(source.paretovariate(0.7)) - 1, size.products - 1)
        if source.random() < 0.9
        else source.randrange(size.products)
    )


def fill(database: Database, shop_id: ShopId, size: Size, now: datetime) -> None:
    """Write the shop."""
    source = random.Random(20261122)
    for table, rows in (
        (ProductRow, _products(shop_id, size, now)),
        (VariantRow, _variants(shop_id, size)),
        (OrderRow, _orders(shop_id, size, now)),
        (OrderLineRow, _lines(shop_id, size)),
        (ProfileRow, _profiles(shop_id, size, now)),
    ):
        _write(database, shop_id, table, rows)
    with database.write() as session:
        bind_shop(session, shop_id)
        _matrix(session, shop_id, size, source, now)
        _offers(session, shop_id, size, source, now)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))


def _write(database: Database, shop_id: ShopId, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == AT_ONCE:
            _insert(database, shop_id, table, batch)
            batch = []
    if batch:
        _insert(database, shop_id, table, batch)


def _insert(database: Database, shop_id: ShopId, table: Any, batch: list[dict[str, Any]]) -> None:
    with database.write() as session:
        bind_shop(session, shop_id)
        session.execute(text("SET LOCAL statement_timeout = 0") if not database.is_sqlite else text("SELECT 1"))
        session.connection().execute(insert(table.__table__), batch)


def _products(shop_id: ShopId, size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    for place in range(size.products):
        yield {
            "shop_id": shop_id, "product_id": product_id_of(place), "title": f"Product {place}",
            "handle": f"product-{place}", "status": "ACTIVE", "is_published": True, "is_gift_card": False,
            "requires_selling_plan": False, "product_type": f"Type {place % 40}", "vendor": f"Vendor {place % 15}",
            "is_deleted": False, "version_at": now, "version_triggered_at": now, "version_digest": "0",
            "selling_plans": "[]",
        }  # fmt: skip


def _variants(shop_id: ShopId, size: Size) -> Iterator[dict[str, Any]]:
    for place in range(size.products):
        for position in range(3):
            yield {
                "shop_id": shop_id, "product_id": product_id_of(place), "variant_id": variant_id_of(place, position),
                "position": position + 1, "title": ("Small", "Medium", "Large")[position], "sku": "",
                "price_minor_units": 1000 + place % 700 * 10 + position * 500, "currency": "USD",
                "is_available": (place + position) % 17 != 0, "requires_components": False,
                "unit_cost_minor_units": 400 + place % 300, "inventory_policy": "deny", "stock": 25,
            }  # fmt: skip


def _orders(shop_id: ShopId, size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(size.customers):
        ordered_at = now - timedelta(minutes=number % 500_000)
        yield {
            "shop_id": shop_id, "order_id": FIRST_ORDER + number, "ordered_at": ordered_at, "is_booked": True,
            "is_deleted": False, "is_test": False, "financial_status": "paid", "source_name": "web", "currency": "USD",
            "presentment_currency": "USD", "taxes_included": False, "customer_id": FIRST_CUSTOMER + number,
            "residual_minor_units": 0, "version_at": ordered_at, "version_triggered_at": ordered_at,
            "version_digest": "1",
        }  # fmt: skip


def _lines(shop_id: ShopId, size: Size) -> Iterator[dict[str, Any]]:
    source = random.Random(7)
    for number in range(size.customers):
        place = drawn_place(source, size)
        yield {
            "shop_id": shop_id, "order_id": FIRST_ORDER + number, "line_id": FIRST_ORDER * 2 + number, "position": 1,
            "product_id": product_id_of(place), "variant_id": variant_id_of(place), "quantity": 1, "net_quantity": 1,
            "unit_price_minor_units": 1000, "gross_minor_units": 1000, "discount_minor_units": 0,
            "tax_minor_units": 0, "refunded_minor_units": 0, "removed_minor_units": 0, "net_minor_units": 1000,
            "is_gift_card": False,
        }  # fmt: skip


def _profiles(shop_id: ShopId, size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(size.customers):
        yield {
            "shop_id": shop_id, "subject": f"c:{FIRST_CUSTOMER + number}", "order_count": 1,
            "first_ordered_at": now - timedelta(minutes=number % 500_000),
            "last_ordered_at": now - timedelta(minutes=number % 500_000), "delivered_count": 1,
            "subscription": "none", "marketing_consent": number % 3 == 0, "attributes": "{}",
            "affinities": f'{{"Type {number % 40}":0.6}}',
        }  # fmt: skip


def _matrix(session: Any, shop_id: ShopId, size: Size, source: random.Random, now: datetime) -> None:
    rows = {
        product_id_of(place): tuple(
            Companion(product_id_of(other), 40, 300, 200, 90_000, round(0.3 / (1 + rank), 9))
            for rank, other in enumerate(source.sample(range(size.products), COMPANIONS))
            if other != place
        )
        for place in range(size.products)
    }
    replace_rows(session, shop_id, MatrixBuild(1, now, 1_000_000, size.products, size.products * COMPANIONS), rows)


def _offers(session: Any, shop_id: ShopId, size: Size, source: random.Random, now: datetime) -> None:
    """The offers every shop starts with, which pick by themselves, and the merchant's own: each tied to 50 products."""
    for draft in DEFAULT_OFFERS:
        save_offer(session, shop_id, draft, now=now)
    for number in range(size.offers - len(DEFAULT_OFFERS)):
        anchors = tuple(product_id_of(place) for place in source.sample(range(size.products), 50))
        companions = tuple(product_id_of(source.randrange(size.products)) for _ in range(3)) if number % 2 else None
        kind = "bundle" if number % 7 == 0 else "up_sell" if number % 11 == 0 and companions is None else "cross_sell"
        draft = OfferDraft(kind, f"Offer {number}", PLACES[number % 4], anchors, companions)
        save_offer(session, shop_id, draft, now=now)
