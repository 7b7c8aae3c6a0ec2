"""Turn a checkout into an order, and tell the app."""

from shopify_upsell.devstore.history import line_of
from shopify_upsell.devstore.orders import Order, OrderLine
from shopify_upsell.devstore.purchase import Checkout
from shopify_upsell.devstore.shop import DevShop


def place_order(shop: DevShop, checkout: Checkout) -> Order:
    """Create the paid order of a checkout, once; sends orders/create and orders/paid."""
    with shop.lock:
        if checkout.order_id is not None:
            return shop.orders[checkout.order_id]
        now = shop.config.clock()
        order = Order(
            order_id=shop.new_id(),
            number=shop.new_number(),
            customer_id=checkout.customer_id,
            currency=shop.currency,
            ordered_at=now,
            updated_at=now,
            arrived_at=now,
            lines=[_order_line(shop, line.variant_id, line.quantity, line.properties) for line in checkout.lines],
            note_attributes=dict(checkout.attributes),
            cart_token=checkout.cart_token,
            checkout_token=checkout.token,
        )
        shop.orders[order.order_id] = order
        checkout.order_id = order.order_id
        cart = shop.carts.get(checkout.cart_token)
        if cart is not None:
            cart.lines = []
        for line in order.lines:
            shop.take_stock(line.variant_id, line.quantity)
        shop.announce_order(order, "orders/create", "orders/paid")
        return order


def _order_line(shop: DevShop, variant_id: int, quantity: int, properties: dict[str, str]) -> OrderLine:
    variant = shop.variants[variant_id]
    line = line_of(shop.new_id(), shop.product_of(variant), variant, quantity)
    line.properties = dict(properties)
    return line
