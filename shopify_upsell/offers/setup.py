"""Use case: the offers a shop starts with, so that it shows something sensible before its merchant has set anything.

All are automatic: products come from the matrix, so a shop without evidence shows nothing.
"""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.jobs.queue import Job
from shopify_upsell.offers.offer import BUNDLE, CROSS_SELL, UP_SELL, Offer, OfferDraft
from shopify_upsell.offers.store import all_offers, save_offer
from shopify_upsell.offers.terms import Terms

log = logging.getLogger(__name__)

PRODUCT_PAGE, CART, AFTER_PURCHASE = "theme/product_page", "theme/cart", "post_purchase/offer"

METRIC = "contribution_per_shopper"

BESIDE = Terms(
    "Shoppers find what goes with the product they look at",
    "Shown the companion that others took, more of them take it, and the shop earns more a shopper",
    METRIC,
)
SET = Terms(
    "Shoppers take the whole set in one step",
    "A set that belongs together is taken more often when it is one card with one total",
    METRIC,
)
LARGER = Terms(
    "Shoppers take the size that lasts",
    "Asked beside the smaller size, some change to the larger one and nobody buys less",
    METRIC,
)
AFTER = Terms(
    "Buyers add what goes with their order without paying again",
    "Right after paying, the companion with a tenth off is taken more often than it costs",
    METRIC,
)

DEFAULT_OFFERS = (
    OfferDraft(CROSS_SELL, "Often bought together", (PRODUCT_PAGE, CART), terms=BESIDE),
    OfferDraft(BUNDLE, "Complete the set", (PRODUCT_PAGE,), terms=SET),
    OfferDraft(UP_SELL, "Larger size", (PRODUCT_PAGE, CART), terms=LARGER),
    OfferDraft(CROSS_SELL, "Goes with your order", (AFTER_PURCHASE,), discount_basis_points=1000, terms=AFTER),
)
"""Only the post-purchase offer has a discount: there the signed changeset really charges it."""


def create_default_offers(session: Session, shop_id: ShopId, now: datetime) -> tuple[Offer, ...]:
    """Give a shop its first offers. A shop that has any, even paused ones, keeps what it has."""
    existing = all_offers(session, shop_id)
    if existing:
        return existing
    created = tuple(save_offer(session, shop_id, draft, now=now, needs_purpose=True) for draft in DEFAULT_OFFERS)
    log.info("default_offers_created", extra={"shop_id": shop_id, "offer_count": len(created)})
    return created


def set_up_offers(session: Session, job: Job) -> None:
    """Job: what follows an installation."""
    create_default_offers(session, job.shop_id, job.now)
