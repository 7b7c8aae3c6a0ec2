"""A send as it stands, and what becomes of it once the customer has bought or its time is over. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import CustomerId, DecisionId, OrderId, ProductId
from shopify_upsell.ledger.owned import OwnedLine

PLANNED, HELD, HANDED_OVER, WITHHELD = "planned", "held", "handed_over", "withheld"
BOUGHT, EXPIRED, FAILED = "bought", "expired", "failed"
STATES = (PLANNED, HELD, HANDED_OVER, WITHHELD, BOUGHT, EXPIRED, FAILED)
"""`withheld`: passed every gate at its moment, and its customer is in the holdout. `failed`: the mail tool could not
send it. Whatever is handed over or withheld and not bought in time stays what it is."""

WAITING = (PLANNED, HELD)
PITCHED = (HANDED_OVER, WITHHELD)

ANSWERED_WITHIN = timedelta(days=14)
"""How long a purchase counts for a send. Source: reference `measurement.md` part 4, E2."""

ANCHOR_RETURNED, WINDOW_OVER = "anchor_returned", "window_over"


@dataclass(frozen=True, slots=True)
class PlannedSend:
    """One send as it stands. The fields are those of `tables.SendRow`, where they are told."""

    send_id: int
    customer_id: CustomerId
    anchor_product_id: ProductId
    companion_product_id: ProductId
    anchor_order_id: OrderId
    relation: str
    eligible: tuple[int, ...]
    window: int
    is_random: bool
    propensity: float
    planned_at: datetime
    due_at: datetime
    closes_at: datetime
    state: str
    reason: str | None
    decision_id: DecisionId | None
    is_holdout: bool
    offered_product_id: ProductId | None
    pitched_at: datetime | None
    sent_at: datetime | None
    bought_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How an open send ends."""

    send_id: int
    state: str
    reason: str | None = None
    bought_at: datetime | None = None


def ending_of(send: PlannedSend, kept: Iterable[OwnedLine], *, now: datetime) -> Ending | None:
    """How a send ends by what its customer bought and kept; None while it is open."""
    lines = list(kept)
    since, product_id = send.pitched_at or send.planned_at, send.offered_product_id or send.companion_product_id
    until = since + ANSWERED_WITHIN if send.pitched_at is not None else now
    bought = min(
        (one.ordered_at for one in lines if one.product_id == product_id and since <= one.ordered_at < until),
        default=None,
    )
    if bought is not None:
        return Ending(send.send_id, BOUGHT, bought_at=bought)
    if send.pitched_at is not None:
        return Ending(send.send_id, send.state) if now >= until else None
    if all((one.order_id, one.product_id) != (send.anchor_order_id, send.anchor_product_id) for one in lines):
        return Ending(send.send_id, EXPIRED, ANCHOR_RETURNED)
    if now >= send.closes_at:
        return Ending(send.send_id, EXPIRED, send.reason or WINDOW_OVER)
    return None
