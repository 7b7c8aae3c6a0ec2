"""Use case: answer a surface. Gather a snapshot in few queries, let the pure pipeline decide, store nothing.

What is known of the shop is read in a handful of queries and remembered for a few seconds (`shelving`); what is known
of the person is read every time, in one query, and what they own in two more where they are a customer.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, ProductId
from shopify_upsell.customers.standing import read_standing
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.ledger.ownership import owned_products
from shopify_upsell.matrix.exploring import Exploration
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.exploration_store import lot_of
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.shelving import MOST_ANCHORS, SHORTLIST, Shelf, resolved_request, shelf_for
from shopify_upsell.offers.snapshot import CartLine, OfferRequest, placement_kind_of
from shopify_upsell.offers.timing import LATER
from shopify_upsell.offers.unit_store import STANDING_WITH_UNIT, unit_among
from shopify_upsell.shops.store import Shop

__all__ = ["SHORTLIST", "CartLine", "Decision", "OfferRequest", "decide"]

OWNED_SINCE = timedelta(days=730)
"""How far back what a customer bought is looked at. Our choice: the timing of pairs ends at 270 days; what lasts is
not offered again for two years."""


def decide(
    session: Session,
    request: OfferRequest,
    *,
    now: datetime,
    decision_id: DecisionId,
    shop: Shop,
    holdout_basis_points: int,
) -> Decision:
    """Decide what to show. The caller stores the decision, when it is one that was really asked for.

    Raises: InvalidInput for a visitor id that our own script could not have made.
    """
    standing = read_standing(session, shop.shop_id, request.subjects, now=now, statement=STANDING_WITH_UNIT)
    asked = resolved_request(session, shop.shop_id, request)
    owned: dict[ProductId, OwnedProduct] = {}
    if placement_kind_of(asked) == LATER and not asked.anchor_product_ids:
        owned = _owned(session, asked, None, now)
        asked = replace(asked, anchor_product_ids=_latest(owned))
    shelf = shelf_for(session, asked, now=now, shop=shop, holdout_basis_points=holdout_basis_points)
    owned = owned or _owned(session, asked, shelf, now)
    unit = unit_among(standing.more, asked.subjects)
    snapshot = replace(
        shelf.template,
        now=now,
        request=asked,
        suppressions=standing.suppressions,
        dismissals=standing.dismissals,
        preference=standing.preference,
        shopper=standing.shopper,
        courtesy=standing.courtesy,
        owned=owned,
        unit=unit,
        exploration=_lot(session, shelf, shop, unit or next(iter(asked.subjects), None), now),
        holdout_salt=quarter_holdout(shop.holdout_salt, now, holdout_basis_points).salt,
    )
    return Decision(
        decision_id=decision_id,
        shop_id=shop.shop_id,
        decided_at=now,
        placement=request.placement,
        answer=decide_from(snapshot, shelf.draw(snapshot)),
        inputs=snapshot,
        engine_version=ENGINE_VERSION,
        shelf=shelf,
        charged=standing.own,
    )


def _lot(session: Session, shelf: Shelf, shop: Shop, unit: str | None, now: datetime) -> Exploration | None:
    """Whether this person may be shown a pair without evidence today; None where the shelf has none to try."""
    if not shelf.template.untried:
        return None
    return lot_of(session, shop, unit, now, basis_points=shelf.rules.exploration_basis_points)


def _owned(
    session: Session, request: OfferRequest, shelf: Shelf | None, now: datetime
) -> dict[ProductId, OwnedProduct]:
    """What a known customer has: everything lately bought, or only what the shelf is about."""
    if request.customer_id is None:
        return {}
    wanted = None if shelf is None else shelf.template.products.keys()
    return owned_products(session, request.shop_id, request.customer_id, wanted, since=now - OWNED_SINCE)


def _latest(owned: dict[ProductId, OwnedProduct]) -> tuple[ProductId, ...]:
    """Products bought last, as anchors of what is offered later in a customer's life."""
    newest = sorted(owned.values(), key=lambda one: (one.last_ordered_at, one.product_id), reverse=True)
    return tuple(one.product_id for one in newest[:MOST_ANCHORS])
