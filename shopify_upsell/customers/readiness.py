"""May this person be asked at all, and if not, until when: hard gates first, then a score that gives its reasons.

Pure. In: a `Shopper` and the moment. Out: a `Readiness`. A bad signal more never raises the score and never frees
anyone; a gate is free again exactly at its `until`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

from shopify_upsell.customers.shopper import Shopper
from shopify_upsell.customers.signal import Effect, Signal, are_matched
from shopify_upsell.customers.signals import SIGNALS, effect_of, weight_at
from shopify_upsell.customers.stage import ASSUMED_DELIVERY

Memory: TypeAlias = tuple[Signal, Effect]

READY, NOT_YET, HOLD = "ready", "not_yet", "hold"
STATES = (READY, NOT_YET, HOLD)

BASE_LOG_ODDS = 0.0
"""Somebody of whom nothing is known scores 0.5. Assumption, to be refitted: measurement gives no starting value."""

READY_SCORE = 0.35
"""From this score on a person may be asked. Assumption: one fading bad memory alone passes, two fresh ones do not."""

MOST_REASONS = 3

LONGEST_FORESIGHT = timedelta(days=180)
"""How far ahead the day is looked for on which bad memories have faded. Our choice: half a year is no promise."""

ASSUMED_TRANSIT = timedelta(days=7)
"""A parcel counts as arrived this long after it was shipped when no carrier says more. Assumption of ours."""

GATES: Mapping[str, str] = MappingProxyType(
    {
        "open_ticket": "A support ticket is open.",
        "unhappy_ticket": "A ticket was closed without making the customer content.",
        "recent_refund": "Money was given back recently.",
        "return_in_progress": "A return is under way.",
        "recent_return": "A return ended recently.",
        "recent_cancellation": "An order was cancelled recently.",
        "open_dispute": "The customer's bank disputes a payment.",
        "recent_dispute": "A dispute ended recently.",
        "late_delivery": "A parcel came late.",
        "failed_delivery": "A parcel could not be delivered.",
        "low_review": "The customer left a review of one or two stars.",
        "low_csat": "The customer answered a survey with one or two of five.",
        "low_nps": "The customer would not recommend the shop.",
        "payment_failed": "A subscription could not be paid.",
        "referral_shown": "The customer was just asked to recommend the shop.",
        "opted_out": "The customer wants no offers.",
    }
)
"""Every gate: its stable code and what it means, for merchants."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        **GATES,
        "anonymous": "Nothing is known of this shopper.",
        "no_signals": "Nothing speaks for or against it.",
        "repeat_order": "They ordered again.",
        "milestone": "They reached a milestone.",
        "delivered_on_time": "A parcel came on time.",
        "kept_past_return_window": "They kept what they bought.",
        "happy_ticket": "Support solved their problem.",
        "good_review": "They left a review of four or five stars.",
        "good_csat": "They answered a survey with four or five of five.",
        "good_nps": "They would recommend the shop.",
        "account_created": "They opened an account.",
        "quiz_done": "They finished a quiz.",
        "subscription_started": "They subscribed.",
        "subscription_renewed": "A subscription was paid again.",
        "offer_accepted": "They took an offer before.",
        "offer_dismissed": "They dismissed offers.",
        "consent_withdrawn": "They want no marketing.",
        "return_requested": "They asked for a return.",
        "dispute_opened": "A payment was disputed.",
        "unpaid_subscription": "A subscription could not be paid.",
        "subscription_cancelled": "They cancelled a subscription.",
    }
)
"""Every reason a readiness can give: its stable code and what it means, for merchants."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """May this person be asked. `until`: not before; None when nobody knows, or when they may be asked now.

    `gate`: the one that holds longest. `score`: 0 to 1, 0.5 for a stranger. `reasons`: codes of `REASONS`, the
    weightiest first.
    """

    state: str
    score: float
    reasons: tuple[str, ...]
    until: datetime | None
    gate: str | None


_FAR = datetime.max.replace(tzinfo=UTC)


def readiness_of(shopper: Shopper, *, now: datetime) -> Readiness:
    """Judge a person at a moment. For an anonymous one, readiness is for the storefront only."""
    past = [signal for signal in shopper.signals if signal.occurred_at <= now]
    memories = _memories(past)
    parts = _parts(memories, now)
    score = _score(parts)
    holds = _holds_in_force(past, now)
    if holds:
        gates = tuple(dict.fromkeys(gate for _, gate in holds))
        until = holds[0][0]
        return Readiness(HOLD, score, gates[:MOST_REASONS], None if until == _FAR else until, gates[0])
    reasons = _reasons(shopper, parts)
    if score < READY_SCORE:
        return Readiness(NOT_YET, score, reasons, _ready_on(memories, now), None)
    return Readiness(READY, score, reasons, None, None)


def has_fresh_positive(shopper: Shopper, *, now: datetime) -> bool:
    """Tell whether something good happened lately: a lifecycle offer may not come out of nowhere.

    Fresh until it has lost half its weight.
    """
    return any(
        effect.is_satisfaction and timedelta(0) <= now - signal.occurred_at < effect.half_life
        for signal, effect in ((signal, effect_of(signal)) for signal in shopper.signals)
    )


def undelivered_until(shopper: Shopper, *, now: datetime) -> datetime | None:
    """When the last order still under way should be there; None when nothing is under way.

    A carrier's estimate is believed; else a parcel takes `ASSUMED_TRANSIT`, and an order of which nothing is heard
    `ASSUMED_DELIVERY`. After that it counts as arrived, because many carriers never say.
    """
    past = [signal for signal in shopper.signals if signal.occurred_at <= now]
    ended = {signal.order_id for signal in past if signal.kind in _ENDS_OF_ORDERS}
    expected = [
        _expected_at(signal, past) for signal in past if signal.kind == "order_placed" and signal.order_id not in ended
    ]
    return max((moment for moment in expected if moment > now), default=None)


_ENDS_OF_ORDERS = frozenset({"delivered", "delivered_on_time", "delivered_late", "order_cancelled"})


def _expected_at(placed: Signal, signals: Sequence[Signal]) -> datetime:
    of_order = [signal for signal in signals if signal.order_id == placed.order_id]
    estimates = [signal for signal in of_order if signal.kind == "delivery_estimated" and signal.value is not None]
    if estimates:
        latest = max(estimates, key=lambda signal: (signal.occurred_at, signal.external_id))
        return datetime.fromtimestamp(latest.value or 0.0, UTC)
    shipped = [signal.occurred_at for signal in of_order if signal.kind == "shipped"]
    return max(shipped) + ASSUMED_TRANSIT if shipped else placed.occurred_at + ASSUMED_DELIVERY


def _holds_in_force(signals: Sequence[Signal], now: datetime) -> list[tuple[datetime, str]]:
    """Gates that hold at this moment and until when, the longest first."""
    held: list[tuple[datetime, str]] = []
    for signal in signals:
        opens, effect = SIGNALS[signal.kind].opens, effect_of(signal)
        if opens is not None and not _is_closed(signal, signals):
            held.append((signal.occurred_at + opens.stale_after if opens.stale_after else _FAR, opens.gate))
        if effect.holds and not _is_recovered(signal, effect.says, signals):
            held.append((signal.occurred_at + effect.cool_off, effect.says))
    return sorted((hold for hold in held if now < hold[0]), key=lambda hold: (-hold[0].timestamp(), hold[1]))


def _is_closed(beginning: Signal, signals: Sequence[Signal]) -> bool:
    return any(
        beginning.kind in SIGNALS[end.kind].closes and are_matched(end, beginning, SIGNALS[end.kind].matches)
        for end in signals
    )


def _is_recovered(trouble: Signal, gate: str, signals: Sequence[Signal]) -> bool:
    return any(gate in effect_of(end).ends and are_matched(end, trouble, SIGNALS[end.kind].matches) for end in signals)


def _memories(signals: Iterable[Signal]) -> list[Memory]:
    """The signals that weigh anything, with what they do.

    Of several with one reason the freshest weighs most, now and later; it alone counts, unless each of them does.
    """
    freshest: dict[str, Memory] = {}
    each: list[Memory] = []
    for signal in signals:
        effect = effect_of(signal)
        if effect.is_each:
            each.append((signal, effect))
        elif effect.weight:
            held = freshest.get(effect.says)
            if held is None or held[0].occurred_at < signal.occurred_at:
                freshest[effect.says] = (signal, effect)
    return [*freshest.values(), *each]


def _parts(memories: Iterable[Memory], now: datetime) -> dict[str, float]:
    """Log-odds by reason."""
    parts: dict[str, float] = {}
    for signal, effect in memories:
        parts[effect.says] = parts.get(effect.says, 0.0) + weight_at(signal, effect, now)
    return {says: part for says, part in parts.items() if part}


def _score(parts: Mapping[str, float]) -> float:
    """Source: measurement, readiness score: the logistic function of the base and the fading weights."""
    # An exact sum, so that equal knowledge gives the same bits in whatever order it was told.
    return 1 / (1 + math.exp(-(BASE_LOG_ODDS + math.fsum(parts.values()))))


def _reasons(shopper: Shopper, parts: Mapping[str, float]) -> tuple[str, ...]:
    ranked = sorted(parts.items(), key=lambda part: (-abs(part[1]), part[0]))
    codes = [code for code, _ in ranked] or ["no_signals"]
    if not shopper.is_known:
        codes = ["anonymous", *(code for code in codes if code != "no_signals")]
    return tuple(codes[:MOST_REASONS])


def _ready_on(memories: Sequence[Memory], now: datetime) -> datetime | None:
    """The first day at which the bad memories have faded enough if nothing else happens; None when none is in sight."""
    for days in range(1, LONGEST_FORESIGHT.days + 1):
        moment = now + timedelta(days=days)
        if _score(_parts(memories, moment)) >= READY_SCORE:
            return moment
    return None
