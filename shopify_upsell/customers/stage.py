"""How far a customer has come with the shop: visitor, first order, delivered, established, subscriber, at risk, lapsed.

Pure. In: signals in any order. Out: a `History` that does not depend on that order, and the stage it means at a moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.customers.signal import Signal

VISITOR, FIRST_ORDER, DELIVERED, ESTABLISHED = "visitor", "first_order", "delivered", "established"
SUBSCRIBER, AT_RISK, LAPSED = "subscriber", "at_risk", "lapsed"
STAGES = (VISITOR, FIRST_ORDER, DELIVERED, ESTABLISHED, SUBSCRIBER, AT_RISK, LAPSED)

QUIET = timedelta(days=90)
"""Silence after the last order that puts a customer at risk; twice that is lapsed. Source: measurement, churn: no order
within 90 days."""

SHORTEST_QUIET, LONGEST_QUIET = timedelta(days=45), timedelta(days=365)
"""Bounds for a customer's own rhythm. Assumption of ours."""

ENOUGH_ORDERS = 3
"""Orders after which a customer has a rhythm of their own: at risk after twice their usual gap. Assumption of ours."""

ASSUMED_DELIVERY = timedelta(days=10)
"""An order this old counts as delivered when nobody ever said so: many shops get no word from carriers. Assumption."""

_ARRIVALS = frozenset({"delivered", "delivered_on_time", "delivered_late"})
_SUBSCRIPTION = {
    "subscription_started": "active",
    "subscription_renewed": "active",
    "subscription_payment_failed": "unpaid",
    "subscription_cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class History:
    """What the stage is made of. Orders that were cancelled do not count. `subscription`: the last word about it."""

    order_count: int = 0
    first_ordered_at: datetime | None = None
    last_ordered_at: datetime | None = None
    delivered_count: int = 0
    last_delivered_at: datetime | None = None
    subscription: str = "none"


def history_of(signals: Iterable[Signal]) -> History:
    """Sum up lasting signals, whichever order they came in."""
    told = list(signals)
    cancelled = {signal.order_id for signal in told if signal.kind == "order_cancelled"}
    placed: dict[int | None, datetime] = {}
    for signal in told:
        if signal.kind == "order_placed" and signal.order_id not in cancelled:
            placed[signal.order_id] = min(placed.get(signal.order_id, signal.occurred_at), signal.occurred_at)
    arrived: dict[int | None, datetime] = {}
    for signal in told:
        if signal.kind in _ARRIVALS and signal.order_id in placed:
            known = arrived.get(signal.order_id, signal.occurred_at)
            arrived[signal.order_id] = max(known, signal.occurred_at)
    return History(
        order_count=len(placed),
        first_ordered_at=min(placed.values(), default=None),
        last_ordered_at=max(placed.values(), default=None),
        delivered_count=len(arrived),
        last_delivered_at=max(arrived.values(), default=None),
        subscription=_subscription_of(told),
    )


def stage_of(history: History, *, now: datetime) -> str:
    """Name the stage at this moment. A subscription that is paid for outweighs everything else."""
    if history.subscription == "active":
        return SUBSCRIBER
    if history.first_ordered_at is None or history.last_ordered_at is None:
        return VISITOR
    silence, quiet = now - history.last_ordered_at, quiet_of(history)
    if silence >= 2 * quiet:
        return LAPSED
    if silence >= quiet or history.subscription == "unpaid":
        return AT_RISK
    if not history.delivered_count and now - history.first_ordered_at < ASSUMED_DELIVERY:
        return FIRST_ORDER
    return DELIVERED if history.order_count == 1 else ESTABLISHED


def quiet_of(history: History) -> timedelta:
    """How long this customer may be silent before that means something: twice their own usual gap, or the norm."""
    first, last = history.first_ordered_at, history.last_ordered_at
    if history.order_count < ENOUGH_ORDERS or first is None or last is None:
        return QUIET
    usual_gap = (last - first) / (history.order_count - 1)
    return min(LONGEST_QUIET, max(SHORTEST_QUIET, 2 * usual_gap))


def _subscription_of(signals: Iterable[Signal]) -> str:
    """The last word of each subscription; one that is paid for beats one that is not, which beats one that ended."""
    last: dict[tuple[str, str], tuple[datetime, str]] = {}
    for signal in signals:
        word = _SUBSCRIPTION.get(signal.kind)
        if word is not None:
            thing = (signal.source, signal.external_id)
            last[thing] = max(last.get(thing, (signal.occurred_at, word)), (signal.occurred_at, word))
    words = {word for _, word in last.values()}
    return next((word for word in ("active", "unpaid", "cancelled") if word in words), "none")
