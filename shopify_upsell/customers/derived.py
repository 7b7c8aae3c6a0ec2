"""Signals that follow from other signals: repeat order, milestone, on time or late, kept past the return window.

Pure, and computed whenever a shopper is read, so that the order in which webhooks came can not show.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shopify_upsell.customers.signal import Signal

DERIVED = "derived"
"""The source of a signal that we concluded."""

MILESTONES = frozenset({3, 5, 10})
"""Orders that are a milestone. Assumption of ours; a caller may tell of others, such as a tier."""

USUAL_TRANSIT, SLACK = timedelta(days=7), timedelta(days=2)
"""On time without a carrier's estimate: within the shop's median transit, or this where it has none, and the slack.
Assumption of ours; the reason of the signal says which of the three it rests on."""

RETURN_WINDOW = timedelta(days=30)
"""Kept this long after delivery means kept. Assumption of ours: the usual window of online shops."""

_UNKEPT = frozenset({"refunded", "return_requested", "order_cancelled", "dispute_opened", "delivered_late"})


def derived_signals(signals: Sequence[Signal], *, order_count: int, now: datetime) -> tuple[Signal, ...]:
    """Conclude what the signals mean together at this moment. `order_count`: all orders, also those long ago."""
    told = [signal for signal in signals if signal.occurred_at <= now]
    judged = _judged_parcels(told)
    return (*_numbered_orders(told, order_count), *judged, *_kept_orders([*told, *judged], now))


def parcel_of(signal: Signal) -> str:
    """Name the parcel a signal is about: several events may tell of one."""
    return signal.external_id.split(":event:")[0]


def _numbered_orders(signals: Iterable[Signal], order_count: int) -> Iterable[Signal]:
    told = list(signals)
    cancelled = {signal.order_id for signal in told if signal.kind == "order_cancelled"}
    placed = [signal for signal in told if signal.kind == "order_placed" and signal.order_id not in cancelled]
    placed.sort(key=_told_first)
    # Orders no longer remembered came before those that are.
    before = max(0, order_count - len(placed))
    for number, signal in enumerate(placed, start=before + 1):
        if number > 1:
            yield replace(signal, kind="repeat_order", source=DERIVED)
        if number in MILESTONES:
            yield replace(signal, kind="milestone", source=DERIVED, external_id=f"orders:{number}")


def _judged_parcels(signals: Iterable[Signal]) -> list[Signal]:
    parcels: dict[tuple[str, str], dict[str, list[Signal]]] = {}
    for signal in signals:
        if signal.kind in ("shipped", "delivered", "delivery_estimated"):
            parcel = parcels.setdefault((signal.source, parcel_of(signal)), {})
            parcel.setdefault(signal.kind, []).append(signal)
    judged = (_judged(parcel) for _, parcel in sorted(parcels.items()))
    return [signal for signal in judged if signal is not None]


def _judged(parcel: dict[str, list[Signal]]) -> Signal | None:
    """On time or late; None for a parcel that has not arrived or of which nobody knows when it should have."""
    if "delivered" not in parcel:
        return None
    arrival = min(parcel["delivered"], key=_told_first)
    due = _due(parcel, arrival)
    if due is None:
        return None
    moment, basis = due
    kind = "delivered_on_time" if arrival.occurred_at <= moment else "delivered_late"
    return replace(arrival, kind=kind, source=DERIVED, external_id=parcel_of(arrival), value=None, reason=basis)


def _due(parcel: dict[str, list[Signal]], arrival: Signal) -> tuple[datetime, str] | None:
    # The first estimate is the promise; carriers correct later ones until they are right.
    said = [one for one in parcel.get("delivery_estimated", ()) if one.occurred_at < arrival.occurred_at]
    estimate = min(said, key=_told_first).value if said else None
    if estimate is not None:
        return datetime.fromtimestamp(estimate, UTC), "estimate"
    if "shipped" not in parcel:
        return None
    shipped_at = min(signal.occurred_at for signal in parcel["shipped"])
    if arrival.value is not None:
        return shipped_at + timedelta(days=arrival.value) + SLACK, "median"
    return shipped_at + USUAL_TRANSIT + SLACK, "assumed"


def _kept_orders(signals: Iterable[Signal], now: datetime) -> Iterable[Signal]:
    told = list(signals)
    unkept = {signal.order_id for signal in told if signal.kind in _UNKEPT}
    arrivals: dict[int, Signal] = {}
    for signal in told:
        if signal.kind in ("delivered", "delivered_on_time") and signal.order_id not in (None, *unkept):
            held = arrivals.get(signal.order_id or 0, signal)
            arrivals[signal.order_id or 0] = max(held, signal, key=_told_first)
    for order_id, arrival in sorted(arrivals.items()):
        kept_at = arrival.occurred_at + RETURN_WINDOW
        if kept_at <= now:
            yield Signal(
                "kept_past_return_window", arrival.subject, kept_at, DERIVED, f"order:{order_id}", order_id=order_id
            )


def _told_first(signal: Signal) -> tuple[datetime, str, str, str]:
    return signal.occurred_at, signal.kind, signal.source, signal.external_id
