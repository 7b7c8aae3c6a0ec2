"""Shapes of Shopify's order and refund documents; each ends in a fact."""

from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError, fields, post_load

from shopify_upsell.core import CustomerId, InvalidInput, LineId, OrderId, ProductId, VariantId
from shopify_upsell.ledger.amounts import ShopAmount, minor_units, not_below_zero, shown_text, worth
from shopify_upsell.ledger.facts import EPOCH, LineFact, OrderFact, RefundFact, Version
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
    ShopifyId,
    Token,
    Words,
)
from shopify_upsell.ledger.refund_documents import placed_refund, refund_fact


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
            return refund_fact(refund)
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
    shown = order["presentment_currency"] or currency
    lines = tuple(
        _line_fact(line, position, (currency, shown), taxes_included)
        for position, line in enumerate(order["line_items"], 1)
    )
    _refuse_twins([line.line_id for line in lines], "two lines with one id")
    refunds = tuple(placed_refund(refund, OrderId(order["id"]), currency) for refund in order["refunds"] or [])
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
        presentment_currency=shown,
        taxes_included=taxes_included,
        customer_id=None if order["customer"] is None else CustomerId(order["customer"]),
        cart_token=order["cart_token"],
        checkout_token=order["checkout_token"],
        lines=lines,
        refunds=refunds,
    )


def _line_fact(line: dict[str, Any], position: int, currencies: tuple[str, str], taxes_included: bool) -> LineFact:
    """Read a line in the shop's currency and, where the shopper paid in another, in that one too."""
    currency, shown = currencies
    price = line["price_set"] or line["price"]
    if price is None:
        raise InvalidInput("a line without a price")
    # Allocations hold every discount of the line; `total_discount` only those given to the line itself.
    discounts = line["discount_allocations"]
    if discounts is None:
        discounts = () if line["total_discount"] is None else (line["total_discount"],)
    unit_price = _units(price, currency)
    worth(line["quantity"], unit_price)
    taxes = (line["tax_lines"] or ()) if taxes_included else ()
    return LineFact(
        line_id=LineId(line["id"]),
        position=position,
        product_id=None if line["product_id"] is None else ProductId(line["product_id"]),
        variant_id=None if line["variant_id"] is None else VariantId(line["variant_id"]),
        quantity=line["quantity"],
        current_quantity=line["current_quantity"],
        unit_price=unit_price,
        discount=worth(1, sum(_units(discount, currency) for discount in discounts)),
        tax=worth(1, sum(_units(tax, currency) for tax in taxes)),
        is_gift_card=bool(line["gift_card"]),
        offer_token=line["properties"],
        presentment=None if shown == currency else _shown_line(line["quantity"], price, (discounts, taxes), shown),
    )


def _shown_line(
    quantity: int, price: ShopAmount, taken_off: tuple[Sequence[ShopAmount], Sequence[ShopAmount]], currency: str
) -> tuple[int, int, int] | None:
    """Unit price, discount and tax as the shopper saw them; None unless Shopify told every one of them."""
    try:
        unit_price = _shown_units(price, currency)
        worth(quantity, unit_price)
        discount, tax = (worth(1, sum(_shown_units(money, currency) for money in part)) for part in taken_off)
    except InvalidInput:
        return None
    return unit_price, discount, tax


def _shown_units(money: ShopAmount, currency: str) -> int:
    return minor_units(not_below_zero(ShopAmount(shown_text(money, currency))), currency)


def _units(money: ShopAmount, currency: str) -> int:
    if money.currency not in (None, currency):
        raise InvalidInput("shop money in another currency than the order")
    return minor_units(not_below_zero(money), currency)


def _refuse_twins(ids: list[Any], complaint: str) -> None:
    if len(set(ids)) != len(ids):
        raise InvalidInput(complaint)
