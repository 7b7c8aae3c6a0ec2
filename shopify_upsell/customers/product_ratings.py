"""Use case: the stars of products, averaged over the reviews that other systems told of."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.customers.signal_tables import SignalRow
from shopify_upsell.ledger.ownership import put_ratings, rated_products

REVIEW = "review"


def rate_products(session: Session, shop_id: ShopId, product_ids: Collection[ProductId] | None = None) -> None:
    """Average the reviews of these products anew, or of all. One whose reviews are all gone has no rating any more.

    Reviews count as long as they are kept as signals; an edited one counts as it was told last.
    """
    row = SignalRow
    reviews = select(row.product_id, func.avg(row.value), func.count()).where(
        row.shop_id == shop_id, row.kind == REVIEW, row.product_id.is_not(None), row.value.is_not(None)
    )
    if product_ids is not None:
        reviews = reviews.where(row.product_id.in_(sorted(set(product_ids))))
    found: dict[ProductId, tuple[float | None, int]] = {
        ProductId(product_id): (round(float(stars), 4), count)
        for product_id, stars, count in session.execute(reviews.group_by(row.product_id))
    }
    known = rated_products(session, shop_id) if product_ids is None else set(product_ids)
    put_ratings(session, shop_id, {product_id: found.get(product_id, (None, 0)) for product_id in known | found.keys()})
