"""Orders of known customers with several products, as the ledger keeps them, and a catalogue with their names."""

from datetime import datetime

from builders_database import NOW
from sqlalchemy import update
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ProductRow, put_rows
from shopify_upsell.matrix.recording import rebuild_counts
from shopify_upsell.shops.store import ShopRow

TITLES = {1: "Boots", 2: "Socks <b>&", 3: "Wax"}


def keep(session: Session, shop_id: ShopId, *orders: "tuple[int, int | None, datetime, dict[int, int]]") -> None:
    """Book orders: id, customer, moment, and what is left of each product in cents; 0 stands for a returned piece."""
    rows, lines = [], []
    for order_id, customer, at, products in orders:
        rows.append(_order(shop_id, order_id, customer, at))
        lines += [_line(shop_id, order_id, place, *one) for place, one in enumerate(products.items(), 1)]
    put_rows(session, shop_id, OrderRow, rows)
    put_rows(session, shop_id, OrderLineRow, lines)


def a_catalogue(session: Session, shop_id: ShopId, *, currency: str = "USD", time_zone: str | None = None) -> None:
    """Three products with their names; the pairs that orders hold are counted anew."""
    told = {"currency": currency, "time_zone": time_zone}
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(**told))
    for product_id, title in TITLES.items():
        row = ProductRow(
            shop_id=shop_id, product_id=product_id, title=title, handle=title, status="active", is_published=True,
            version_at=NOW, version_triggered_at=NOW, version_digest="1",
        )  # fmt: skip
        session.merge(row)
    session.flush()
    rebuild_counts(session, shop_id)


def _order(shop_id, order_id, customer, at):
    return {
        "shop_id": shop_id, "order_id": order_id, "ordered_at": at, "is_booked": True, "financial_status": "paid",
        "currency": "USD", "presentment_currency": "USD", "cart_token": None, "residual_minor_units": 0,
        "version_at": at, "version_triggered_at": at, "version_digest": "1", "is_deleted": False, "is_test": False,
        "taxes_included": False, "source_name": "web", "customer_id": customer,
    }  # fmt: skip


def _line(shop_id, order_id, place, product, net):
    return {
        "shop_id": shop_id, "order_id": order_id, "line_id": order_id * 10 + place, "position": place,
        "product_id": product, "variant_id": product * 11, "quantity": 1, "net_quantity": int(net > 0),
        "unit_price_minor_units": 1000, "gross_minor_units": 1000, "discount_minor_units": 0, "tax_minor_units": 0,
        "refunded_minor_units": 1000 - net if not net else 0, "removed_minor_units": 0, "net_minor_units": net,
        "is_gift_card": False,
    }  # fmt: skip
