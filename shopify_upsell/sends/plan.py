"""Which pair a customer is written to about, and in which window after the anchor arrived.

Pure. Comes in: what reached a customer, what may follow it and when, and what was learned of windows. Goes out: at most
one plan, its window drawn by `matrix.sending` with the propensity of that draw.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import CustomerId, OrderId, ProductId
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.matrix.timed import LAST_DAY, TimingWord
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS
from shopify_upsell.sends.learned import Learned

DAY = timedelta(days=1)

Told = tuple[OrderId, ProductId, ProductId]
"""The order that brought an anchor, the anchor, and the companion that somebody was planned to hear of."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A window that is not over: the first moment in it that no silent stretch covers, and its end (excluded)."""

    window: int
    due_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Partner:
    """A companion that may be written about beside an anchor. Units: `score` a rate, 0 to 1."""

    product_id: ProductId
    score: float
    word: TimingWord


@dataclass(frozen=True, slots=True)
class Delivered:
    """The last order of a product that a customer kept, and when it arrived, known or estimated."""

    product_id: ProductId
    order_id: OrderId
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    """A customer: what they have of each product, and what they were planned to hear of before."""

    customer_id: CustomerId
    delivered: tuple[Delivered, ...]
    told: frozenset[Told] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """One planned send. `eligible`: the windows it was drawn from. Units: `propensity` a chance, 0 to 1."""

    customer_id: CustomerId
    anchor_product_id: ProductId
    companion_product_id: ProductId
    anchor_order_id: OrderId
    relation: str
    eligible: tuple[int, ...]
    window: int
    is_random: bool
    propensity: float
    due_at: datetime
    closes_at: datetime


def openings(word: TimingWord, delivered_at: datetime, *, now: datetime) -> tuple[Opening, ...]:
    """The windows in which the pair may still be spoken of: inside its own days, not over, not silent throughout."""
    first, last = word.window or (0, LAST_DAY)
    today = max(0, (now - delivered_at) // DAY)
    found = []
    for window in range(WINDOW_COUNT):
        begins, ends = WINDOW_EDGES_DAYS[window], WINDOW_EDGES_DAYS[window + 1] - 1
        days = range(max(begins, first, today), min(ends, last) + 1)
        free = [day for day in days if not any(one <= day <= other for one, other in word.blocked)]
        if free:
            due_at = max(now, delivered_at + free[0] * DAY)
            found.append(Opening(window, due_at, delivered_at + (free[-1] + 1) * DAY))
    return tuple(found)


def plan_for(
    owner: Owner, menu: Mapping[ProductId, Sequence[Partner]], learned: Learned, *, seed: str, now: datetime
) -> Plan | None:
    """Plan one send: of all pairs the one most readily taken, in a window by lot. None where nothing is open.

    The same seed, owner, menu and learning give the same plan.
    """
    from shopify_upsell.matrix.sending import plan_send

    pairs = sorted(_pairs(owner, menu, now), key=lambda it: (-it[1].score, it[1].product_id, it[0].product_id))
    if not pairs:
        return None
    anchor, partner, opened = pairs[0]
    pair, relation = (anchor.product_id, partner.product_id), partner.word.relation
    by_window = {one.window: one for one in opened}
    send = plan_send(
        f"{seed}|{anchor.order_id}|{pair[0]}|{pair[1]}",
        customer_subject(owner.customer_id),
        tuple(by_window),
        learned.chances_of(pair, relation),
    )
    return Plan(
        customer_id=owner.customer_id,
        anchor_product_id=anchor.product_id,
        companion_product_id=partner.product_id,
        anchor_order_id=anchor.order_id,
        relation=relation,
        eligible=tuple(sorted(by_window)),
        window=send.window,
        is_random=send.is_random,
        propensity=send.propensity,
        due_at=by_window[send.window].due_at,
        closes_at=by_window[send.window].closes_at,
    )


def _pairs(
    owner: Owner, menu: Mapping[ProductId, Sequence[Partner]], now: datetime
) -> Iterator[tuple[Delivered, Partner, tuple[Opening, ...]]]:
    """Pairs of what has arrived and what the customer has not."""
    owned = {one.product_id for one in owner.delivered}
    for anchor in owner.delivered:
        if anchor.delivered_at > now:
            continue
        for partner in menu.get(anchor.product_id, ()):
            told: Told = (anchor.order_id, anchor.product_id, partner.product_id)
            if partner.product_id in owned or told in owner.told:
                continue
            opened = openings(partner.word, anchor.delivered_at, now=now)
            if opened:
                yield anchor, partner, opened
