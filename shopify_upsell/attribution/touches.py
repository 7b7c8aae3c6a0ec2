"""What a shopper did with an offer, and how long before an order it still counts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shopify_upsell.core import DecisionId, OfferId, ProductId, VariantId

TOUCHPOINT_KINDS = ("impression", "click", "accept", "dismiss", "snooze")

EMAIL = "email"

CHANNELS = ("theme", "cart", "checkout", "post_purchase", "thank_you", "account", EMAIL)
"""Where touches happen. A placement's channel is its surface, but the cart counts apart from other theme pages."""

_CART_PLACEMENTS = ("theme/cart", "cart/")


@dataclass(frozen=True, slots=True)
class Touch:
    """Something a shopper did with an offer. `variant_id` 0: with the offer as a whole.

    `unit`: who (`c:{customer}` or `v:{visitor}`), null without consent. `cart_token`: Shopify's, without its key.
    `book`: the offer's kind. `product_ids`: what the offer would add.
    """

    decision_id: DecisionId
    offer_id: OfferId
    variant_id: VariantId
    kind: str
    placement: str
    occurred_at: datetime
    unit: str | None = None
    cart_token: str | None = None
    book: str | None = None
    product_ids: tuple[ProductId, ...] = field(default=())

    @property
    def channel(self) -> str:
        """The surface it happened on."""
        return channel_of(self.placement)


def channel_of(placement: str) -> str:
    """The surface of a placement: `theme/product_page` is `theme`, `theme/cart` and its kin are `cart`."""
    if placement.startswith(_CART_PLACEMENTS):
        return "cart"
    return placement.partition("/")[0]


def concerns(
    touch: Touch, *, offer_id: OfferId | None, product_id: ProductId | None, variant_id: VariantId | None
) -> bool:
    """Tell whether a touch was about this offer, product or variant."""
    return (
        touch.offer_id == offer_id
        or (product_id is not None and product_id in touch.product_ids)
        or (variant_id is not None and variant_id == touch.variant_id)
    )


def newest(touches: Sequence[Touch]) -> Touch:
    """The latest touch; of two at one moment the one whose names come later, so that turn does not matter."""
    return max(touches, key=lambda it: (it.occurred_at, it.decision_id, it.offer_id, it.variant_id, it.kind))
