"""Table and queries of how long products last, replaced by every learning run."""

from collections.abc import Collection, Mapping

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ProductId, ShopId
from shopify_upsell.database import Base, ExternalId
from shopify_upsell.ledger.tables import batches, put_rows


class ProductSupplyRow(Base):
    """Days that one piece of a product lasts. Products that are not used up have no row."""

    __tablename__ = "product_supply"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    days: Mapped[float] = mapped_column()


def put_supply(session: Session, shop_id: ShopId, days_by_product: Mapping[ProductId, float]) -> None:
    """Keep what a run learned in the place of what the last one did. Units: days a piece, above 0."""
    session.execute(delete(ProductSupplyRow).where(ProductSupplyRow.shop_id == shop_id))
    rows = [
        {"shop_id": shop_id, "product_id": product_id, "days": days}
        for product_id, days in sorted(days_by_product.items())
    ]
    put_rows(session, shop_id, ProductSupplyRow, rows)


def supply_of(session: Session, shop_id: ShopId, product_ids: Collection[ProductId]) -> dict[ProductId, float]:
    """How many days one piece lasts, by product. Products of which that is not known are absent."""
    found: dict[ProductId, float] = {}
    for batch in batches(sorted(set(product_ids))):
        rows = select(ProductSupplyRow.product_id, ProductSupplyRow.days).where(
            ProductSupplyRow.shop_id == shop_id, ProductSupplyRow.product_id.in_(batch)
        )
        found |= {ProductId(row.product_id): row.days for row in session.execute(rows)}
    return found
