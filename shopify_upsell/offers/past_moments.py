"""The moments of past orders at which a shopper could have been asked: what a simulation walks through.

Pure. Comes in: orders as baskets. Goes out: requests with their times, as the surfaces would have sent them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import CustomerId, OrderId, ShopId
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, unit_interval
from shopify_upsell.offers.snapshot import CartLine, OfferRequest

PRODUCT_PAGE, CART, AFTER = "theme/product_page", "theme/cart", "post_purchase/offer"

PAGES_BEFORE = timedelta(minutes=5)
PAGE_APART = timedelta(minutes=2)
CART_BEFORE = timedelta(minutes=3)
"""When the pages of an order are taken to have been open: each product two minutes after the one before, the last five
minutes before the order, the cart three minutes before. Assumption: the ledger knows when orders were placed only."""

MOST_PAGES = 10
"""Product pages taken of one order: of a larger one the first lines."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order as a basket: who, when, and its lines in order, without those that an offer of ours added."""

    order_id: OrderId
    ordered_at: datetime
    customer_id: CustomerId | None
    lines: tuple[CartLine, ...]


@dataclass(frozen=True, slots=True)
class PastMoment:
    """A moment at which a shopper could have been asked."""

    at: datetime
    request: OfferRequest


def moments_of(order: PastOrder, shop_id: ShopId, currency: str, placements: Iterable[str]) -> list[PastMoment]:
    """Derive the moments of an order at which a shopper could have been asked, the earliest first.

    Each product's page with what was in the cart by then, the cart with everything, and the page after paying.
    """
    lines, served = order.lines, frozenset(placements)
    moments: list[PastMoment] = []
    pages = lines[:MOST_PAGES] if PRODUCT_PAGE in served else ()
    for place, line in enumerate(pages):
        at = order.ordered_at - PAGES_BEFORE - PAGE_APART * (len(pages) - 1 - place)
        moments.append(PastMoment(at, _asked(order, shop_id, currency, PRODUCT_PAGE, (line,), lines[:place])))
    if CART in served and lines:
        at = order.ordered_at - CART_BEFORE
        moments.append(PastMoment(at, _asked(order, shop_id, currency, CART, lines, lines)))
    if AFTER in served and lines:
        moments.append(PastMoment(order.ordered_at, _asked(order, shop_id, currency, AFTER, lines, lines)))
    return moments


def is_sampled(seed: int, unit: str, share_basis_points: int) -> bool:
    """Tell whether a shopper is in the sample: the same ones for the same seed, always all of their orders."""
    return unit_interval(f"simulate:{seed}", unit) * ALL_BASIS_POINTS < share_basis_points


def _asked(
    order: PastOrder,
    shop_id: ShopId,
    currency: str,
    placement: str,
    beside: Sequence[CartLine],
    cart: tuple[CartLine, ...],
) -> OfferRequest:
    anchors = tuple(dict.fromkeys(line.product_id for line in beside if line.product_id is not None))
    guest = None if order.customer_id is not None else f"order-{order.order_id}"
    return OfferRequest(
        shop_id=shop_id,
        placement=placement,
        anchor_product_ids=anchors,
        cart=cart,
        customer_id=order.customer_id,
        visitor_id=guest,
        currency=currency or None,
        reference_id=f"order-{order.order_id}" if placement == AFTER else None,
    )
