"""An order of the dev store and its sums. Amounts in minor units of the order's currency, before tax, free shipping."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(slots=True)
class DiscountApplication:
    """A discount somebody granted on the order. `value_type` is `percentage` or `fixed_amount`."""

    title: str
    value: Decimal
    value_type: str


@dataclass(slots=True)
class OrderLine:
    """One line. `allocations` says how much each of the order's discount applications took off it."""

    line_id: int
    product_id: int
    variant_id: int
    title: str
    variant_title: str
    sku: str
    vendor: str
    quantity: int
    unit_price: int
    properties: dict[str, str] = field(default_factory=dict)
    allocations: dict[int, int] = field(default_factory=dict)
    removed_quantity: int = 0
    refunded_quantity: int = 0
    refunded_amount: int = 0

    @property
    def gross(self) -> int:
        """Quantity times unit price, before discounts."""
        return self.quantity * self.unit_price

    @property
    def discount(self) -> int:
        """Everything that discounts took off the line."""
        return sum(self.allocations.values())

    @property
    def net(self) -> int:
        """What the buyer paid for the line when it was added."""
        return self.gross - self.discount

    @property
    def current_quantity(self) -> int:
        """Units neither removed by an edit nor given back."""
        return self.quantity - self.removed_quantity - self.refunded_quantity

    def value_of(self, units: int) -> int:
        """What the next units to leave the line are worth. All units together are worth exactly the net."""
        gone = self.removed_quantity + self.refunded_quantity
        return self.net * (gone + units) // self.quantity - self.net * gone // self.quantity


@dataclass(slots=True)
class RefundLine:
    """Units of one line given back. `subtotal` is net of discounts."""

    refund_line_id: int
    line_id: int
    quantity: int
    subtotal: int


@dataclass(slots=True)
class Refund:
    """Money given back. `adjustment` is an amount that belongs to no line."""

    refund_id: int
    created_at: datetime
    lines: list[RefundLine]
    adjustment: int = 0
    restock_type: str = "return"

    @property
    def amount(self) -> int:
        """The whole of the refund."""
        return sum(line.subtotal for line in self.lines) + self.adjustment


@dataclass(slots=True)
class Edit:
    """A committed order edit: (line id, change in units), additions and removals apart as Shopify sends them."""

    edit_id: int
    committed_at: datetime
    additions: list[tuple[int, int]]
    removals: list[tuple[int, int]]


@dataclass(slots=True)
class Order:
    """An order as the shop knows it now. `arrived_at` is later than `ordered_at` for one that was delivered late."""

    order_id: int
    number: int
    customer_id: int | None
    currency: str
    ordered_at: datetime
    updated_at: datetime
    arrived_at: datetime
    lines: list[OrderLine]
    refunds: list[Refund] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    discounts: list[DiscountApplication] = field(default_factory=list)
    metafields: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    note_attributes: dict[str, str] = field(default_factory=dict)
    cart_token: str | None = None
    checkout_token: str | None = None
    cancelled_at: datetime | None = None
    is_paid: bool = True

    @property
    def subtotal(self) -> int:
        """What all lines cost when they were added, discounts off."""
        return sum(line.net for line in self.lines)

    @property
    def refunded(self) -> int:
        """Everything given back so far."""
        return sum(refund.amount for refund in self.refunds)

    @property
    def removed(self) -> int:
        """What edits took away, at the price it was added for."""
        return sum(line.net * line.removed_quantity // line.quantity for line in self.lines)

    @property
    def current_subtotal(self) -> int:
        """What remains after edits and refunds."""
        return max(0, self.subtotal - self.removed - self.refunded)

    @property
    def financial_status(self) -> str:
        """Shopify's word for how the order stands, in the lower case of its webhooks."""
        if not self.is_paid:
            return "voided" if self.cancelled_at else "pending"
        if self.refunded <= 0:
            return "paid"
        return "refunded" if self.refunded >= self.subtotal - self.removed else "partially_refunded"

    def line(self, line_id: int) -> OrderLine:
        """Find a line.

        Raises: KeyError when the order has no such line.
        """
        for line in self.lines:
            if line.line_id == line_id:
                return line
        raise KeyError(line_id)
