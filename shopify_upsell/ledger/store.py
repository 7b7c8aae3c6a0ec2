"""Queries of the ledger. The tables are in `tables`; what is read leaves as frozen dataclasses."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, case, func, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, LineId, OrderId, ProductId, ShopId, VariantId
from shopify_upsell.ledger.booked import Basket, BookedLine, BookedOrder, EditChange, LedgerTotal, SoldLine, TokenUse
from shopify_upsell.ledger.catalog import CatalogEntry, Product, Variant, plans_from_json
from shopify_upsell.ledger.facts import IMPORT_SOURCE
from shopify_upsell.ledger.owned import OwnedProduct, ProductHealth
from shopify_upsell.ledger.ownership import owned_products, product_health
from shopify_upsell.ledger.rows import customer_digest
from shopify_upsell.ledger.tables import (
    KNOWN_ORDER,
    OrderEditRow,
    OrderLineRow,
    OrderRow,
    ProductRow,
    RedactedCustomerRow,
    VariantRow,
    batches,
    lock_ledger,
    lock_orders,
    ordered_within,
    put_rows,
)
from shopify_upsell.money import Money

__all__ = [
    "Basket", "BookedLine", "BookedOrder", "EditChange", "LedgerTotal", "OwnedProduct", "Product", "ProductHealth",
    "TokenUse", "Variant", "owned_products", "product_health",
]  # fmt: skip

PAGE = 10_000
"""Orders read at once for baskets, well below 4 s."""

LINE_SUMS = ("gross", "discounts", "taxes", "gift_cards", "refunds", "edits", "unbooked", "net")


def products_by_id(session: Session, shop_id: ShopId, product_ids: Collection[ProductId]) -> dict[ProductId, Product]:
    """Products with their variants by position. Unknown ids are absent; deleted products say so."""
    found: dict[ProductId, Product] = {}
    for batch in batches(sorted(set(product_ids))):
        variants: dict[int, list[Variant]] = {}
        rows = select(VariantRow.__table__).where(VariantRow.shop_id == shop_id, VariantRow.product_id.in_(batch))
        for row in session.execute(rows.order_by(VariantRow.position, VariantRow.variant_id)):
            variants.setdefault(row.product_id, []).append(_variant(row))
        products = select(ProductRow.__table__).where(ProductRow.shop_id == shop_id, ProductRow.product_id.in_(batch))
        for row in session.execute(products):
            found[ProductId(row.product_id)] = _product(row, tuple(variants.get(row.product_id, ())))
    return found


def variants_by_id(session: Session, shop_id: ShopId, variant_ids: Collection[VariantId]) -> dict[VariantId, Variant]:
    """Variants of products that were not deleted. Unknown ids are absent."""
    found: dict[VariantId, Variant] = {}
    same = (ProductRow.shop_id == VariantRow.shop_id) & (ProductRow.product_id == VariantRow.product_id)
    for batch in batches(sorted(set(variant_ids))):
        rows = (
            select(VariantRow.__table__)
            .join(ProductRow, same)
            .where(VariantRow.shop_id == shop_id, VariantRow.variant_id.in_(batch), ~ProductRow.is_deleted)
            .order_by(VariantRow.product_id)
        )
        found.update({VariantId(row.variant_id): _variant(row) for row in session.execute(rows)})
    return found


def baskets(session: Session, shop_id: ShopId, *, since: datetime | None = None) -> list[Basket]:
    """What was bought together: booked orders with what is left of them, without gift cards, by order id."""
    found: list[Basket] = []
    after = OrderId(0)
    while True:
        orders = select(OrderRow.order_id, OrderRow.ordered_at).where(
            *ordered_within(shop_id, since, None), OrderRow.is_booked, OrderRow.order_id > after
        )
        page = session.execute(orders.order_by(OrderRow.order_id).limit(PAGE)).all()
        if not page:
            return found
        products = _products_sold(session, shop_id, page[0].order_id, page[-1].order_id)
        found += [
            Basket(OrderId(row.order_id), row.ordered_at, frozenset(products[row.order_id]))
            for row in page
            if row.order_id in products
        ]
        after = page[-1].order_id


def baskets_of(
    session: Session, shop_id: ShopId, order_ids: Collection[OrderId]
) -> dict[OrderId, frozenset[ProductId]]:
    """What orders hold now, by order id, as `baskets` would say. Orders that hold nothing are absent."""
    found: dict[OrderId, set[ProductId]] = {}
    for batch in batches(sorted(set(order_ids))):
        sold = _sold(shop_id, OrderLineRow.order_id, OrderLineRow.product_id).where(OrderRow.order_id.in_(batch))
        for row in session.execute(sold):
            found.setdefault(OrderId(row.order_id), set()).add(ProductId(row.product_id))
    return {order_id: frozenset(products) for order_id, products in found.items()}


def sold_lines(session: Session, shop_id: ShopId) -> Iterator[SoldLine]:
    """Every line that `baskets` counts, by order id, a page of orders in memory at a time."""
    after = 0
    while True:
        orders = select(OrderRow.order_id).where(OrderRow.shop_id == shop_id, OrderRow.order_id > after)
        page = session.scalars(orders.order_by(OrderRow.order_id).limit(PAGE)).all()
        if not page:
            return
        columns = (OrderLineRow.order_id, OrderRow.customer_id, OrderRow.ordered_at, OrderLineRow.product_id)
        sold = _sold(shop_id, *columns, OrderLineRow.net_quantity, OrderLineRow.unit_price_minor_units)
        within = sold.where(OrderRow.order_id.between(page[0], page[-1]))
        for row in session.execute(within.order_by(OrderLineRow.order_id, OrderLineRow.line_id)):
            yield SoldLine(*row)
        after = page[-1]


def catalog_entries(session: Session, shop_id: ShopId) -> list[CatalogEntry]:
    """Every product that was not deleted, by id, with the price of its cheapest variant."""
    same = (VariantRow.shop_id == ProductRow.shop_id) & (VariantRow.product_id == ProductRow.product_id)
    columns = (ProductRow.product_id, ProductRow.title, ProductRow.product_type, ProductRow.vendor)
    rows = (
        select(*columns, func.min(VariantRow.price_minor_units))
        .join(VariantRow, same, isouter=True)
        .where(ProductRow.shop_id == shop_id, ~ProductRow.is_deleted)
        .group_by(*columns)
        .order_by(ProductRow.product_id)
    )
    return [CatalogEntry(*row) for row in session.execute(rows)]


def booked_order(session: Session, shop_id: ShopId, order_id: OrderId, *, lock: bool = False) -> BookedOrder | None:
    """Read one order as it is worth now; None when no version of it is held. `lock` holds it first."""
    if lock:
        lock_orders(session, shop_id, [order_id])
    return booked_orders(session, shop_id, [order_id]).get(order_id)


def booked_orders(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, BookedOrder]:
    """Read orders as they are worth now, by order id. Orders of which no version is held are absent."""
    found: dict[OrderId, BookedOrder] = {}
    for batch in batches(sorted(set(order_ids))):
        lines: dict[int, list[Row[Any]]] = {}
        rows = select(OrderLineRow.__table__).where(OrderLineRow.shop_id == shop_id, OrderLineRow.order_id.in_(batch))
        for row in session.execute(rows.order_by(OrderLineRow.position, OrderLineRow.line_id)):
            lines.setdefault(row.order_id, []).append(row)
        edits: dict[int, list[EditChange]] = {}
        changes = select(OrderEditRow.__table__).where(
            OrderEditRow.shop_id == shop_id, OrderEditRow.order_id.in_(batch)
        )
        for row in session.execute(changes):
            edits.setdefault(row.order_id, []).append(
                EditChange(row.edit_id, LineId(row.line_id), row.delta, row.committed_at)
            )
        orders = select(OrderRow.__table__).where(
            OrderRow.shop_id == shop_id, OrderRow.order_id.in_(batch), KNOWN_ORDER
        )
        for row in session.execute(orders):
            found[OrderId(row.order_id)] = _booked_order(row, lines.get(row.order_id, []), edits.get(row.order_id, []))
    return found


def orders_with_token(session: Session, shop_id: ShopId, token: str) -> list[TokenUse]:
    """Lines of booked orders that carry the token, the earliest order first."""
    same = (OrderRow.shop_id == OrderLineRow.shop_id) & (OrderRow.order_id == OrderLineRow.order_id)
    rows = session.execute(
        select(OrderRow.ordered_at, OrderRow.order_id, OrderLineRow.line_id, OrderLineRow.variant_id)
        .join(OrderLineRow, same)
        .where(OrderLineRow.shop_id == shop_id, OrderLineRow.offer_token == token, OrderRow.is_booked)
        .order_by(OrderRow.ordered_at, OrderRow.order_id, OrderLineRow.line_id)
    )
    return [TokenUse(row.ordered_at, OrderId(row.order_id), LineId(row.line_id), row.variant_id) for row in rows]


def order_ids_of_customer(session: Session, shop_id: ShopId, customer_id: CustomerId) -> list[OrderId]:
    """Ids of the orders linked to a customer, ascending."""
    rows = select(OrderRow.order_id).where(OrderRow.shop_id == shop_id, OrderRow.customer_id == customer_id)
    return [OrderId(order_id) for order_id in session.scalars(rows.order_by(OrderRow.order_id))]


def forget_customer(session: Session, shop_id: ShopId, customer_id: CustomerId) -> None:
    """Cut the link between a customer and their orders, and leave a tombstone for webhooks still to come.

    Nobody may write orders meanwhile: one that had not seen the tombstone would keep the link.
    """
    lock_ledger(session, shop_id)
    tombstone = {"shop_id": shop_id, "customer_digest": customer_digest(customer_id)}
    put_rows(session, shop_id, RedactedCustomerRow, [tombstone])
    linked = update(OrderRow).where(OrderRow.shop_id == shop_id, OrderRow.customer_id == customer_id)
    session.execute(linked.values(customer_id=None).execution_options(synchronize_session=False))


def redacted_customers(
    session: Session, shop_id: ShopId, customer_ids: Collection[CustomerId]
) -> frozenset[CustomerId]:
    """Those of the customers who asked to be forgotten."""
    by_digest = {customer_digest(customer_id): customer_id for customer_id in customer_ids}
    found: set[CustomerId] = set()
    for batch in batches(sorted(by_digest)):
        rows = select(RedactedCustomerRow.customer_digest).where(
            RedactedCustomerRow.shop_id == shop_id, RedactedCustomerRow.customer_digest.in_(batch)
        )
        found.update(by_digest[digest] for digest in session.scalars(rows))
    return frozenset(found)


def newest_order_version(session: Session, shop_id: ShopId) -> datetime | None:
    """When the newest order version that Shopify told of was made; None before the first.

    An imported file is not Shopify's word: what changed since its orders were placed is still to be asked for.
    """
    told = (OrderRow.shop_id == shop_id, KNOWN_ORDER, OrderRow.source_name != IMPORT_SOURCE)
    return session.scalar(select(func.max(OrderRow.version_at)).where(*told))


def order_period(session: Session, shop_id: ShopId) -> tuple[datetime, datetime] | None:
    """When the first and the last order were placed; None for an empty ledger."""
    times = select(func.min(OrderRow.ordered_at), func.max(OrderRow.ordered_at))
    first, last = session.execute(times.where(OrderRow.shop_id == shop_id, KNOWN_ORDER)).one()
    return None if first is None else (first, last)


def count_products(session: Session, shop_id: ShopId) -> int:
    """How many products are known and not deleted."""
    rows = select(func.count()).select_from(ProductRow).where(ProductRow.shop_id == shop_id, ~ProductRow.is_deleted)
    return session.scalar(rows) or 0


def ledger_totals(
    session: Session, shop_id: ShopId, *, since: datetime | None = None, until: datetime | None = None
) -> list[LedgerTotal]:
    """Sums by currency over orders placed from `since` to before `until`, by currency code."""
    within = ordered_within(shop_id, since, until)
    same = (OrderRow.shop_id == OrderLineRow.shop_id) & (OrderRow.order_id == OrderLineRow.order_id)
    sums = session.execute(
        select(OrderRow.currency, *_line_sums()).join(OrderLineRow, same).where(*within).group_by(OrderRow.currency)
    )
    lines = {row.currency: [int(part or 0) for part in row[1:]] for row in sums}
    booked = func.sum(case((OrderRow.is_booked, 1), else_=0))
    orders = session.execute(
        select(OrderRow.currency, func.count(), booked, func.sum(OrderRow.residual_minor_units))
        .where(*within)
        .group_by(OrderRow.currency)
        .order_by(OrderRow.currency)
    )
    return [
        LedgerTotal(
            currency=currency,
            order_count=count,
            unbooked_count=count - int(booked),
            order_residual=int(residual),
            **dict(zip(LINE_SUMS, lines.get(currency, [0] * len(LINE_SUMS)), strict=True)),
        )
        for currency, count, booked, residual in orders
    ]


def _sold(shop_id: ShopId, *columns: Any) -> Select[Any]:
    """Lines of booked orders of which something is left, without gift cards."""
    same = (OrderRow.shop_id == OrderLineRow.shop_id) & (OrderRow.order_id == OrderLineRow.order_id)
    return (
        select(*columns)
        .join(OrderRow, same)
        .where(
            OrderLineRow.shop_id == shop_id,
            KNOWN_ORDER,
            OrderRow.is_booked,
            OrderLineRow.net_quantity > 0,
            OrderLineRow.product_id.is_not(None),
            ~OrderLineRow.is_gift_card,
        )
    )


def _line_sums() -> list[Any]:
    """The columns that `LINE_SUMS` names, in its order."""
    line = OrderLineRow
    value = line.gross_minor_units - line.discount_minor_units - line.tax_minor_units
    worth = value - line.refunded_minor_units - line.removed_minor_units
    unbooked = case((OrderRow.is_booked | line.is_gift_card, 0), else_=worth)
    return [
        func.sum(line.gross_minor_units),
        func.sum(line.discount_minor_units),
        func.sum(line.tax_minor_units),
        func.sum(case((line.is_gift_card, value), else_=0)),
        func.sum(line.refunded_minor_units),
        func.sum(line.removed_minor_units),
        func.sum(unbooked),
        func.sum(line.net_minor_units),
    ]


def _products_sold(session: Session, shop_id: ShopId, first: int, last: int) -> dict[int, set[ProductId]]:
    """Products of which something is left, by order, for a range of orders. No join: the keys' ranges suffice."""
    lines = select(OrderLineRow.order_id, OrderLineRow.product_id).where(
        OrderLineRow.shop_id == shop_id,
        OrderLineRow.order_id.between(first, last),
        OrderLineRow.net_quantity > 0,
        OrderLineRow.product_id.is_not(None),
        ~OrderLineRow.is_gift_card,
    )
    found: dict[int, set[ProductId]] = {}
    for row in session.execute(lines):
        found.setdefault(row.order_id, set()).add(ProductId(row.product_id or 0))
    return found


def _variant(row: Row[Any]) -> Variant:
    return Variant(
        variant_id=VariantId(row.variant_id),
        product_id=ProductId(row.product_id),
        position=row.position,
        title=row.title,
        sku=row.sku,
        price=Money(row.price_minor_units, row.currency),
        is_available=row.is_available,
        requires_components=row.requires_components,
        unit_cost_minor_units=row.unit_cost_minor_units,
        inventory_policy=row.inventory_policy,
        quantity=row.stock,
    )


def _product(row: Row[Any], variants: tuple[Variant, ...]) -> Product:
    return Product(
        product_id=ProductId(row.product_id),
        title=row.title,
        handle=row.handle,
        status=row.status,
        is_published=row.is_published,
        is_gift_card=row.is_gift_card,
        requires_selling_plan=row.requires_selling_plan,
        product_type=row.product_type,
        vendor=row.vendor,
        image_url=row.image_url,
        is_deleted=row.is_deleted,
        variants=variants,
        selling_plans=plans_from_json(row.selling_plans),
    )


def _booked_line(row: Row[Any], *, is_shown_in_shop_currency: bool) -> BookedLine:
    return BookedLine(
        line_id=LineId(row.line_id),
        position=row.position,
        product_id=row.product_id,
        variant_id=row.variant_id,
        quantity=row.quantity,
        net_quantity=row.net_quantity,
        net_minor_units=row.net_minor_units,
        offer_token=row.offer_token,
        presentment_net=row.net_minor_units if is_shown_in_shop_currency else row.presentment_net_minor_units,
    )


def _booked_order(row: Row[Any], lines: Iterable[Row[Any]], edits: Iterable[EditChange]) -> BookedOrder:
    is_same = row.presentment_currency == row.currency
    return BookedOrder(
        order_id=OrderId(row.order_id),
        ordered_at=row.ordered_at,
        currency=row.currency,
        is_booked=row.is_booked,
        customer_id=row.customer_id,
        cart_token=row.cart_token,
        checkout_token=row.checkout_token,
        residual=row.residual_minor_units,
        lines=tuple(_booked_line(line, is_shown_in_shop_currency=is_same) for line in lines),
        edits=tuple(sorted(edits, key=lambda change: (change.committed_at, change.edit_id, change.line_id))),
    )
