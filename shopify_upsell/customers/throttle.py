"""Ask less when shoppers turn away more: caps are halved, and given back one step a week.

Pure. In: cards shown and refused by day, of one offer or of the whole shop, and the state so far. Out: the state now,
with the numbers that led to it. A function of counts alone, so that anyone can recompute why caps are what they are.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from shopify_upsell.core import InvalidInput, canonical_json
from shopify_upsell.customers.courtesy import Caps, divided_caps
from shopify_upsell.experiments.exceedance import log_evidence, log_sum, upper_limit_of

ALPHA = 0.025
"""Chance that caps are ever lowered where shoppers refuse no more than the limit. Source: the one-sided bound of the
guardrails, measured there as 97.5 %."""

MARGIN = 0.02
"""How far above the shop's ordinary refusal rate the limit lies. Source: the guardrail for dismissals, 2 points."""

ABSOLUTE_LIMIT = 0.15
"""The limit where nothing is known yet, and the highest one anywhere: a shop that always annoyed one shopper in seven
has no right to go on. Source: our choice."""

FEWEST_ORDINARY = 500
"""Cards below which the ordinary rate is not trusted: its interval would be as wide as the limit itself."""

ORDINARY_DAYS, WATCH_DAYS = 90, 28
"""Days before a start that say what is ordinary, and how long ago a rise may have started to be looked for."""

STEP_DAYS = 7
"""A step is given back after this many calm days. Source: product rule "recovery restores slowly"; a whole week, so
that every weekday was seen."""

MOST_LEVEL = 3
"""Halvings: caps never fall below an eighth, or there would be nobody left to see whether things are well again."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """Cards shown on one day (days since 0001-01-01) and how many of them were waved away, snoozed or opted out on."""

    day: int
    show_count: int
    refusal_count: int


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """How many times caps are halved, and why.

    Days are days since 0001-01-01, 0 for never. `watched_from`: the first day that evidence is taken from.
    `show_count`, `refusal_count` and `limit`: what made the last step up, over the days since `unusual_from`. From
    that day until `level` is 0 again nothing counts as ordinary. `lifted_until` and `note`: the merchant's word.
    """

    level: int = 0
    watched_from: int = 0
    changed_on: int = 0
    unusual_from: int = 0
    unusual_until: int = 0
    show_count: int = 0
    refusal_count: int = 0
    limit: float = 0.0
    lifted_until: int = 0
    note: str = ""

    @property
    def divisor(self) -> int:
        """What caps are divided by."""
        return int(2**self.level)


UNTHROTTLED = ThrottleState()


@dataclass(frozen=True, slots=True)
class _Rise:
    """The start that speaks most for a rise: the day, cards since, refusals since, and the limit that held then."""

    day: int
    show_count: int
    refusal_count: int
    limit: float
    log_evidence: float


def judge(state: ThrottleState, days: Sequence[DayCount], *, today: int) -> ThrottleState:
    """Bring a throttle up to today. Asking twice with the same counts changes nothing the second time.

    Evidence is gathered from every day of the last four weeks as a possible start of a rise, start number j weighing
    1 / (j (j + 1)): the weights of all starts add up to 1, so the chance of ever stepping up without cause stays
    ALPHA however long the shop is watched.
    Source: sums of likelihood-ratio martingales with weights that sum to 1, and Ville's inequality.
    """
    if today < state.lifted_until:
        return state
    watched = state if state.watched_from else replace(state, watched_from=_first_day(days, today))
    total, rise = _evidence(watched, days, today)
    if rise is not None and total >= -math.log(ALPHA):
        return _stepped_up(watched, rise, today)
    if watched.level and today - watched.changed_on >= STEP_DAYS and _is_calm(watched, days, today):
        return _stepped_down(watched, today)
    return watched


def lifted(state: ThrottleState, *, today: int, days: int, note: str) -> ThrottleState:
    """The merchant's word: full caps now, and nothing lowered for some days; what came before is no evidence after.

    Raises: InvalidInput for a time or note that cannot be kept.
    """
    if not 1 <= days <= 90 or not note.strip() or len(note) > 500:
        raise InvalidInput("a throttle is lifted for 1 to 90 days, with a note of at most 500 characters")
    until = today + days
    return replace(state, level=0, changed_on=today, watched_from=until, lifted_until=until, note=note.strip())


def throttled_caps(caps: Caps, shop: ThrottleState | None, offer: ThrottleState | None) -> Caps:
    """Caps as they hold for one offer: the shop's throttle divides all of them, the offer's those of the offer."""
    whole = divided_caps(caps, shop.divisor) if shop is not None else caps
    if offer is None or offer.level == 0:
        return whole
    own = divided_caps(whole, offer.divisor)
    return replace(whole, offer_day=own.offer_day, offer_month=own.offer_month)


def write_throttle(state: ThrottleState) -> str:
    """A throttle as canonical JSON."""
    return canonical_json(asdict(state))


def read_throttle(text: str) -> ThrottleState:
    """Read what `write_throttle` wrote. Raises: InvalidInput."""
    try:
        return ThrottleState(**json.loads(text))
    except (TypeError, ValueError) as broken:
        raise InvalidInput("not a throttle") from broken


def limit_for(days: Sequence[DayCount], state: ThrottleState, start: int) -> float:
    """The refusal rate that must not be exceeded from a day on: 2 points above what was ordinary before it.

    What was ordinary is taken at the upper end of its interval, so that a poorly known past never makes an offender.
    """
    earlier = [one for one in days if start - ORDINARY_DAYS <= one.day < start and not _is_unusual(state, one.day)]
    trials, hits = _sums(earlier)
    if trials < FEWEST_ORDINARY:
        return ABSOLUTE_LIMIT
    return min(ABSOLUTE_LIMIT, upper_limit_of(trials, hits) + MARGIN)


def _evidence(state: ThrottleState, days: Sequence[DayCount], today: int) -> tuple[float, _Rise | None]:
    rises: list[_Rise] = []
    for start in range(max(state.watched_from, today - WATCH_DAYS + 1), today + 1):
        trials, hits = _sums([one for one in days if start <= one.day <= today])
        limit, number = limit_for(days, state, start), start - state.watched_from + 1
        weight = -math.log(number) - math.log(number + 1)
        rises.append(_Rise(start, trials, hits, limit, weight + log_evidence(trials, hits, limit)))
    total = log_sum([one.log_evidence for one in rises])
    return total, max(rises, key=lambda one: (one.log_evidence, -one.day), default=None)


def _stepped_up(state: ThrottleState, rise: _Rise, today: int) -> ThrottleState:
    is_new = state.level == 0
    return replace(
        state,
        level=min(MOST_LEVEL, state.level + 1),
        changed_on=today,
        watched_from=today + 1,
        unusual_from=rise.day if is_new else state.unusual_from,
        unusual_until=0,
        show_count=rise.show_count,
        refusal_count=rise.refusal_count,
        limit=rise.limit,
    )


def _stepped_down(state: ThrottleState, today: int) -> ThrottleState:
    ends = state.level == 1
    return replace(state, level=state.level - 1, changed_on=today, unusual_until=today if ends else 0)


def _is_calm(state: ThrottleState, days: Sequence[DayCount], today: int) -> bool:
    """Tell whether the last week kept to the limit. A week without a card is calm: it must not last for ever."""
    trials, hits = _sums([one for one in days if today - STEP_DAYS < one.day <= today and one.day > state.changed_on])
    return hits <= state.limit * trials


def _is_unusual(state: ThrottleState, day: int) -> bool:
    if not state.unusual_from or day < state.unusual_from:
        return False
    return state.unusual_until == 0 or day <= state.unusual_until


def _first_day(days: Sequence[DayCount], today: int) -> int:
    return min((one.day for one in days), default=today)


def _sums(days: Sequence[DayCount]) -> tuple[int, int]:
    """Trials and hits. A card that was refused was shown, whether or not the message of its showing arrived."""
    trials = sum(max(one.show_count, one.refusal_count) for one in days)
    return trials, sum(one.refusal_count for one in days)
