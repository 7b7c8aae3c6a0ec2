"""When a showing may go to a companion without evidence: seldom, by lot, and with its chance written down.

Pure. New shops and new products have no evidence, and would never get any if nothing were tried. The lot is a hash, so
that anyone can draw it again; every gate stays in force for what it picks.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from shopify_upsell.experiments.assignment import unit_interval

EXPLORATION_CAP = 0.05
"""Largest share of showings that may go to companions without evidence. Source: reference `product.md` R021, R055;
merchants may lower it.
"""

COLD_START = "cold_start"
"""The label of a companion that is proposed without evidence."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """Whether this showing may try something, and the chance, 0 to 1, that it was allowed to: both are stored."""

    is_allowed: bool
    propensity: float


def explores(seed: str, unit: str, now: datetime, *, share: float = EXPLORATION_CAP) -> Exploration:
    """Draw the lot of one unit for one UTC day: all its showings of that day try something, or none does.

    `seed`: random, one a shop, and none that an experiment uses. `unit`: `c:{customer id}` or `v:{visitor id}`. A share
    above EXPLORATION_CAP counts as the cap. The share of units is exact in the long run; whoever must hold the share of
    showings below a limit on every day counts them too.
    Raises: ValueError if the share is negative or the time has no zone.
    """
    if share < 0 or now.tzinfo is None:
        raise ValueError("a share is at least 0, and a time has a zone")
    chance = min(share, EXPLORATION_CAP)
    place = unit_interval(f"explore|{seed}|{now.astimezone(UTC):%Y-%m-%d}", unit)
    return Exploration(place < chance, chance)
