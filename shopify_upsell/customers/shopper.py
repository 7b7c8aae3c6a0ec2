"""What a decision may know of a person. No name, mail, phone or address is ever part of it.

Pure. In: the profile and the signals that the store holds. Out: a frozen `Shopper`, which a decision keeps for replay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from shopify_upsell.customers.derived import derived_signals
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signals import REMEMBERED, STANDING
from shopify_upsell.customers.stage import VISITOR, History, stage_of


@dataclass(frozen=True, slots=True)
class Profile:
    """What is held of a customer apart from single signals.

    `attributes`: what the merchant keeps about the customer and lets us know, such as a tier; offers may be limited to
    some, so they need no consent. `affinities`: share of purchases by product type, for personalising only.
    """

    history: History = field(default_factory=History)
    marketing_consent: bool | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    affinities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shopper:
    """A person as a decision may see them. `is_known`: a customer of Shopify's, not only a browser.

    `marketing_consent` None: nobody said. `may_personalise`: they agreed, and did not ask for no offers.
    """

    is_known: bool
    stage: str
    signals: tuple[Signal, ...]
    marketing_consent: bool | None
    may_personalise: bool
    attributes: Mapping[str, str]
    affinities: Mapping[str, float]


_NOTHING: Mapping[str, str] = MappingProxyType({})
_NONE: Mapping[str, float] = MappingProxyType({})

ANONYMOUS = Shopper(False, VISITOR, (), None, False, _NOTHING, _NONE)
"""Somebody of whom nothing is known."""


def shopper_of(profile: Profile | None, signals: Iterable[Signal], *, is_known: bool, now: datetime) -> Shopper:
    """Put together what is held and what follows from it. Without a customer there is no stage and nothing personal."""
    told = in_order(signal for signal in signals if is_remembered(signal, now))
    if not is_known:
        return Shopper(False, VISITOR, told, None, False, _NOTHING, _NONE)
    profile = profile or Profile()
    concluded = derived_signals(told, order_count=profile.history.order_count, now=now)
    may_personalise = profile.marketing_consent is True and not has_opted_out(told, now=now)
    return Shopper(
        is_known=True,
        stage=stage_of(profile.history, now=now),
        signals=in_order([*told, *concluded]),
        marketing_consent=profile.marketing_consent,
        may_personalise=may_personalise,
        attributes=profile.attributes,
        affinities=profile.affinities if may_personalise else _NONE,
    )


def consent_of(signals: Iterable[Signal]) -> bool | None:
    """What the person last said about marketing; a withdrawal wins over an agreement of the same moment."""
    words = [
        (signal.occurred_at, signal.kind)
        for signal in signals
        if signal.kind in ("marketing_consent_given", "marketing_consent_withdrawn")
    ]
    return max(words)[1] == "marketing_consent_given" if words else None


def has_opted_out(signals: Iterable[Signal], *, now: datetime) -> bool:
    """Tell whether the person's last word about offers is that they want none."""
    words = [(signal.occurred_at, signal.kind) for signal in signals if signal.kind in STANDING]
    past = [word for word in words if word[0] <= now]
    return bool(past) and max(past)[1] == "preference_none"


def is_remembered(signal: Signal, now: datetime) -> bool:
    """Tell whether the signal still counts."""
    return signal.kind in STANDING or now - signal.occurred_at < REMEMBERED


def in_order(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Signals by time and name, so that equal knowledge is an equal shopper."""
    return tuple(sorted(signals, key=lambda one: (one.occurred_at, one.kind, one.source, one.external_id)))
