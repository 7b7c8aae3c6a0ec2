"""What a model divides over: the touches that led to one line, and channel weights learned from all journeys. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SCALE = 10**9
"""Weights are whole billionths, rounded half to even. Source: reference `measurement.md` part 2.3."""

ON_SITE = frozenset({"theme", "cart", "checkout", "post_purchase", "thank_you"})
"""Channels of one visit; an account page or an e-mail may bring a shopper back days later."""


@dataclass(frozen=True, slots=True)
class PathTouch:
    """One meeting with an offer on the way to a line. `channel`: the surface of its placement."""

    channel: str
    kind: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Path:
    """Touches in time, the earliest first, and when the line came to be."""

    touches: tuple[PathTouch, ...]
    ended_at: datetime

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel of each touch."""
        return tuple(touch.channel for touch in self.touches)

    @property
    def is_on_site(self) -> bool:
        """Tell whether every touch belongs to one visit's channels."""
        return all(touch.channel in ON_SITE for touch in self.touches)


@dataclass(frozen=True, slots=True)
class ChannelFit:
    """Channel weights learned from a shop's journeys.

    `strength`: removal effect or Shapley value by channel, 0 or more. `converting`: converting journeys that touch
    the channel. `is_enough`: whether there were enough journeys to stand on their own. `version` 0: never fitted.
    """

    version: int
    strength: Mapping[str, float]
    converting: Mapping[str, int]
    is_enough: bool


NO_FIT = ChannelFit(version=0, strength={}, converting={}, is_enough=False)


def scaled(shares: Sequence[float]) -> list[int]:
    """Write shares of 1 as whole billionths, rounded half to even.

    They need not add up to 10^9 exactly (a third is 333,333,333 thrice): money is divided in their proportion by
    `money.apportion`, whose parts do add up.
    """
    return [round(share * SCALE) for share in shares]


def even(count: int) -> list[int]:
    """The same weight for each touch."""
    return [round(SCALE / count)] * count
