"""The Ajax cart API: `/cart.js`, `/cart/add.js`, `/cart/change.js`, `/cart/update.js`, `/cart/clear.js`."""

import secrets
from collections.abc import Callable, Mapping
from typing import TypeAlias

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.amounts import hundredths
from shopify_upsell.devstore.cart import Cart, CartLine, CartRefused, add_all, change_line, read_wish, update_cart
from shopify_upsell.devstore.shop import DevShop

CART_COOKIE = "cart"
MAX_SECTIONS = 5

RenderSection: TypeAlias = Callable[[str], str | None]


def current_cart(shop: DevShop) -> Cart:
    """Find the visitor's cart, or hand out an empty one; the cookie goes out with the answer."""
    if "cart" not in g:
        token = request.cookies.get(CART_COOKIE, "")
        with shop.lock:
            if token not in shop.carts:
                token = "hWN" + secrets.token_urlsafe(24)
                shop.carts[token] = Cart(token, secrets.token_hex(16))
        g.cart = shop.carts[token]
    cart: Cart = g.cart
    return cart


def remember_cart(answer: Response) -> Response:
    """Set the cart cookie when this request handed out a cart."""
    cart: Cart | None = g.get("cart")
    if cart is not None and request.cookies.get(CART_COOKIE) != cart.token:
        answer.set_cookie(CART_COOKIE, cart.token, max_age=1_209_600, samesite="Lax")
    return answer


def stock_of(shop: DevShop, variant_id: int) -> int | None:
    """How many units may be sold. A product nobody can reach has no variants for sale.

    Raises: KeyError for an unknown or unreachable variant.
    """
    if not shop.product_of(shop.variants[variant_id]).is_reachable:
        raise KeyError(variant_id)
    return shop.stock[variant_id]


def title_of(shop: DevShop, variant_id: int) -> str:
    """Name a variant as the cart does: product title, then the size when there is a choice."""
    variant = shop.variants[variant_id]
    product = shop.product_of(variant)
    return product.title if variant.title == "Default Title" else f"{product.title} - {variant.title}"


def line_json(shop: DevShop, line: CartLine) -> dict[str, object]:
    """One line as the Ajax cart shows it. Amounts are the decimal amount times 100."""
    variant = shop.variants[line.variant_id]
    product = shop.product_of(variant)
    price = hundredths(variant.price, shop.currency)
    total = price * line.quantity
    image = f"/files/{product.handle}.svg"
    return {
        "id": variant.variant_id,
        "variant_id": variant.variant_id,
        "product_id": product.product_id,
        "key": line.key,
        "quantity": line.quantity,
        "properties": dict(line.properties),
        "title": title_of(shop, line.variant_id),
        "product_title": product.title,
        "variant_title": None if variant.title == "Default Title" else variant.title,
        "product_has_only_default_variant": variant.title == "Default Title",
        "product_type": product.product_type,
        "handle": product.handle,
        "sku": variant.sku,
        "vendor": product.vendor,
        "url": f"/products/{product.handle}?variant={variant.variant_id}",
        "image": image,
        "featured_image": {"url": image, "alt": product.title, "width": 600, "height": 600, "aspect_ratio": 1.0},
        "price": price,
        "original_price": price,
        "discounted_price": price,
        "final_price": price,
        "presentment_price": price / 100,
        "line_price": total,
        "original_line_price": total,
        "final_line_price": total,
        "total_discount": 0,
        "discounts": [],
        "line_level_discount_allocations": [],
        "gift_card": False,
        "requires_shipping": True,
        "taxable": True,
    }


def cart_json(shop: DevShop, cart: Cart) -> dict[str, object]:
    """The whole cart. Attributes that start with two underscores are private and not shown."""
    items = [line_json(shop, line) for line in cart.lines]
    total = sum(line.quantity * hundredths(shop.variants[line.variant_id].price, shop.currency) for line in cart.lines)
    return {
        "token": f"{cart.token}?key={cart.secret}",
        "note": cart.note,
        "attributes": {name: value for name, value in cart.attributes.items() if not name.startswith("__")},
        "original_total_price": total,
        "items_subtotal_price": total,
        "total_price": total,
        "total_discount": 0,
        "total_weight": 0,
        "item_count": cart.item_count,
        "items": items,
        "requires_shipping": bool(items),
        "currency": shop.currency,
        "cart_level_discount_applications": [],
        "discount_codes": [],
    }


def _body() -> Mapping[str, object]:
    if request.is_json:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise CartRefused(400, "Bad request")
        return body
    form: dict[str, object] = dict(request.form.items())
    named = {key[11:-1]: value for key, value in request.form.items() if key.startswith("properties[")}
    return {**form, "properties": named} if named else form


def _refusal(refused: CartRefused) -> tuple[Response, int]:
    status: object = "bad_request" if refused.status == 400 else refused.status
    message = refused.description if refused.status == 400 else "Cart Error"
    return jsonify(status=status, message=message, description=refused.description), refused.status


class _AjaxViews:
    """The Ajax cart's views over one shop."""

    def __init__(self, shop: DevShop, render_section: RenderSection) -> None:
        self.shop = shop
        self.render_section = render_section

    def show(self) -> ResponseReturnValue:
        """The cart as it is."""
        return jsonify(cart_json(self.shop, current_cart(self.shop)))

    def add(self) -> ResponseReturnValue:
        """Add one item or several, all or none."""
        body = _body()
        items = body.get("items")
        wishes = [read_wish(item) for item in items if isinstance(item, dict)] if isinstance(items, list) else None
        with self.shop.lock:
            cart = current_cart(self.shop)
            added = add_all(cart, [read_wish(body)] if wishes is None else wishes, self._stock_of, self._title_of)
            if isinstance(body.get("attributes"), dict):
                update_cart(cart, {"attributes": body["attributes"]}, self.shop.variants.__contains__)
            lines = [line_json(self.shop, line) for line in added]
        return self._answer(lines[0] if wishes is None else {"items": lines}, body)

    def change(self) -> ResponseReturnValue:
        """Change one line."""
        body = _body()
        with self.shop.lock:
            cart = current_cart(self.shop)
            change_line(cart, body, self._stock_of, self._title_of)
        return self._answer(cart_json(self.shop, cart), body)

    def update(self) -> ResponseReturnValue:
        """Change quantities, note and attributes."""
        body = _body()
        with self.shop.lock:
            cart = current_cart(self.shop)
            update_cart(cart, body, self.shop.variants.__contains__)
        return self._answer(cart_json(self.shop, cart), body)

    def clear(self) -> ResponseReturnValue:
        """Take every line out. Note and attributes stay."""
        with self.shop.lock:
            cart = current_cart(self.shop)
            cart.lines = []
        return jsonify(cart_json(self.shop, cart))

    def _answer(self, answer: dict[str, object], body: Mapping[str, object]) -> Response:
        """Add the sections that the theme asked to have drawn again."""
        asked = body.get("sections")
        names = asked.split(",") if isinstance(asked, str) else asked if isinstance(asked, list) else []
        if names:
            answer["sections"] = {str(name): self.render_section(str(name)) for name in names[:MAX_SECTIONS]}
        return jsonify(answer)

    def _stock_of(self, variant_id: int) -> int | None:
        return stock_of(self.shop, variant_id)

    def _title_of(self, variant_id: int) -> str:
        return title_of(self.shop, variant_id)


def make_ajax(shop: DevShop, render_section: RenderSection) -> Blueprint:
    """Build the routes. `render_section` draws a theme section by id, or gives nothing when there is none."""
    views = Blueprint("ajax", __name__)
    views.register_error_handler(CartRefused, _refusal)
    views.after_request(remember_cart)
    ajax = _AjaxViews(shop, render_section)
    views.add_url_rule("/cart.js", view_func=ajax.show)
    views.add_url_rule("/cart.json", view_func=ajax.show)
    for view in (ajax.add, ajax.change, ajax.update, ajax.clear):
        for ending in ("js", "json"):
            views.add_url_rule(f"/cart/{view.__name__}.{ending}", view_func=view, methods=["POST"])
    return views
