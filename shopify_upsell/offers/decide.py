"""Use case: answer a surface. Gather a snapshot in few queries, let the pure pipeline decide, store nothing.

Queries: live offers, variants of the cart, companions, refused pairs, products, their variants, suppressions: seven;
six where the process remembers the companions.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, ProductId, ShopId
from shopify_upsell.customers.store import suppressions_of
from shopify_upsell.ledger import store as ledger
from shopify_upsell.ledger.catalog import Product
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import PairWord, blocks_in_force
from shopify_upsell.matrix.store import Evidence, evidence_for, words_on
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.snapshot import CartLine, CatalogProduct, CatalogVariant, OfferRequest, Snapshot
from shopify_upsell.offers.store import live_offers
from shopify_upsell.shops.store import Shop

__all__ = ["CartLine", "Decision", "OfferRequest", "decide"]

MOST_ANCHORS = 20
"""Anchors looked up: of a larger cart the first lines."""

MOST_TOLD = 10
"""Refused pairs kept for the explanation alone."""

SHORTLIST = 20
"""Companions loaded beyond what is in the cart: enough for stock and wishes to strike some, small enough to store."""


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
    snapshot = _gather(session, request, now=now, shop=shop, holdout_basis_points=holdout_basis_points)
    return Decision(
        decision_id=decision_id,
        shop_id=shop.shop_id,
        decided_at=now,
        placement=request.placement,
        answer=decide_from(snapshot),
        inputs=snapshot,
        engine_version=ENGINE_VERSION,
    )


def _gather(
    session: Session, request: OfferRequest, *, now: datetime, shop: Shop, holdout_basis_points: int
) -> Snapshot:
    offers = live_offers(session, shop.shop_id)
    resolved = _resolved(session, shop.shop_id, request)
    anchors = resolved.anchor_product_ids
    evidence = _shortlisted(evidence_for(session, shop.shop_id, anchors), resolved)
    offered = {*_companion_ids(evidence), *_listed_ids(offers)}
    wanted = {*anchors, *offered}
    products = ledger.products_by_id(session, shop.shop_id, sorted(wanted))
    return Snapshot(
        engine_version=ENGINE_VERSION,
        now=now,
        currency=shop.currency or "",
        request=resolved,
        offers=offers,
        matrix_version=evidence.version,
        companions=evidence.companions,
        products={product_id: _catalog_product(product) for product_id, product in products.items()},
        suppressions=suppressions_of(session, shop.shop_id, resolved.subjects, now=now),
        holdout_salt=shop.holdout_salt,
        holdout_basis_points=holdout_basis_points,
        negative_edges=_negative_edges(session, shop.shop_id, resolved, offered, now),
    )


def _negative_edges(
    session: Session, shop_id: ShopId, request: OfferRequest, offered: set[ProductId], now: datetime
) -> tuple[PairWord, ...]:
    """Pairs refused that an offer could make, and the clearest others, so that an explanation can name them."""
    in_cart = (line.product_id for line in request.cart[:MOST_ANCHORS] if line.product_id is not None)
    beside = tuple(dict.fromkeys((*request.anchor_product_ids, *in_cart)))
    blocks = blocks_in_force(words_on(session, shop_id, beside) if beside else (), now=now)
    needed = [edge for edge in blocks if edge.companion_product_id in offered]
    others = [edge for edge in blocks if edge.companion_product_id not in offered]
    return (*needed, *others[:MOST_TOLD])


def _resolved(session: Session, shop_id: ShopId, request: OfferRequest) -> OfferRequest:
    """Find the products of the cart's variants; without anchors the cart's products are the anchors."""
    unknown = [line.variant_id for line in request.cart if line.product_id is None]
    variants = ledger.variants_by_id(session, shop_id, unknown) if unknown else {}
    cart = tuple(
        replace(line, product_id=variants[line.variant_id].product_id) if line.variant_id in variants else line
        for line in request.cart
    )
    in_cart = (line.product_id for line in cart if line.product_id is not None)
    anchors = tuple(dict.fromkeys(request.anchor_product_ids or in_cart))
    return replace(request, cart=cart, anchor_product_ids=anchors[:MOST_ANCHORS])


def _shortlisted(evidence: Evidence, request: OfferRequest) -> Evidence:
    """Keep the best companions over all anchors, and those in the cart, so that their rejection is told."""
    held = {*request.anchor_product_ids, *(line.product_id for line in request.cart)}
    best: dict[ProductId, float] = {}
    for row in evidence.companions.values():
        for one in row:
            best[one.product_id] = max(one.score, best.get(one.product_id, 0.0))
    others = sorted((product for product in best if product not in held), key=lambda one: (-best[one], one))
    kept = {*others[:SHORTLIST], *(product for product in best if product in held)}
    rows: dict[ProductId, tuple[Companion, ...]] = {
        anchor: tuple(one for one in row if one.product_id in kept) for anchor, row in evidence.companions.items()
    }
    return replace(evidence, companions=rows)


def _companion_ids(evidence: Evidence) -> set[ProductId]:
    return {one.product_id for row in evidence.companions.values() for one in row}


def _listed_ids(offers: Iterable[Offer]) -> set[ProductId]:
    return {product_id for offer in offers for product_id in offer.companions or ()}


def _catalog_product(product: Product) -> CatalogProduct:
    return CatalogProduct(
        product_id=product.product_id,
        title=product.title,
        handle=product.handle,
        status=product.status,
        is_published=product.is_published,
        is_gift_card=product.is_gift_card,
        requires_selling_plan=product.requires_selling_plan,
        is_deleted=product.is_deleted,
        image_url=product.image_url,
        variants=tuple(
            CatalogVariant(
                variant_id=one.variant_id,
                position=one.position,
                title=one.title,
                price=one.price,
                is_available=one.is_available,
                requires_components=one.requires_components,
            )
            for one in product.variants
        ),
    )
