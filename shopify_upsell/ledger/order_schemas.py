"""Shapes of Shopify's order and refund documents; each ends in a fact."""

from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, fields, post_load

from shopify_upsell.core import CustomerId, InvalidInput, LineId, OrderId, ProductId, VariantId
from shopify_upsell.ledger.amounts import add_amounts, minor_units, worth
from shopify_upsell.ledger.facts import EPOCH, LineFact, OrderFact, RefundFact, RefundLineFact, Version
from shopify_upsell.ledger.fields import (
    Amount,
    Amounts,
    AmountSet,
    Count,
    CurrencyCode,
    FactSchema,
    Flag,
    IdInside,
    Moment,
    OfferToken,
    ShopAmount,
    ShopifyId,
    Token,
    Words,
    amount_of,
    objects,
)


class LineSchema(FactSchema):
    """One line of an order; it becomes a fact once its order has named the currency."""

    id = ShopifyId(required=True)
    product_id = ShopifyId(allow_none=True, load_default=None)
    variant_id = ShopifyId(allow_none=True, load_default=None)
    quantity = Count(required=True)
    current_quantity = Count(allow_none=True, load_default=None)
    price = Amount(allow_none=True, load_default=None)
    price_set = AmountSet(allow_none=True, load_default=None)
    total_discount = Amount(allow_none=True, load_default=None)
    discount_allocations = Amounts("amount", allow_none=True, load_default=None)
    tax_lines = Amounts("price", allow_none=True, load_default=None)
    gift_card = Flag(allow_none=True, load_default=None)
    properties = OfferToken(allow_none=True, load_default=None)


class RefundLineSchema(FactSchema):
    """Units of one line given back."""

    line_item_id = ShopifyId(required=True)
    quantity = Count(required=True)
    subtotal = Amount(allow_none=True, load_default=None)
    subtotal_set = AmountSet(allow_none=True, load_default=None)
    total_tax = Amount(allow_none=True, load_default=None)
    total_tax_set = AmountSet(allow_none=True, load_default=None)


class RefundSchema(FactSchema):
    """A refund, alone or inside an order."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(allow_none=True, load_default=None)
    created_at = Moment(allow_none=True, load_default=None)
    processed_at = Moment(allow_none=True, load_default=None)
    refund_line_items = fields.List(fields.Nested(RefundLineSchema), allow_none=True, load_default=None)
    order_adjustments = fields.Raw(allow_none=True, load_default=None)
    transactions = fields.Raw(allow_none=True, load_default=None)
    refund_shipping_lines = fields.Raw(allow_none=True, load_default=None)

    @post_load
    def to_fact(self, refund: dict[str, Any], **_: Any) -> RefundFact:
        """Order 0 stands for the order that the refund is found in."""
        try:
            return _refund_fact(refund)
        except InvalidInput as broken:
            raise ValidationError(broken.message) from broken


class OrderSchema(FactSchema):
    """An order. Names, mails and addresses are not even read."""

    id = ShopifyId(required=True)
    updated_at = Moment(required=True)
    created_at = Moment(required=True)
    processed_at = Moment(allow_none=True, load_default=None)
    cancelled_at = Moment(allow_none=True, load_default=None)
    test = Flag(allow_none=True, load_default=None)
    financial_status = Words(allow_none=True, load_default=None)
    source_name = Words(allow_none=True, load_default=None)
    currency = CurrencyCode(required=True)
    presentment_currency = CurrencyCode(allow_none=True, load_default=None)
    taxes_included = Flag(allow_none=True, load_default=None)
    customer = IdInside(allow_none=True, load_default=None)
    cart_token = Token(allow_none=True, load_default=None)
    checkout_token = Token(allow_none=True, load_default=None)
    line_items = fields.List(fields.Nested(LineSchema), required=True)
    refunds = fields.List(fields.Nested(RefundSchema), allow_none=True, load_default=None)

    @post_load
    def to_fact(self, order: dict[str, Any], **_: Any) -> OrderFact:
        """Version time only: when it was triggered, and its bytes, are the delivery's to say."""
        try:
            return _order_fact(order)
        except InvalidInput as broken:
            raise ValidationError(broken.message) from broken


def _order_fact(order: dict[str, Any]) -> OrderFact:
    currency, taxes_included = order["currency"], bool(order["taxes_included"])
    lines = tuple(
        _line_fact(line, position, currency, taxes_included) for position, line in enumerate(order["line_items"], 1)
    )
    _refuse_twins([line.line_id for line in lines], "two lines with one id")
    refunds = tuple(_placed(refund, OrderId(order["id"]), currency) for refund in order["refunds"] or [])
    _refuse_twins([refund.refund_id for refund in refunds], "two refunds with one id")
    return OrderFact(
        order_id=OrderId(order["id"]),
        version=Version(order["updated_at"], EPOCH, ""),
        ordered_at=order["processed_at"] or order["created_at"],
        cancelled_at=order["cancelled_at"],
        is_test=bool(order["test"]),
        financial_status=(order["financial_status"] or "").lower(),
        source_name=order["source_name"] or "",
        currency=currency,
        presentment_currency=order["presentment_currency"] or currency,
        taxes_included=taxes_included,
        customer_id=None if order["customer"] is None else CustomerId(order["customer"]),
        cart_token=order["cart_token"],
        checkout_token=order["checkout_token"],
        lines=lines,
        refunds=refunds,
    )


def _line_fact(line: dict[str, Any], position: int, currency: str, taxes_included: bool) -> LineFact:
    price = line["price_set"] or line["price"]
    if price is None:
        raise InvalidInput("a line without a price")
    # Allocations hold every discount of the line; `total_discount` only those given to the line itself.
    discounts = line["discount_allocations"]
    if discounts is None:
        discounts = () if line["total_discount"] is None else (line["total_discount"],)
    unit_price = _units(price, currency)
    worth(line["quantity"], unit_price)
    return LineFact(
        line_id=LineId(line["id"]),
        position=position,
        product_id=None if line["product_id"] is None else ProductId(line["product_id"]),
        variant_id=None if line["variant_id"] is None else VariantId(line["variant_id"]),
        quantity=line["quantity"],
        current_quantity=line["current_quantity"],
        unit_price=unit_price,
        discount=worth(1, sum(_units(discount, currency) for discount in discounts)),
        tax=worth(1, sum(_units(tax, currency) for tax in line["tax_lines"] or ())) if taxes_included else 0,
        is_gift_card=bool(line["gift_card"]),
        offer_token=line["properties"],
    )


def _refund_fact(refund: dict[str, Any]) -> RefundFact:
    by_line: dict[int, list[dict[str, Any]]] = {}
    for line in refund["refund_line_items"] or []:
        by_line.setdefault(line["line_item_id"], []).append(line)
    lines = tuple(_refund_line(line_id, parts) for line_id, parts in sorted(by_line.items()))
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
    fact = RefundFact(refund["id"], OrderId(refund["order_id"] or 0), refunded_at, currency, discrepancy, lines)
    if currency is not None:
        refuse_unreadable(fact, currency)
    return fact


def _refund_line(line_id: int, parts: list[dict[str, Any]]) -> RefundLineFact:
    subtotals = [_not_below_zero(part["subtotal_set"] or part["subtotal"]) for part in parts]
    taxes = [_not_below_zero(part["total_tax_set"] or part["total_tax"]) for part in parts]
    quantity = sum(part["quantity"] for part in parts)
    return RefundLineFact(LineId(line_id), quantity, add_amounts(subtotals), add_amounts(taxes))


def _discrepancy(refund: dict[str, Any], *, has_lines: bool) -> tuple[str, list[ShopAmount]]:
    """What the refund gave back beside its lines, and the amounts that say so.

    Shipping is never the lines' concern: until 2024-10 it came as an adjustment, since then in lists of its own.
    """
    adjustments = objects(refund["order_adjustments"] or [])
    if adjustments or has_lines:
        counted = [amount_of(item, "amount") for item in adjustments if item.get("kind") != "shipping_refund"]
        return add_amounts([money.text for money in counted]), counted
    paid = [_transaction_amount(item) for item in objects(refund["transactions"] or []) if _gave_back(item)]
    shipping = [
        amount_of(item, key)
        for item in objects(refund["refund_shipping_lines"] or [])
        for key in ("subtotal_amount", "tax_amount")
        if item.get(key) is not None or item.get(key + "_set") is not None
    ]
    given_back = add_amounts([money.text for money in paid] + ["-" + _not_below_zero(money) for money in shipping])
    return ("0" if given_back.startswith("-") else add_amounts(["-" + given_back])), paid + shipping


def _gave_back(transaction: dict[str, Any]) -> bool:
    return transaction.get("kind") == "refund" and transaction.get("status", "success") == "success"


def _transaction_amount(transaction: dict[str, Any]) -> ShopAmount:
    money = amount_of(transaction, "amount")
    _not_below_zero(money)
    code = transaction.get("currency")
    if money.currency is not None or code is None:
        return money
    return ShopAmount(money.text, CurrencyCode().deserialize(code))


def _placed(refund: RefundFact, order_id: OrderId, currency: str) -> RefundFact:
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


def _units(money: ShopAmount, currency: str) -> int:
    if money.currency not in (None, currency):
        raise InvalidInput("shop money in another currency than the order")
    return minor_units(_not_below_zero(money), currency)


def _not_below_zero(money: ShopAmount | None) -> str:
    if money is None:
        return "0"
    if money.text.startswith("-"):
        raise InvalidInput("an amount below zero")
    return money.text


def _refuse_twins(ids: list[Any], complaint: str) -> None:
    if len(set(ids)) != len(ids):
        raise InvalidInput(complaint)
