"""The shop before the curtain rises: its products, its order history and what is true about them.

Pure when generated: (seed, order count, now, currency) decide every byte. A world may instead be read from an order
file, then nothing is planted.
"""

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.devstore.amounts import decimal_text
from shopify_upsell.devstore.catalogue import Product, make_catalogue
from shopify_upsell.devstore.history import make_history
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.planting import truth_of

CSV_COLUMNS = (
    "order_id",
    "ordered_at",
    "customer_id",
    "product_id",
    "variant_id",
    "quantity",
    "unit_price",
    "discount",
    "currency",
    "line_id",
    "product_title",
    "financial_status",
)


@dataclass(frozen=True, slots=True)
class World:
    """Products, orders (oldest first) and the planted truth (empty for an imported history)."""

    currency: str
    now: datetime
    products: tuple[Product, ...]
    orders: tuple[Order, ...]
    planted: dict[str, object]

    def truth(self) -> dict[str, object]:
        """Say what is planted and what came of it. Ids are product and order ids."""
        late = [order.order_id for order in self.orders if order.arrived_at > order.ordered_at]
        refunded = [order.order_id for order in self.orders if order.refunds]
        return {
            **self.planted,
            "order_count": len(self.orders),
            "guest_order_count": sum(order.customer_id is None for order in self.orders),
            "cancelled_orders": [order.order_id for order in self.orders if order.cancelled_at],
            "refunded_orders": refunded,
            "late_orders": late,
            "net_minor_units": sum(o.current_subtotal for o in self.orders if o.cancelled_at is None),
            "currency": self.currency,
        }

    def truth_json(self) -> str:
        """The truth as text, the same bytes for the same world."""
        return json.dumps(self.truth(), indent=1, sort_keys=True) + "\n"


def make_world(*, seed: int, order_count: int, now: datetime, currency: str = "USD") -> World:
    """Generate the shop with its planted truth."""
    products = make_catalogue()
    orders = make_history(products, seed=seed, order_count=order_count, now=now, currency=currency)
    return World(currency, now, products, tuple(orders), truth_of(products))


def history_csv(orders: list[Order]) -> str:
    """Write orders as the rows `import-orders` reads, in the order in which they arrived."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for order in sorted(orders, key=lambda order: (order.arrived_at, order.order_id)):
        for line in order.lines:
            writer.writerow(
                (
                    order.order_id,
                    order.ordered_at.isoformat(),
                    order.customer_id or "",
                    line.product_id,
                    line.variant_id,
                    line.quantity,
                    decimal_text(line.unit_price, order.currency),
                    decimal_text(line.discount, order.currency),
                    order.currency,
                    line.line_id,
                    line.title,
                    order.financial_status,
                )
            )
    return out.getvalue()
