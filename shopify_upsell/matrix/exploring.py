"""When a showing may go to a companion without evidence: seldom, by lot, and with its chance written down.

Pure. New shops and new products have no evidence, and would never get any if nothing were tried. The lot is a hash, so
that anyone can draw it again; every gate stays in force for what it picks.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, unit_interval

EXPLORATION_CAP_BASIS_POINTS = 500

EXPLORATION_CAP = EXPLORATION_CAP_BASIS_POINTS / ALL_BASIS_POINTS
"""Largest share of showings that may go to companions without evidence. Source: reference `product.md` R021, R055;
merchants may lower it.
"""

COLD_START = "cold_start"
"""The label of a companion that is proposed without evidence."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """Whether this showing may try something, and the chance, 0 to 1, that it was allowed to: both are stored.

    A chance of 0: nobody may at the moment, because the shop's share is used up.
    """

    is_allowed: bool
    propensity: float


def explores(seed: str, unit: str, now: datetime, *, share: float = EXPLORATION_CAP) -> Exploration:
    """Draw the lot of one unit for one UTC day: all its showings of that day try something, or none does.

    `seed`: random, one a shop. It may be a salt that is used elsewhere too: what is hashed here begins with a word and
    the day, so the lots have nothing to do with arms and holdouts drawn from the same salt. `unit`: `c:{customer id}`
    or `v:{visitor id}`. A share above EXPLORATION_CAP counts as the cap. The share of units is exact in the long run;
    that of showings is held on every day by `offers.exploration_store`, which counts them.
    Raises: ValueError if the share is negative or the time has no zone.
    """
    if share < 0 or now.tzinfo is None:
        raise ValueError("a share is at least 0, and a time has a zone")
    chance = min(share, EXPLORATION_CAP)
    place = unit_interval(f"explore|{seed}|{now.astimezone(UTC):%Y-%m-%d}", unit)
    return Exploration(place < chance, chance)
