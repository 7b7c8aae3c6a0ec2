"""The post-purchase step: the input the extension gets, and changesets that the app signed.

Ids in the input are numbers, and it carries no line properties, no attributes and no order id (platform notes §6.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import jwt

from shopify_upsell.devstore.amounts import decimal_text, share_of
from shopify_upsell.devstore.history import line_of
from shopify_upsell.devstore.order_changes import Moment, add_line, grant_discount
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.purchase import Checkout
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.webhook_bodies import SHOP_ID

# How much earlier than the order a changeset may have been signed: clocks differ a little.
SIGNED_BEFORE_SECONDS = 10


class ChangesetRefused(Exception):
    """A changeset that is not applied, with Shopify's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Addition:
    """One add_variant change, priced. Amounts in minor units."""

    variant_id: int
    quantity: int
    gross: int
    off: int
    discount: tuple[str, Decimal, str] | None


def money_pair(shop: DevShop, amount: int) -> dict[str, dict[str, str]]:
    """Shape an amount as the extension's API does."""
    money = {"amount": decimal_text(amount, shop.currency), "currencyCode": shop.currency}
    return {"shopMoney": money, "presentmentMoney": dict(money)}


def input_data(shop: DevShop, checkout: Checkout) -> dict[str, object]:
    """Build what the extension is given, with the token that proves it."""
    order = shop.orders[checkout.order_id or 0]
    unsigned: dict[str, object] = {
        "extensionPoint": "Checkout::PostPurchase::ShouldRender",
        "locale": checkout.locale,
        "version": "unstable",
        "shop": {"id": SHOP_ID, "domain": shop.config.shop_domain, "metafields": []},
        "initialPurchase": _initial_purchase(shop, checkout, order),
    }
    claims = {
        "iss": "shopify",
        "sub": checkout.reference_id,
        "iat": int(shop.config.clock().timestamp()),
        "input_data": unsigned,
    }
    return {**unsigned, "token": jwt.encode(claims, shop.config.api_secret, algorithm="HS256")}


def _initial_purchase(shop: DevShop, checkout: Checkout, order: Order) -> dict[str, object]:
    bought = order.lines[: len(checkout.lines)]
    purchase: dict[str, object] = {
        "referenceId": checkout.reference_id,
        "destinationCountryCode": "US",
        "totalPriceSet": money_pair(shop, sum(line.net for line in bought)),
        "lineItems": [
            {
                "product": {
                    "id": line.product_id,
                    "title": line.title,
                    "variant": {"id": line.variant_id, "title": line.variant_title, "metafields": []},
                    "metafields": [],
                },
                "quantity": line.quantity,
                "totalPriceSet": money_pair(shop, line.net),
            }
            for line in bought
        ],
    }
    if checkout.customer_id is not None:
        purchase["customerId"] = checkout.customer_id
    return purchase


def read_changeset(shop: DevShop, checkout: Checkout, token: str) -> tuple[str, list[Mapping[str, object]]]:
    """Check a changeset's signature and claims; give its jti and changes.

    Raises: ChangesetRefused.
    """
    try:
        claims = jwt.decode(
            token,
            shop.config.api_secret,
            algorithms=["HS256"],
            issuer=shop.config.api_key,
            options={"require": ["iss", "sub", "jti", "iat"], "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError as wrong:
        raise ChangesetRefused("invalid_request", "The changeset token is not valid.") from wrong
    changes = claims.get("changes")
    if claims["sub"] != checkout.reference_id or not isinstance(changes, list) or not changes:
        raise ChangesetRefused("invalid_request", "The changeset is for another purchase or has no changes.")
    signed_at = float(claims["iat"])
    # Shopify's own sample passes milliseconds; both are taken.
    signed_at = signed_at / 1000 if signed_at > 1e11 else signed_at
    if signed_at < _order(shop, checkout).ordered_at.timestamp() - SIGNED_BEFORE_SECONDS:
        raise ChangesetRefused("invalid_request", "The changeset was signed before the purchase was complete.")
    return str(claims["jti"]), [change for change in changes if isinstance(change, Mapping)]


def _order(shop: DevShop, checkout: Checkout) -> Order:
    if checkout.order_id is None:
        raise ChangesetRefused("invalid_request", "There is no purchase yet.")
    return shop.orders[checkout.order_id]


def price_changes(shop: DevShop, changes: list[Mapping[str, object]]) -> list[Addition]:
    """Price every add_variant change; other kinds cost nothing here.

    Raises: ChangesetRefused for an unknown kind or variant, or too few in stock.
    """
    for change in changes:
        if change.get("type") not in ("add_variant", "set_metafield"):
            raise ChangesetRefused("invalid_request", f"The change {change.get('type')!r} is not supported here.")
    return [_addition(shop, change) for change in changes if change.get("type") == "add_variant"]


def _addition(shop: DevShop, change: Mapping[str, object]) -> Addition:
    variant_id, quantity = change.get("variantId"), change.get("quantity")
    if not isinstance(variant_id, int) or not isinstance(quantity, int) or quantity < 1:
        raise ChangesetRefused("invalid_request", "variantId and quantity must be whole numbers.")
    variant = shop.variants.get(variant_id)
    if variant is None:
        raise ChangesetRefused("invalid_request", "There is no such variant.")
    stock = shop.stock[variant_id]
    if not shop.is_available(variant) or (stock is not None and stock < quantity):
        raise ChangesetRefused("insufficient_inventory", "There are not enough units in stock.")
    gross = variant.price * quantity
    discount = _discount(change.get("discount"))
    off = share_of(gross, discount[1], discount[2], shop.currency) if discount else 0
    return Addition(variant_id, quantity, gross, off, discount)


def _discount(value: object) -> tuple[str, Decimal, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or value.get("valueType") not in ("percentage", "fixed_amount"):
        raise ChangesetRefused("invalid_request", "The discount is not readable.")
    amount = Decimal(str(value.get("value")))
    if amount < 0 or (value["valueType"] == "percentage" and amount > 100):
        raise ChangesetRefused("invalid_request", "The discount is out of range.")
    return str(value.get("title") or "Discount"), amount, str(value["valueType"])


def calculated_purchase(shop: DevShop, checkout: Checkout, additions: list[Addition]) -> dict[str, object]:
    """Say what the purchase would come to with the changes."""
    order = _order(shop, checkout)
    added = sum(addition.gross - addition.off for addition in additions)
    lines = []
    for addition in additions:
        variant = shop.variants[addition.variant_id]
        lines.append(
            {
                "productId": variant.product_id,
                "variantId": variant.variant_id,
                "productHandle": shop.product_of(variant).handle,
                "quantity": addition.quantity,
                "priceSet": money_pair(shop, addition.gross),
                "totalPriceSet": money_pair(shop, addition.gross - addition.off),
            }
        )
    return {
        "subtotalPriceSet": money_pair(shop, order.current_subtotal + added),
        "totalPriceSet": money_pair(shop, order.current_subtotal + added),
        "addedTaxLines": [],
        "updatedLineItems": lines,
        "addedShippingLines": [],
        "totalOutstandingSet": money_pair(shop, added),
    }


def apply_changeset(shop: DevShop, checkout: Checkout, token: str) -> int:
    """Apply a signed changeset to the order and send the webhooks. Gives how many more may be applied.

    Raises: ChangesetRefused; then nothing was changed.
    """
    with shop.lock:
        order = _order(shop, checkout)
        jti, changes = read_changeset(shop, checkout, token)
        if jti in checkout.used_changesets:
            raise ChangesetRefused("changeset_already_applied", "This changeset has been applied before.")
        if checkout.is_released:
            raise ChangesetRefused("order_released_error", "The order has been released.")
        if len(checkout.used_changesets) >= shop.config.max_changesets:
            raise ChangesetRefused("invalid_request", "No more changesets can be applied.")
        additions = price_changes(shop, changes)
        checkout.used_changesets.append(jti)
        for change in changes:
            if change["type"] == "set_metafield":
                name = (str(change.get("namespace")), str(change.get("key")))
                order.metafields[name] = (str(change.get("value")), str(change.get("valueType", "string")))
        for addition in additions:
            _add(shop, order, addition)
        return shop.config.max_changesets - len(checkout.used_changesets)


def _add(shop: DevShop, order: Order, addition: Addition) -> None:
    variant = shop.variants[addition.variant_id]
    line = line_of(shop.new_id(), shop.product_of(variant), variant, addition.quantity)
    add_line(order, line, Moment(shop.new_id(), shop.config.clock()))
    if addition.discount:
        grant_discount(order, line, *addition.discount)
    shop.take_stock(addition.variant_id, addition.quantity)
    shop.announce_edit(order)
