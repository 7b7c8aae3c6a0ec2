"""How much a shopper wants to be asked, in their own words: all, fewer, restock only, none.

Pure. Honoured at the next decision on every surface: nothing in between remembers an older word.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import InvalidInput
from shopify_upsell.customers.courtesy import Caps, divided_caps

ALL, FEWER, RESTOCK_ONLY, NONE = "all", "fewer", "restock_only", "none"
LEVELS = (ALL, FEWER, RESTOCK_ONLY, NONE)
"""From most to least."""

RESTOCK_KINDS = frozenset({"replenish"})
"""Offer kinds that say no more than "you may be running out of what you chose yourself"."""

FEWER_DIVISOR = 3
"""Of every cap a third is left. Source: our choice; a half is hardly noticed, a tenth is "none" by another name."""


@dataclass(frozen=True, slots=True)
class Preference:
    """What somebody said, and when."""

    level: str
    said_at: datetime


def check_level(level: str) -> str:
    """Refuse a word that is not on the page. Raises: InvalidInput."""
    if level not in LEVELS:
        raise InvalidInput("level must be one of " + ", ".join(LEVELS))
    return level


def preference_in_force(preferences: Iterable[Preference]) -> str:
    """Of what a shopper said under several names, the latest word; of two said at one moment the stricter."""
    latest = max(preferences, key=lambda one: (one.said_at, LEVELS.index(one.level)), default=None)
    return ALL if latest is None else latest.level


def allows(level: str, kind: str, count: int) -> bool:
    """Tell whether one more offer of this kind may be shown beside `count` that the placement shows already."""
    if level == NONE:
        return False
    if level == RESTOCK_ONLY:
        return kind in RESTOCK_KINDS
    return level != FEWER or count < 1


def caps_for(level: str, caps: Caps) -> Caps:
    """The shop's caps as they hold for somebody who wants fewer offers: a third of each, rounded up."""
    return divided_caps(caps, FEWER_DIVISOR) if level == FEWER else caps
