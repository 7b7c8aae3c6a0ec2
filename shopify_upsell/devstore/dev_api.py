"""The development switches under `/_dev/`: look inside, open the admin, install the app, wait for webhooks."""

import base64
from collections import Counter
from decimal import InvalidOperation
from urllib.parse import urlencode

import requests
from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.aftercare import add_aftercare_switches
from shopify_upsell.devstore.cart import CartRefused
from shopify_upsell.devstore.dev_orders import add_order_switches
from shopify_upsell.devstore.discounts import Discounts, add_discount_switches
from shopify_upsell.devstore.oauth import make_id_token
from shopify_upsell.devstore.order_changes import ImpossibleChange
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.storefront import Pages
from shopify_upsell.devstore.world import history_csv

INSTALL_TIMEOUT = 60.0
FLUSH_SECONDS = 30.0


class _DevViews:
    """What only a developer sees."""

    def __init__(self, shop: DevShop, pages: Pages) -> None:
        self.shop = shop
        self.pages = pages

    def state(self) -> ResponseReturnValue:
        """Counts, and the latest deliveries."""
        shop = self.shop
        return jsonify(
            shop=shop.config.shop_domain,
            currency=shop.currency,
            installed_at=shop.installed_at.isoformat() if shop.installed_at else None,
            product_count=len(shop.products),
            order_count=len(shop.orders),
            live_order_count=len(shop.orders) - len(shop.world.orders),
            cart_count=len(shop.carts),
            checkout_count=len(shop.checkouts),
            webhooks=shop.deliveries.state(),
        )

    def history(self) -> ResponseReturnValue:
        """The orders from before the app, as `import-orders` reads them."""
        return Response(history_csv(self.shop.past_orders()), mimetype="text/csv")

    def truth(self) -> ResponseReturnValue:
        """What is planted in the history."""
        return Response(self.shop.world.truth_json(), mimetype="application/json")

    def id_token(self) -> ResponseReturnValue:
        """A fresh ID token, as App Bridge hands out; readable by the app's own pages."""
        answer = jsonify(id_token=make_id_token(self.shop.config))
        answer.headers["Access-Control-Allow-Origin"] = self.shop.config.app_url
        return answer

    def admin(self) -> ResponseReturnValue:
        """The admin around the embedded app."""
        return self.pages.bare("admin", title=f"{self.shop.config.shop_name} · admin", app_home=self._app_home())

    def products(self) -> ResponseReturnValue:
        """Every product, the most sold first: where a scripted shopper starts."""
        sold = Counter(line.product_id for order in self.shop.world.orders for line in order.lines)
        ranked = sorted(
            self.shop.products.values(), key=lambda product: (-sold[product.product_id], product.product_id)
        )
        return jsonify(
            products=[
                {
                    "product_id": product.product_id,
                    "handle": product.handle,
                    "title": product.title,
                    "status": product.status,
                    "sold_line_count": sold[product.product_id],
                    "variant_ids": [v.variant_id for v in product.variants if self.shop.is_available(v)],
                }
                for product in ranked
            ]
        )

    def install(self) -> ResponseReturnValue:
        """Open App Home as the admin's iframe does after the merchant agreed to the scopes."""
        try:
            answer = requests.get(self._app_home(), timeout=INSTALL_TIMEOUT)
        except requests.RequestException as wrong:
            return jsonify(installed=False, status=None, message=type(wrong).__name__), 502
        return jsonify(installed=self.shop.installed_at is not None, status=answer.status_code)

    def flush(self) -> ResponseReturnValue:
        """Wait until no webhook is pending; 504 when that takes too long."""
        is_done = self.shop.deliveries.flush(request.args.get("timeout", FLUSH_SECONDS, type=float))
        return jsonify(flushed=is_done, webhooks=self.shop.deliveries.state()), 200 if is_done else 504

    def _app_home(self) -> str:
        config = self.shop.config
        host = f"admin.shopify.com/store/{config.shop_domain.split('.')[0]}"
        asked = {
            "embedded": "1",
            "shop": config.shop_domain,
            "host": base64.b64encode(host.encode()).decode().rstrip("="),
            "id_token": make_id_token(config),
            "locale": "en",
        }
        return f"{config.app_url}/?{urlencode(asked)}"


def _impossible(wrong: Exception) -> ResponseReturnValue:
    return jsonify(error={"code": "impossible_change", "message": str(wrong) or "not a number"}), 422


def _unknown(wrong: Exception) -> ResponseReturnValue:
    return jsonify(error={"code": "not_found", "message": f"unknown id {wrong}"}), 404


def make_dev_api(shop: DevShop, pages: Pages, discounts: Discounts) -> Blueprint:
    """Build the switches."""
    views = Blueprint("dev_api", __name__, url_prefix="/_dev")
    for kind in (ImpossibleChange, CartRefused, InvalidOperation):
        views.register_error_handler(kind, _impossible)
    views.register_error_handler(KeyError, _unknown)
    dev = _DevViews(shop, pages)
    views.add_url_rule("/state", view_func=dev.state)
    views.add_url_rule("/history.csv", view_func=dev.history)
    views.add_url_rule("/truth.json", view_func=dev.truth)
    views.add_url_rule("/products.json", view_func=dev.products)
    views.add_url_rule("/admin", view_func=dev.admin)
    views.add_url_rule("/id_token", view_func=dev.id_token)
    views.add_url_rule("/install", view_func=dev.install, methods=["POST"])
    views.add_url_rule("/webhooks/flush", view_func=dev.flush, methods=["POST"])
    add_order_switches(views, shop)
    add_aftercare_switches(views, shop)
    add_discount_switches(views, shop, discounts)
    return views
