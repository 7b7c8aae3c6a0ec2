"""Something that happened to a person, and what a kind of such things does to their readiness. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

THING, ORDER, PERSON = "thing", "order", "person"
"""How far the end of something reaches: the same thing (external id), the same order, anything of the person."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened to a person, told once.

    `external_id` names the thing (a ticket, a return, a review) in the words of `source`; with the kind it makes the
    signal unique, and it ties the end of a thing to its beginning. `value`: rating, score, or what the kind says.
    """

    kind: str
    subject: str
    occurred_at: datetime
    source: str
    external_id: str
    value: float | None = None
    order_id: int | None = None
    product_id: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a signal does, from a value of `least` up to the next effect's.

    `says` is the code of the reason. When it `holds`, no offer is made during the `cool_off`, and the same code is the
    gate's. `ends`: gates whose cool-off this ends before its time. `is_satisfaction`: a lifecycle offer may follow it.
    Of several signals with one effect the strongest counts, unless `is_each`.
    Units: `weight` in log-odds, halved every `half_life`.
    """

    says: str = ""
    weight: float = 0.0
    half_life: timedelta = timedelta(days=30)
    cool_off: timedelta = timedelta(0)
    least: float = 0.0
    ends: frozenset[str] = frozenset()
    is_satisfaction: bool = False
    is_each: bool = False

    @property
    def holds(self) -> bool:
        """Whether it keeps offers back for a time."""
        return self.cool_off > timedelta(0)


NO_EFFECT = Effect()


@dataclass(frozen=True, slots=True)
class Opening:
    """A thing that stays open, and holds offers back, until something closes it or no word came for too long.

    `stale_after` None: only its closing ends it.
    """

    gate: str
    stale_after: timedelta | None


@dataclass(frozen=True, slots=True)
class SignalKind:
    """One kind of signal. `effects` by rising `least`; the first also stands for every lower value.

    `closes`: kinds whose open things this ends; `matches` says which of them, and which cool-offs its effect ends.
    """

    meaning: str
    effects: tuple[Effect, ...] = (NO_EFFECT,)
    opens: Opening | None = None
    closes: frozenset[str] = frozenset()
    matches: str = THING
    value_range: tuple[float, float] | None = None
    is_from_outside: bool = True
    is_lasting: bool = False


def are_matched(end: Signal, beginning: Signal, matches: str) -> bool:
    """Tell whether one signal may be the end of what the other began. It can not come before it.

    Of two words of one moment about a person in general, the cautious one holds.
    """
    if matches == PERSON:
        return end.occurred_at > beginning.occurred_at
    if end.occurred_at < beginning.occurred_at:
        return False
    if matches == THING:
        return (end.source, end.external_id) == (beginning.source, beginning.external_id)
    return end.order_id is not None and end.order_id == beginning.order_id
