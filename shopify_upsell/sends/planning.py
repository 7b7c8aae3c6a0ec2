"""Job: plan lifecycle sends by night. First end what is over, then learn from the log, then plan a page at a time.

Each page is read and thought over in no transaction and written in one of its own. A run that is cut short is run
again: whoever has an open send is passed over, and everybody else's plan comes out the same.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ProductId, RetryLater, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue, hold, is_running_elsewhere
from shopify_upsell.ledger.delivery_store import shop_usual_delivery
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import blocks_in_force
from shopify_upsell.matrix.store import NEXT, companions_of, words_on
from shopify_upsell.matrix.timed import LAST_DAY, Pair, TimingWord, prior_word
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.offers.choice import LIFECYCLE
from shopify_upsell.offers.decide import OWNED_SINCE
from shopify_upsell.offers.moments import merchant_word
from shopify_upsell.offers.offer import CROSS_SELL, Offer
from shopify_upsell.offers.store import live_offers
from shopify_upsell.sends.fit import speaks_against
from shopify_upsell.sends.histories import customers_to_plan, delivered_from, kept_lines, trade_of, who_consent
from shopify_upsell.sends.learned import Learned, learn_windows
from shopify_upsell.sends.plan import Owner, Partner, Plan, plan_for
from shopify_upsell.sends.sent import ending_of
from shopify_upsell.sends.store import (
    add_plans,
    end_sends,
    forget_old_sends,
    open_sends,
    setting_of,
    told_of,
    tried_counts,
)

log = logging.getLogger(__name__)

PLANNING = "plan_sends"

PAGE = 200
"""Customers looked at together: some thousand lines in memory at most."""

PAGES_A_RUN = 100
"""Pages before others get their turn; the next run goes on behind them."""

LONGEST_RUN = timedelta(minutes=10)

UNDER_WAY = timedelta(days=30)
"""Added to the last day of the last window: an order may take that long to arrive."""

MOST_COMPANIONS = 20
"""Companions of an anchor looked at, as many as a decision looks at."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What all plans of a night rest on."""

    offers: tuple[Offer, ...]
    learned: Learned


class SendPlanning:
    """The job. One run a shop at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, job: Job) -> Callable[[Session], None]:
        """End, learn and plan; return the write that asks for the rest. Raises: RetryLater while another runs."""
        after = CustomerId(int(job.payload.get("after", 0)))
        with self._database.write() as session:
            bind_shop(session, job.shop_id)
            if is_running_elsewhere(session, job):
                raise RetryLater("sends are being planned already", after=timedelta(minutes=1))
            hold(session, job, LONGEST_RUN)
        if not after:
            self._end(job.shop_id, job.now)
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            basis = basis_of(session, job.shop_id, now=job.now)
        rest = None if basis is None else self._plan_pages(job, basis, after)

        def write(session: Session) -> None:
            forget_old_sends(session, job.shop_id, now=job.now)
            if rest is not None:
                key = f"{PLANNING}:more@{job.now.isoformat()}:{rest}"
                enqueue(session, job.shop_id, JobRequest(PLANNING, key, {"after": rest}), job.now)

        return write

    def _end(self, shop_id: ShopId, now: datetime) -> None:
        after: CustomerId | None = CustomerId(0)
        while after is not None:
            with self._database.write() as session:
                bind_shop(session, shop_id)
                after = end_page(session, shop_id, after=after, now=now)

    def _plan_pages(self, job: Job, basis: Basis, after: CustomerId) -> CustomerId | None:
        """Plan page by page. Returns the customer after whom to go on, None when all are done."""
        count = 0
        place: CustomerId | None = after
        for _ in range(PAGES_A_RUN):
            if place is None:
                break
            with self._database.read() as session:
                bind_shop(session, job.shop_id)
                plans, place = plan_page(session, job.shop_id, basis, after=place, now=job.now)
            with self._database.write() as session:
                bind_shop(session, job.shop_id)
                count += add_plans(session, job.shop_id, plans, now=job.now)
        log.info("sends_planned", extra={"shop_id": job.shop_id, "send_count": count, "is_last": place is None})
        return place


def basis_of(session: Session, shop_id: ShopId, *, now: datetime) -> Basis | None:
    """What to plan from; None where the merchant's switch is off, no offer is for it, or the shop is no fit."""
    if not setting_of(session, shop_id).is_on:
        return None
    offers = tuple(one for one in live_offers(session, shop_id) if LIFECYCLE in one.placements)
    offers = tuple(one for one in offers if one.kind == CROSS_SELL)
    against = speaks_against(trade_of(session, shop_id, now=now))
    if against or not offers:
        log.info("sends_not_planned", extra={"shop_id": shop_id, "against": list(against), "offer_count": len(offers)})
        return None
    # The lot must not repeat itself from night to night, and a repeated run must repeat it.
    seed = int(shop_id) * 1_000_000 + now.toordinal()
    return Basis(offers, learn_windows(tried_counts(session, shop_id, now=now), seed=seed))


def plan_page(
    session: Session, shop_id: ShopId, basis: Basis, *, after: CustomerId, now: datetime
) -> tuple[list[Plan], CustomerId | None]:
    """Plan for some customers. Returns the plans, and after whom to go on; None when nobody is left."""
    since = now - timedelta(days=LAST_DAY) - UNDER_WAY
    page = customers_to_plan(session, shop_id, after=after, limit=PAGE, since=since)
    agreed = who_consent(session, shop_id, page)
    owners = _owners(session, shop_id, agreed, now)
    anchors = sorted({one.product_id for owner in owners for one in owner.delivered})
    menu = menu_for(session, shop_id, anchors, basis.offers, now=now)
    planned = (plan_for(owner, menu, basis.learned, seed=str(shop_id), now=now) for owner in owners)
    return [plan for plan in planned if plan is not None], page[-1] if len(page) == PAGE else None


def menu_for(
    session: Session, shop_id: ShopId, anchors: Sequence[ProductId], offers: Iterable[Offer], *, now: datetime
) -> dict[ProductId, tuple[Partner, ...]]:
    """What may be written about beside each anchor: what is bought next, or what the merchant lists."""
    if not anchors:
        return {}
    said = words_on(session, shop_id, anchors)
    refused = {word.pair for word in blocks_in_force(said, now=now)}
    timing = timing_for(session, shop_id, anchors, said=said)
    learned = companions_of(session, shop_id, anchors, kind=NEXT)
    menu: dict[ProductId, dict[ProductId, Partner]] = {anchor: {} for anchor in anchors}
    for offer in offers:
        for anchor in anchors if offer.anchors is None else [one for one in anchors if one in offer.anchors]:
            for product, score in _offered(offer, anchor, learned):
                held = menu[anchor].get(product)
                if (anchor, product) not in refused and (held is None or held.score < score):
                    menu[anchor][product] = Partner(product, score, _word((anchor, product), offer, timing))
    return {anchor: tuple(partners.values()) for anchor, partners in menu.items()}


def end_page(session: Session, shop_id: ShopId, *, after: CustomerId, now: datetime) -> CustomerId | None:
    """End some open sends by what their customers bought. Returns after whom to go on; None when nobody is left."""
    page = open_sends(session, shop_id, after=after, limit=PAGE)
    if not page:
        return None
    kept = kept_lines(session, shop_id, [one.customer_id for one in page], since=now - OWNED_SINCE)
    endings = [ending_of(send, kept[send.customer_id], now=now) for send in page]
    end_sends(session, shop_id, [one for one in endings if one is not None], now=now)
    return page[-1].customer_id if len(page) == PAGE else None


def _owners(session: Session, shop_id: ShopId, customer_ids: Sequence[CustomerId], now: datetime) -> list[Owner]:
    if not customer_ids:
        return []
    usual = shop_usual_delivery(session, shop_id)
    told = told_of(session, shop_id, customer_ids)
    kept = kept_lines(session, shop_id, customer_ids, since=now - OWNED_SINCE)
    return [Owner(one, delivered_from(kept[one], usual), frozenset(told.get(one, ()))) for one in customer_ids]


def _offered(
    offer: Offer, anchor: ProductId, learned: Mapping[ProductId, Sequence[Companion]]
) -> list[tuple[ProductId, float]]:
    if offer.companions is None:
        return [(one.product_id, one.score) for one in learned.get(anchor, ())[:MOST_COMPANIONS]]
    # What a merchant picked goes before what was only counted.
    return [(one, 1.0) for one in offer.companions if one != anchor]


def _word(pair: Pair, offer: Offer, timing: dict[Pair, TimingWord]) -> TimingWord:
    known = timing.get(pair)
    days = offer.terms.window_days
    if days is not None:
        return merchant_word(pair, (days[0], days[1]), known)
    return known or prior_word(*pair)
