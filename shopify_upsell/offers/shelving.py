"""Use case: read what a decision needs to know of the shop, and remember it for a few seconds.

A product page asks the same question for every shopper, so a process keeps the shop's rulebook and the shelf of each
question that was asked lately. What concerns a person is never remembered here.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId, VariantId
from shopify_upsell.customers.courtesy_store import rules_of
from shopify_upsell.experiments.running import Assigned
from shopify_upsell.ledger import store as ledger
from shopify_upsell.ledger.catalog import Product
from shopify_upsell.ledger.owned import ProductHealth
from shopify_upsell.ledger.ownership import product_health
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import PairWord, blocks_in_force, pins_in_force
from shopify_upsell.matrix.store import NEXT, WITH, Evidence, evidence_for, words_on
from shopify_upsell.matrix.supply_store import supply_of
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.memory import ShortMemory
from shopify_upsell.offers.acceptance_store import acceptance_for
from shopify_upsell.offers.arms import patched
from shopify_upsell.offers.discount_store import discounts_in_force
from shopify_upsell.offers.experiment_store import running_experiments
from shopify_upsell.offers.health import DEFAULT_HEALTH_LIMITS
from shopify_upsell.offers.kinds.registry import PERSONAL_KINDS
from shopify_upsell.offers.offer import CROSS_SELL, Offer
from shopify_upsell.offers.pipeline import ENGINE_VERSION
from shopify_upsell.offers.settings_store import read_settings_of
from shopify_upsell.offers.shelf import Rulebook, Shelf
from shopify_upsell.offers.snapshot import (
    CatalogProduct,
    CatalogVariant,
    OfferRequest,
    Snapshot,
    ThrottledOffer,
    placement_kind_of,
)
from shopify_upsell.offers.store import live_offers, read_costs
from shopify_upsell.offers.timing import LATER
from shopify_upsell.shops.store import Shop

SHELVES, RULEBOOKS, VARIANTS = "offers.shelves", "offers.rulebooks", "offers.variants"
"""Names under which the process remembers."""

FRESH_SECONDS = 5.0
"""How long a page may show what was true: a price, a stock, an offer that was paused. Our choice: shorter than a page
view, long enough that a busy page is read from memory."""

MOST_SHELVES = 1_000
"""About 150 KB each with what was drawn from it: 150 MB a process at the very most."""

MOST_VARIANTS = 50_000

MOST_ANCHORS = 20
"""Anchors looked up: of a larger cart the first lines."""

MOST_TOLD = 10
"""Refused pairs kept for the explanation alone."""

MOST_UNTRIED = 4
"""Companions without evidence loaded for a question: one is shown at most, the others wait for stock and wishes."""

SHORTLIST = 20
"""Companions loaded beyond what is in the cart: enough for stock and wishes to strike some, small enough to store."""


def resolved_request(session: Session, shop_id: ShopId, request: OfferRequest) -> OfferRequest:
    """Find the products of the cart's variants; without anchors the cart's products are the anchors."""
    unknown = _unnamed(request)
    return _resolved(request, _products_of(session, shop_id, unknown) if unknown else {})


def recalled_request(memory: Mapping[str, Any], request: OfferRequest) -> OfferRequest | None:
    """The same from the process's memory alone; None where a variant is not remembered."""
    unknown = _unnamed(request)
    products = _recalled_products(memory.get(VARIANTS), request.shop_id, unknown) if unknown else {}
    return _resolved(request, products) if products.keys() >= set(unknown) else None


def _unnamed(request: OfferRequest) -> tuple[VariantId, ...]:
    return tuple(line.variant_id for line in request.cart if line.product_id is None)


def _resolved(request: OfferRequest, products: Mapping[VariantId, ProductId]) -> OfferRequest:
    cart = tuple(
        replace(line, product_id=products[line.variant_id]) if line.variant_id in products else line
        for line in request.cart
    )
    in_cart = (line.product_id for line in cart if line.product_id is not None)
    anchors = tuple(dict.fromkeys(request.anchor_product_ids or in_cart))[:MOST_ANCHORS]
    if (cart, anchors) == (request.cart, request.anchor_product_ids):
        return request
    return replace(request, cart=cart, anchor_product_ids=anchors)


def shelf_for(
    session: Session, request: OfferRequest, *, now: datetime, shop: Shop, holdout_basis_points: int
) -> Shelf:
    """What is known of the shop for a resolved request: remembered, or read in a dozen queries."""
    memory: ShortMemory[object, Shelf] | None = _memory(session, shop.shop_id, SHELVES, MOST_SHELVES)
    clock, key = time.monotonic(), _question_key(request, shop, holdout_basis_points)
    known = memory.find(key, clock=clock) if memory is not None else None
    if known is not None:
        return known
    rules = _rulebook(session, shop.shop_id, now)
    shelf = Shelf(_read(session, request, rules, now=now, shop=shop, holdout_basis_points=holdout_basis_points), rules)
    if memory is not None:
        memory.keep(key, shelf, clock=clock)
    return shelf


def recalled_shelf(
    memory: Mapping[str, Any], request: OfferRequest, *, shop: Shop, holdout_basis_points: int
) -> Shelf | None:
    """The shelf of a resolved request, if the process remembers it."""
    shelves: ShortMemory[object, Shelf] | None = memory.get(SHELVES)
    if shelves is None:
        return None
    return shelves.find(_question_key(request, shop, holdout_basis_points), clock=time.monotonic())


def _question_key(request: OfferRequest, shop: Shop, holdout_basis_points: int) -> object:
    in_cart = tuple(sorted({line.product_id for line in request.cart if line.product_id is not None}))
    asked = (request.placement, request.anchor_product_ids, in_cart)
    return shop.shop_id, asked, holdout_basis_points, shop.holdout_salt, shop.currency


def _read(
    session: Session, request: OfferRequest, rules: Rulebook, *, now: datetime, shop: Shop, holdout_basis_points: int
) -> Snapshot:
    concerned = tuple(offer for offer in _in_every_arm(rules) if _concerns(offer, request))
    anchors = request.anchor_product_ids
    kind = NEXT if placement_kind_of(request) == LATER else WITH
    tries = kind == WITH and rules.exploration_basis_points > 0 and any(map(_picks_by_itself, concerned))
    evidence = _shortlisted(evidence_for(session, shop.shop_id, anchors, kind=kind, with_untried=tries), request)
    untried = _likeliest(evidence, request) if tries else {}
    offered = {*_companion_ids(evidence.companions), *_companion_ids(untried), *_listed_ids(concerned)}
    in_cart = {line.product_id for line in request.cart[:MOST_ANCHORS] if line.product_id is not None}
    products = ledger.products_by_id(
        session, shop.shop_id, sorted({*anchors, *offered, *in_cart, *_gifts(session, shop.shop_id, concerned)})
    )
    health = product_health(session, shop.shop_id, sorted(products))
    supply = supply_of(session, shop.shop_id, products)
    words = _words_beside(session, shop.shop_id, request)
    return Snapshot(
        engine_version=ENGINE_VERSION,
        now=now,
        currency=shop.currency or "",
        request=request,
        offers=rules.offers,
        matrix_version=evidence.version,
        companions=evidence.companions,
        untried=untried,
        products={
            key: _catalog_product(product, health.get(key), supply.get(key)) for key, product in products.items()
        },
        suppressions=(),
        holdout_salt=shop.holdout_salt,
        holdout_basis_points=holdout_basis_points,
        negative_edges=_negative_edges(words, offered, now),
        pins=tuple(sorted(pair for pair in pins_in_force(words) if pair[1] in offered)),
        costs=rules.costs,
        discounts=rules.discounts.running,
        knows_discounts=rules.discounts.are_known,
        experiments=rules.experiments,
        health_limits=rules.health_limits,
        caps=rules.caps,
        throttles=rules.throttles,
        timing=tuple(
            word
            for pair, word in sorted(timing_for(session, shop.shop_id, anchors, said=words).items())
            if pair[1] in offered
        ),
        health=health,
        acceptance=acceptance_for(session, shop.shop_id, {offer.offer_id for offer in rules.offers}, products),
    )


def _in_every_arm(rules: Rulebook) -> Iterator[Offer]:
    """Offers as they are, and as each arm of a running experiment would have them."""
    yield from rules.offers
    for each in rules.experiments:
        mine = tuple(offer for offer in rules.offers if offer.offer_id == each.offer_id)
        for arm in each.arms:
            yield from patched(mine, [Assigned(each.experiment_id, each.phase, arm.name)], [each])


def _concerns(offer: Offer, request: OfferRequest) -> bool:
    """Tell whether the question can lead to the offer at all, so that its products need to be known."""
    if request.placement not in offer.placements:
        return False
    return (
        offer.anchors is None
        or offer.kind in PERSONAL_KINDS
        or not {*offer.anchors}.isdisjoint(request.anchor_product_ids)
    )


def _gifts(session: Session, shop_id: ShopId, offers: Iterable[Offer]) -> set[ProductId]:
    """Products that offers give away."""
    variants = [offer.incentive.gift_variant_id for offer in offers if offer.incentive.gift_variant_id is not None]
    return set(_products_of(session, shop_id, variants).values()) if variants else set()


def _rulebook(session: Session, shop_id: ShopId, now: datetime) -> Rulebook:
    memory: ShortMemory[ShopId, Rulebook] | None = _memory(session, shop_id, RULEBOOKS, MOST_SHELVES)
    clock = time.monotonic()
    known = memory.find(shop_id, clock=clock) if memory is not None else None
    if known is None:
        rules, settings = rules_of(session, shop_id), read_settings_of(session, shop_id)
        lowered = tuple(
            ThrottledOffer(offer_id, state.level) for offer_id, state in sorted(rules.throttles.items()) if state.level
        )
        known = Rulebook(
            offers=live_offers(session, shop_id),
            caps=rules.caps,
            throttles=lowered,
            costs=read_costs(session, shop_id),
            experiments=running_experiments(session, shop_id),
            health_limits=settings.health,
            exploration_basis_points=settings.exploration_basis_points,
            discounts=discounts_in_force(session, shop_id, now=now),
        )
        if memory is not None:
            memory.keep(shop_id, known, clock=clock)
    return known


def _products_of(session: Session, shop_id: ShopId, variants: Iterable[VariantId]) -> dict[VariantId, ProductId]:
    """A variant stays its product's for ever, so it is remembered one by one."""
    memory: ShortMemory[tuple[ShopId, VariantId], ProductId] | None
    memory = _memory(session, shop_id, VARIANTS, MOST_VARIANTS)
    wanted, clock = tuple(variants), time.monotonic()
    found = _recalled_products(memory, shop_id, wanted)
    unknown = [variant_id for variant_id in wanted if variant_id not in found]
    for variant_id, variant in (ledger.variants_by_id(session, shop_id, unknown) if unknown else {}).items():
        found[variant_id] = variant.product_id
        if memory is not None:
            memory.keep((shop_id, variant_id), variant.product_id, clock=clock)
    return found


def _recalled_products(
    memory: ShortMemory[tuple[ShopId, VariantId], ProductId] | None, shop_id: ShopId, variants: Iterable[VariantId]
) -> dict[VariantId, ProductId]:
    if memory is None:
        return {}
    clock = time.monotonic()
    found = ((variant_id, memory.find((shop_id, variant_id), clock=clock)) for variant_id in variants)
    return {variant_id: product_id for variant_id, product_id in found if product_id is not None}


def _memory(session: Session, shop_id: ShopId, name: str, most: int) -> ShortMemory[Any, Any] | None:
    """The process's memory, if the session has one and is bound to this very shop: no other may be served from it."""
    memory = session.info.get("memory")
    if memory is None or session.info.get("shop_id") != shop_id:
        return None
    remembered: ShortMemory[Any, Any] = memory.setdefault(name, ShortMemory(most, FRESH_SECONDS))
    return remembered


def _words_beside(session: Session, shop_id: ShopId, request: OfferRequest) -> tuple[PairWord, ...]:
    """What is said of pairs with an anchor or with something in the cart."""
    in_cart = (line.product_id for line in request.cart[:MOST_ANCHORS] if line.product_id is not None)
    beside = tuple(dict.fromkeys((*request.anchor_product_ids, *in_cart)))
    return words_on(session, shop_id, beside) if beside else ()


def _negative_edges(words: tuple[PairWord, ...], offered: set[ProductId], now: datetime) -> tuple[PairWord, ...]:
    """Pairs refused that an offer could make, and the clearest others, so that an explanation can name them."""
    blocks = blocks_in_force(words, now=now)
    needed = [edge for edge in blocks if edge.companion_product_id in offered]
    others = [edge for edge in blocks if edge.companion_product_id not in offered]
    return (*needed, *others[:MOST_TOLD])


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


def _picks_by_itself(offer: Offer) -> bool:
    """Tell whether the offer may try a companion of which nothing is known."""
    return offer.kind == CROSS_SELL and offer.companions is None


def _likeliest(evidence: Evidence, request: OfferRequest) -> dict[ProductId, tuple[Companion, ...]]:
    """A few companions without evidence over all anchors, none of them in the cart."""
    held = {*request.anchor_product_ids, *(line.product_id for line in request.cart)}
    rows = {anchor: evidence.untried.get(anchor, ()) for anchor in request.anchor_product_ids}
    listed = (one for row in rows.values() for one in row if one.product_id not in held)
    likeliest = sorted(listed, key=lambda one: -one.score)
    kept = {*list(dict.fromkeys(one.product_id for one in likeliest))[:MOST_UNTRIED]}
    found = {anchor: tuple(one for one in row if one.product_id in kept) for anchor, row in rows.items()}
    return {anchor: row for anchor, row in found.items() if row}


def _companion_ids(companions: Mapping[ProductId, tuple[Companion, ...]]) -> set[ProductId]:
    return {one.product_id for row in companions.values() for one in row}


def _listed_ids(offers: Iterable[Offer]) -> set[ProductId]:
    return {product_id for offer in offers for product_id in offer.companions or ()}


def _catalog_product(product: Product, health: ProductHealth | None, supply_days: float | None) -> CatalogProduct:
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
                unit_cost_minor_units=one.unit_cost_minor_units,
                inventory_policy=one.inventory_policy,
                quantity=one.quantity,
            )
            for one in product.variants
        ),
        product_type=product.product_type,
        vendor=product.vendor,
        selling_plans=product.selling_plans,
        rating=health.rating if health else None,
        supply_days=supply_days,
        refund_rate=health.refund_rate if health and health.sold >= DEFAULT_HEALTH_LIMITS.fewest_sold else None,
    )
