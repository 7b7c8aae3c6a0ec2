"""How often one shopper may be asked: caps, what was shown so far, and what is left. One budget for all surfaces.

Pure. In: the state of a shopper's names and the shop's caps. Out: room, the cap that is hit and when it frees, and
the state after showing cards. Windows roll: a cap holds in every stretch of its length, whatever day it starts on.
Cards are kept by the hour, and an hour that touches the window counts whole, so a cap errs by at most one hour
towards silence and never towards one card more.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import orjson

from shopify_upsell.core import InvalidInput, OfferId, canonical_json

HOUR = 3600
DAY_HOURS, MONTH_HOURS = 24, 24 * 30

SESSION_GAP = timedelta(minutes=30)
"""A session ends after this long without a card. Source: the usual end of a web session; a shopper who reads for
half an hour without being asked has had the pause that the cap is for."""

SESSION_GAP_SECONDS = SESSION_GAP.total_seconds()

LARGEST_CAP = 600
"""Most cards a merchant may allow in 30 days: twenty a day. It bounds what is kept for one shopper as well."""

CAP_CODES = ("cap_session", "cap_day", "cap_month", "cap_offer_day", "cap_offer_month", "cap_shop_day")


@dataclass(frozen=True, slots=True)
class Caps:
    """Most cards shown to one shopper. Units: cards in a session, in 24 hours and in 30 days, of all offers and of one.

    `shop_day`: most cards shown to all shoppers of the shop together in 24 hours, None for no such limit.
    Source of the defaults, our choice: a session of four pages with three cards each; two such sessions a day; ten
    such sessions a month. One offer may come back four times in a day (product page, cart, checkout, after it) and
    on three such days a month: who has passed it by twelve times has answered.
    """

    session: int = 12
    day: int = 24
    month: int = 120
    offer_day: int = 4
    offer_month: int = 12
    shop_day: int | None = None


DEFAULT_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class CourtesyState:
    """Cards shown under one name. `shown`: (hour since 1970, offer, cards), sorted. `version` 0: nothing kept yet.

    Times of the session are seconds since 1970, so that a state is plain numbers wherever it is stored.
    """

    version: int = 0
    session_started_at: int = 0
    session_last_at: int = 0
    session_count: int = 0
    shown: tuple[tuple[int, int, int], ...] = ()


NOTHING_SHOWN = CourtesyState()


@dataclass(frozen=True, slots=True)
class CapHit:
    """The cap that keeps a card away, and the first moment at which it would not."""

    code: str
    until: datetime


def check_caps(caps: Caps) -> Caps:
    """Refuse caps that contradict each other. Returns them. Raises: InvalidInput."""
    for field in fields(caps):
        value = getattr(caps, field.name)
        if field.name == "shop_day":
            if value is not None and (type(value) is not int or value < 0):
                raise InvalidInput("shop_day must be 0 or more, or nothing")
        elif type(value) is not int or not 0 <= value <= LARGEST_CAP:
            raise InvalidInput(f"{field.name} must be 0 to {LARGEST_CAP}")
    if not caps.session <= caps.day <= caps.month or not caps.offer_day <= caps.offer_month <= caps.month:
        raise InvalidInput("a cap for a longer time cannot be smaller than one for a shorter time")
    return caps


def write_caps(caps: Caps) -> str:
    """Caps as canonical JSON."""
    return canonical_json({field.name: getattr(caps, field.name) for field in fields(caps)})


def read_caps(text: str | None) -> Caps:
    """Read what `write_caps` wrote; nothing written means the defaults. Raises: InvalidInput."""
    if not text:
        return DEFAULT_CAPS
    try:
        return check_caps(Caps(**json.loads(text)))
    except (TypeError, ValueError) as broken:
        raise InvalidInput("not caps") from broken


def divided_caps(caps: Caps, by: int) -> Caps:
    """Every cap of a shopper divided, rounded up: who may be asked a little is still asked now and then."""
    shared = {name: -(-getattr(caps, name) // by) for name in ("session", "day", "month", "offer_day", "offer_month")}
    return replace(caps, **shared)


def write_state(state: CourtesyState) -> str:
    """A state as text, without its version: that is a column of its own."""
    session = (state.session_started_at, state.session_last_at, state.session_count)
    return orjson.dumps({"session": session, "shown": state.shown}).decode()


def read_state(text: str | None, version: int = 0) -> CourtesyState:
    """Read what `write_state` wrote. Raises: InvalidInput."""
    if not text:
        return replace(NOTHING_SHOWN, version=version)
    try:
        document = orjson.loads(text)
        started, last, count = map(int, document["session"])
        shown = tuple([(int(hour), int(offer), int(cards)) for hour, offer, cards in document["shown"]])
    except (KeyError, TypeError, ValueError) as broken:
        raise InvalidInput("not a courtesy state") from broken
    return CourtesyState(version, started, last, count, shown)


def merged_state(states: Sequence[CourtesyState]) -> CourtesyState:
    """What one shopper was shown under all their names: counts add up, so that logging in never widens the budget.

    Each card is charged to one name only, the best known at that moment. Sessions that follow each other without
    the gap are one session. The version is the first name's: the one that is charged.
    """
    if not states:
        return NOTHING_SHOWN
    if not any(state.shown for state in states[1:]):
        return states[0]
    counts: Counter[tuple[int, int]] = Counter()
    for state in states:
        for hour, offer, cards in state.shown:
            counts[hour, offer] += cards
    shown = tuple((hour, offer, cards) for (hour, offer), cards in sorted(counts.items()))
    started, last, count = _one_session(states)
    return CourtesyState(states[0].version, started, last, count, shown)


@dataclass(frozen=True, slots=True)
class Tally:
    """A state counted once for one moment, so that hundreds of offers can be asked about cheaply."""

    moment: int
    session_count: int
    session_last_at: int
    day: tuple[tuple[int, int, int], ...]
    month: tuple[tuple[int, int, int], ...]
    day_count: int
    month_count: int
    month_by_offer: Mapping[int, tuple[tuple[int, int, int], ...]]


def tally(state: CourtesyState, *, now: datetime) -> Tally:
    """Count a state at a moment."""
    moment = _seconds(now)
    day, month = _within(state.shown, DAY_HOURS, moment), _within(state.shown, MONTH_HOURS, moment)
    by_offer: dict[int, tuple[tuple[int, int, int], ...]] = {}
    for entry in month:
        by_offer[entry[1]] = (*by_offer.get(entry[1], ()), entry)
    return Tally(
        moment=moment,
        session_count=_session_count(state, moment),
        session_last_at=state.session_last_at,
        day=day,
        month=month,
        day_count=_count(day),
        month_count=_count(month),
        month_by_offer=by_offer,
    )


def cap_hit(state: CourtesyState, caps: Caps, offer_id: OfferId, *, now: datetime) -> CapHit | None:
    """The cap that one more card of this offer would exceed; of several the one that stays longest.

    `until` is when that cap would let one card through if nothing else were shown. A cap of 0 never does: the far
    end of its window is named.
    """
    return hit_in(tally(state, now=now), caps, offer_id)


def hit_in(counted: Tally, caps: Caps, offer_id: OfferId) -> CapHit | None:
    """What `cap_hit` says, of a state that was counted before."""
    own = counted.month_by_offer.get(int(offer_id), ())
    hits = [] if counted.session_count < caps.session else [_session_hit(counted)]
    if counted.day_count >= caps.day:
        hits.append(_window_hit("cap_day", counted, counted.day, caps.day))
    if counted.month_count >= caps.month:
        hits.append(_window_hit("cap_month", counted, counted.month, caps.month))
    own_day = _within(own, DAY_HOURS, counted.moment)
    if _count(own_day) >= caps.offer_day:
        hits.append(_window_hit("cap_offer_day", counted, own_day, caps.offer_day))
    if _count(own) >= caps.offer_month:
        hits.append(_window_hit("cap_offer_month", counted, own, caps.offer_month))
    return max(hits, key=lambda hit: (hit.until, -CAP_CODES.index(hit.code)), default=None)


def room(state: CourtesyState, caps: Caps, *, now: datetime) -> int:
    """Cards of any offers that may still be shown at this moment, before the caps of single offers."""
    moment = _seconds(now)
    day, month = _within(state.shown, DAY_HOURS, moment), _within(state.shown, MONTH_HOURS, moment)
    return _left(caps, _session_count(state, moment), _count(day), _count(month))


def room_in(counted: Tally, caps: Caps) -> int:
    """What `room` says, of a state that was counted before."""
    return _left(caps, counted.session_count, counted.day_count, counted.month_count)


def _left(caps: Caps, session_count: int, day_count: int, month_count: int) -> int:
    return max(0, min(caps.session - session_count, caps.day - day_count, caps.month - month_count))


def spend(state: CourtesyState, offer_ids: Iterable[OfferId], *, now: datetime) -> CourtesyState:
    """The state after showing one card of each offer named. Hours older than 30 days are dropped.

    A clock that went back counts as no time passed: it never makes a card forgotten.
    """
    cards = Counter(offer_ids)
    if not cards:
        return state
    # Rounded up here and down where it is read: a part of a second is never a pause.
    moment = max(_seconds(now) + (now.microsecond > 0), state.session_last_at)
    fresh = [(moment // HOUR, int(offer_id), count) for offer_id, count in cards.items()]
    counts: dict[tuple[int, int], int] = {}
    for hour, offer, count in (*_within(state.shown, MONTH_HOURS, moment), *fresh):
        counts[hour, offer] = counts.get((hour, offer), 0) + count
    goes_on = _session_count(state, _seconds(now)) > 0
    return CourtesyState(
        version=state.version + 1,
        session_started_at=state.session_started_at if goes_on else moment,
        session_last_at=moment,
        session_count=(state.session_count if goes_on else 0) + cards.total(),
        shown=tuple((hour, offer, count) for (hour, offer), count in sorted(counts.items())),
    )


def _one_session(states: Sequence[CourtesyState]) -> tuple[int, int, int]:
    """The latest session, with those of other names that lead into it without the gap."""
    begun = sorted((state for state in states if state.session_count), key=lambda one: -one.session_last_at)
    if not begun:
        return 0, 0, 0
    started, last, count = begun[0].session_started_at, begun[0].session_last_at, begun[0].session_count
    for state in begun[1:]:
        if started - state.session_last_at < SESSION_GAP.total_seconds():
            started, count = min(started, state.session_started_at), count + state.session_count
    return started, last, count


def _session_hit(counted: Tally) -> CapHit:
    last = counted.session_last_at if counted.session_count else counted.moment
    return CapHit("cap_session", _moment(last) + SESSION_GAP)


def _window_hit(code: str, counted: Tally, entries: Sequence[tuple[int, int, int]], cap: int) -> CapHit:
    hours = DAY_HOURS if code.endswith("_day") else MONTH_HOURS
    return CapHit(code, _freed_at(entries, cap, hours, counted.moment))


def _freed_at(entries: Sequence[tuple[int, int, int]], cap: int, hours: int, moment: int) -> datetime:
    """When enough of the oldest hours have left the window for one card."""
    left, freed = _count(entries), moment + hours * HOUR
    for hour, _offer, cards in entries:
        if left < cap:
            break
        left, freed = left - cards, (hour + 1 + hours) * HOUR
    return _moment(freed if left < cap else moment + hours * HOUR)


def _within(entries: tuple[tuple[int, int, int], ...], hours: int, moment: int) -> tuple[tuple[int, int, int], ...]:
    """Entries whose hour touches the window that ends now; hours ahead of a clock gone back count too.

    Entries are sorted by hour, so the window is a tail of them.
    """
    earliest = (moment - hours * HOUR) // HOUR
    return entries[bisect_left(entries, (earliest,)) :]


def _session_count(state: CourtesyState, moment: int) -> int:
    is_over = moment - state.session_last_at >= SESSION_GAP_SECONDS
    return 0 if is_over else state.session_count


def _count(entries: Iterable[tuple[int, int, int]]) -> int:
    return sum([cards for _hour, _offer, cards in entries])


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
