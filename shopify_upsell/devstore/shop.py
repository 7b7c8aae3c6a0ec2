"""The shop as it stands: products with stock, carts, checkouts, orders. All the views work on this one object.

Whoever changes it holds `lock`; the webhooks of a change are queued before the lock is let go, so that their
Triggered-At tells the true order of events.
"""

import itertools
import threading
from datetime import datetime

from shopify_upsell.devstore.cart import Cart
from shopify_upsell.devstore.catalogue import Product, Variant
from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.order_file import read_world
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.purchase import Checkout
from shopify_upsell.devstore.subscriptions import read_scopes, read_subscriptions
from shopify_upsell.devstore.webhook_bodies import edit_body, order_body, product_body, refund_body
from shopify_upsell.devstore.webhooks import Deliveries, new_event_id
from shopify_upsell.devstore.world import World, make_world

# Above every id of the history.
LIVE_BASE = 20_000_000_000_000


class DevShop:
    """One simulated shop in memory."""

    def __init__(self, config: DevstoreConfig) -> None:
        self.config = config
        self.lock = threading.RLock()
        self.world = _world_of(config)
        self.currency = self.world.currency
        self.scopes = read_scopes(config.app_toml, config.scopes)
        self.deliveries = Deliveries(config, read_subscriptions(config.app_toml))
        self.products = {product.product_id: product for product in self.world.products}
        self.product_by_handle = {product.handle: product for product in self.world.products}
        self.variants = {v.variant_id: v for product in self.world.products for v in product.variants}
        self.stock = {variant_id: variant.stock for variant_id, variant in self.variants.items()}
        self.orders: dict[int, Order] = {order.order_id: order for order in self.world.orders}
        self.carts: dict[str, Cart] = {}
        self.checkouts: dict[str, Checkout] = {}
        self.installed_at: datetime | None = config.clock() if config.installed else None
        # Ids of what happens from now on start at the clock: a restarted dev store never repeats them.
        self._ids = itertools.count(LIVE_BASE + int(config.clock().timestamp() * 1000))
        self._numbers = itertools.count(1001 + len(self.orders))

    def new_id(self) -> int:
        """Give out the next id."""
        return next(self._ids)

    def new_number(self) -> int:
        """Give out the next order number."""
        return next(self._numbers)

    def product_of(self, variant: Variant) -> Product:
        """Find the product a variant belongs to."""
        return self.products[variant.product_id]

    def is_available(self, variant: Variant) -> bool:
        """Tell whether the variant can be bought now."""
        stock = self.stock[variant.variant_id]
        return self.product_of(variant).is_reachable and (stock is None or stock > 0)

    def take_stock(self, variant_id: int, quantity: int) -> None:
        """Take sold units off the shelf."""
        stock = self.stock.get(variant_id)
        if stock is not None:
            self.stock[variant_id] = max(0, stock - quantity)

    def mark_installed(self) -> None:
        """Remember the first moment at which the app held a token: only from then on does it get webhooks."""
        if self.installed_at is None:
            self.installed_at = self.config.clock()

    def past_orders(self) -> list[Order]:
        """The orders that came before the app: all of them while it isn't installed."""
        limit = self.installed_at
        return [order for order in list(self.orders.values()) if limit is None or order.ordered_at < limit]

    def announce(self, topic: str, body: dict[str, object], event_id: str | None = None) -> None:
        """Send a webhook, unless the app isn't installed."""
        if self.installed_at is not None:
            self.deliveries.announce(topic, body, self.config.clock(), event_id or new_event_id())

    def announce_order(self, order: Order, *topics: str) -> None:
        """Send one order under several topics, as one event."""
        event_id = new_event_id()
        for topic in topics:
            self.announce(topic, order_body(order), event_id)

    def announce_refund(self, order: Order, *topics: str) -> None:
        """Send the newest refund of an order, then the order under the topics given."""
        event_id = new_event_id()
        self.announce("refunds/create", refund_body(order, order.refunds[-1]), event_id)
        for topic in ("orders/updated", *topics):
            self.announce(topic, order_body(order), event_id)

    def announce_edit(self, order: Order) -> None:
        """Send the newest edit of an order, then the order."""
        event_id = new_event_id()
        self.announce("orders/edited", edit_body(order, order.edits[-1]), event_id)
        self.announce("orders/updated", order_body(order), event_id)

    def announce_product(self, product: Product, topic: str, origin: str) -> None:
        """Send a product as it stands."""
        when = self.config.clock()
        self.announce(topic, product_body(product, self.stock, origin, when, self.currency))


def _world_of(config: DevstoreConfig) -> World:
    now = config.now or config.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    if config.orders_file is not None:
        return read_world(config.orders_file, currency=config.currency, now=now)
    return make_world(seed=config.seed, order_count=config.order_count, now=now, currency=config.currency)
