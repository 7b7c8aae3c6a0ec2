"""Checkout, post-purchase step and thank-you page. Whatever the buyer types is thrown away."""

from collections.abc import Mapping

from flask import Blueprint, Response, abort, jsonify, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.ajax import current_cart, title_of
from shopify_upsell.devstore.amounts import hundredths
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.placing import place_order
from shopify_upsell.devstore.post_purchase import (
    ChangesetRefused,
    apply_changeset,
    calculated_purchase,
    input_data,
    price_changes,
    read_changeset,
)
from shopify_upsell.devstore.purchase import Checkout, begin_checkout
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.storefront import STATIC, Pages, current_customer

BUNDLE_PATH = "/extensions/post-purchase-offer/post-purchase-offer.js"


def find_checkout(shop: DevShop, token: str) -> Checkout:
    """Find a checkout, or answer 404."""
    checkout = shop.checkouts.get(token)
    if checkout is None:
        abort(404)
    return checkout


def cart_lines(shop: DevShop, checkout: Checkout) -> list[dict[str, object]]:
    """The receipt of what is about to be bought. Amounts times 100."""
    return [
        {
            "title": title_of(shop, line.variant_id),
            "quantity": line.quantity,
            "net": hundredths(shop.variants[line.variant_id].price * line.quantity, shop.currency),
            "discount": 0,
        }
        for line in checkout.lines
    ]


def order_lines(order: Order) -> list[dict[str, object]]:
    """The receipt of what was bought. Amounts times 100."""
    return [
        {
            "title": f"{line.title} - {line.variant_title}" if line.variant_title else line.title,
            "quantity": line.quantity,
            "net": hundredths(line.net, order.currency),
            "discount": hundredths(line.discount, order.currency),
            "discount_title": ", ".join(order.discounts[at].title for at in line.allocations),
        }
        for line in order.lines
    ]


class _CheckoutViews:
    """From cart to thank-you."""

    def __init__(self, shop: DevShop, pages: Pages) -> None:
        self.shop = shop
        self.pages = pages

    def begin(self) -> ResponseReturnValue:
        """Turn the cart into a checkout."""
        cart = current_cart(self.shop)
        if not cart.lines:
            return redirect("/cart")
        checkout = begin_checkout(
            cart,
            customer_id=current_customer(),
            locale=self.pages.locale(),
            same_reference=self.shop.config.reference_equals_checkout_token,
        )
        with self.shop.lock:
            self.shop.checkouts[checkout.token] = checkout
        return redirect(url_for(".show", token=checkout.token))

    def show(self, token: str) -> ResponseReturnValue:
        """The one page of the checkout."""
        checkout = find_checkout(self.shop, token)
        if checkout.order_id is not None:
            return redirect(url_for(".thank_you", token=token))
        lines = cart_lines(self.shop, checkout)
        total = sum(int(str(line["net"])) for line in lines)
        seen = {"url": url_for(".pay", token=token), "lines": lines, "total": total}
        return self.pages.page("checkout", "Checkout", checkout=seen)

    def pay(self, token: str) -> ResponseReturnValue:
        """Place the order."""
        place_order(self.shop, find_checkout(self.shop, token))
        return redirect(url_for(".post_purchase", token=token))

    def thank_you(self, token: str) -> ResponseReturnValue:
        """The receipt. Whoever sees it has left the post-purchase step."""
        checkout = find_checkout(self.shop, token)
        if checkout.order_id is None:
            return redirect(url_for(".show", token=token))
        checkout.is_released = True
        order = self.shop.orders[checkout.order_id]
        total = hundredths(order.current_subtotal, order.currency)
        seen = {"name": f"#{order.number}", "id": order.order_id, "lines": order_lines(order), "total": total}
        return self.pages.page("thank_you", "Thank you", order=seen)

    def post_purchase(self, token: str) -> ResponseReturnValue:
        """The step between payment and thank-you, which hosts the app's extension."""
        checkout = find_checkout(self.shop, token)
        if checkout.order_id is None:
            return redirect(url_for(".show", token=token))
        done_url = url_for(".thank_you", token=token)
        if checkout.is_released:
            return redirect(done_url)
        config = self.shop.config
        settings = {
            "bundleUrl": BUNDLE_PATH,
            "appUrl": config.app_url,
            "inputData": input_data(self.shop, checkout),
            "calculateUrl": url_for(".calculate", token=token),
            "applyUrl": url_for(".apply", token=token),
            "doneUrl": done_url,
        }
        return self.pages.page(
            "post_purchase",
            "One more thing",
            order={"name": f"#{self.shop.orders[checkout.order_id].number}"},
            settings=settings,
            done_url=done_url,
            has_host=(STATIC / "post_purchase_host.js").is_file() and config.bundle_path.is_file(),
        )

    def calculate(self, token: str) -> ResponseReturnValue:
        """Say what the purchase would come to with some changes, signed or not."""
        checkout = find_checkout(self.shop, token)
        body = _body()
        try:
            given = body.get("token")
            changes = read_changeset(self.shop, checkout, given)[1] if isinstance(given, str) else _changes(body)
            additions = price_changes(self.shop, changes)
        except ChangesetRefused as refused:
            return jsonify(status="unprocessed", errors=[{"code": refused.code, "message": str(refused)}])
        purchase = calculated_purchase(self.shop, checkout, additions)
        return jsonify(status="processed", errors=[], calculatedPurchase=purchase)

    def apply(self, token: str) -> ResponseReturnValue:
        """Apply a changeset that the app signed."""
        checkout = find_checkout(self.shop, token)
        try:
            left = apply_changeset(self.shop, checkout, str(_body().get("token", "")))
        except ChangesetRefused as refused:
            left = self.shop.config.max_changesets - len(checkout.used_changesets)
            errors = [{"code": refused.code, "message": str(refused)}]
            return jsonify(status="unprocessed", errors=errors, changesetApplicationsRemaining=left)
        return jsonify(status="processed", errors=[], changesetApplicationsRemaining=left)

    def bundle(self) -> ResponseReturnValue:
        """The built post-purchase extension."""
        path = self.shop.config.bundle_path
        return send_file(path.resolve()) if path.is_file() else Response("", 404)


def make_checkout(shop: DevShop, pages: Pages) -> Blueprint:
    """Build the routes from cart to thank-you."""
    views = Blueprint("checkout", __name__)
    checkout = _CheckoutViews(shop, pages)
    views.add_url_rule("/checkout", view_func=checkout.begin, methods=["GET", "POST"])
    views.add_url_rule("/checkouts/<token>", view_func=checkout.show)
    views.add_url_rule("/checkouts/<token>", view_func=checkout.pay, methods=["POST"])
    views.add_url_rule("/checkouts/<token>/thank_you", view_func=checkout.thank_you)
    views.add_url_rule("/checkouts/<token>/post_purchase", view_func=checkout.post_purchase)
    views.add_url_rule("/checkouts/<token>/changesets/calculate", view_func=checkout.calculate, methods=["POST"])
    views.add_url_rule("/checkouts/<token>/changesets/apply", view_func=checkout.apply, methods=["POST"])
    views.add_url_rule(BUNDLE_PATH, view_func=checkout.bundle)
    return views


def _body() -> Mapping[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _changes(body: Mapping[str, object]) -> list[Mapping[str, object]]:
    changes = body.get("changes")
    if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
        raise ChangesetRefused("invalid_request", "There are no changes.")
    return changes
