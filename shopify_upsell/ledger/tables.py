"""Tables of the ledger, how rows are put into them, and the locks that keep two writers of one order apart.

Natural keys only and none of our own clock, so that the same facts give the same bytes. Rows stay in this folder:
`store` reads them for others, `recording` and `cataloguing` write them.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, TextClause, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import OrderId, ProductId, ShopId
from shopify_upsell.database import Base, ExternalId, UtcDateTime, dialect_insert, is_postgresql

T = TypeVar("T")

BATCH = 500
"""Rows a statement: far below both databases' limits and PostgreSQL's 4 s a statement."""

MOST_LOCKS = 100
"""PostgreSQL keeps a few thousand locks in memory for everyone; a larger piece of work holds the whole ledger."""


class ProductRow(Base):
    """A product as Shopify last described it.

    `selling_plans`: JSON list. `details_at`: version of the document that last told plans and costs, which webhooks
    never tell; None until one has.
    """

    __tablename__ = "product"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    handle: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    is_published: Mapped[bool] = mapped_column()
    is_gift_card: Mapped[bool] = mapped_column(default=False)
    requires_selling_plan: Mapped[bool] = mapped_column(default=False)
    product_type: Mapped[str] = mapped_column(Text, default="")
    vendor: Mapped[str] = mapped_column(Text, default="")
    image_url: Mapped[str | None] = mapped_column(Text)
    selling_plans: Mapped[str] = mapped_column(Text, default="[]", server_default="[]")
    details_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_deleted: Mapped[bool] = mapped_column(default=False)
    version_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_digest: Mapped[str] = mapped_column(Text)


class VariantRow(Base):
    """A variant and its price in the shop's currency. `stock` None: not counted."""

    __tablename__ = "variant"
    __table_args__ = (Index("ix_variant_variant", "shop_id", "variant_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    variant_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    position: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(Text, default="")
    sku: Mapped[str] = mapped_column(Text, default="")
    price_minor_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    is_available: Mapped[bool] = mapped_column(default=True)
    requires_components: Mapped[bool] = mapped_column(default=False)
    unit_cost_minor_units: Mapped[int | None] = mapped_column(BigInteger)
    inventory_policy: Mapped[str] = mapped_column(Text, default="deny", server_default="deny")
    stock: Mapped[int | None] = mapped_column(BigInteger)


class OrderRow(Base):
    """The newest version of an order. `residual_minor_units`: refunded beyond what its lines can carry (≤ 0)."""

    __tablename__ = "sales_order"
    __table_args__ = (
        Index("ix_sales_order_customer_time", "shop_id", "customer_id", "ordered_at"),
        Index("ix_sales_order_ordered_at", "shop_id", "ordered_at"),
        Index("ix_sales_order_checkout", "shop_id", "checkout_token"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_deleted: Mapped[bool] = mapped_column(default=False)
    is_test: Mapped[bool] = mapped_column(default=False)
    is_booked: Mapped[bool] = mapped_column(default=False)
    financial_status: Mapped[str] = mapped_column(Text)
    source_name: Mapped[str] = mapped_column(Text, default="")
    currency: Mapped[str] = mapped_column(Text)
    presentment_currency: Mapped[str] = mapped_column(Text)
    taxes_included: Mapped[bool] = mapped_column(default=False)
    customer_id: Mapped[int | None] = mapped_column(ExternalId)
    cart_token: Mapped[str | None] = mapped_column(Text)
    checkout_token: Mapped[str | None] = mapped_column(Text)
    residual_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    version_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version_digest: Mapped[str] = mapped_column(Text)


class OrderLineRow(Base):
    """One line of an order and what it is worth now. All amounts: shop currency, ex tax and shipping.

    Presentment columns: the same in the shopper's currency; null where that is the shop's, or Shopify did not tell.
    """

    __tablename__ = "order_line"
    __table_args__ = (
        Index("ix_order_line_product", "shop_id", "product_id"),
        Index("ix_order_line_offer_token", "shop_id", "offer_token"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    position: Mapped[int] = mapped_column()
    product_id: Mapped[int | None] = mapped_column(ExternalId)
    variant_id: Mapped[int | None] = mapped_column(ExternalId)
    quantity: Mapped[int] = mapped_column(BigInteger)
    net_quantity: Mapped[int] = mapped_column(BigInteger)
    unit_price_minor_units: Mapped[int] = mapped_column(BigInteger)
    gross_minor_units: Mapped[int] = mapped_column(BigInteger)
    discount_minor_units: Mapped[int] = mapped_column(BigInteger)
    tax_minor_units: Mapped[int] = mapped_column(BigInteger)
    refunded_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    removed_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    net_minor_units: Mapped[int] = mapped_column(BigInteger, default=0)
    current_quantity: Mapped[int | None] = mapped_column(BigInteger)
    is_gift_card: Mapped[bool] = mapped_column(default=False)
    offer_token: Mapped[str | None] = mapped_column(Text)
    presentment_unit_price_minor_units: Mapped[int | None] = mapped_column(BigInteger)
    presentment_discount_minor_units: Mapped[int | None] = mapped_column(BigInteger)
    presentment_tax_minor_units: Mapped[int | None] = mapped_column(BigInteger)
    presentment_net_minor_units: Mapped[int | None] = mapped_column(BigInteger)


class RefundRow(Base):
    """A refund. `discrepancy`, decimal text: what it gave back beyond (below 0) or short of (above 0) its lines.

    Presentment columns: the same in the shopper's currency; null where Shopify told none other than the shop's.
    """

    __tablename__ = "refund"
    __table_args__ = (Index("ix_refund_order", "shop_id", "order_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    refund_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    refunded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    currency: Mapped[str | None] = mapped_column(Text)
    discrepancy: Mapped[str] = mapped_column(Text, default="0")
    presentment_currency: Mapped[str | None] = mapped_column(Text)
    presentment_discrepancy: Mapped[str | None] = mapped_column(Text)
    content_digest: Mapped[str] = mapped_column(Text)


class RefundLineRow(Base):
    """Units of one order line given back. Amounts are decimal text: the order names the currency."""

    __tablename__ = "refund_line"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    refund_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    subtotal: Mapped[str] = mapped_column(Text)
    tax: Mapped[str] = mapped_column(Text, default="0")
    presentment_subtotal: Mapped[str | None] = mapped_column(Text)
    presentment_tax: Mapped[str | None] = mapped_column(Text)


class OrderEditRow(Base):
    """A committed order edit, and the change of quantity it made to one line."""

    __tablename__ = "order_edit_change"
    __table_args__ = (Index("ix_order_edit_change_order", "shop_id", "order_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    edit_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId)
    delta: Mapped[int] = mapped_column(BigInteger)
    committed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RedactedCustomerRow(Base):
    """A customer who asked to be forgotten: later webhooks of theirs are stored without the link."""

    __tablename__ = "redacted_customer"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    customer_digest: Mapped[str] = mapped_column(Text, primary_key=True)


KNOWN_ORDER = OrderRow.version_digest != ""
"""Leaves out orders of which only the deletion is known."""


def ordered_within(shop_id: ShopId, since: datetime | None, until: datetime | None) -> list[Any]:
    """Conditions on `OrderRow`: of this shop, known, placed from `since` to before `until`."""
    conditions: list[Any] = [OrderRow.shop_id == shop_id, KNOWN_ORDER]
    if since is not None:
        conditions.append(OrderRow.ordered_at >= since)
    if until is not None:
        conditions.append(OrderRow.ordered_at < until)
    return conditions


def lock_orders(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> None:
    """Hold orders until the transaction ends, whether or not they exist yet. Nobody holds the whole ledger meanwhile.

    SQLite needs no lock: its transactions follow one another.
    """
    _lock_all(session, shop_id, [f"order|{shop_id}|{order_id}" for order_id in sorted(set(order_ids))])


def lock_products(session: Session, shop_id: ShopId, product_ids: Collection[ProductId]) -> None:
    """Hold products until the transaction ends."""
    _lock_all(session, shop_id, [f"product|{shop_id}|{product_id}" for product_id in sorted(set(product_ids))])


def lock_ledger(session: Session, shop_id: ShopId) -> None:
    """Hold every order and product of the shop until the transaction ends: for an import, or to forget a customer."""
    _lock(session, _HOLD, [f"ledger|{shop_id}"])


def put_rows(session: Session, shop_id: ShopId, row: type[Base], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace rows by primary key. All values name the same columns."""
    if not values:
        return
    statement = _upsert(dialect_insert(session), cast("Table", row.__table__), tuple(values[0]))
    for batch in batches(values):
        if any(value["shop_id"] != shop_id for value in batch):
            raise ValueError("a row of another shop")
        session.execute(statement, list(batch))


@cache
def _upsert(insert: Any, table: Table, names: tuple[str, ...]) -> Any:
    """Made once for each table and choice of columns: making it takes longer than running it."""
    statement = insert(table)
    key = [column.name for column in table.primary_key.columns]
    rest = {name: statement.excluded[name] for name in names if name not in key}
    if not rest:
        return statement.on_conflict_do_nothing(index_elements=key)
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into pieces that one statement may carry."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def refresh_statistics(session: Session) -> None:
    """Tell PostgreSQL's planner about many new rows now: until its own round it would read whole tables for a few."""
    if is_postgresql(session):
        session.execute(text("ANALYZE sales_order, order_line"))


def _lock_all(session: Session, shop_id: ShopId, names: Sequence[str]) -> None:
    if len(names) > MOST_LOCKS:
        lock_ledger(session, shop_id)
        return
    _lock(session, _SHARE, [f"ledger|{shop_id}"])
    _lock(session, _HOLD, names)


_HOLD = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
_SHARE = text("SELECT pg_advisory_xact_lock_shared(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def _lock(session: Session, how: TextClause, names: Sequence[str]) -> None:
    """Lock names one after another, in their order: two that want the same ones never wait for each other crosswise."""
    if names and is_postgresql(session):
        keys = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True) for name in names]
        session.execute(how, {"keys": keys})
