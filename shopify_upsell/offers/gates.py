"""May this person be asked anything at all, here and now? One answer for all offers, before any is looked at.

Pure. Comes in: a snapshot. Goes out: nothing, or the one code that refuses everything, with the date from which it is
worth asking again. In the order asked: the place, the shopper's own word, how they feel, how much they were asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shopify_upsell.core import OfferId
from shopify_upsell.customers.courtesy import Caps, divided_caps, hit_in, room, tally
from shopify_upsell.customers.preferences import ALL, NONE, caps_for
from shopify_upsell.customers.quiet import ORDER_PAGES, quiet_reason
from shopify_upsell.customers.readiness import READY, readiness_of
from shopify_upsell.customers.suppression import EVERY_PRODUCT, SNOOZED, suppression_in_force
from shopify_upsell.offers.snapshot import Snapshot

EVERY_OFFER = OfferId(0)
"""Stands for all offers at once in a rejection; ours count from 1."""

ENDS_OF_ORDERS = frozenset({"delivered", "delivered_on_time", "delivered_late", "order_cancelled"})
"""Signals after which nobody waits for the parcels of an order any more."""

LATE_FOR = timedelta(days=14)
"""How long after the promised day a parcel of which nobody says that it came still counts as late. Our choice: many
carriers never say, and somebody who misses a parcel asks within two weeks."""

NO_LIMIT = 1_000_000
"""Units: cards. Stands in a place of caps that is not being asked about."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What refuses every offer. `until`: not before; None when nobody knows."""

    code: str
    until: datetime | None = None


def budget_taken(snapshot: Snapshot) -> Gate | None:
    """Several pages of one shopper asked at once, and the others were first."""
    return Gate("budget_taken") if snapshot.lost_race else None


def quiet_zone(snapshot: Snapshot) -> Gate | None:
    """On some pages people are worried, or busy with something that matters."""
    asked = snapshot.request
    if asked.page is None and asked.path is None:
        return None
    code = quiet_reason(asked.page, asked.path, is_delivery_late=_is_delivery_late(snapshot))
    return Gate(code) if code is not None else None


def preference_none(snapshot: Snapshot) -> Gate | None:
    """Somebody who wants no offers gets none, anywhere."""
    return Gate("preference_none") if snapshot.preference == NONE else None


def paused(snapshot: Snapshot) -> Gate | None:
    """A pause lasts as long as the shopper chose."""
    snoozed = [wish for wish in snapshot.suppressions if wish.reason == SNOOZED]
    wish = suppression_in_force(snoozed, EVERY_PRODUCT, now=snapshot.now) if snoozed else None
    return Gate("suppressed_snoozed", wish.until) if wish is not None else None


def unhappy(snapshot: Snapshot) -> Gate | None:
    """Nothing is sold to the unhappy: trouble that is open or fresh, or more bad memories than good ones."""
    if not snapshot.shopper.signals:
        return None
    readiness = readiness_of(snapshot.shopper, now=snapshot.now)
    if readiness.state == READY:
        return None
    return Gate(readiness.gate or "not_ready", readiness.until)


def asked_enough(snapshot: Snapshot) -> Gate | None:
    """The budget of cards is one for all surfaces, and it is spent."""
    if cards_left(snapshot) > 0:
        return None
    caps = replace(caps_of(snapshot), offer_day=NO_LIMIT, offer_month=NO_LIMIT)
    hit = hit_in(tally(snapshot.courtesy, now=snapshot.now), caps, EVERY_OFFER)
    return Gate(hit.code, hit.until) if hit is not None else None


def cards_left(snapshot: Snapshot) -> int:
    """Cards that may still be shown at this moment, before the caps of single offers."""
    caps = caps_of(snapshot)
    if not snapshot.courtesy.shown:
        return min(caps.session, caps.day, caps.month)
    return room(snapshot.courtesy, caps, now=snapshot.now)


GATES: tuple[Callable[[Snapshot], Gate | None], ...] = (
    budget_taken,
    quiet_zone,
    preference_none,
    paused,
    unhappy,
    asked_enough,
)


def closed_gate(snapshot: Snapshot) -> Gate | None:
    """The first gate that is closed, or None when the shopper may be asked."""
    for ask in GATES:
        gate = ask(snapshot)
        if gate is not None:
            return gate
    return None


def caps_of(snapshot: Snapshot, offer_id: OfferId = EVERY_OFFER) -> Caps:
    """The merchant's caps as they hold for this shopper and offer: what they prefer, and what throttles.

    The shop's throttle divides all of them; an offer's own throttle divides the caps of that offer and no others.
    """
    if not snapshot.throttles and snapshot.preference == ALL:
        return snapshot.caps
    shop = max((one.level for one in snapshot.throttles if one.offer_id == EVERY_OFFER), default=0)
    own = max((one.level for one in snapshot.throttles if one.offer_id == offer_id != EVERY_OFFER), default=0)
    return _caps_at(snapshot.caps, snapshot.preference, shop, own)


@lru_cache(maxsize=1024)
def _caps_at(caps: Caps, preference: str, shop: int, own: int) -> Caps:
    whole = divided_caps(caps_for(preference, caps), int(2**shop))
    offers = divided_caps(whole, int(2**own))
    return replace(whole, offer_day=offers.offer_day, offer_month=offers.offer_month)


def _is_delivery_late(snapshot: Snapshot) -> bool | None:
    """Tell whether a parcel should have come by now; None where nobody promised a day.

    Asked for pages about an order only: somebody looks there because they wait.
    """
    if snapshot.request.page not in ORDER_PAGES:
        return None
    promised: dict[int | None, datetime] = {}
    for signal in snapshot.shopper.signals:
        if signal.occurred_at > snapshot.now:
            continue
        if signal.kind == "delivery_estimated" and signal.value is not None:
            promised[signal.order_id] = datetime.fromtimestamp(signal.value, UTC)
    ended = {one.order_id for one in snapshot.shopper.signals if one.kind in ENDS_OF_ORDERS}
    late = [timedelta(0) <= snapshot.now - day < LATE_FOR for order, day in promised.items() if order not in ended]
    return True if any(late) else None
