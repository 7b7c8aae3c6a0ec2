"""Not enough data, as a value of its own: what is missing, how much of it there is, how much there would have to be.

Pure. A number nobody should act on is not shown as a number: an estimate, a comparison and a decision each answer
with a `NotEnoughData` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shopify_upsell.experiments.moments import Moments

FEWEST_UNITS = 2
"""Units an arm needs for a variance."""

FEWEST_CONVERTERS = 25
"""Units with an order that every arm needs before anything is decided. Source: measurement specification 3.4."""

FEWEST_DAYS = 7
"""Full days before anything is decided, so that every weekday is in. Source: measurement specification 3.4."""

SHORTAGES = (
    "too_few_units",
    "no_variation",
    "no_denominator",
    "no_attributed_revenue",
    "too_few_converters",
    "too_few_days",
)
"""`no_variation`: all units of an arm are alike, so that its error cannot be estimated. `no_denominator`: nothing to
divide by, as no orders for value per order. `no_attributed_revenue`: nothing was claimed, so nothing to calibrate."""


@dataclass(frozen=True, slots=True)
class NotEnoughData:
    """Why there is no number yet. Shape: `code` is one of SHORTAGES; `seen` < `needed`, in what the code counts."""

    code: str
    seen: int = 0
    needed: int = 1


def shortage_for_decision(arms: Sequence[Moments], *, days: int) -> NotEnoughData | None:
    """Find what still forbids a decision; None when nothing does. Units: `days` full days since the launch."""
    if days < FEWEST_DAYS:
        return NotEnoughData("too_few_days", days, FEWEST_DAYS)
    fewest = min((arm.converters for arm in arms), default=0)
    if fewest < FEWEST_CONVERTERS:
        return NotEnoughData("too_few_converters", fewest, FEWEST_CONVERTERS)
    return None
