"""What other stations read of orders. Pure, frozen; SQLAlchemy rows stay in `store`."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shopify_upsell.core import CustomerId, LineId, OrderId, ProductId, VariantId


@dataclass(frozen=True, slots=True)
class Basket:
    """The products of one booked order, as evidence for the matrix."""

    order_id: OrderId
    ordered_at: datetime
    product_ids: frozenset[ProductId]


class SoldLine(NamedTuple):
    """One line that was sold and kept, for learning. Units: pieces left, minor units apiece before discounts."""

    order_id: int
    customer_id: int | None
    ordered_at: datetime
    product_id: int
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class BookedLine:
    """One line as it is worth now. Units: minor units of the order's currency.

    `presentment_net`: the same in the currency the shopper paid in; None where Shopify did not tell.
    """

    line_id: LineId
    position: int
    product_id: ProductId | None
    variant_id: VariantId | None
    quantity: int
    net_quantity: int
    net_minor_units: int
    offer_token: str | None
    presentment_net: int | None = None


@dataclass(frozen=True, slots=True)
class EditChange:
    """By how many units one committed edit changed one line."""

    edit_id: int
    line_id: LineId
    delta: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class BookedOrder:
    """An order as the ledger values it now. `residual` is 0 or less."""

    order_id: OrderId
    ordered_at: datetime
    currency: str
    is_booked: bool
    customer_id: CustomerId | None
    cart_token: str | None
    checkout_token: str | None
    residual: int
    lines: tuple[BookedLine, ...]
    edits: tuple[EditChange, ...]


@dataclass(frozen=True, slots=True, order=True)
class TokenUse:
    """A line of a booked order that carries an offer token. Sorted: the earliest order first."""

    ordered_at: datetime
    order_id: OrderId
    line_id: LineId
    variant_id: VariantId | None


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """Sums over the orders of one currency and period. Units: minor units.

    gross - discounts - taxes - gift_cards - refunds - edits - unbooked = net; net + order_residual = ledger.
    """

    currency: str
    order_count: int
    unbooked_count: int
    gross: int
    discounts: int
    taxes: int
    gift_cards: int
    refunds: int
    edits: int
    unbooked: int
    net: int
    order_residual: int

    @property
    def ledger(self) -> int:
        """What the shop earned on goods."""
        return self.net + self.order_residual
