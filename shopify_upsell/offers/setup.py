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

log = logging.getLogger(__name__)

PRODUCT_PAGE, CART, AFTER_PURCHASE = "theme/product_page", "theme/cart", "post_purchase/offer"

DEFAULT_OFFERS = (
    OfferDraft(CROSS_SELL, "Often bought together", (PRODUCT_PAGE, CART)),
    OfferDraft(BUNDLE, "Complete the set", (PRODUCT_PAGE,)),
    OfferDraft(UP_SELL, "Larger size", (PRODUCT_PAGE, CART)),
    OfferDraft(CROSS_SELL, "Goes with your order", (AFTER_PURCHASE,), discount_basis_points=1000),
)
"""Only the post-purchase offer has a discount: there the signed changeset really charges it."""


def create_default_offers(session: Session, shop_id: ShopId, now: datetime) -> tuple[Offer, ...]:
    """Give a shop its first offers. A shop that has any, even paused ones, keeps what it has."""
    existing = all_offers(session, shop_id)
    if existing:
        return existing
    created = tuple(save_offer(session, shop_id, draft, now=now) for draft in DEFAULT_OFFERS)
    log.info("default_offers_created", extra={"shop_id": shop_id, "offer_count": len(created)})
    return created


def set_up_offers(session: Session, job: Job) -> None:
    """Job: what follows an installation."""
    create_default_offers(session, job.shop_id, job.now)
