"""What the lines of an order are worth in the currency its shopper paid in. Pure.

Shopify tells every amount twice, at the rate of the moment of the order. The same booking is done once more with the
shopper's amounts; no rate of ours comes in. Like the booking it is a function of the facts held and of nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shopify_upsell.core import LineId
from shopify_upsell.ledger.facts import EditFact, LineFact, OrderFact, RefundFact
from shopify_upsell.ledger.revenue import Booking, LineBooking, book, unreadable_refunds
from shopify_upsell.money import apportion


def presentment_nets(
    order: OrderFact, booking: Booking, *, refunds: Iterable[RefundFact], edits: Iterable[EditFact]
) -> dict[LineId, int]:
    """Value lines in the shopper's currency; lines of which Shopify told no such amounts are absent.

    Where a refund says nothing in that currency, a line keeps the share of its value that it keeps in the shop's.

    Shape: `booking` is the order's in the shop's currency.
    Units: minor units of the order's presentment currency, ex tax and shipping, never below 0. Empty where the
    shopper paid in the shop's currency.
    """
    told = [line for line in order.lines if line.presentment is not None]
    if not told or order.presentment_currency == order.currency:
        return {}
    counted = [refund for refund in refunds if not unreadable_refunds(order, [refund])]
    shown = replace(order, currency=order.presentment_currency, lines=tuple(_shown_line(line) for line in told))
    given_back = [_shown_refund(refund) for refund in counted]
    if len(told) == len(order.lines) and _are_readable(shown, given_back):
        exact = book(shown, refunds=given_back, edits=edits, is_deleted=not booking.is_booked)
        return {line_id: line.net for line_id, line in exact.lines.items()}
    whole = book(shown, refunds=(), edits=(), is_deleted=False)
    return {line_id: _kept(line, booking.lines[line_id]) for line_id, line in whole.lines.items()}


def _shown_line(line: LineFact) -> LineFact:
    if line.presentment is None:
        raise ValueError("a line without amounts in the shopper's currency")
    unit_price, discount, tax = line.presentment
    return replace(line, unit_price=unit_price, discount=discount, tax=tax, presentment=None)


def _shown_refund(refund: RefundFact) -> RefundFact:
    """The refund in the shopper's currency; one that tells no such amounts names no currency that could be read."""
    shown = refund.presentment
    if shown is None:
        return replace(refund, currency="")
    return replace(refund, currency=shown.currency, discrepancy=shown.discrepancy, lines=shown.lines, presentment=None)


def _are_readable(order: OrderFact, refunds: Sequence[RefundFact]) -> bool:
    return not unreadable_refunds(order, refunds)


def _kept(shown: LineBooking, booked: LineBooking) -> int:
    value = booked.gross - booked.discount - booked.tax
    worth = shown.gross - shown.discount - shown.tax
    return apportion(worth, [booked.net, value - booked.net])[0] if value > 0 else 0
