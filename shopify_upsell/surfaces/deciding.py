"""Decide for a surface and keep the decision, again if another page of the same shopper took from the budget first."""

import logging

from shopify_upsell.customers.store import merge_visitor
from shopify_upsell.customers.upkeep import merge_courtesy
from shopify_upsell.database import bind_shop
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.journal import note_decided
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
            _carry_over(services, decision)
            return note_decided(decision)
    silent = without_cards(decision)
    services.journal.keep(silent)
    return note_decided(silent)


def _carry_over(services: SurfaceServices, decision: Decision) -> None:
    """What a visitor asked for before they logged in becomes the customer's, so that it holds on every device.

    Done once, at the first sight of both names together with such a wish; until then, and if it fails, both are read.
    """
    asked, known = decision.inputs.request, decision.inputs
    whose = [*(wish.subject for wish in known.suppressions), *(one.subject for one in known.dismissals)]
    if asked.customer_id is None or not asked.visitor_id or not any(name.startswith("v:") for name in whose):
        return
    try:
        with services.database.write() as session:
            bind_shop(session, decision.shop_id)
            merge_visitor(session, decision.shop_id, asked.visitor_id, asked.customer_id, decision.decided_at)
            merge_courtesy(session, decision.shop_id, asked.visitor_id, asked.customer_id, decision.decided_at)
    except Exception as error:
        # The page has its answer; the next page tries again.
        log.warning("wishes_not_carried_over", extra={"shop_id": decision.shop_id, "error": type(error).__name__})


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
