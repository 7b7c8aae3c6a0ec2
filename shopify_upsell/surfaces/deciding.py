"""Decide for a surface and keep the decision, again if another page of the same shopper took from the budget first."""

import logging

from shopify_upsell.database import bind_shop
from shopify_upsell.metrics import DECISIONS
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.pipeline import without_cards
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.shops.store import Shop
from shopify_upsell.surfaces.services import SurfaceServices

log = logging.getLogger(__name__)

MOST_TRIES = 3
"""Pages of one shopper that may decide at the same moment before the slowest shows nothing."""


def decide_and_keep(services: SurfaceServices, shop: Shop, request: OfferRequest) -> Decision:
    """A decision that is committed, with what it shows charged to the shopper's budget.

    Raises: RetryLater when it cannot be stored; nothing may be shown then.
    """
    for _ in range(MOST_TRIES):
        decision = _decided(services, shop, request)
        if services.journal.keep(decision):
            return _said(decision)
    silent = without_cards(decision)
    services.journal.keep(silent)
    return _said(silent)


def _decided(services: SurfaceServices, shop: Shop, request: OfferRequest) -> Decision:
    with services.database.read() as session:
        bind_shop(session, shop.shop_id)
        return decide(
            session,
            request,
            now=services.clock(),
            decision_id=services.new_decision_id(),
            shop=shop,
            holdout_basis_points=services.holdout_basis_points,
        )


def _said(decision: Decision) -> Decision:
    outcome = "holdout" if decision.is_holdout else "silent" if not decision.chosen else "decided"
    DECISIONS.labels(decision.placement, outcome).inc()
    log.info(
        "offer_decided",
        extra={
            "shop_id": decision.shop_id,
            "decision_id": decision.decision_id,
            "placement": decision.placement,
            "offer_count": len(decision.chosen),
            "gate": decision.answer.gate,
            "is_holdout": decision.is_holdout,
        },
    )
    return decision
