"""What a customer already has, and how a product fares with those who bought it. Pure, frozen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from shopify_upsell.core import OrderId, ProductId
from shopify_upsell.ledger.delivered import UsualDelivery, delivered_at


class OwnedLine(NamedTuple):
    """One line that a customer kept, with what is known of its delivery. Units: pieces left."""

    product_id: ProductId
    order_id: OrderId
    ordered_at: datetime
    quantity: int
    shipped_at: datetime | None
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnedProduct:
    """A product that a customer bought and kept.

    Units: `order_count` orders looked at that hold it; `quantity_last` pieces in the last of them, of which
    `delivered_at` and `delivered_is_estimate` speak too; `days_a_piece` how long a piece lasted the customer so far,
    None before the second order.
    """

    product_id: ProductId
    order_count: int
    quantity_last: int
    last_ordered_at: datetime
    delivered_at: datetime
    delivered_is_estimate: bool
    days_a_piece: float | None = None


@dataclass(frozen=True, slots=True)
class ProductHealth:
    """How a product fares. Units: pieces sold and given back in the last year; stars 1 to 5, None without a rating."""

    sold: int
    refunded: int
    rating: float | None = None
    rating_count: int = 0

    @property
    def refund_rate(self) -> float:
        """Pieces given back, of the pieces sold; 0 where none was sold."""
        return self.refunded / self.sold if self.sold else 0.0


def owned_from(lines: Iterable[OwnedLine], usual: UsualDelivery) -> dict[ProductId, OwnedProduct]:
    """Sum up lines by product. The last order is the one placed last; of two at one moment, the greater id."""
    by_product: dict[ProductId, list[OwnedLine]] = {}
    for line in lines:
        by_product.setdefault(line.product_id, []).append(line)
    return {product_id: _owned(product_id, kept, usual) for product_id, kept in by_product.items()}


def _owned(product_id: ProductId, lines: list[OwnedLine], usual: UsualDelivery) -> OwnedProduct:
    last = max(lines, key=lambda line: (line.ordered_at, line.order_id))
    pieces_last = sum(line.quantity for line in lines if line.order_id == last.order_id)
    moment, is_estimate = delivered_at(last.ordered_at, last.shipped_at, last.arrived_at, usual)
    return OwnedProduct(
        product_id=product_id,
        order_count=len({line.order_id for line in lines}),
        quantity_last=pieces_last,
        last_ordered_at=last.ordered_at,
        delivered_at=moment,
        delivered_is_estimate=is_estimate,
        days_a_piece=_days_a_piece(lines, pieces_last),
    )


def _days_a_piece(lines: list[OwnedLine], pieces_last: int) -> float | None:
    """Days from the first order to the last, by the pieces used up meanwhile: all but those of the last."""
    moments = [line.ordered_at for line in lines]
    days = (max(moments) - min(moments)) / timedelta(days=1)
    used = sum(line.quantity for line in lines) - pieces_last
    # What is ordered again within a day was forgotten, not used up.
    return days / used if used and days >= 1 else None
