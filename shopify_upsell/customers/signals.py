"""Every kind of signal: how much it weighs, for how long, and what it stops. Readiness reads this registry.

Pure. Adding a kind is one entry here. Weights are log-odds. Those that measurement gave a starting value for say so;
every other number is an assumption of ours, to be refitted on customers who were shown offers.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from shopify_upsell.core import InvalidInput
from shopify_upsell.customers.signal import NO_EFFECT, ORDER, PERSON, Effect, Opening, Signal, SignalKind

REMEMBERED = timedelta(days=365)
"""How long a signal counts. The longest half-life is 120 days: by then an eighth of its weight is left."""

LONGEST_SOURCE, LONGEST_EXTERNAL_ID, LONGEST_REASON = 40, 120, 40
"""Units: characters."""

SHOPIFY, OWN = "shopify", "wellpaired"


def offer_reason(offer_id: int) -> str:
    """What `reason` says in a signal about an offer of ours."""
    return f"offer:{offer_id}"


"""Sources no caller from outside may use: what Shopify told, and what shoppers did with our offers."""


def _days(count: float) -> timedelta:
    return timedelta(days=count)


def _good(
    says: str, weight: float, half_life: float, *, least: float = 0.0, ends: frozenset[str] = frozenset()
) -> Effect:
    return Effect(says, weight, _days(half_life), least=least, ends=ends, is_satisfaction=True)


def _bad(says: str, weight: float, half_life: float, cool_off: float = 0) -> Effect:
    return Effect(says, weight, _days(half_life), _days(cool_off))


def _neutral(least: float) -> Effect:
    return Effect(least=least)


def _opinion(meaning: str, low: Effect, middle: float, high: Effect, value_range: tuple[float, float]) -> SignalKind:
    effects = (low, _neutral(middle), high)
    return SignalKind(meaning, effects, matches=PERSON, value_range=value_range)


_TICKET, _RETURN, _DISPUTE = (
    frozenset({"ticket_opened"}),
    frozenset({"return_requested"}),
    frozenset({"dispute_opened"}),
)
_DUNNING = frozenset({"subscription_payment_failed"})

_ORDERS = {
    "order_placed": SignalKind("an order was placed", is_from_outside=False, is_lasting=True),
    # Measurement's starting value.
    "repeat_order": SignalKind(
        "a second or later order was placed", (_good("repeat_order", 0.6, 90),), is_from_outside=False
    ),
    "milestone": SignalKind("the third, fifth or tenth order, or a tier, was reached", (_good("milestone", 0.3, 30),)),
    "order_cancelled": SignalKind(
        "an order was cancelled",
        (_bad("recent_cancellation", -0.3, 30, cool_off=14),),
        is_from_outside=False,
        is_lasting=True,
    ),
    "refunded": SignalKind(
        "money was given back", (_bad("recent_refund", -0.3, 60, cool_off=14),), is_from_outside=False
    ),
}

_DELIVERY = {
    "shipped": SignalKind("a parcel was handed to the carrier"),
    "delivery_estimated": SignalKind(
        "the carrier named the time of delivery; value: seconds since 1 January 1970", value_range=(0, 4e9)
    ),
    "delivered": SignalKind(
        "a parcel arrived",
        (Effect(ends=frozenset({"failed_delivery"})),),
        matches=ORDER,
        is_lasting=True,
    ),
    # Measurement's starting values for the next two.
    "delivered_on_time": SignalKind(
        "a parcel arrived by the time that was to be expected",
        (_good("delivered_on_time", 0.3, 30, ends=frozenset({"failed_delivery"})),),
        matches=ORDER,
        is_lasting=True,
    ),
    "delivered_late": SignalKind(
        "a parcel arrived later than was to be expected",
        (_bad("late_delivery", -0.6, 30, cool_off=7),),
        is_lasting=True,
    ),
    "delivery_failed": SignalKind("a parcel could not be delivered", (_bad("failed_delivery", -0.6, 30, cool_off=14),)),
    "kept_past_return_window": SignalKind(
        "what was bought was kept until it could no longer be returned", (_good("kept_past_return_window", 0.4, 60),)
    ),
}

_TROUBLE = {
    "return_requested": SignalKind(
        "a return was asked for, approved or reopened",
        (_bad("return_requested", -0.3, 30),),
        opens=Opening("return_in_progress", _days(60)),
    ),
    "return_closed": SignalKind(
        "a return ended, also one that was declined", (_bad("recent_return", 0.0, 30, cool_off=14),), closes=_RETURN
    ),
    "return_cancelled": SignalKind("the customer called a return off", closes=_RETURN),
    "dispute_opened": SignalKind(
        "the customer's bank disputes a payment",
        (_bad("dispute_opened", -1.0, 120),),
        opens=Opening("open_dispute", _days(120)),
    ),
    "dispute_closed": SignalKind(
        "a dispute was won, lost or accepted", (_bad("recent_dispute", 0.0, 30, cool_off=30),), closes=_DISPUTE
    ),
    "ticket_opened": SignalKind("the customer asked for help", opens=Opening("open_ticket", _days(60))),
    "ticket_solved": SignalKind("a ticket was solved, and nobody said how it felt", closes=_TICKET),
    # Measurement's starting value.
    "ticket_solved_happy": SignalKind(
        "a ticket was solved and the customer is content",
        (_good("happy_ticket", 0.4, 30, ends=frozenset({"unhappy_ticket"})),),
        closes=_TICKET,
    ),
    "ticket_solved_unhappy": SignalKind(
        "a ticket was closed and the customer is not content",
        (_bad("unhappy_ticket", -0.4, 30, cool_off=14),),
        closes=_TICKET,
    ),
}

_OPINIONS = {
    # Measurement's starting values for reviews and for a high recommendation.
    "review": _opinion(
        "a product was reviewed; value: 1 to 5 stars",
        _bad("low_review", -1.5, 120, cool_off=30),
        2.5,
        _good("good_review", 0.8, 60, least=4, ends=frozenset({"low_review"})),
        (1, 5),
    ),
    "csat": _opinion(
        "a satisfaction survey was answered; value: 1 to 5",
        _bad("low_csat", -0.6, 30, cool_off=14),
        2.5,
        _good("good_csat", 0.4, 30, least=4, ends=frozenset({"low_csat", "unhappy_ticket"})),
        (1, 5),
    ),
    "nps": _opinion(
        "would the customer recommend the shop; value: 0 to 10",
        _bad("low_nps", -0.8, 90, cool_off=30),
        6.5,
        _good("good_nps", 0.8, 90, least=9, ends=frozenset({"low_nps"})),
        (0, 10),
    ),
}

_RELATIONSHIP = {
    "account_created": SignalKind("the customer opened an account", (_good("account_created", 0.2, 30),)),
    "quiz_done": SignalKind("the customer finished a quiz", (_good("quiz_done", 0.3, 30),)),
    "marketing_consent_given": SignalKind("the customer agreed to marketing", is_lasting=True),
    "marketing_consent_withdrawn": SignalKind(
        "the customer wants no marketing", (_bad("consent_withdrawn", -0.2, 60),), is_lasting=True
    ),
    "subscription_started": SignalKind(
        "a subscription began", (Effect("subscription_started", 0.3, _days(60)),), is_lasting=True
    ),
    "subscription_renewed": SignalKind(
        "a subscription was paid again",
        (_good("subscription_renewed", 0.3, 30),),
        closes=_DUNNING,
        is_lasting=True,
    ),
    "subscription_payment_failed": SignalKind(
        "a subscription could not be paid",
        (_bad("unpaid_subscription", -0.4, 30),),
        opens=Opening("payment_failed", _days(30)),
        is_lasting=True,
    ),
    "subscription_cancelled": SignalKind(
        "a subscription was cancelled",
        (_bad("subscription_cancelled", -0.5, 60),),
        closes=_DUNNING,
        is_lasting=True,
    ),
}

_OFFERS = {
    # Measurement's starting values for the first two. An acceptance is interest, not satisfaction.
    "offer_accepted": SignalKind(
        "an offer of ours was taken", (Effect("offer_accepted", 0.5, _days(120)),), is_from_outside=False
    ),
    "offer_dismissed": SignalKind(
        "an offer of ours was dismissed",
        (Effect("offer_dismissed", -0.4, _days(30), is_each=True),),
        is_from_outside=False,
    ),
    "preference_none": SignalKind("the customer wants no offers", opens=Opening("opted_out", None), is_lasting=True),
    "preference_lifted": SignalKind(
        "the customer wants offers again", closes=frozenset({"preference_none"}), matches=PERSON, is_lasting=True
    ),
    "referral_shown": SignalKind(
        "somebody asked the customer to recommend the shop", (_bad("referral_shown", 0.0, 1, cool_off=1),)
    ),
}

SIGNALS: Mapping[str, SignalKind] = MappingProxyType(
    {**_ORDERS, **_DELIVERY, **_TROUBLE, **_OPINIONS, **_RELATIONSHIP, **_OFFERS}
)
"""Every kind of signal there is."""

LASTING = frozenset(name for name, kind in SIGNALS.items() if kind.is_lasting)
"""Kinds that stage and consent are made of: kept as long as the customer is."""

FIRST_WORD_COUNTS = frozenset({"shipped", "delivered", "account_created"})
"""Kinds of which the earliest telling is kept: a parcel does not arrive again when its tracking is corrected. Of every
other kind the latest telling about one thing is kept: a review is edited, a return reopened."""

STANDING = frozenset({"preference_none", "preference_lifted"})
"""Kinds that hold however long ago they were told: they are read whatever their age."""


def effect_of(signal: Signal) -> Effect:
    """What this signal does, given its value. A kind that needs a value does nothing without one."""
    kind = SIGNALS[signal.kind]
    if len(kind.effects) == 1:
        return kind.effects[0]
    if signal.value is None:
        return NO_EFFECT
    return [effect for effect in kind.effects if signal.value >= effect.least or effect is kind.effects[0]][-1]


def is_negative(signal: Signal) -> bool:
    """Tell whether the signal can only lower readiness: it weighs against or holds back, and ends nothing."""
    kind, effect = SIGNALS[signal.kind], effect_of(signal)
    hurts = effect.weight < 0 or effect.holds or kind.opens is not None
    return hurts and effect.weight <= 0 and not kind.closes and not effect.ends


def weight_at(signal: Signal, effect: Effect, now: datetime) -> float:
    """What is left of a signal's weight: halved every half-life, nothing once it is no longer remembered.

    Units: log-odds. Source: measurement, readiness score.
    """
    age = now - signal.occurred_at
    if effect.weight == 0 or age >= REMEMBERED:
        return 0.0
    return effect.weight * float(0.5 ** (age / effect.half_life))


def require_outside(kind: str, value: float | None) -> SignalKind:
    """Find a kind that callers from outside may tell. Raises: InvalidInput that begins with the field that is wrong."""
    found = SIGNALS.get(kind)
    if found is None:
        raise InvalidInput("kind: unknown")
    if not found.is_from_outside:
        raise InvalidInput("kind: told by Shopify or by this app, never by callers")
    if found.value_range is None:
        if value is not None:
            raise InvalidInput("value: this kind takes none")
        return found
    low, high = found.value_range
    if value is None or not low <= value <= high:
        raise InvalidInput(f"value: must be {low:g} to {high:g}")
    return found
