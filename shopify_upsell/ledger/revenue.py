"""What each line of an order is worth now: gross, less discounts, taxes, refunds and what edits removed. Pure.

A function of the facts held and of nothing else, so it may be computed again at any time, in any order of arrival.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shopify_upsell.core import InvalidInput, LineId
from shopify_upsell.ledger.amounts import minor_units
from shopify_upsell.ledger.facts import EditFact, LineFact, OrderFact, RefundFact
from shopify_upsell.money import apportion

BOOKED_STATUSES = frozenset({"paid", "partially_paid", "partially_refunded", "refunded"})
"""Financial statuses under which money has come in. Source: Shopify Order.financial_status, read 2026-11."""


@dataclass(frozen=True, slots=True)
class LineBooking:
    """One line, booked. Units: minor units; gross - discount - tax - refunded - removed = net where revenue counts.

    Of an order that is not booked, and of a gift card, `net` is 0 and the other columns say what it would be.
    """

    gross: int
    discount: int
    tax: int
    refunded: int
    removed: int
    net: int
    net_quantity: int


@dataclass(frozen=True, slots=True)
class Booking:
    """An order, booked. `residual` (0 or less): refunded beyond what the lines can carry."""

    is_booked: bool
    residual: int
    lines: dict[LineId, LineBooking]


@dataclass(slots=True)
class _Line:
    """A line while refunds and edits are being taken off it.

    `value` is before either; `calculated` is what its refunded units were worth, `refunded` what was given back.
    """

    fact: LineFact
    gross: int
    discount: int
    tax: int
    refunded_units: int = 0
    removed_units: int = 0
    calculated: int = 0
    refunded: int = 0
    removed: int = 0

    @property
    def value(self) -> int:
        return self.gross - self.discount - self.tax

    @property
    def left(self) -> int:
        return self.value - self.refunded - self.removed

    def refund(self, amount: int) -> int:
        """Take off at most what is left; the rest is returned."""
        taken = min(amount, self.left)
        self.refunded += taken
        return amount - taken


@dataclass(frozen=True, slots=True)
class _Refund:
    """A refund in minor units: what its units were worth, what it gave back of each line and beside them."""

    calculated: dict[LineId, int]
    amounts: dict[LineId, int]
    units: dict[LineId, int]
    beyond_lines: int


def book(order: OrderFact, *, refunds: Iterable[RefundFact], edits: Iterable[EditFact], is_deleted: bool) -> Booking:
    """Value every line of an order from all facts held about it.

    Refunds of lines come off first, then what edits removed, then money given back beside lines; within one refund
    an amount beside lines is divided over that refund's lines by subtotal, else over all lines by what is left.
    Whatever the lines cannot carry is the order's residual, so no line falls below 0.

    Units: minor units of the order's currency, ex tax and shipping.
    Source: reference `measurement.md` part 2.1.
    """
    lines = {fact.line_id: _opened(fact) for fact in order.lines}
    revenue = {line_id: line for line_id, line in lines.items() if not line.fact.is_gift_card}
    read = [
        _readable(refund, order, revenue) for refund in sorted(refunds, key=lambda it: (it.refunded_at, it.refund_id))
    ]
    known = [refund for refund in read if refund is not None]
    residual = sum(_refund_lines(revenue, refund) for refund in known)
    _remove_units(order, revenue, edits)
    residual += sum(_refund_beyond_lines(revenue, refund) for refund in known)
    is_booked = is_booked_order(order, is_deleted=is_deleted)
    return Booking(
        is_booked=is_booked,
        residual=-residual if is_booked else 0,
        lines={line_id: _closed(line, is_booked=is_booked) for line_id, line in lines.items()},
    )


def is_booked_order(order: OrderFact, *, is_deleted: bool) -> bool:
    """Tell whether the order is revenue: paid, real, and neither cancelled nor deleted."""
    return (
        order.financial_status in BOOKED_STATUSES
        and order.cancelled_at is None
        and not order.is_test
        and not is_deleted
    )


def unreadable_refunds(order: OrderFact, refunds: Iterable[RefundFact]) -> list[int]:
    """Ids of refunds that say nothing in the order's currency: they book nothing until Shopify says more."""
    return [refund.refund_id for refund in refunds if _readable(refund, order, {}) is None]


def _opened(fact: LineFact) -> _Line:
    gross = fact.quantity * fact.unit_price
    discount = min(fact.discount, gross)
    return _Line(fact=fact, gross=gross, discount=discount, tax=min(fact.tax, gross - discount))


def _closed(line: _Line, *, is_booked: bool) -> LineBooking:
    counts = is_booked and not line.fact.is_gift_card
    units_left = line.fact.quantity - line.refunded_units - line.removed_units
    return LineBooking(
        gross=line.gross,
        discount=line.discount,
        tax=line.tax,
        refunded=line.refunded,
        removed=line.removed,
        net=line.left if counts else 0,
        net_quantity=max(0, units_left) if is_booked else 0,
    )


def _readable(refund: RefundFact, order: OrderFact, lines: dict[LineId, _Line]) -> _Refund | None:
    """Read a refund in the order's currency, or null when it cannot be.

    Lines that the order does not have (yet) are left out: a newer version of the order will bring them.
    """
    if refund.currency not in (None, order.currency):
        return None
    try:
        amounts = {line.line_id: minor_units(line.subtotal, order.currency) for line in refund.lines}
        taxes = {line.line_id: minor_units(line.tax, order.currency) for line in refund.lines}
        discrepancy = minor_units(refund.discrepancy, order.currency)
    except InvalidInput:
        return None
    if order.taxes_included:
        amounts = {line_id: max(0, amount - taxes[line_id]) for line_id, amount in amounts.items()}
    given_back = _given_back_less(amounts, discrepancy) if discrepancy > 0 else amounts
    return _Refund(
        calculated={line_id: amount for line_id, amount in amounts.items() if line_id in lines},
        amounts={line_id: amount for line_id, amount in given_back.items() if line_id in lines},
        units={line.line_id: line.quantity for line in refund.lines if line.line_id in lines},
        beyond_lines=max(0, -discrepancy),
    )


def _given_back_less(amounts: dict[LineId, int], kept_by_merchant: int) -> dict[LineId, int]:
    total = sum(amounts.values())
    if total == 0:
        return amounts
    shares = apportion(min(kept_by_merchant, total), list(amounts.values()))
    return {line_id: amount - share for (line_id, amount), share in zip(amounts.items(), shares, strict=True)}


def _refund_lines(lines: dict[LineId, _Line], refund: _Refund) -> int:
    """Take a refund's lines off; return what they could not carry."""
    for line_id, units in refund.units.items():
        lines[line_id].refunded_units += units
        lines[line_id].calculated += refund.calculated[line_id]
    return sum(lines[line_id].refund(amount) for line_id, amount in refund.amounts.items())


def _remove_units(order: OrderFact, lines: dict[LineId, _Line], edits: Iterable[EditFact]) -> None:
    """Take off the units that an edit removed and no refund accounts for.

    Whether Shopify also writes a refund for units that an edit removed is unconfirmed. Either way a unit counts
    once: of all units gone, those that refunds account for are subtracted first.
    """
    later = _changed_since(order, edits)
    for line_id, line in lines.items():
        fact = line.fact
        shown = 0 if fact.current_quantity is None else max(0, fact.quantity - fact.current_quantity)
        gone = min(fact.quantity, shown + max(0, -later.get(line_id, 0)))
        line.removed_units = max(0, gone - line.refunded_units)
        if line.removed_units:
            rest = fact.quantity - line.refunded_units - line.removed_units
            not_refunded = max(0, line.value - line.calculated)
            line.removed = min(line.left, apportion(not_refunded, [line.removed_units, rest])[0])


def _changed_since(order: OrderFact, edits: Iterable[EditFact]) -> dict[LineId, int]:
    """Net change of units by edits that the order's version cannot know of."""
    changed: dict[LineId, int] = {}
    for edit in edits:
        if edit.committed_at > order.version.at:
            for line_id, delta in edit.changes:
                changed[line_id] = changed.get(line_id, 0) + delta
    return changed


def _refund_beyond_lines(lines: dict[LineId, _Line], refund: _Refund) -> int:
    """Divide money given back beside lines; return what no line could carry."""
    if refund.beyond_lines == 0:
        return 0
    line_ids = list(refund.amounts)
    weights = list(refund.amounts.values())
    if sum(weights) == 0:
        line_ids, weights = list(lines), [line.left for line in lines.values()]
    if sum(weights) == 0:
        return refund.beyond_lines
    shares = apportion(refund.beyond_lines, weights)
    return sum(lines[line_id].refund(share) for line_id, share in zip(line_ids, shares, strict=True))
