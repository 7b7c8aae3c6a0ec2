"""Use case: gather what the launch checks read, and let an offer go live only when they pass.

Every way to make an offer of a merchant's live leads through here: the API and the command.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import ConflictingRequest, OfferId, ProductId, ShopId
from shopify_upsell.ledger.store import catalog_entries, product_health
from shopify_upsell.matrix.said import blocks_in_force
from shopify_upsell.matrix.store import evidence_for, words_on
from shopify_upsell.offers.choice import SERVED
from shopify_upsell.offers.launch import Check, LaunchFacts, failing, launch_checks, listed_products
from shopify_upsell.offers.offer import Offer, OfferDraft
from shopify_upsell.offers.regret import limit_of
from shopify_upsell.offers.regret_store import incidents, regret_counts
from shopify_upsell.offers.settings_store import read_settings_of
from shopify_upsell.offers.shelving import MOST_ANCHORS, shelf_for
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot
from shopify_upsell.offers.store import OfferRow, read_offer, save_offer
from shopify_upsell.shops.store import Shop, get_shop

log = logging.getLogger(__name__)

MOST_SEARCHED = 2_000
"""Products among which those with the clearest evidence are looked for."""

SEARCHED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Launch:
    """Whose offer, and when. Units: `holdout_basis_points` of shoppers, as the app is set."""

    shop_id: ShopId
    now: datetime
    holdout_basis_points: int


def check_offer(session: Session, launch: Launch, offer: OfferDraft | Offer) -> tuple[Check, ...]:
    """Run every launch check on an offer as it is written; nothing is changed."""
    return launch_checks(offer, launch_facts(session, launch, offer))


def go_live(
    session: Session, shop_id: ShopId, offer_id: OfferId, now: datetime, *, holdout_basis_points: int
) -> tuple[Offer, tuple[Check, ...]]:
    """Make an offer live if every blocking check passes; the checks come back with it.

    Raises: NotFound; ConflictingRequest naming each failing check, and then nothing was written.
    """
    _hold(session, shop_id, offer_id)
    offer = read_offer(session, shop_id, offer_id)
    launch = Launch(shop_id, now, holdout_basis_points)
    draft = draft_of(offer, state="live")
    checks = _require(session, launch, offer)
    live = save_offer(session, shop_id, draft, now=now, offer_id=offer_id, needs_purpose=True)
    log.info("offer_went_live", extra={"shop_id": shop_id, "offer_id": offer_id, "version": live.version})
    return live, checks


def edit_offer(session: Session, launch: Launch, draft: OfferDraft, before: Offer) -> Offer:
    """Store a new version of an offer. A live offer stays live only if the new version passes the checks.

    Raises: ConflictingRequest when it would not, or somebody was faster, and then the old version stays as it was;
    InvalidInput; NotFound.
    """
    _hold(session, launch.shop_id, before.offer_id)
    held = read_offer(session, launch.shop_id, before.offer_id)
    if held.version != before.version:
        raise ConflictingRequest("the offer was changed meanwhile: read it again", code="stale_version")
    if held.state == "live":
        numbered: dict[str, Any] = {"offer_id": held.offer_id, "version": held.version}
        _require(session, launch, Offer(**_fields(draft), **numbered))
    kept = replace(draft, state=held.state)
    return save_offer(session, launch.shop_id, kept, now=launch.now, offer_id=held.offer_id, needs_purpose=True)


def launch_facts(session: Session, launch: Launch, offer: OfferDraft | Offer) -> LaunchFacts:
    """Read what the checks want to know of the shop: in queries by key, some dozens for a long list of products."""
    shop = get_shop(session, launch.shop_id)
    listed = listed_products(offer)
    anchors = offer.anchors or likely_anchors(session, launch.shop_id, besides=offer.companions or ())
    offer_id = offer.offer_id if isinstance(offer, Offer) else OfferId(0)
    return LaunchFacts(
        shop=shop_as_seen(session, shop, launch, tuple(dict.fromkeys((*anchors, *listed)))),
        anchors=anchors,
        placements=frozenset(SERVED),
        locales=read_settings_of(session, launch.shop_id).locales,
        regret_limit=limit_of(regret_counts(session, launch.shop_id, offer_id)),
        has_open_incident=any(one.offer_id == offer_id for one in incidents(session, launch.shop_id, only_open=True)),
    )


def shop_as_seen(session: Session, shop: Shop, launch: Launch, products: Sequence[ProductId]) -> Snapshot:
    """The shop's part of a snapshot with all of these products, read as a decision reads it, a few at a time."""
    pieces = [products[at : at + MOST_ANCHORS] for at in range(0, len(products), MOST_ANCHORS)] or [()]
    templates = [_template(session, shop, launch, tuple(piece)) for piece in pieces]
    blocks = blocks_in_force(words_on(session, shop.shop_id, products) if products else (), now=launch.now)
    first, *others = templates
    for other in others:
        first = replace(
            first,
            products={**first.products, **other.products},
            companions={**first.companions, **other.companions},
            health={**first.health, **other.health},
            timing=tuple(dict.fromkeys((*first.timing, *other.timing))),
        )
    edges = tuple(dict.fromkeys((*first.negative_edges, *blocks)))
    health = {**product_health(session, shop.shop_id, tuple(first.products)), **first.health}
    return replace(first, negative_edges=edges, health=health)


def likely_anchors(session: Session, shop_id: ShopId, *, besides: Iterable[ProductId] = ()) -> tuple[ProductId, ...]:
    """Products beside which an offer for any product would be shown first: those with the clearest evidence."""
    known = [ProductId(entry.product_id) for entry in catalog_entries(session, shop_id)[:MOST_SEARCHED]]
    best: dict[ProductId, float] = {}
    for start in range(0, len(known), SEARCHED_AT_ONCE):
        rows = evidence_for(session, shop_id, known[start : start + SEARCHED_AT_ONCE]).companions
        best.update({anchor: max(one.score for one in row) for anchor, row in rows.items() if row})
    ordered = sorted(best, key=lambda product: (-best[product], product))
    unlisted = [product for product in known if product not in set(besides)]
    return tuple(ordered[:MOST_ANCHORS] or unlisted[:MOST_ANCHORS])


def draft_of(offer: Offer, **changes: object) -> OfferDraft:
    """The offer as written, without its number."""
    return OfferDraft(**_fields(offer) | changes)


def _require(session: Session, launch: Launch, offer: Offer) -> tuple[Check, ...]:
    checks = check_offer(session, launch, offer)
    wrong = failing(checks)
    if wrong:
        named = "; ".join(f"{check.code}: {check.detail}" for check in wrong)
        raise ConflictingRequest(f"the offer cannot be live: {named}", code="launch_checks_failed")
    return checks


def _template(session: Session, shop: Shop, launch: Launch, anchors: tuple[ProductId, ...]) -> Snapshot:
    asked = OfferRequest(shop.shop_id, "theme/product_page", anchors)
    share = launch.holdout_basis_points
    return replace(
        shelf_for(session, asked, now=launch.now, shop=shop, holdout_basis_points=share).template, now=launch.now
    )


def _hold(session: Session, shop_id: ShopId, offer_id: OfferId) -> None:
    """Hold the offer until the transaction ends: what was checked is what goes live."""
    held = select(OfferRow.version).where(OfferRow.shop_id == shop_id, OfferRow.offer_id == offer_id)
    session.execute(held.with_for_update())


def _fields(offer: OfferDraft | Offer) -> dict[str, Any]:
    return {field.name: getattr(offer, field.name) for field in fields(OfferDraft)}
