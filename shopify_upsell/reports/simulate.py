"""Use case: replay the last months of a shop's ledger with a draft offer among the live ones. Nothing is written.

Past orders become moments (`simulating.moments_of`); each is asked on a snapshot put together as `offers.decide` does,
with the customer as they stood at that moment and the shop as it is today. Read a page of orders at a time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ProductId
from shopify_upsell.customers.shopper import ANONYMOUS
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.matrix.said import blocks_in_force, pins_in_force
from shopify_upsell.matrix.store import words_on
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.offers.acceptance_store import acceptance_for
from shopify_upsell.offers.launch import as_live
from shopify_upsell.offers.launching import Launch, shop_as_seen
from shopify_upsell.offers.offer import Offer, OfferDraft
from shopify_upsell.offers.past_moments import AFTER, CART, PRODUCT_PAGE, PastMoment, is_sampled, moments_of
from shopify_upsell.offers.shelf import Shelf
from shopify_upsell.offers.shelving import MOST_ANCHORS, resolved_request, shelf_for
from shopify_upsell.offers.simulating import Rehearsal, Simulated
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot
from shopify_upsell.offers.store import live_offers
from shopify_upsell.reports.past import PastPerson, count_past_orders, past_orders, past_people, usual_delivery_of
from shopify_upsell.shops.store import Shop

MOST_SHELVES = 500
"""Questions whose answers are kept while replaying: about 75 MB at most. A shop's product pages mostly fit."""

MOST_MONTHS = 24
DAYS_A_MONTH = 30

SERVED = (PRODUCT_PAGE, CART, AFTER)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to replay.

    Units: `months` of 30 days back from `now`; `share_basis_points` of customers, the same ones for the same `seed`;
    `holdout_basis_points` as the app is set.
    """

    offer: OfferDraft | Offer
    now: datetime
    months: int = 6
    holdout_basis_points: int = 0
    seed: int = 0
    share_basis_points: int = ALL_BASIS_POINTS

    @property
    def since(self) -> datetime:
        """The start of what is replayed."""
        return self.now - timedelta(days=DAYS_A_MONTH * self.months)


def orders_to_replay(session: Session, shop: Shop, simulation: Simulation) -> int:
    """How many orders a replay walks through, for a progress bar."""
    return count_past_orders(session, shop.shop_id, simulation.since, simulation.now)


def simulate(
    session: Session, shop: Shop, simulation: Simulation, *, on_orders: Callable[[int], object] = lambda _count: None
) -> Simulated:
    """Replay past orders with the offer live. `on_orders` hears how many more orders are done.

    Raises: InvalidInput for a period that is none.
    """
    if not 1 <= simulation.months <= MOST_MONTHS:
        raise InvalidInput(f"months: are 1 to {MOST_MONTHS}")
    offer = as_live(simulation.offer)
    replay = _Replay(session, shop, replace(simulation, offer=offer), offer)
    rehearsal = Rehearsal(offer, currency=shop.currency or "", zone=_zone(shop))
    for page in past_orders(session, shop.shop_id, simulation.since, simulation.now):
        customers = {order.customer_id for order in page if order.customer_id is not None}
        since, until = page[0].ordered_at - timedelta(days=1), page[-1].ordered_at + timedelta(seconds=1)
        people = past_people(session, shop.shop_id, customers, since=since, until=until)
        for order in page:
            moments = moments_of(order, shop.shop_id, shop.currency or "", replay.placements)
            if not moments or not is_sampled(simulation.seed, _unit(moments[0]), simulation.share_basis_points):
                continue
            rehearsal.take_order()
            person = people.get(order.customer_id) if order.customer_id is not None else None
            for moment in moments:
                snapshot, shelf = replay.snapshot_at(moment, person)
                rehearsal.take(replace(moment, request=snapshot.request), snapshot, shelf.draw(snapshot))
        on_orders(len(page))
    return rehearsal.simulated()


def simulated_json(found: Simulated) -> dict[str, Any]:
    """Plain values for JSON."""
    document = asdict(found)
    for name in ("by_month", "by_weekday", "next_from"):
        document[name] = dict(document[name])
    document["cap_pressure"] = round(found.cap_pressure, 6)
    return document


class _Replay:
    """The shop as it is today, with the draft among its live offers."""

    def __init__(self, session: Session, shop: Shop, simulation: Simulation, offer: Offer) -> None:
        self._session, self._shop, self._simulation, self._offer = session, shop, simulation, offer
        others = [one for one in live_offers(session, shop.shop_id) if one.offer_id != offer.offer_id]
        self._offers = tuple(sorted((*others, offer), key=lambda one: one.offer_id))
        asked = {placement for one in self._offers for placement in one.placements}
        self.placements = tuple(placement for placement in SERVED if placement in asked)
        """Placements at which anything could be shown: other offers spend of the same budget."""
        launch = Launch(shop.shop_id, simulation.now, simulation.holdout_basis_points)
        self._drafted = shop_as_seen(session, shop, launch, tuple(offer.companions or ()))
        self._usual = usual_delivery_of(session, shop.shop_id)
        self._shelves: OrderedDict[object, Shelf] = OrderedDict()

    def snapshot_at(self, moment: PastMoment, person: PastPerson | None) -> tuple[Snapshot, Shelf]:
        """Everything that a decision at that moment would have read, and the shelf that its answer is drawn from."""
        asked = resolved_request(self._session, self._shop.shop_id, moment.request)
        shelf = self._shelf(asked)
        at = moment.at
        quarter = quarter_holdout(self._shop.holdout_salt, at, self._simulation.holdout_basis_points)
        snapshot = replace(shelf.template, now=at, request=asked, shopper=ANONYMOUS, holdout_salt=quarter.salt)
        if person is not None:
            snapshot = replace(
                snapshot,
                shopper=person.shopper_at(at),
                suppressions=person.suppressions_at(at),
                dismissals=person.dismissals_at(at),
                preference=person.preference_at(at),
                owned=person.owned_at(at, self._usual, shelf.template.products.keys()),
            )
        return snapshot, shelf

    def _shelf(self, asked: OfferRequest) -> Shelf:
        key = (asked.placement, asked.anchor_product_ids, frozenset(line.product_id for line in asked.cart))
        known = self._shelves.get(key)
        if known is None:
            known = self._with_draft(asked)
            self._shelves[key] = known
            while len(self._shelves) > MOST_SHELVES:
                self._shelves.popitem(last=False)
        self._shelves.move_to_end(key)
        return known

    def _with_draft(self, asked: OfferRequest) -> Shelf:
        """The shelf as a decision reads it, and what it would read more if the draft were live."""
        share, now = self._simulation.holdout_basis_points, self._simulation.now
        shelf = shelf_for(self._session, asked, now=now, shop=self._shop, holdout_basis_points=share)
        template, mine = replace(shelf.template, offers=self._offers), set(self._offer.companions or ())
        if mine:
            template = self._with_products(self._with_words(template, asked, mine), mine)
        return replace(shelf, template=template, drawn={})

    def _with_products(self, template: Snapshot, mine: set[ProductId]) -> Snapshot:
        listed = {product: one for product, one in self._drafted.products.items() if product in mine}
        health = {product: one for product, one in self._drafted.health.items() if product in mine}
        counted = {(one.offer_id, one.product_id) for one in template.acceptance}
        own = acceptance_for(self._session, self._shop.shop_id, {self._offer.offer_id}, listed)
        more = tuple(one for one in own if (one.offer_id, one.product_id) not in counted)
        return replace(
            template,
            products={**listed, **template.products},
            health={**health, **template.health},
            acceptance=(*template.acceptance, *more),
        )

    def _with_words(self, template: Snapshot, asked: OfferRequest, mine: set[ProductId]) -> Snapshot:
        """What is said of the pairs that the draft would make: blocks, pins and windows."""
        shop_id, anchors = self._shop.shop_id, asked.anchor_product_ids
        in_cart = (line.product_id for line in asked.cart[:MOST_ANCHORS] if line.product_id is not None)
        beside = tuple(dict.fromkeys((*anchors, *in_cart)))
        words = words_on(self._session, shop_id, beside) if beside else ()
        held = {edge.pair for edge in template.negative_edges}
        blocks = blocks_in_force(words, now=self._simulation.now)
        timed = {word.pair for word in template.timing}
        timing = timing_for(self._session, shop_id, anchors, said=words)
        pins = (pair for pair in pins_in_force(words) if pair[1] in mine)
        return replace(
            template,
            negative_edges=(
                *template.negative_edges,
                *(edge for edge in blocks if edge.companion_product_id in mine and edge.pair not in held),
            ),
            timing=(
                *template.timing,
                *(word for pair, word in sorted(timing.items()) if pair[1] in mine and pair not in timed),
            ),
            pins=tuple(sorted({*template.pins, *pins})),
        )


def _unit(moment: PastMoment) -> str:
    return next(iter(moment.request.subjects), "")


def _zone(shop: Shop) -> tzinfo:
    """The shop's time zone; UTC where it is not known."""
    try:
        return ZoneInfo(shop.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
