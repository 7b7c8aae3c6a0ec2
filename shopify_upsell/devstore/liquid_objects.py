"""The objects Liquid sees: product, cart, shop, routes, request, customer. Amounts are decimal amounts times 100."""

from dataclasses import dataclass
from typing import TypeAlias

from shopify_upsell.devstore.ajax import cart_json
from shopify_upsell.devstore.amounts import hundredths
from shopify_upsell.devstore.cart import Cart
from shopify_upsell.devstore.catalogue import Product, Variant
from shopify_upsell.devstore.shop import DevShop

Liquid: TypeAlias = dict[str, object]

ROUTES = {
    "root_url": "/",
    "cart_url": "/cart",
    "cart_add_url": "/cart/add",
    "cart_change_url": "/cart/change",
    "cart_update_url": "/cart/update",
    "cart_clear_url": "/cart/clear",
    "collections_url": "/collections",
    "all_products_collection_url": "/collections/all",
    "account_url": "/account",
    "search_url": "/search",
}
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page is drawn for: the template's name and who looks at it."""

    page_type: str
    path: str
    origin: str
    locale: str
    customer_id: int | None
    is_design_mode: bool


def image_object(product: Product) -> Liquid:
    """The product's picture."""
    url = f"/files/{product.handle}.svg"
    return {"src": url, "url": url, "alt": product.title, "width": 600, "height": 600, "aspect_ratio": 1.0}


def variant_object(shop: DevShop, product: Product, variant: Variant) -> Liquid:
    """One size."""
    return {
        "id": variant.variant_id,
        "title": variant.title,
        "sku": variant.sku,
        "price": hundredths(variant.price, shop.currency),
        "compare_at_price": None,
        "available": shop.is_available(variant),
        "option1": variant.title,
        "options": [variant.title],
        "url": f"/products/{product.handle}?variant={variant.variant_id}",
        "featured_image": image_object(product),
        "requires_selling_plan": False,
    }


def product_object(shop: DevShop, product: Product, selected_id: int | None = None) -> Liquid:
    """A product with its sizes. The selected variant is the one asked for, else the first that is available."""
    variants = [variant_object(shop, product, variant) for variant in product.variants]
    prices = [hundredths(variant.price, shop.currency) for variant in product.variants]
    available = [variant for variant in variants if variant["available"]]
    asked = [variant for variant in variants if variant["id"] == selected_id]
    return {
        "id": product.product_id,
        "title": product.title,
        "handle": product.handle,
        "url": f"/products/{product.handle}",
        "description": product.description,
        "vendor": product.vendor,
        "type": product.product_type,
        "tags": [product.family],
        "available": bool(available),
        "price": min(prices),
        "price_min": min(prices),
        "price_max": max(prices),
        "price_varies": len(set(prices)) > 1,
        "has_only_default_variant": len(variants) == 1 and variants[0]["title"] == "Default Title",
        "featured_image": image_object(product),
        "featured_media": image_object(product),
        "images": [image_object(product)],
        "media": [image_object(product)],
        "options": ["Size"],
        "variants": variants,
        "first_available_variant": next(iter(available), None),
        "selected_variant": next(iter(asked), None),
        "selected_or_first_available_variant": (asked or available or variants)[0],
        "requires_selling_plan": False,
        "gift_card?": False,
        "metafields": {},
    }


def cart_object(shop: DevShop, cart: Cart) -> Liquid:
    """The cart. Private attributes are not shown; properties that start with `_` are, as in Shopify."""
    shown = cart_json(shop, cart)
    items = []
    for line, item in zip(cart.lines, shown["items"] if isinstance(shown["items"], list) else [], strict=True):
        product = shop.product_of(shop.variants[line.variant_id])
        properties = [[name, value] for name, value in line.properties.items()]
        items.append({**item, "image": image_object(product), "properties": properties})
    return {
        **shown,
        "items": items,
        "empty?": not items,
        "currency": {"iso_code": shop.currency, "symbol": "$"},
    }


def globals_of(shop: DevShop, cart: Cart, visit: Visit) -> Liquid:
    """Everything a template may name without being told."""
    language = {"iso_code": visit.locale, "name": LANGUAGES.get(visit.locale, visit.locale), "root_url": "/"}
    customer = None if visit.customer_id is None else {"id": visit.customer_id, "first_name": "Robin"}
    return {
        "shop": {
            "name": shop.config.shop_name,
            "currency": shop.currency,
            "domain": shop.config.shop_domain,
            "permanent_domain": shop.config.shop_domain,
            "url": visit.origin,
            "money_format": "${{amount}}",
            "locale": visit.locale,
        },
        "routes": ROUTES,
        "request": {
            "locale": language,
            "design_mode": visit.is_design_mode,
            "page_type": visit.page_type,
            "path": visit.path,
            "origin": visit.origin,
            "host": visit.origin.split("://")[-1],
        },
        "localization": {
            "language": language,
            "country": {"iso_code": "US", "currency": {"iso_code": shop.currency}},
        },
        "template": {"name": visit.page_type, "suffix": None},
        "customer": customer,
        "cart": cart_object(shop, cart),
        "app": {"metafields": {"wellpaired": {"enabled": {"value": True}}}},
    }
