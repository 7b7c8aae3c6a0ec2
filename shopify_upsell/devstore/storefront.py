"""The storefront's pages: collection, product, cart, account; drawn from Liquid with the extension's blocks inside."""

from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Blueprint, Response, redirect, request, send_file
from flask.typing import ResponseReturnValue
from liquid import CachingFileSystemLoader, Environment
from liquid.exceptions import TemplateNotFoundError

from shopify_upsell.devstore.ajax import current_cart, remember_cart, stock_of, title_of
from shopify_upsell.devstore.cart import Cart, CartRefused, add_all, change_line, read_wish
from shopify_upsell.devstore.catalogue import Product, handleize
from shopify_upsell.devstore.liquid_filters import register
from shopify_upsell.devstore.liquid_objects import Visit, globals_of, product_object
from shopify_upsell.devstore.pictures import draw
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.theme_blocks import DrawnBlocks, ThemeBlocks

HERE = Path(__file__).parent
STATIC = HERE / "static"
ASSETS = ("store.css", "store.js", "shopify.js", "post_purchase_host.js")
CUSTOMER_COOKIE = "customer"
NO_BLOCKS = DrawnBlocks("", "", "")


class Pages:
    """Draws pages of the theme for one visitor at a time."""

    def __init__(self, shop: DevShop) -> None:
        self.shop = shop
        self.blocks = ThemeBlocks(shop.config, shop.currency)
        loader = CachingFileSystemLoader(HERE / "templates", ext=".liquid", auto_reload=False)
        self.environment = Environment(loader=loader, strict_filters=True)
        register(self.environment, shop.currency, "/assets", lambda key, **_: str(key))

    def locale(self) -> str:
        """The language asked for with `?locale=`, if the extension speaks it; else English."""
        asked = request.args.get("locale", "")
        return asked if asked in self.blocks.locales() else "en"

    def page(self, template: str, title: str, status: int = 200, **values: object) -> Response:
        """Draw a page inside the layout."""
        page = self._globals(template)
        page.update(values)
        blocks = self.blocks.draw(template, page, self.locale()) if template in ("product", "cart") else NO_BLOCKS
        page.update(app_blocks=blocks.sections, app_embeds=blocks.embeds, page_title=title)
        page["content_for_header"] = blocks.head
        page["content_for_layout"] = self.environment.get_template(template).render(**page)
        markup = self.environment.get_template("layout").render(**page)
        return Response(markup, status, mimetype="text/html", headers={"Cache-Control": "no-store"})

    def bare(self, template: str, **values: object) -> Response:
        """Draw a page that is no part of the theme."""
        markup = self.environment.get_template(template).render(**values)
        return Response(markup, mimetype="text/html", headers={"Cache-Control": "no-store"})

    def section(self, name: str) -> str | None:
        """Draw one section for the Ajax cart's `sections`; nothing when there is none of that name."""
        try:
            template = self.environment.get_template(f"section-{name}")
        except (TemplateNotFoundError, ValueError, OSError):
            return None
        markup = template.render(**self._globals("cart"))
        return f'<div id="shopify-section-{name}" class="shopify-section">{markup}</div>'

    def _globals(self, template: str) -> dict[str, object]:
        visit = Visit(
            page_type=template,
            path=request.path,
            origin=request.host_url.rstrip("/"),
            locale=self.locale(),
            customer_id=current_customer(),
            is_design_mode=request.args.get("design_mode") == "1",
        )
        return globals_of(self.shop, current_cart(self.shop), visit)


def current_customer() -> int | None:
    """The customer somebody chose to be; a development switch, not a login."""
    chosen = request.cookies.get(CUSTOMER_COOKIE, "")
    return int(chosen) if chosen.isdigit() else None


class _StorefrontViews:
    """What a visitor can open."""

    def __init__(self, shop: DevShop, pages: Pages) -> None:
        self.shop = shop
        self.pages = pages

    def home(self) -> ResponseReturnValue:
        """There is no front page: everything is in one collection."""
        return redirect("/collections/all")

    def collection(self, handle: str = "all") -> ResponseReturnValue:
        """All products, or one family's."""
        listed = [product for product in self.shop.products.values() if product.is_listed]
        titles = {handleize(product.family): product.family for product in listed}
        if handle != "all" and handle not in titles:
            return self.pages.page("not_found", "Not found", 404)
        title = titles.get(handle, "All products")
        shown = [product for product in listed if handle in ("all", handleize(product.family))]
        return self.pages.page(
            "collection",
            title,
            collection={"title": title, "handle": handle},
            families=[{"title": family, "handle": name} for name, family in titles.items()],
            products=[product_object(self.shop, product) for product in shown],
        )

    def product(self, handle: str) -> ResponseReturnValue:
        """A product's page."""
        found = self._reachable(handle)
        if found is None:
            return self.pages.page("not_found", "Not found", 404)
        asked = request.args.get("variant", "")
        seen = product_object(self.shop, found, int(asked) if asked.isdigit() else None)
        return self.pages.page("product", found.title, product=seen)

    def product_js(self, handle: str) -> ResponseReturnValue:
        """A product for scripts."""
        found = self._reachable(handle)
        if found is None:
            return {"status": 404, "message": "Not Found", "description": "No such product"}, 404
        return product_object(self.shop, found)

    def cart(self) -> ResponseReturnValue:
        """The cart's page."""
        return self.pages.page("cart", "Your cart")

    def account(self) -> ResponseReturnValue:
        """Who the visitor is, and the switch to be somebody else."""
        known = {order.customer_id for order in self.shop.world.orders if order.customer_id is not None}
        return self.pages.page("account", "Account", customers=sorted(known)[:5])

    def picture(self, handle: str) -> ResponseReturnValue:
        """A product's picture."""
        found = self.shop.product_by_handle.get(handle)
        if found is None:
            return Response("", 404)
        return Response(draw(found), mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})

    def asset(self, name: str) -> ResponseReturnValue:
        """A file of the theme's."""
        path = STATIC / name
        return send_file(path) if name in ASSETS and path.is_file() else Response("", 404)

    def extension_asset(self, name: str) -> ResponseReturnValue:
        """A file of the extension's."""
        path = self.pages.blocks.asset(name)
        return Response("", 404) if path is None else send_file(path.resolve())

    def _reachable(self, handle: str) -> Product | None:
        found = self.shop.product_by_handle.get(handle)
        return found if found is not None and found.is_reachable else None


class _FormViews:
    """The Ajax cart's deeds again, for a browser without scripts."""

    def __init__(self, shop: DevShop, pages: Pages) -> None:
        self.shop = shop
        self.pages = pages

    def cart_add(self) -> ResponseReturnValue:
        """Add what the product form says."""
        return self._do(lambda cart: add_all(cart, [read_wish(_form())], self._stock_of, self._title_of))

    def cart_change(self) -> ResponseReturnValue:
        """Set a line's quantity."""
        return self._do(lambda cart: change_line(cart, _form(), self._stock_of, self._title_of))

    def become(self) -> ResponseReturnValue:
        """Be the customer with the number given, or nobody."""
        answer = redirect("/account")
        chosen = request.form.get("customer_id", "")
        if chosen.isdigit():
            answer.set_cookie(CUSTOMER_COOKIE, chosen, samesite="Lax")
        else:
            answer.delete_cookie(CUSTOMER_COOKIE)
        return answer

    def _do(self, deed: Callable[[Cart], object]) -> ResponseReturnValue:
        try:
            with self.shop.lock:
                deed(current_cart(self.shop))
        except CartRefused as refusal:
            return self.pages.page("cart", "Your cart", refusal.status, problem=refusal.description)
        return redirect("/cart")

    def _stock_of(self, variant_id: int) -> int | None:
        return stock_of(self.shop, variant_id)

    def _title_of(self, variant_id: int) -> str:
        return title_of(self.shop, variant_id)


def _form() -> Mapping[str, object]:
    properties = {key[11:-1]: value for key, value in request.form.items() if key.startswith("properties[")}
    return {**request.form.to_dict(), **({"properties": properties} if properties else {})}


def make_storefront(shop: DevShop, pages: Pages) -> Blueprint:
    """Build the storefront's routes."""
    views = Blueprint("storefront", __name__)
    views.after_request(remember_cart)
    store = _StorefrontViews(shop, pages)
    views.add_url_rule("/", view_func=store.home)
    views.add_url_rule("/collections", view_func=store.collection)
    views.add_url_rule("/collections/<handle>", view_func=store.collection)
    views.add_url_rule("/products/<handle>", view_func=store.product)
    views.add_url_rule("/products/<handle>.js", view_func=store.product_js)
    views.add_url_rule("/cart", view_func=store.cart)
    views.add_url_rule("/account", view_func=store.account)
    views.add_url_rule("/files/<handle>.svg", view_func=store.picture)
    views.add_url_rule("/assets/<name>", view_func=store.asset)
    views.add_url_rule("/extensions/upsell-theme/assets/<name>", view_func=store.extension_asset)
    forms = _FormViews(shop, pages)
    views.add_url_rule("/cart/add", view_func=forms.cart_add, methods=["POST"])
    views.add_url_rule("/cart/change", view_func=forms.cart_change, methods=["POST"])
    views.add_url_rule("/account", view_func=forms.become, methods=["POST"])
    return views
