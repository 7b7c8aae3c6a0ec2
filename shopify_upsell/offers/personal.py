"""May this shopper see this candidate now: schedule, audience, what they own, the pair's moment, wishes, caps.

Pure. Each rule returns a `Rejection` or None; the first that fires ends the check. They read who asks and when, so
they are asked for every shopper anew; what a busy page shares is asked in `drawing`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shopify_upsell.core import OfferId, ProductId
from shopify_upsell.customers.courtesy import HOUR, NOTHING_SHOWN, CapHit, Caps, hit_in, tally
from shopify_upsell.customers.dismissals import dismissal_in_force
from shopify_upsell.customers.preferences import RESTOCK_KINDS, RESTOCK_ONLY
from shopify_upsell.customers.readiness import has_fresh_positive, undelivered_until
from shopify_upsell.customers.signals import offer_reason
from shopify_upsell.customers.stage import DELIVERED, FIRST_ORDER
from shopify_upsell.customers.suppression import DISMISSED, SNOOZED, suppression_in_force
from shopify_upsell.offers.candidate import Candidate, Rejection
from shopify_upsell.offers.gates import NO_LIMIT, caps_of
from shopify_upsell.offers.moments import is_for_later, pair_moment, timing_word, told_of
from shopify_upsell.offers.money_rules import PERSONAL_MONEY_RULES
from shopify_upsell.offers.offer import BUNDLE, CROSS_SELL, FREE_SHIPPING, GIFT, REPLENISH, SUBSCRIBE, expires_for
from shopify_upsell.offers.rejecting import reject
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.supply import supply_days_for
from shopify_upsell.offers.terms import STANDARD_TERMS
from shopify_upsell.offers.timing import EXPIRED, LATER, SILENT, TOO_EARLY

Rule = Callable[[Candidate, Snapshot], Rejection | None]

ADDED_KINDS = frozenset({CROSS_SELL, BUNDLE, GIFT, FREE_SHIPPING})
"""Kinds that add a product the shopper may have already; the others change or repeat one on purpose."""

DUE_SHARE = 0.8
"""Part of what a customer has that must be used up before the same product may be offered beside another again."""

REPEATED_KINDS = frozenset({REPLENISH, SUBSCRIBE})
"""Kinds about what was bought before, unless they change a line of the cart in hand."""

FIRST_MONTH = timedelta(days=30)
"""After their first parcel a customer is asked at most once in this time. Source: product row R042."""

ARRIVALS = frozenset({"delivered", "delivered_on_time", "delivered_late"})

EVERYBODY, ALWAYS = STANDARD_TERMS.audience, STANDARD_TERMS.schedule
"""What an offer without terms of its own has: recognised at a glance, because every candidate asks."""

TIMING_CODES = {TOO_EARLY: "too_early", SILENT: "blocked_interval", EXPIRED: "window_expired"}


def not_scheduled(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """An offer runs from its start to before its end, by the server's clock."""
    schedule = candidate.offer.terms.schedule
    if schedule is ALWAYS or schedule.is_open(snapshot.now):
        return None
    first = candidate.items[0]
    if schedule.starts_at is not None and snapshot.now < schedule.starts_at:
        return reject(candidate, "not_started", first, until=schedule.starts_at.isoformat())
    return reject(candidate, "ended", first)


def wrong_audience(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """An offer is for whom its merchant meant it. What is not known of a shopper does not match."""
    audience, asked = candidate.offer.terms.audience, snapshot.request
    if audience is EVERYBODY:
        return None
    misses = {
        "stage": bool(audience.stages) and snapshot.shopper.stage not in audience.stages,
        "market": bool(audience.markets) and asked.market not in audience.markets,
        "country": bool(audience.countries) and asked.country not in audience.countries,
        "attribute": bool(audience.attributes) and not audience.has_attributes(snapshot.shopper.attributes),
        "b2b": _is_other_business(audience.b2b, asked.is_b2b),
    }
    missed = next((name for name, is_missed in misses.items() if is_missed), None)
    return reject(candidate, "wrong_audience", candidate.items[0], missed=missed) if missed else None


def offer_over(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A customer's own time for an offer runs from the hour it was first shown to them, on whatever device.

    Cards are kept for 30 days, so an offer may come back to somebody who has not seen it for a month. Whoever cannot be
    recognised again is not shown such an offer: their time could not be kept.
    """
    hours = candidate.offer.terms.schedule.lasts_hours
    if hours is None:
        return None
    if not snapshot.request.subjects:
        return reject(candidate, "wrong_audience", candidate.items[0], missed="name")
    seen = [hour for hour, offer_id, _ in snapshot.courtesy.shown if offer_id == candidate.offer.offer_id]
    if not seen:
        return None
    ends_at = expires_for(candidate.offer, datetime.fromtimestamp(min(seen) * HOUR, UTC))
    if ends_at is None or snapshot.now < ends_at:
        return None
    return reject(candidate, "offer_over", candidate.items[0], ended_at=ends_at.isoformat())


def taken_enough(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A merchant may limit how often one customer takes an offer."""
    most = candidate.offer.terms.max_per_customer
    if most is None:
        return None
    wanted = offer_reason(candidate.offer.offer_id)
    taken = [one for one in snapshot.shopper.signals if one.kind == "offer_accepted" and one.reason == wanted]
    return reject(candidate, "taken_enough", candidate.items[0], taken=len(taken)) if len(taken) >= most else None


def no_consent(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What reaches a customer outside the shop needs their consent to be written to."""
    if snapshot.request.surface != "email" or snapshot.shopper.marketing_consent is True:
        return None
    return reject(candidate, "no_consent", candidate.items[0])


def no_positive_signal(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """An offer later in a customer's life does not come out of nowhere: something good happened lately."""
    if snapshot.placement_kind != LATER or not candidate.offer.terms.needs_positive_signal:
        return None
    if has_fresh_positive(snapshot.shopper, now=snapshot.now):
        return None
    return reject(candidate, "no_positive_signal", candidate.items[0])


def undelivered(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """While a parcel is under way only what completes the basket in hand is offered, and no pair that is for later.

    Source: product row R042, "no offer between order and delivery except t0-pairs".
    """
    if not snapshot.shopper.signals:
        return None
    if snapshot.placement_kind != LATER and _completes_basket(candidate, snapshot):
        return None
    until = undelivered_until(snapshot.shopper, now=snapshot.now)
    return reject(candidate, "undelivered", candidate.items[0], until=until.isoformat()) if until else None


def newcomer_asked(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Who has just got a first parcel is asked once in the first month, away from what they look for themselves."""
    shopper = snapshot.shopper
    if snapshot.placement_kind != LATER or shopper.stage not in (FIRST_ORDER, DELIVERED) or not snapshot.courtesy.shown:
        return None
    arrived_at = min((one.occurred_at for one in shopper.signals if one.kind in ARRIVALS), default=None)
    if arrived_at is None or not arrived_at <= snapshot.now < arrived_at + FIRST_MONTH:
        return None
    # A card of the very hour of the arrival may have come after it, so it counts.
    if snapshot.courtesy.shown[-1][0] < int(arrived_at.timestamp()) // HOUR:
        return None
    until = arrived_at + FIRST_MONTH
    return reject(candidate, "newcomer_asked", candidate.items[0], until=until.isoformat())


def already_owned(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Nobody is offered what they have, unless it is used up about now."""
    if not snapshot.owned or candidate.offer.kind not in ADDED_KINDS:
        return None
    own = candidate.anchor_product_id if candidate.includes_anchor else None
    for item in candidate.items:
        owned = snapshot.owned.get(item.product_id)
        if owned is None or item.product_id == own:
            continue
        due_at = _due_at(item.product_id, snapshot)
        if due_at is None:
            return reject(candidate, "already_owned", item)
        if snapshot.now < due_at:
            return reject(candidate, "already_owned", item, until=due_at.isoformat())
    return None


def wrong_moment(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A pair has its window, counted from the day the anchor arrived."""
    for item in candidate.items:
        if item.product_id == candidate.anchor_product_id:
            continue
        moment = pair_moment(candidate, item.product_id, snapshot)
        if moment is not None and not moment.allows:
            return reject(candidate, TIMING_CODES[moment.state], item, **told_of(moment))
    return None


def wants_restock_only(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Somebody who only wants to hear when something runs out hears only that."""
    if snapshot.preference != RESTOCK_ONLY or candidate.offer.kind in RESTOCK_KINDS:
        return None
    return reject(candidate, "preference_restock_only", candidate.items[0])


def suppressed_dismissed(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What a shopper waved away stays away: the offer, the product, and most of all the pair."""
    if not snapshot.suppressions and not snapshot.dismissals:
        return None
    wishes = [wish for wish in snapshot.suppressions if wish.reason == DISMISSED]
    anchors = {*snapshot.request.anchor_product_ids, candidate.anchor_product_id}
    for item in candidate.items:
        wish = suppression_in_force(wishes, item.product_id, now=snapshot.now)
        known = dismissal_in_force(
            snapshot.dismissals,
            offer_id=candidate.offer.offer_id,
            anchors=anchors,
            product_id=item.product_id,
            now=snapshot.now,
        )
        until = max((one.until for one in (wish, known) if one is not None), default=None)
        if until is not None:
            return reject(candidate, "suppressed_dismissed", item, until=until.isoformat())
    return None


def suppressed_snoozed(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A pause may be about one product alone."""
    wishes = [wish for wish in snapshot.suppressions if wish.reason == SNOOZED]
    for item in candidate.items if wishes else ():
        wish = suppression_in_force(wishes, item.product_id, now=snapshot.now)
        if wish is not None:
            return reject(candidate, "suppressed_snoozed", item, until=wish.until.isoformat())
    return None


def offer_shown_enough(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Who has passed an offer by often enough has answered. The caps of all offers together are a gate's."""
    offer_id = candidate.offer.offer_id
    own = tuple([entry for entry in snapshot.courtesy.shown if entry[1] == offer_id])
    caps = caps_of(snapshot, offer_id)
    if sum([cards for _hour, _offer, cards in own]) < min(caps.offer_day, caps.offer_month):
        return None
    hit = _cap_hit(own, caps, offer_id, snapshot.now)
    return reject(candidate, hit.code, candidate.items[0], until=hit.until.isoformat()) if hit is not None else None


@lru_cache(maxsize=1024)
def _cap_hit(own: tuple[tuple[int, int, int], ...], caps: Caps, offer_id: OfferId, now: datetime) -> CapHit | None:
    """Asked once an offer, though each of its candidates asks."""
    counted = tally(replace(NOTHING_SHOWN, shown=own), now=now)
    return hit_in(counted, replace(caps, session=NO_LIMIT, day=NO_LIMIT, month=NO_LIMIT), offer_id)


PERSONAL_RULES: tuple[Rule, ...] = (
    not_scheduled,
    wrong_audience,
    offer_over,
    taken_enough,
    no_consent,
    no_positive_signal,
    undelivered,
    newcomer_asked,
    already_owned,
    wrong_moment,
    wants_restock_only,
    suppressed_dismissed,
    suppressed_snoozed,
    offer_shown_enough,
    *PERSONAL_MONEY_RULES,
)


def rules_for(snapshot: Snapshot) -> tuple[Rule, ...]:
    """The rules that could refuse anything in this snapshot: of an anonymous shopper on a product page a handful.

    They refuse what `PERSONAL_RULES` refuse, with the same codes.
    """
    is_later, shopper = snapshot.placement_kind == LATER, snapshot.shopper
    idle: dict[Rule, bool] = {
        no_consent: snapshot.request.surface != "email",
        no_positive_signal: not is_later,
        undelivered: not shopper.signals,
        newcomer_asked: not is_later or not snapshot.courtesy.shown,
        already_owned: not snapshot.owned,
        wants_restock_only: snapshot.preference != RESTOCK_ONLY,
        suppressed_dismissed: not snapshot.suppressions and not snapshot.dismissals,
        suppressed_snoozed: not snapshot.suppressions,
        offer_shown_enough: not snapshot.courtesy.shown and snapshot.caps.offer_day > 0,
    }
    return tuple(rule for rule in PERSONAL_RULES if not idle.get(rule, False))


def _is_other_business(wanted: str, is_b2b: bool | None) -> bool:
    return (wanted == "only" and is_b2b is not True) or (wanted == "never" and is_b2b is not False)


def _due_at(product_id: ProductId, snapshot: Snapshot) -> datetime | None:
    """When what the customer has of a product should be nearly used up; None where it does not get used up."""
    owned, product = snapshot.owned[product_id], snapshot.products.get(product_id)
    days_a_piece = supply_days_for(product, owned) if product is not None else None
    if days_a_piece is None:
        return None
    return owned.delivered_at + timedelta(days=DUE_SHARE * days_a_piece * max(owned.quantity_last, 1))


def _completes_basket(candidate: Candidate, snapshot: Snapshot) -> bool:
    """Tell whether all of a candidate belongs to the purchase in hand: no repeat of an older one, no pair for later."""
    if candidate.offer.kind in REPEATED_KINDS and candidate.replaces_variant_id is None:
        return False
    others = (item.product_id for item in candidate.items if item.product_id != candidate.anchor_product_id)
    return not any(is_for_later(timing_word(candidate, product_id, snapshot)) for product_id in others)
