"""Read refunds: what they gave back of lines and beside them, in the shop's currency and in the shopper's. Pure."""

from dataclasses import replace
from typing import Any

from shopify_upsell.core import InvalidInput, LineId, OrderId
from shopify_upsell.ledger.amounts import (
    Reading,
    ShopAmount,
    add_amounts,
    minor_units,
    not_below_zero,
    shop_text,
    shown_text,
)
from shopify_upsell.ledger.facts import RefundFact, RefundLineFact, RefundPresentment
from shopify_upsell.ledger.fields import CurrencyCode, amount_of, objects


def refund_fact(refund: dict[str, Any]) -> RefundFact:
    """Read a refund whose fields are read. Order 0 stands for the order it is found in. Raises: InvalidInput."""
    by_line: dict[int, list[dict[str, Any]]] = {}
    for line in refund["refund_line_items"] or []:
        by_line.setdefault(line["line_item_id"], []).append(line)
    lines = _refund_lines(by_line, shop_text)
    discrepancy, said = _discrepancy(refund, has_lines=bool(lines))
    named = {money.currency for money in said if money.currency} | {
        part["subtotal_set"].currency for parts in by_line.values() for part in parts if part["subtotal_set"]
    }
    if len(named) > 1:
        raise InvalidInput("a refund in two currencies")
    refunded_at = refund["created_at"] or refund["processed_at"]
    if refunded_at is None:
        raise InvalidInput("a refund without a time")
    currency = next(iter(named), None)
    shown = _shown_refund(refund, by_line, said)
    fact = RefundFact(refund["id"], OrderId(refund["order_id"] or 0), refunded_at, currency, discrepancy, lines, shown)
    if currency is not None:
        refuse_unreadable(fact, currency)
    return fact


def _refund_lines(by_line: dict[int, list[dict[str, Any]]], text: Reading) -> tuple[RefundLineFact, ...]:
    return tuple(_refund_line(line_id, parts, text) for line_id, parts in sorted(by_line.items()))


def _refund_line(line_id: int, parts: list[dict[str, Any]], text: Reading) -> RefundLineFact:
    subtotals = [not_below_zero(part["subtotal_set"] or part["subtotal"], text) for part in parts]
    taxes = [not_below_zero(part["total_tax_set"] or part["total_tax"], text) for part in parts]
    quantity = sum(part["quantity"] for part in parts)
    return RefundLineFact(LineId(line_id), quantity, add_amounts(subtotals), add_amounts(taxes))


def _shown_refund(
    refund: dict[str, Any], by_line: dict[int, list[dict[str, Any]]], said: list[ShopAmount]
) -> RefundPresentment | None:
    """The refund in the shopper's currency; None unless Shopify told all of it in one other than the shop's."""
    sets = [part["subtotal_set"] for parts in by_line.values() for part in parts]
    named = {money.shown[1] for money in (*said, *sets) if money is not None and money.shown is not None}
    if len(named) != 1:
        return None
    (currency,) = named

    def text(money: ShopAmount) -> str:
        return shown_text(money, currency)

    try:
        lines = _refund_lines(by_line, text)
        discrepancy, _ = _discrepancy(refund, has_lines=bool(lines), text=text)
    except InvalidInput:
        return None
    return RefundPresentment(currency, discrepancy, lines)


def _discrepancy(
    refund: dict[str, Any], *, has_lines: bool, text: Reading | None = None
) -> tuple[str, list[ShopAmount]]:
    """What the refund gave back beside its lines, and the amounts that say so.

    Shipping is never the lines' concern: until 2024-10 it came as an adjustment, since then in lists of its own.
    """
    read = text or shop_text
    adjustments = objects(refund["order_adjustments"] or [])
    if adjustments or has_lines:
        counted = [amount_of(item, "amount") for item in adjustments if item.get("kind") != "shipping_refund"]
        return add_amounts([read(money) for money in counted]), counted
    paid = [_transaction_amount(item) for item in objects(refund["transactions"] or []) if _gave_back(item)]
    shipping = [
        amount_of(item, key)
        for item in objects(refund["refund_shipping_lines"] or [])
        for key in ("subtotal_amount", "tax_amount")
        if item.get(key) is not None or item.get(key + "_set") is not None
    ]
    given_back = add_amounts([read(money) for money in paid] + ["-" + not_below_zero(it, read) for it in shipping])
    return ("0" if given_back.startswith("-") else add_amounts(["-" + given_back])), paid + shipping


def _gave_back(transaction: dict[str, Any]) -> bool:
    return transaction.get("kind") == "refund" and transaction.get("status", "success") == "success"


def _transaction_amount(transaction: dict[str, Any]) -> ShopAmount:
    money = amount_of(transaction, "amount")
    not_below_zero(money)
    code = transaction.get("currency")
    if money.currency is not None or code is None:
        return money
    return replace(money, currency=CurrencyCode().deserialize(code))


def placed_refund(refund: RefundFact, order_id: OrderId, currency: str) -> RefundFact:
    """Tie a refund found inside an order to that order and, unless it names another, to its currency."""
    if refund.order_id not in (0, order_id):
        raise InvalidInput("a refund of another order")
    if refund.currency not in (None, currency):
        # A transaction may be in the shopper's currency. Without an exchange rate of Shopify's it books nothing.
        return replace(refund, order_id=order_id)
    refuse_unreadable(refund, currency)
    return replace(refund, order_id=order_id, currency=currency)


def refuse_unreadable(refund: RefundFact, currency: str) -> None:
    """Raises: InvalidInput when an amount has digits that the currency does not have."""
    minor_units(refund.discrepancy, currency)
    for line in refund.lines:
        minor_units(line.subtotal, currency)
        minor_units(line.tax, currency)
