"""What a shopper waved away, remembered for an offer, a product and a pair, and forgotten after a while.

Pure. In: a dismissal with its card. Out: what to remember, and what is in force for a candidate. A dismissal of one
card says three things of different strength: not this offer, not this product, not this product beside that one.
Saying it again doubles the time, so that it takes few words to be left alone and none to be asked again one day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import OfferId, ProductId

ANY = 0
ANY_OFFER, ANY_PRODUCT = OfferId(ANY), ProductId(ANY)
"""Stand for "any" in a scope. Our ids and Shopify's begin above 0."""

OFFER_DAYS, PRODUCT_DAYS, PAIR_DAYS = 30, 30, 90
"""How long a first dismissal is remembered. Source: our choice. An offer or a product may suit another time, a month
on; that two things do not belong together hardly changes in a season."""

LONGEST_DAYS = 180
"""Where doubling ends, and how long a dismissal is remembered at all: half a year later a shopper is asked afresh."""

SAME_DISMISSAL = timedelta(hours=1)
"""Within this time the same dismissal said again is a repeat of the message, not another word."""

MOST_ANCHORS, MOST_PRODUCTS = 5, 5
"""Pairs remembered of one card: of a large cart the first lines."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a dismissal is about: an offer, a product, or a product beside an anchor. 0 means any."""

    offer_id: OfferId = ANY_OFFER
    anchor_product_id: ProductId = ANY_PRODUCT
    product_id: ProductId = ANY_PRODUCT


@dataclass(frozen=True, slots=True)
class Dismissal:
    """One scope that a shopper waved away `times` times, last at `last_at`; in force before `until`."""

    subject: str
    scope: Scope
    times: int
    last_at: datetime
    until: datetime


def scopes_of(offer_id: OfferId, anchors: Sequence[ProductId], products: Sequence[ProductId]) -> tuple[Scope, ...]:
    """All that one dismissed card is about: the offer, its products, and each pair of an anchor and a product."""
    shown = tuple(dict.fromkeys(products))[:MOST_PRODUCTS]
    beside = tuple(dict.fromkeys(anchors))[:MOST_ANCHORS]
    return (
        Scope(offer_id=offer_id),
        *(Scope(product_id=product_id) for product_id in shown),
        *(
            Scope(anchor_product_id=anchor_id, product_id=product_id)
            for anchor_id in beside
            for product_id in shown
            if anchor_id != product_id
        ),
    )


def base_days(scope: Scope) -> int:
    """How many days a first dismissal of this scope lasts."""
    if scope.offer_id != ANY:
        return OFFER_DAYS
    return PAIR_DAYS if scope.anchor_product_id != ANY else PRODUCT_DAYS


def remembered(before: Dismissal | None, subject: str, scope: Scope, *, now: datetime) -> Dismissal:
    """What is kept after a dismissal: twice as long each time, at most 180 days, never less than was promised."""
    if before is not None and now - before.last_at < SAME_DISMISSAL:
        return before
    is_known = before is not None and now - before.last_at < timedelta(days=LONGEST_DAYS)
    times = before.times + 1 if before is not None and is_known else 1
    until = now + timedelta(days=_days(scope, times))
    return Dismissal(subject, scope, times, now, max(until, before.until) if before is not None else until)


def joined(one: Dismissal, other: Dismissal, subject: str) -> Dismissal:
    """One dismissal out of what two names of a shopper said about the same scope."""
    last = max(one.last_at, other.last_at)
    return Dismissal(subject, one.scope, one.times + other.times, last, max(one.until, other.until))


def dismissal_in_force(
    dismissals: Iterable[Dismissal],
    *,
    offer_id: OfferId,
    anchors: Iterable[ProductId],
    product_id: ProductId,
    now: datetime,
) -> Dismissal | None:
    """Find what keeps this candidate away at this moment: of several dismissals the one that lasts longest.

    The far end is excluded: at `until` it may be shown again.
    """
    beside = {ANY, *anchors}
    held = [
        one
        for one in dismissals
        if one.scope.offer_id in (ANY, offer_id)
        and one.scope.product_id in (ANY, product_id)
        and one.scope.anchor_product_id in beside
        and now < one.until
    ]
    return max(held, key=_strength, default=None)


def _strength(one: Dismissal) -> tuple[datetime, int, int, int, str]:
    return one.until, one.scope.offer_id, one.scope.anchor_product_id, one.scope.product_id, one.subject


def _days(scope: Scope, times: int) -> int:
    # Four doublings pass the limit whatever the scope; no larger power need be taken.
    return min(LONGEST_DAYS, base_days(scope) * int(2 ** min(times - 1, 4)))
