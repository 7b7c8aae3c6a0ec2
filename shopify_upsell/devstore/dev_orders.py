"""The development switches for orders: refund, cancel, edit, and many orders at once."""

from collections.abc import Callable, Mapping
from random import Random

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.amounts import minor_units
from shopify_upsell.devstore.cart import Cart, CartLine, whole_number
from shopify_upsell.devstore.history import line_of
from shopify_upsell.devstore.order_changes import (
    ImpossibleChange,
    Moment,
    add_line,
    cancel,
    refund_amount,
    refund_units,
    remove_units,
)
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.placing import place_order
from shopify_upsell.devstore.purchase import begin_checkout
from shopify_upsell.devstore.shop import DevShop

MAX_BURST = 5000

Request = Mapping[str, object]


def order_summary(order: Order) -> dict[str, object]:
    """An order for people and scripts."""
    return {
        "order_id": order.order_id,
        "name": f"#{order.number}",
        "financial_status": order.financial_status,
        "cancelled": order.cancelled_at is not None,
        "currency": order.currency,
        "current_subtotal_minor_units": order.current_subtotal,
        "checkout_token": order.checkout_token,
        "metafields": {f"{space}.{key}": value for (space, key), (value, _) in order.metafields.items()},
        "lines": [
            {
                "line_id": line.line_id,
                "variant_id": line.variant_id,
                "title": line.title,
                "quantity": line.quantity,
                "current_quantity": line.current_quantity,
                "net_minor_units": line.net,
                "properties": line.properties,
            }
            for line in order.lines
        ],
    }


class _OrderViews:
    """What a merchant would do to an order in the admin."""

    def __init__(self, shop: DevShop) -> None:
        self.shop = shop

    def show(self, order_id: int) -> ResponseReturnValue:
        """The order as it stands."""
        return jsonify(order_summary(self.shop.orders[order_id]))

    def refund(self, order_id: int) -> ResponseReturnValue:
        """Give back units of a line, or an amount of money that belongs to no line."""
        return self._changed(order_id, self._refund)

    def cancel(self, order_id: int) -> ResponseReturnValue:
        """Call the order off and, unless told otherwise, give back what is left."""
        return self._changed(order_id, self._cancel)

    def edit(self, order_id: int) -> ResponseReturnValue:
        """Remove units of a line or add a line."""
        return self._changed(order_id, self._edit)

    def burst(self) -> ResponseReturnValue:
        """Place many orders at once."""
        count = _whole(_body(), "count")
        if count > MAX_BURST:
            raise ImpossibleChange(f"at most {MAX_BURST} orders at once")
        draw = Random(f"{self.shop.config.seed}/{self.shop.new_id()}")  # noqa: S311 - which products, not a secret
        orders = [_random_order(self.shop, draw) for _ in range(count)]
        return jsonify(order_ids=[order.order_id for order in orders])

    def _refund(self, order: Order, body: Request) -> None:
        if body.get("amount") is not None:
            refund_amount(order, minor_units(str(body["amount"]), order.currency), self._moment())
        else:
            refund_units(order, {_whole(body, "line_id"): _whole(body, "quantity")}, self._moment())
        self.shop.announce_refund(order)

    def _cancel(self, order: Order, body: Request) -> None:
        given_back = cancel(order, self._moment(), refund=body.get("refund", True) is not False)
        if given_back is not None:
            self.shop.announce_refund(order, "orders/cancelled")
        else:
            self.shop.announce_order(order, "orders/updated", "orders/cancelled")

    def _edit(self, order: Order, body: Request) -> None:
        removed, added = body.get("remove"), body.get("add")
        if isinstance(removed, dict):
            remove_units(order, _whole(removed, "line_id"), _whole(removed, "quantity"), self._moment())
        elif isinstance(added, dict):
            variant = self.shop.variants[_whole(added, "variant_id")]
            product = self.shop.product_of(variant)
            add_line(order, line_of(self.shop.new_id(), product, variant, _whole(added, "quantity")), self._moment())
        else:
            raise ImpossibleChange("say what to remove or to add")
        self.shop.announce_edit(order)

    def _changed(self, order_id: int, change: Callable[[Order, Request], None]) -> ResponseReturnValue:
        """Change an order and queue its webhooks as one step."""
        with self.shop.lock:
            order = self.shop.orders[order_id]
            change(order, _body())
            return jsonify(order_summary(order))

    def _moment(self) -> Moment:
        return Moment(self.shop.new_id(), self.shop.config.clock())


def add_order_switches(views: Blueprint, shop: DevShop) -> None:
    """Add the routes for orders to the switches."""
    orders = _OrderViews(shop)
    views.add_url_rule("/orders/<int:order_id>", endpoint="order", view_func=orders.show)
    for view in (orders.refund, orders.cancel, orders.edit):
        views.add_url_rule(f"/orders/<int:order_id>/{view.__name__}", view_func=view, methods=["POST"])
    views.add_url_rule("/orders/burst", view_func=orders.burst, methods=["POST"])


def _body() -> Request:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _whole(body: Request, name: str) -> int:
    number = whole_number(body.get(name, 1 if name == "quantity" else None), f"{name} must be a number", status=422)
    if number < 1:
        raise ImpossibleChange(f"{name} must be at least 1")
    return number


def _random_order(shop: DevShop, draw: Random) -> Order:
    """Somebody buys one to three things that are in stock."""
    sold = [variant for variant in shop.variants.values() if shop.is_available(variant)]
    cart = Cart(f"burst{shop.new_id()}", "")
    cart.lines = [
        CartLine(variant.variant_id, 1) for variant in draw.sample(sold, min(len(sold), draw.choice((1, 2, 3))))
    ]
    same = shop.config.reference_equals_checkout_token
    checkout = begin_checkout(cart, customer_id=None, locale="en", same_reference=same)
    with shop.lock:
        shop.checkouts[checkout.token] = checkout
    return place_order(shop, checkout)
