"""Would the answer stand without the few largest baskets: the same arms with those capped. Pure.

A sensitivity check beside the result, never instead of it: a cap hides part of what an offer sold, so lifts come out
low (3.1-3.7 % misses on that side where 2.5 % are meant), and money shown is never capped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shopify_upsell.experiments.moments import Moments, UnitTotals, of_units

KEPT_PER_MILLE = 999
"""Units, of all arms together, that stay as they are. Source: measurement specification 3.3."""


@dataclass(frozen=True)
class Winsorised:
    """Arms with `y` capped. Units: `cap` as y; `capped` counts units that were above it."""

    cap: int
    capped: int
    arms: Mapping[str, Moments]


def winsorise(arms: Mapping[str, Sequence[UnitTotals]], *, kept_per_mille: int = KEPT_PER_MILLE) -> Winsorised:
    """Cap every unit's y at the pooled quantile; one cap for all arms, or the cap itself would make a difference.

    Shape: at least one unit over all arms. The quantile is the smallest y that that share of units does not exceed.
    Raises: ValueError when there are no units, or the share is not 1 to 1,000.
    """
    values = sorted(unit.y for units in arms.values() for unit in units)
    if not values or not 1 <= kept_per_mille <= 1_000:
        raise ValueError("a cap needs units, and a share of 1 to 1,000 per mille")
    cap = values[-(-len(values) * kept_per_mille // 1_000) - 1]
    return Winsorised(
        cap,
        sum(value > cap for value in values),
        {name: of_units(replace(unit, y=min(unit.y, cap)) for unit in units) for name, units in arms.items()},
    )
