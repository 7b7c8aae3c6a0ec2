"""What customers own, and how products fare with those who bought them."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Boolean, ForeignKey, Integer, Select, bindparam, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import CustomerId, ProductId, ShopId
from shopify_upsell.database import Base, ExternalId, UtcDateTime
from shopify_upsell.ledger.delivered import ASSUMED
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow, UsualDeliveryRow, usual_from
from shopify_upsell.ledger.owned import OwnedLine, OwnedProduct, ProductHealth, owned_from
from shopify_upsell.ledger.tables import (
    KNOWN_ORDER,
    OrderLineRow,
    OrderRow,
    RefundLineRow,
    RefundRow,
    batches,
    ordered_within,
    put_rows,
)
from shopify_upsell.spelled import Spelled

MOST_ORDERS, MOST_LINES = 100, 500
"""Newest orders, and lines of theirs, looked at for what a customer owns: what was bought before those is forgotten."""

PAGE = 10_000
"""Orders counted at once, well below 4 s."""


class ProductHealthRow(Base):
    """Pieces sold and given back in the last year, refreshed by the learning job; and the rating reviews give."""

    __tablename__ = "product_health"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    sold: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded: Mapped[int] = mapped_column(BigInteger, default=0)
    rating: Mapped[float | None] = mapped_column()
    rating_count: Mapped[int] = mapped_column(default=0)


_SAME_ORDER = (OrderRow.shop_id == OrderLineRow.shop_id) & (OrderRow.order_id == OrderLineRow.order_id)


def owned_statement() -> Select[Any]:
    """The newest orders of a customer by index, their lines and deliveries by key, and beside each the shop's medians.

    One statement, because it is asked while a shopper waits.
    """
    shop: BindParameter[int] = bindparam("shop", type_=ExternalId)
    orders = (
        select(OrderRow.shop_id, OrderRow.order_id, OrderRow.ordered_at)
        .where(
            OrderRow.shop_id == shop,
            OrderRow.customer_id == bindparam("customer", type_=ExternalId),
            OrderRow.ordered_at >= bindparam("since", type_=UtcDateTime),
            KNOWN_ORDER,
            OrderRow.is_booked,
        )
        .order_by(OrderRow.ordered_at.desc())
        .limit(MOST_ORDERS)
        .subquery()
    )
    line, arrival, usual = OrderLineRow, OrderDeliveryRow, UsualDeliveryRow
    # Without statistics SQLite would rather search all lines of a product than the few of an order: adding nothing to
    # the column keeps it from that index, which on a million orders is the difference between a second and nothing.
    kept = [line.net_quantity > 0, (line.product_id + 0).is_not(None), ~line.is_gift_card]
    same_order = (line.shop_id == orders.c.shop_id) & (line.order_id == orders.c.order_id)
    same_arrival = (arrival.shop_id == orders.c.shop_id) & (arrival.order_id == orders.c.order_id)
    medians = (usual.ship_seconds, usual.transit_seconds, usual.altogether_seconds, usual.n, usual.is_assumed)
    columns = (line.product_id, line.order_id, orders.c.ordered_at, line.net_quantity)
    return (
        select(*columns, arrival.shipped_at, arrival.delivered_at, *medians)
        .select_from(orders)
        .join(line, same_order)
        .join(arrival, same_arrival, isouter=True)
        .join(usual, usual.shop_id == orders.c.shop_id, isouter=True)
        .where(*kept)
        .order_by(orders.c.ordered_at.desc(), line.order_id.desc(), line.line_id)
        .limit(MOST_LINES)
    )


OWNED = Spelled(
    owned_statement(),
    {
        "product_id": ExternalId, "order_id": ExternalId, "ordered_at": UtcDateTime, "quantity": Integer,
        "shipped_at": UtcDateTime, "delivered_at": UtcDateTime, "ship_seconds": BigInteger,
        "transit_seconds": BigInteger, "altogether_seconds": BigInteger, "n": Integer, "is_assumed": Boolean,
    },
)  # fmt: skip


def owned_products(
    session: Session,
    shop_id: ShopId,
    customer_id: CustomerId,
    product_ids: Collection[ProductId] | None = None,
    *,
    since: datetime,
) -> dict[ProductId, OwnedProduct]:
    """What a customer bought since then and kept, by product: all of it, or only these products.

    Looks at the newest MOST_ORDERS orders and MOST_LINES lines of theirs, by key, in one statement.
    """
    if product_ids is not None and not product_ids:
        return {}
    rows = OWNED.rows(session, {"shop": shop_id, "customer": customer_id, "since": since})
    if not rows:
        return {}
    usual = ASSUMED if rows[0].n is None else usual_from(rows[0])
    lines = (OwnedLine(*row[: len(OwnedLine._fields)]) for row in rows)
    return owned_from((line for line in lines if product_ids is None or line.product_id in product_ids), usual)


def product_health(
    session: Session, shop_id: ShopId, product_ids: Collection[ProductId]
) -> dict[ProductId, ProductHealth]:
    """How products fare. Products that were neither sold nor rated are absent."""
    found: dict[ProductId, ProductHealth] = {}
    for batch in batches(sorted(set(product_ids))):
        rows = select(ProductHealthRow.__table__).where(
            ProductHealthRow.shop_id == shop_id, ProductHealthRow.product_id.in_(batch)
        )
        for row in session.execute(rows):
            health = ProductHealth(row.sold, row.refunded, row.rating, row.rating_count)
            found[ProductId(row.product_id)] = health
    return found


def poor_products(
    session: Session, shop_id: ShopId, *, refund_rate: float, fewest_sold: int
) -> dict[ProductId, ProductHealth]:
    """Products of which more than this share came back, of those with enough sold: the "fix first" list."""
    row = ProductHealthRow
    poor = (row.sold >= fewest_sold, row.refunded > refund_rate * row.sold)
    rows = select(row.product_id).where(row.shop_id == shop_id, *poor)
    return product_health(session, shop_id, [ProductId(one) for one in session.scalars(rows)])


def rated_products(session: Session, shop_id: ShopId) -> set[ProductId]:
    """Products that have a rating."""
    row = ProductHealthRow
    rated = select(row.product_id).where(row.shop_id == shop_id, row.rating_count > 0)
    return {ProductId(product_id) for product_id in session.scalars(rated)}


def put_ratings(session: Session, shop_id: ShopId, ratings: Mapping[ProductId, tuple[float | None, int]]) -> None:
    """Keep the mean stars and number of reviews of products, in the place of what was held; None and 0: no reviews."""
    held = product_health(session, shop_id, ratings)
    empty = ProductHealth(0, 0)
    rows = [
        {
            "shop_id": shop_id,
            "product_id": product_id,
            "sold": held.get(product_id, empty).sold,
            "refunded": held.get(product_id, empty).refunded,
            "rating": stars,
            "rating_count": count,
        }
        for product_id, (stars, count) in sorted(ratings.items())
    ]
    put_rows(session, shop_id, ProductHealthRow, rows)


def count_health(session: Session, shop_id: ShopId, *, since: datetime) -> dict[ProductId, tuple[int, int]]:
    """Count the pieces sold since then, and what of them came back, by product; a page of orders at a time."""
    sold: Counter[int] = Counter()
    refunded: Counter[int] = Counter()
    after = 0
    while True:
        orders = select(OrderRow.order_id).where(*ordered_within(shop_id, since, None), OrderRow.order_id > after)
        page = session.scalars(orders.order_by(OrderRow.order_id).limit(PAGE)).all()
        if not page:
            return {ProductId(product_id): (n, min(n, refunded[product_id])) for product_id, n in sold.items()}
        within = (*_booked_lines(shop_id, since), OrderLineRow.order_id.between(page[0], page[-1]))
        sold.update(_counted(session, _SOLD.where(*within)))
        given_back = (RefundRow.shop_id == shop_id, RefundRow.order_id.between(page[0], page[-1]))
        refunded.update(_counted(session, _REFUNDED.where(*within, *given_back)))
        after = page[-1]


def put_health(session: Session, shop_id: ShopId, counted: Mapping[ProductId, tuple[int, int]]) -> None:
    """Keep what was counted in the place of the last count. Ratings stay."""
    row = ProductHealthRow
    rated = select(row.__table__).where(row.shop_id == shop_id, row.rating_count > 0)
    ratings = {ProductId(one.product_id): (one.rating, one.rating_count) for one in session.execute(rated)}
    session.execute(delete(row).where(row.shop_id == shop_id))
    rows = []
    for product_id in sorted(counted.keys() | ratings.keys()):
        (sold, refunded), (stars, count) = counted.get(product_id, (0, 0)), ratings.get(product_id, (None, 0))
        values = {"sold": sold, "refunded": refunded, "rating": stars, "rating_count": count}
        rows.append({"shop_id": shop_id, "product_id": product_id, **values})
    put_rows(session, shop_id, row, rows)


_SAME_REFUND = (RefundRow.shop_id == OrderLineRow.shop_id) & (RefundRow.order_id == OrderLineRow.order_id)
_SAME_LINE = (
    (RefundLineRow.shop_id == RefundRow.shop_id)
    & (RefundLineRow.refund_id == RefundRow.refund_id)
    & (RefundLineRow.line_id == OrderLineRow.line_id)
)
_PRODUCT = OrderLineRow.product_id + 0
_SOLD = select(_PRODUCT, func.sum(OrderLineRow.quantity)).join(OrderRow, _SAME_ORDER)
_REFUNDED = (
    select(_PRODUCT, func.sum(RefundLineRow.quantity))
    .join(OrderRow, _SAME_ORDER)
    .join(RefundRow, _SAME_REFUND)
    .join(RefundLineRow, _SAME_LINE)
)


def _counted(session: Session, lines: Select[int | None, int]) -> dict[int, int]:
    """Read a sum by product. On PostgreSQL a sum of integers comes as a Decimal."""
    rows = session.execute(lines.group_by(_PRODUCT))
    return {int(product_id or 0): int(n or 0) for product_id, n in rows}


def _booked_lines(shop_id: ShopId, since: datetime) -> tuple[Any, ...]:
    line = OrderLineRow
    is_real = (KNOWN_ORDER, OrderRow.is_booked, _PRODUCT.is_not(None), ~line.is_gift_card)
    return (line.shop_id == shop_id, OrderRow.ordered_at >= since, *is_real)
