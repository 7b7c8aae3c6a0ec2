"""Is now the moment for a pair? Too early, expired and silent are different answers, each with its date.

Pure. Waiting is counted in whole days from the delivery of the anchor, known or estimated. Three kinds of placement:
with the anchor in hand (product page, cart, checkout), just after buying it (post-purchase, thank-you), and later.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.matrix.timed import CONSUMABLE, MERCHANT_TIME, PRIOR_TIME, TimingWord

IN_HAND, JUST_BOUGHT, LATER = "in_hand", "just_bought", "later"
PLACEMENT_KINDS = (IN_HAND, JUST_BOUGHT, LATER)

OPEN, TOO_EARLY, EXPIRED, SILENT, UNTIMED = "open", "too_early", "expired", "blocked", "untimed"
STATES = (OPEN, TOO_EARLY, EXPIRED, SILENT, UNTIMED)

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The answer. `untimed`: nothing is known to wait for, so timing has no objection.

    Units: `days_since` whole days since delivery, below 0 while it is under way, None where nothing was delivered.
    `opens_at`: the next moment at which the answer may be open; None when there is none, or it depends on a purchase
    that has not happened. `closes_at`: the end of the window. `level` and `source` of the word that decided, empty
    where none did. `is_estimate`: the delivery is estimated.
    """

    state: str
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    days_since: int | None = None
    level: str = ""
    source: str = ""
    is_estimate: bool = False

    @property
    def allows(self) -> bool:
        """Tell whether timing lets the pair be offered now."""
        return self.state in (OPEN, UNTIMED)


def moment_of(
    word: TimingWord | None,
    owned: OwnedProduct | None,
    *,
    now: datetime,
    placement_kind: str,
    same_basket: bool = False,
) -> Moment:
    """Judge a pair's moment.

    `owned`: the anchor, if the customer bought it before (for `just_bought`: the purchase being made, if its arrival
    can be estimated). `same_basket`: the two are bought in one order beyond accident, or the merchant picked the pair.
    Raises: ValueError for a placement kind that is none.
    """
    if placement_kind not in PLACEMENT_KINDS:
        raise ValueError(f"no such placement kind: {placement_kind}")
    if word is None:
        return Moment(UNTIMED)
    if placement_kind == IN_HAND and (same_basket or owned is None):
        return _at_once(word, owned, now, is_welcome=same_basket or _begins_at_once(word))
    if placement_kind == JUST_BOUGHT:
        is_welcome = word.peaks_at_zero or (not _waits(word) and (same_basket or word.relation == CONSUMABLE))
        return _at_once(word, owned, now, is_welcome=is_welcome)
    return _since_delivery(word, owned, now)


def _at_once(word: TimingWord, owned: OwnedProduct | None, now: datetime, *, is_welcome: bool) -> Moment:
    """Judge day zero, for an anchor that is only now being bought."""
    start = now if owned is None else max(now, owned.delivered_at)
    if _is_silent(word, 0):
        return _moment(word, SILENT, opens_at=_next_free(word, 0, start))
    if not is_welcome or (word.source == MERCHANT_TIME and not _begins_at_once(word)):
        return _moment(word, TOO_EARLY, opens_at=_next_free(word, 1, start))
    return _moment(word, OPEN)


def _since_delivery(word: TimingWord, owned: OwnedProduct | None, now: datetime) -> Moment:
    """Judge the days since the anchor arrived."""
    if owned is None:
        return _moment(word, UNTIMED)
    start, is_estimate = owned.delivered_at, owned.delivered_is_estimate
    days = (now - start) // DAY
    first, last = word.window or (0, None)
    closes_at = None if last is None else start + (last + 1) * DAY
    state, opens_at = OPEN if word.window else UNTIMED, None
    if days < max(first, 0):
        state, opens_at = TOO_EARLY, _next_free(word, first, start)
    elif last is not None and days > last:
        state = EXPIRED
    elif _is_silent(word, days):
        state, opens_at = SILENT, _next_free(word, days, start)
    return Moment(state, opens_at, closes_at, days, word.level, word.source, is_estimate)


def _moment(word: TimingWord, state: str, *, opens_at: datetime | None = None) -> Moment:
    if opens_at is None:
        return _settled(state, word.level, word.source)
    return Moment(state, opens_at, level=word.level, source=word.source)


@lru_cache(maxsize=256)
def _settled(state: str, level: str, source: str) -> Moment:
    """A moment without a date; each is the same one."""
    return Moment(state, level=level, source=source)


def _begins_at_once(word: TimingWord) -> bool:
    return word.window is None or word.window[0] == 0


def _waits(word: TimingWord) -> bool:
    """Tell whether it is proved, or said by the merchant, that the pair is better later."""
    return word.source != PRIOR_TIME and not _begins_at_once(word)


def _is_silent(word: TimingWord, day: int) -> bool:
    return any(first <= day <= last for first, last in word.blocked)


def _next_free(word: TimingWord, day: int, start: datetime) -> datetime | None:
    """Find the first day from `day` on that lies in the window and in no silent stretch."""
    first, last = word.window or (0, None)
    free = max(day, first)
    for silent_from, silent_to in sorted(word.blocked):
        if silent_from <= free <= silent_to:
            free = silent_to + 1
    return None if last is not None and free > last else start + free * DAY
