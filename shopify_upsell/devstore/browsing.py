"""What a scripted shopper does on the storefront: look, ask as the blocks ask, say what they think, buy."""

import re
from typing import Any

from shopify_upsell.devstore.shopper import JourneyFailed, Shopper, attributes_of, script_json

PRODUCTS_TRIED = 8


def pick_product(shopper: Shopper, attempt: int) -> dict[str, Any]:
    """Pick the product to look at: anchors of planted pairs, else what sells most; another one each time."""
    products = shopper.store_json("GET", "/_dev/products.json")["products"]
    planted = {pair["a"] for pair in shopper.store_json("GET", "/_dev/truth.json").get("pairs", [])}
    sold = [row for row in products if row["variant_ids"] and row["status"] == "ACTIVE"]
    ranked = [row for row in sold if row["product_id"] in planted] or sold
    if not ranked:
        raise JourneyFailed("The store has nothing to sell.")
    chosen: dict[str, Any] = ranked[attempt % min(PRODUCTS_TRIED, len(ranked))]
    return chosen


def open_block(shopper: Shopper, path: str) -> dict[str, str]:
    """Open a page and read its app block's data attributes."""
    block = attributes_of(shopper.page(path), "data-placement")
    if block is None:
        raise JourneyFailed(f"The page {path} has no app block.")
    return block


def proxy_of(block: dict[str, str]) -> str:
    """Where the block reaches the app on the storefront."""
    root = block.get("data-root", "/").rstrip("/") + "/"
    return root + block.get("data-proxy", "apps/wellpaired").strip("/")


def ask_offers(shopper: Shopper, block: dict[str, str], limit: int | None = None) -> dict[str, Any]:
    """Ask for offers with the query that the extension sends; `limit` cards instead of the block's own."""
    cart = shopper.store_json("GET", "/cart.js")
    query = {
        "placement": block["data-placement"],
        "product": block.get("data-product", ""),
        "locale": block.get("data-locale", ""),
        "currency": block.get("data-currency", ""),
        "limit": block.get("data-limit", "") if limit is None else str(limit),
        "visitor": shopper.visitor_id or "",
        "cart": ",".join(f"{line['variant_id']}:{line['quantity']}" for line in cart["items"]),
        "cart_token": cart["token"].split("?")[0],
    }
    asked = {name: value for name, value in query.items() if value}
    return shopper.store_json("GET", f"{proxy_of(block)}/offers", query=asked)


def add_to_cart(shopper: Shopper, product: dict[str, Any]) -> None:
    """Add one piece of a product, as its page does."""
    shopper.store_json("POST", "/cart/add.js", {"items": [{"id": product["variant_ids"][0], "quantity": 1}]})


def check_out(shopper: Shopper) -> dict[str, Any]:
    """Pay for the cart; gives what the page after the purchase hands to the extension."""
    checkout_path, _ = shopper.submit("/checkout")
    _, page = shopper.submit(checkout_path)
    return script_json(page, "post-purchase-data")


def ask_after_purchase(shopper: Shopper, settings: dict[str, Any]) -> dict[str, Any]:
    """Ask as the post-purchase extension does."""
    return shopper.extension_json("/ext/post-purchase/offers", token_of(settings), reference_of(settings))


def token_of(settings: dict[str, Any]) -> str:
    """The token that proves the purchase."""
    return str(settings["inputData"]["token"])


def reference_of(settings: dict[str, Any]) -> dict[str, str]:
    """The field that names the purchase."""
    return {"reference_id": settings["inputData"]["initialPurchase"]["referenceId"]}


def order_on_receipt(shopper: Shopper, settings: dict[str, Any]) -> int:
    """Leave the page after the purchase and read the order's id on the receipt."""
    found = re.search(r'data-order-id="(\d+)"', shopper.page(settings["doneUrl"]))
    if found is None:
        raise JourneyFailed("The thank-you page names no order.")
    return int(found[1])
