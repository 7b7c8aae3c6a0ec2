"""A checkout on its way from cart to thank-you."""

import secrets
from dataclasses import dataclass, field

from shopify_upsell.devstore.cart import Cart, CartLine


@dataclass(slots=True)
class Checkout:
    """One checkout. `used_changesets` are the jti of changesets applied; `is_released` ends the post-purchase step."""

    token: str
    reference_id: str
    cart_token: str
    lines: list[CartLine]
    attributes: dict[str, str]
    customer_id: int | None
    locale: str
    order_id: int | None = None
    used_changesets: list[str] = field(default_factory=list)
    is_released: bool = False


def begin_checkout(cart: Cart, *, customer_id: int | None, locale: str, same_reference: bool) -> Checkout:
    """Start a checkout from a cart.

    Whether the post-purchase reference is the checkout token is unknown, so either can be had.
    """
    token = secrets.token_hex(16)
    return Checkout(
        token=token,
        reference_id=token if same_reference else secrets.token_hex(16),
        cart_token=cart.token,
        lines=[CartLine(line.variant_id, line.quantity, dict(line.properties)) for line in cart.lines],
        attributes=dict(cart.attributes),
        customer_id=customer_id,
        locale=locale,
    )
