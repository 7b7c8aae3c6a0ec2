"""Between facts and the columns they are kept in. Pure: a row is a plain mapping here.

One fact, its refunds and its edits give exactly one set of rows; `recording` writes only what differs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shopify_upsell.core import CustomerId, LineId, OrderId, ShopId, VariantId
from shopify_upsell.ledger.catalog import plans_from_json, plans_to_json
from shopify_upsell.ledger.facts import EPOCH, NEVER, LineFact, OrderFact, ProductFact, VariantFact, Version
from shopify_upsell.ledger.revenue import Booking, LineBooking

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrderRows:
    """The row of an order and the rows of its lines by line id."""

    order: Row
    lines: Mapping[LineId, Row]

    @property
    def is_deleted(self) -> bool:
        """Tell whether Shopify said that the order was deleted; it never comes back."""
        return bool(self.order["is_deleted"])


@dataclass(frozen=True, slots=True)
class ProductRows:
    """The row of a product and the rows of its variants by variant id."""

    product: Row
    variants: Mapping[VariantId, Row]

    @property
    def is_deleted(self) -> bool:
        """Tell whether Shopify said that the product was deleted; it never comes back."""
        return bool(self.product["is_deleted"])


def nameless_order(order_id: OrderId) -> OrderFact:
    """Stand in for an order of which only the deletion is known."""
    return OrderFact(
        order_id=order_id,
        version=NEVER,
        ordered_at=EPOCH,
        cancelled_at=None,
        is_test=False,
        financial_status="",
        source_name="",
        currency="",
        presentment_currency="",
        taxes_included=False,
        customer_id=None,
        cart_token=None,
        checkout_token=None,
        lines=(),
    )


def order_rows(
    shop_id: ShopId,
    fact: OrderFact,
    booking: Booking,
    *,
    is_deleted: bool,
    presentment: Mapping[LineId, int] | None = None,
) -> OrderRows:
    """Lay out an order and its booking as rows. `presentment`: what lines are worth in the shopper's currency."""
    shown = presentment or {}
    order = {
        "shop_id": shop_id,
        "order_id": fact.order_id,
        "ordered_at": fact.ordered_at,
        "cancelled_at": fact.cancelled_at,
        "is_deleted": is_deleted,
        "is_test": fact.is_test,
        "is_booked": booking.is_booked,
        "financial_status": fact.financial_status,
        "source_name": fact.source_name,
        "currency": fact.currency,
        "presentment_currency": fact.presentment_currency,
        "taxes_included": fact.taxes_included,
        "customer_id": fact.customer_id,
        "cart_token": fact.cart_token,
        "checkout_token": fact.checkout_token,
        "residual_minor_units": booking.residual,
        "version_at": fact.version.at,
        "version_triggered_at": fact.version.triggered_at,
        "version_digest": fact.version.digest,
    }
    lines = {
        line.line_id: _line_row(shop_id, fact, line, booking.lines[line.line_id])
        | _shown_columns(line, shown.get(line.line_id))
        for line in fact.lines
    }
    return OrderRows(order, lines)


def order_fact(rows: OrderRows) -> OrderFact:
    """Read an order back from its rows."""
    order = rows.order
    lines: Sequence[Row] = sorted(rows.lines.values(), key=lambda row: int(row["position"]))
    return OrderFact(
        order_id=order["order_id"],
        version=version_of(order),
        ordered_at=order["ordered_at"],
        cancelled_at=order["cancelled_at"],
        is_test=order["is_test"],
        financial_status=order["financial_status"],
        source_name=order["source_name"],
        currency=order["currency"],
        presentment_currency=order["presentment_currency"],
        taxes_included=order["taxes_included"],
        customer_id=order["customer_id"],
        cart_token=order["cart_token"],
        checkout_token=order["checkout_token"],
        lines=tuple(_line_fact(row) for row in lines),
    )


def product_rows(shop_id: ShopId, fact: ProductFact, *, is_deleted: bool) -> ProductRows:
    """Lay out a product and its variants as rows."""
    product = {
        "shop_id": shop_id,
        "product_id": fact.product_id,
        "title": fact.title,
        "handle": fact.handle,
        "status": fact.status,
        "is_published": fact.is_published,
        "is_gift_card": fact.is_gift_card,
        "requires_selling_plan": fact.requires_selling_plan,
        "product_type": fact.product_type,
        "vendor": fact.vendor,
        "image_url": fact.image_url,
        "selling_plans": plans_to_json(fact.selling_plans),
        "details_at": fact.details_at,
        "is_deleted": is_deleted,
        "version_at": fact.version.at,
        "version_triggered_at": fact.version.triggered_at,
        "version_digest": fact.version.digest,
    }
    variants = {
        variant.variant_id: {
            "shop_id": shop_id,
            "product_id": fact.product_id,
            "variant_id": variant.variant_id,
            "position": variant.position,
            "title": variant.title,
            "sku": variant.sku,
            "price_minor_units": variant.price,
            "currency": fact.currency,
            "is_available": variant.is_available,
            "requires_components": variant.requires_components,
            "unit_cost_minor_units": variant.unit_cost,
            "inventory_policy": variant.inventory_policy,
            "stock": variant.stock,
        }
        for variant in fact.variants
    }
    return ProductRows(product, variants)


def product_fact(rows: ProductRows) -> ProductFact:
    """Read a product back from its rows."""
    product, variants = rows.product, sorted(rows.variants.values(), key=lambda row: int(row["variant_id"]))
    return ProductFact(
        product_id=product["product_id"],
        version=version_of(product),
        title=product["title"],
        handle=product["handle"],
        status=product["status"],
        is_published=product["is_published"],
        is_gift_card=product["is_gift_card"],
        requires_selling_plan=product["requires_selling_plan"],
        product_type=product["product_type"],
        vendor=product["vendor"],
        image_url=product["image_url"],
        currency=variants[0]["currency"] if variants else "",
        variants=tuple(
            VariantFact(
                variant_id=row["variant_id"],
                position=row["position"],
                title=row["title"],
                sku=row["sku"],
                price=row["price_minor_units"],
                is_available=row["is_available"],
                requires_components=row["requires_components"],
                unit_cost=row["unit_cost_minor_units"],
                inventory_policy=row["inventory_policy"],
                stock=row["stock"],
            )
            for row in variants
        ),
        selling_plans=plans_from_json(product["selling_plans"]),
        details_at=product["details_at"],
    )


def customer_digest(customer_id: CustomerId) -> str:
    """The name a forgotten customer is remembered by."""
    return hashlib.sha256(str(customer_id).encode()).hexdigest()


def version_of(row: Row) -> Version:
    """Read the version columns, which orders and products share."""
    return Version(row["version_at"], row["version_triggered_at"], row["version_digest"])


def _shown_columns(fact: LineFact, net: int | None) -> dict[str, Any]:
    unit_price, discount, tax = fact.presentment or (None, None, None)
    return {
        "presentment_unit_price_minor_units": unit_price,
        "presentment_discount_minor_units": discount,
        "presentment_tax_minor_units": tax,
        "presentment_net_minor_units": net,
    }


def _shown(row: Row) -> tuple[int, int, int] | None:
    if row["presentment_unit_price_minor_units"] is None:
        return None
    names = ("presentment_unit_price_minor_units", "presentment_discount_minor_units", "presentment_tax_minor_units")
    unit_price, discount, tax = (int(row[name]) for name in names)
    return unit_price, discount, tax


def _line_row(shop_id: ShopId, order: OrderFact, fact: LineFact, booking: LineBooking) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "order_id": order.order_id,
        "line_id": fact.line_id,
        "position": fact.position,
        "product_id": fact.product_id,
        "variant_id": fact.variant_id,
        "quantity": fact.quantity,
        "net_quantity": booking.net_quantity,
        "unit_price_minor_units": fact.unit_price,
        "gross_minor_units": booking.gross,
        "discount_minor_units": booking.discount,
        "tax_minor_units": booking.tax,
        "refunded_minor_units": booking.refunded,
        "removed_minor_units": booking.removed,
        "net_minor_units": booking.net,
        "current_quantity": fact.current_quantity,
        "is_gift_card": fact.is_gift_card,
        "offer_token": fact.offer_token,
    }


def _line_fact(row: Row) -> LineFact:
    return LineFact(
        line_id=row["line_id"],
        position=row["position"],
        product_id=row["product_id"],
        variant_id=row["variant_id"],
        quantity=row["quantity"],
        current_quantity=row["current_quantity"],
        unit_price=row["unit_price_minor_units"],
        discount=row["discount_minor_units"],
        tax=row["tax_minor_units"],
        is_gift_card=row["is_gift_card"],
        offer_token=row["offer_token"],
        presentment=_shown(row),
    )
