"""What can happen to an order after it was placed: refund, cancellation, edit, and what a changeset adds.

Each function changes the order and returns the new refund or edit. Ids and the clock come from the caller.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shopify_upsell.devstore.amounts import share_of
from shopify_upsell.devstore.orders import DiscountApplication, Edit, Order, OrderLine, Refund, RefundLine


class ImpossibleChange(ValueError):
    """The order has not got what the change would take from it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The new id and the time of one change."""

    new_id: int
    at: datetime


def refund_units(order: Order, units: dict[int, int], moment: Moment, restock_type: str = "return") -> Refund:
    """Give back units of lines: line id to number of units.

    Raises: KeyError for an unknown line, ImpossibleChange when fewer units remain.
    """
    for line_id, quantity in units.items():
        if not 0 < quantity <= order.line(line_id).current_quantity:
            raise ImpossibleChange(f"line {line_id} has {order.line(line_id).current_quantity} units left")
    rows = []
    for at, (line_id, quantity) in enumerate(units.items()):
        line = order.line(line_id)
        subtotal = line.value_of(quantity)
        line.refunded_quantity += quantity
        line.refunded_amount += subtotal
        rows.append(RefundLine(moment.new_id * 10 + at, line_id, quantity, subtotal))
    return _record(order, Refund(moment.new_id, moment.at, rows, restock_type=restock_type))


def refund_amount(order: Order, amount: int, moment: Moment) -> Refund:
    """Give back money that belongs to no line.

    Units: minor units.
    Raises: ImpossibleChange when the order is not worth that much any more.
    """
    if not 0 < amount <= order.current_subtotal:
        raise ImpossibleChange(f"at most {order.current_subtotal} can be refunded")
    return _record(order, Refund(moment.new_id, moment.at, [], adjustment=amount))


def cancel(order: Order, moment: Moment, *, refund: bool) -> Refund | None:
    """Call the order off; with `refund`, give back all that is left of it.

    Raises: ImpossibleChange when it was called off before.
    """
    if order.cancelled_at is not None:
        raise ImpossibleChange("the order is cancelled already")
    left = {line.line_id: line.current_quantity for line in order.lines if line.current_quantity}
    given_back = refund_units(order, left, moment, "cancel") if refund and left else None
    order.cancelled_at = order.updated_at = moment.at
    return given_back


def add_line(order: Order, line: OrderLine, moment: Moment) -> Edit:
    """Commit an edit that adds a line."""
    order.lines.append(line)
    return _commit(order, Edit(moment.new_id, moment.at, [(line.line_id, line.quantity)], []))


def remove_units(order: Order, line_id: int, quantity: int, moment: Moment) -> Edit:
    """Commit an edit that takes units off a line.

    Raises: KeyError for an unknown line, ImpossibleChange when fewer units remain.
    """
    line = order.line(line_id)
    if not 0 < quantity <= line.current_quantity:
        raise ImpossibleChange(f"line {line_id} has {line.current_quantity} units left")
    line.removed_quantity += quantity
    return _commit(order, Edit(moment.new_id, moment.at, [], [(line_id, quantity)]))


def grant_discount(order: Order, line: OrderLine, title: str, value: Decimal, value_type: str) -> None:
    """Take a discount off one line, as the order's newest discount application.

    Units: value is a percentage 0 to 100, or a fixed amount per line in the order's currency.
    """
    order.discounts.append(DiscountApplication(title, value, value_type))
    line.allocations[len(order.discounts) - 1] = share_of(line.gross, value, value_type, order.currency)


def _record(order: Order, refund: Refund) -> Refund:
    order.refunds.append(refund)
    order.updated_at = refund.created_at
    return refund


def _commit(order: Order, edit: Edit) -> Edit:
    order.edits.append(edit)
    order.updated_at = edit.committed_at
    return edit
